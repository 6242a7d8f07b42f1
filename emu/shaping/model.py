"""What one direction of a link does to packets: a frozen value, exact, with a JSON form.

Rates are bit/s, times ns, sizes bytes, chances numbers from 0 to 1.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

#: An Ethernet header, which the kernel counts with a packet's size (include/uapi/linux/if_ether.h, ETH_HLEN).
HEADER = 14
#: What an interface carries where nothing is said (ETH_DATA_LEN of the same file).
DEFAULT_MTU = 1500


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely something happens to a packet, and how much that depends on the packet before."""

    chance: float
    correlation: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss model of netem: `random`, `gemodel` or `state`, with its chances in tc's order.

    random: the loss and its correlation. gemodel (Gilbert and Elliott): p, r, 1-h, 1-k. state (a Markov
    chain of four states): p13, p31, p32, p23, p14. S. Salsano, F. Ludovici, A. Ordine and D. Giannuzzi,
    "Definition of a general and intuitive loss model for packet networks and its implementation in the Netem
    module in the Linux kernel", version 3.1, University of Rome Tor Vergata, 2012.
    """

    model: str
    chances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reorder:
    """Packets that overtake: `chance` of every `gap`-th is sent at once, ahead of those that wait."""

    chance: float
    correlation: float = 0.0
    gap: int = 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """How jitter is distributed: a name, and for samples of the user's own what they come to as a table.

    Then `name` is the path of their file, or the samples themselves. The table holds deviations in units of
    1/8192 of the jitter, ascending.
    """

    name: str
    table: tuple[int, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether its samples are in a file."""
        return "/" in self.name

    @property
    def title(self) -> str:
        """What to call it in a word, as tc wants one."""
        if not self.table:
            return self.name
        return PurePath(self.name).stem.replace(" ", "-") if self.is_file else "samples"


@dataclass(frozen=True, slots=True)
class Slot:
    """Packets go in bursts: one every `least` to `most` ns, of so many packets and bytes (0: any number).

    With a distribution, the time between is drawn from it, around `least` with a spread of `most`.
    """

    least: int
    most: int
    packets: int = 0
    size: int = 0
    distribution: Distribution | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a queue holds: a number of `packets`, of `bytes`, or of ns of `time` at the link's rate."""

    number: int
    unit: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue discipline by its name in tc, and the options that are not its defaults."""

    kind: str = "fifo"
    options: tuple[tuple[str, int | float | bool | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Shaping:
    """What one direction of a link does to packets; a link without any of it has none."""

    rate: int | None = None
    queue: Queue | None = None
    limit: Limit | None = None
    delay: int = 0
    jitter: int = 0
    delay_correlation: float = 0.0
    distribution: Distribution | None = None
    loss: Loss | None = None
    duplicate: Chance | None = None
    corrupt: Chance | None = None
    reorder: Reorder | None = None
    slot: Slot | None = None
    seed: int | None = None
    mtu: int | None = None
    #: Whether the rate changes again and again, as by a trace: packets that wait leave by the rate of then,
    #: not by that of when they came.
    varies: bool = False

    def __str__(self) -> str:
        """Return what it does in one line, as `link … show` has it."""
        from .text import describe

        return describe(self) or "nothing"

    def __repr__(self) -> str:
        """Return it without the fields that say nothing."""
        said = ((one.name, getattr(self, one.name), one.default) for one in dataclasses.fields(self))
        return f"Shaping({', '.join(f'{name}={value!r}' for name, value, usual in said if value != usual)})"

    @property
    def on_the_way(self) -> Shaping:
        """What happens to packets apart from the rate and its queue."""
        return dataclasses.replace(self, rate=None, queue=None, limit=None, mtu=None, varies=False)

    @property
    def around_the_queue(self) -> tuple[Shaping, Shaping]:
        """What happens to packets before the queue of a rate, and behind it.

        A delay comes to the same on either side. What overtakes or goes in bursts does so behind the queue.
        """
        way = self.on_the_way
        if self.reorder or self.slot:
            return Shaping(), way
        delay = Shaping(
            delay=self.delay, jitter=self.jitter, delay_correlation=self.delay_correlation,
            distribution=self.distribution, seed=self.seed if self.jitter else None,
        )  # fmt: skip
        rest = dataclasses.replace(way, delay=0, jitter=0, delay_correlation=0.0, distribution=None)
        return delay, dataclasses.replace(rest, seed=None) if rest == Shaping(seed=self.seed) else rest

    @property
    def in_the_queue(self) -> Shaping:
        """The rate, its queue and the MTU alone."""
        return Shaping(
            rate=self.rate, queue=self.queue, limit=self.limit, mtu=self.mtu, varies=self.varies
        )  # fmt: skip

    @property
    def impairs(self) -> bool:
        """Whether it delays, loses or changes packets, which is netem's part."""
        return _IMPAIRING(self) != _NOTHING

    @property
    def shapes(self) -> bool:
        """Whether packets are queued at all: an MTU alone is kept without a queue."""
        return self.impairs or self.rate is not None or self.queue is not None

    @property
    def frame(self) -> int:
        """The bytes of the largest frame, as the kernel counts them."""
        return (self.mtu or DEFAULT_MTU) + HEADER

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Shaping:
        """Return what `dataclasses.asdict` made a dictionary of, also by way of JSON."""
        found = dict(data)
        for name, kind in _PARTS.items():
            if found.get(name) is not None:
                found[name] = _part(kind, found[name])
        return cls(**found)


#: What happens to packets apart from the rate and its queue, and what it is where nothing does.
_IMPAIRING = operator.attrgetter(*(
    field.name for field in dataclasses.fields(Shaping)
    if field.name not in ("rate", "queue", "limit", "mtu")
))  # fmt: skip
_NOTHING = _IMPAIRING(Shaping())
_PARTS: dict[str, Any] = {
    "queue": Queue, "limit": Limit, "distribution": Distribution, "loss": Loss, "duplicate": Chance,
    "corrupt": Chance, "reorder": Reorder, "slot": Slot,
}  # fmt: skip


def _part(kind: Any, data: Mapping[str, Any]) -> Any:
    """Return one part; what JSON made a list of is a tuple again."""
    found = {
        name: _part(Distribution, value) if isinstance(value, Mapping) else _tuples(value)
        for name, value in data.items()
    }
    return kind(**found)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list | tuple) else value


#: What fq holds, and fq_codel about as much, where nobody says anything (net/sched/sch_fq.c).
_WITHOUT_RATE = 10_000
#: What else a packet takes on a path than a link's delay, in ns; and the least queue, in full frames.
_ELSEWHERE, _LEAST_FRAMES = 20 * 10**6, 20


def default_limit(shaping: Shaping) -> Limit:
    """Return how much a queue holds where nothing is said, in packets of full size.

    What the rate carries in a round trip (C. Villamizar and C. Song, "High Performance TCP in ANSNET", ACM
    SIGCOMM Computer Communication Review 24(5), 1994), but not less than 20 packets. The round trip is twice
    the delay, of a link that is alike in both directions, and 20 ms for all else: other links, and hosts that
    send and answer in bursts. Without a rate a queue fills by one of its own, if at all, as of each flow, and
    holds what those of the kernel do.
    """
    if shaping.rate is None:
        return Limit(_WITHOUT_RATE, "packets")
    span = 2 * shaping.delay + _ELSEWHERE
    held = -(-shaping.rate * span // (8 * 10**9 * shaping.frame))
    return Limit(min(max(held, _LEAST_FRAMES), 2**24), "packets")


def limit_in(shaping: Shaping, unit: str) -> int:
    """Return the queue's limit in `bytes` or `packets`.

    A time is what the rate carries in it. Between bytes and packets full frames are counted, and
    never fewer than one; nor more than the kernel counts, which is more than any machine holds.
    """
    limit = shaping.limit or default_limit(shaping)
    number, has = limit.number, limit.unit
    if has == "time":
        number, has = max((shaping.rate or 0) * limit.number // (8 * 10**9), shaping.frame), "bytes"
    if has != unit:
        number = number * shaping.frame if unit == "bytes" else number // shaping.frame
    return min(max(number, 1), 2**32 - 1)
