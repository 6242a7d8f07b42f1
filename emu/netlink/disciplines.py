"""Queue disciplines as tc(8) writes them and as the kernel takes them.

The options are those of include/uapi/linux/pkt_sched.h. A message has no more than it needs: tc adds a
table of rates to tbf's that kernels since 3.8 do not read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..shaping.model import Distribution, Loss, Queue, Shaping, Slot, limit_in
from ..shaping.queues import DISCIPLINES, FLAG, RATE, TIME, Option
from ..shaping.tables import table_of
from ..shaping.text import queue_options
from ..shaping.units import LARGEST_RATE, show_chance, show_rate, show_time
from .messages import NESTED, attribute, number
from .red import TICK, Red, ticks

_MOST = 2**32 - 1
_NETEM = struct.Struct("=6I")
# enum TCA_NETEM_*
_CORR, _DELAY_DIST, _REORDER, _CORRUPT, _LOSS, _RATE, _RATE64 = 1, 2, 3, 4, 5, 6, 8
_LATENCY64, _JITTER64, _SLOT, _SLOT_DIST, _SEED = 10, 11, 12, 13, 14
_LOSS_MARKOV, _LOSS_GILBERT = 1, 2
# enum TCA_TBF_* and struct tc_ratespec: cell_log, linklayer, overhead, cell_align, mpu, rate
_TBF_PARMS, _TBF_RATE64, _TBF_BURST = 1, 4, 6
_RATESPEC = struct.Struct("=BBHhHI")
_ETHERNET = 1
_SFQ = struct.Struct("=IiIIII48x")
#: Attributes that are not 32-bit numbers: those of 64 bits, and of 8.
_WIDE, _NARROW = {("cake", 2)}, {("fq", 15)}


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate and the queue in front of it, of at most `limit` packets; without a rate nothing waits.

    netem gives each packet the time at which the ones before it and itself have been sent. So a timer that
    is late costs no bandwidth: what is overdue follows at once.
    """

    rate: int | None
    limit: int
    #: Whether it changes a running one, in which the kernel would keep the rate.
    again: bool = False

    kind = "netem"

    def words(self) -> list[str]:
        """Return the options as tc takes them."""
        rate = ["rate", show_rate(self.rate or 0)] if self.rate or self.again else []
        return ["limit", str(self.limit), *rate]

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        found = _NETEM.pack(0, self.limit, 0, 0, 0, 0)
        if self.rate is None and not self.again:
            return found
        return found + _pace(self.rate or 0)


@dataclass(frozen=True, slots=True)
class Netem:
    """The delay line: what happens to packets on their way (tc-netem(8)).

    `limit` is how many packets may be on their way at once. A change of a running one has to say what is
    no more (`again`): the kernel keeps what is not mentioned. Where packets wait for another discipline below
    (`frees`), and there is no delay, a rate of 1 Tbit/s makes netem let go of the sender's socket.
    """

    shaping: Shaping
    limit: int
    frees: bool = False
    again: bool = False

    kind = "netem"

    def words(self) -> list[str]:
        """Return the options as tc takes them."""
        one = self.shaping
        words = ["limit", str(self.limit), *(["delay", show_time(one.delay)] if one.delay else [])]
        if one.jitter:
            words.append(show_time(one.jitter))
            words += [show_chance(one.delay_correlation)] if one.delay_correlation else []
        if one.jitter and one.distribution and one.distribution.name != "uniform":
            words += ["distribution", one.distribution.title]
        words += _loss_words(_as_netem_has_it(one.loss)) if one.loss else []
        for name, chance in (
            ("duplicate", one.duplicate),
            ("corrupt", one.corrupt),
            ("reorder", one.reorder),
        ):
            if chance:
                words += [name, show_chance(chance.chance)]
                words += [show_chance(chance.correlation)] if chance.correlation else []
        words += ["gap", str(one.reorder.gap)] if one.reorder else []
        words += _slot_words(one.slot) if one.slot else []
        words += ["rate", show_rate(LARGEST_RATE)] if self._paces else []
        return words + (["seed", str(one.seed)] if one.seed is not None else [])

    @property
    def _paces(self) -> bool:
        return self.frees and not self.shaping.delay

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        one = self.shaping
        delay = one.delay
        loss = _as_netem_has_it(one.loss) if one.loss else None
        random = loss.chances[0] if loss and loss.model == "random" else 0.0
        duplicate = _share(one.duplicate.chance) if one.duplicate else 0
        gap = one.reorder.gap if one.reorder else 0
        ticks, jitter = (min(time // TICK, _MOST) for time in (delay, one.jitter))
        parts = [
            _NETEM.pack(ticks, self.limit, _share(random), gap, duplicate, jitter),
            self._chances(),
            _slot(one.slot, self.again) if one.slot else attribute(_SLOT, bytes(40)) if self.again else b"",
            _model(loss) if loss else b"",
            _pace(LARGEST_RATE) if self._paces else _pace(0) if self.again else b"",
            attribute(_LATENCY64, struct.pack("=q", delay)) if delay % TICK or delay // TICK > _MOST else b"",
            _jitter64(one.jitter),
            self._distributions(),
            attribute(_SEED, struct.pack("=Q", one.seed)) if one.seed is not None else b"",
        ]  # fmt: skip
        return b"".join(parts)

    def _chances(self) -> bytes:
        """Return the correlations of delay and duplicates, and what reorders and corrupts."""
        one = self.shaping
        duplicate = one.duplicate.correlation if one.duplicate else 0.0
        correlations = [_share(each) for each in (one.delay_correlation, 0.0, duplicate)]
        parts = (
            [attribute(_CORR, struct.pack("=3I", *correlations))] if self.again or any(correlations) else []
        )
        for kind, chance in ((_REORDER, one.reorder), (_CORRUPT, one.corrupt)):
            if chance or self.again:
                pair = (chance.chance, chance.correlation) if chance else (0.0, 0.0)
                parts.append(attribute(kind, struct.pack("=2I", *map(_share, pair))))
        return b"".join(parts)

    def _distributions(self) -> bytes:
        """Return the tables; a running one that had one has it for good, and gets a uniform one instead."""
        one = self.shaping
        found = b""
        if one.jitter and (self.again or (one.distribution and one.distribution.name != "uniform")):
            found = _table(_DELAY_DIST, one.distribution or Distribution("uniform"))
        if one.slot and (self.again or one.slot.distribution):
            found += _table(_SLOT_DIST, one.slot.distribution or Distribution("uniform"))
        return found


@dataclass(frozen=True, slots=True)
class Tbf:
    """The rate: a bucket of tokens that fills at it and holds `burst` bytes (tc-tbf(8))."""

    rate: int
    burst: int
    #: The limit of the queue below, in that one's own unit: a change of this one sets it too.
    limit: int

    kind = "tbf"

    def words(self) -> list[str]:
        """Return the options as tc takes them."""
        return ["rate", show_rate(self.rate), "burst", f"{self.burst}b", "limit", f"{self.limit}b"]

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        speed = self.rate // 8
        spec = _RATESPEC.pack(3, _ETHERNET, 0, -1, 0, min(speed, _MOST))
        # Kernels since 3.13 take the burst, and compute this themselves.
        buffer = min(ticks(self.burst, min(self.rate, _MOST * 8)), _MOST)
        parms = spec + bytes(_RATESPEC.size) + struct.pack("=3I", self.limit, buffer, 0)
        wide = attribute(_TBF_RATE64, struct.pack("=Q", speed)) if speed > _MOST else b""
        return attribute(_TBF_PARMS, parms) + wide + number(_TBF_BURST, self.burst)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The queue in front of the rate, with a limit in its own unit; red also has the `rate`."""

    queue: Queue
    limit: int
    rate: int | None = None

    @property
    def kind(self) -> str:
        """The kind of queue discipline."""
        return self.queue.kind

    def words(self) -> list[str]:
        """Return the options as tc takes them."""
        if self.kind == "cake":
            return ["memlimit", f"{self.limit}b", *queue_options(self.queue)]
        counted = f"{self.limit}b" if DISCIPLINES[self.kind].unit == "bytes" else str(self.limit)
        words = ["limit", counted, *queue_options(self.queue)]
        if self.kind == "red":
            red = Red.of(self.queue, self.limit, self.rate)
            given = dict(self.queue.options)
            filled = {
                "min": str(red.low),
                "max": str(red.high),
                "avpkt": f"{red.packet}b",
                "burst": str(red.burst),
            }
            words += [word for name, text in filled.items() if name not in given for word in (name, text)]
            words += ["bandwidth", show_rate(red.rate)]
        return words

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        if self.kind in ("pfifo", "bfifo"):
            return struct.pack("=I", self.limit)
        if self.kind == "red":
            return Red.of(self.queue, self.limit, self.rate).options()
        given = dict(self.queue.options)
        if self.kind == "sfq":
            values = [int(given.get(name, 0)) for name in ("quantum", "perturb", "divisor", "flows", "depth")]
            return _SFQ.pack(values[0], values[1], self.limit, *values[2:])
        discipline = DISCIPLINES[self.kind]
        parts = [number(discipline.limit or _CAKE_MEMORY, self.limit)]
        for name, value in given.items():
            option = discipline.options[name]
            parts.append(_option(self.kind, option, value))
        return b"".join(parts)


#: TCA_CAKE_MEMORY
_CAKE_MEMORY = 10


def _option(kind: str, option: Option, value: object) -> bytes:
    """Return one option as an attribute."""
    place, what = option.attribute, option.kind
    amount = option.value if what == FLAG else int(value)  # type: ignore[call-overload]  # numbers but for flags
    if what == RATE:
        amount = min(amount // 8, _MOST if (kind, place) not in _WIDE else 2**64 - 1)
    elif what == TIME:
        amount //= 1000
    if (kind, place) in _WIDE:
        return attribute(place, struct.pack("=Q", amount))
    return attribute(place, bytes([amount])) if (kind, place) in _NARROW else number(place, amount)


def _pace(rate: int) -> bytes:
    """Return a rate of netem's, struct tc_netem_rate, of which only the rate is used; 0 is none."""
    speed = rate // 8
    wide = attribute(_RATE64, struct.pack("=Q", speed)) if speed > _MOST else b""
    return wide + attribute(_RATE, struct.pack("=IiIi", min(speed, _MOST), 0, 0, 0))


def _share(chance: float) -> int:
    """Return a chance in units of 1 / (2³² - 1)."""
    return round(chance * _MOST)


def _as_netem_has_it(loss: Loss) -> Loss:
    """Return a loss with a correlation as one of Gilbert's model (1960) with the same share and correlation.

    netem's own way of correlating random numbers draws them towards the middle: of 5 %, with a correlation of
    25 %, it makes 0.2 %.
    """
    if loss.model != "random" or not loss.chances[1]:
        return loss
    share, correlation = loss.chances
    return Loss("gemodel", (share * (1 - correlation), (1 - share) * (1 - correlation), 1.0, 0.0))


def _model(loss: Loss) -> bytes:
    """Return a loss model: p, r, h, 1-k, or p13, p31, p32, p14, p23; a random loss stands elsewhere."""
    shares = [_share(chance) for chance in loss.chances]
    if loss.model == "gemodel":
        kind, values = _LOSS_GILBERT, [shares[0], shares[1], _MOST - shares[2], shares[3]]
    elif loss.model == "state":
        kind, values = _LOSS_MARKOV, [shares[0], shares[1], shares[2], shares[4], shares[3]]
    else:
        return b""
    return attribute(_LOSS | NESTED, attribute(kind, struct.pack(f"={len(values)}I", *values)))


def _loss_words(loss: Loss) -> list[str]:
    chances = list(map(show_chance, loss.chances))
    if loss.model == "random":
        return ["loss", chances[0]]
    return ["loss", loss.model, *chances]


def _slot_words(slot: Slot) -> list[str]:
    words = ["slot", show_time(slot.least), show_time(slot.most)]
    if slot.distribution:
        words[1:1] = ["distribution", slot.distribution.title]
    words += ["packets", str(slot.packets)] if slot.packets else []
    return words + (["bytes", str(slot.size)] if slot.size else [])


def _slot(slot: Slot, again: bool) -> bytes:
    """Return struct tc_netem_slot: least and most, packets, bytes, a distribution's mean and spread.

    A running netem that had a distribution reads nothing else `again`. No spread at all would be no slots
    (get_slot in net/sched/sch_netem.c).
    """
    plain, drawn = (slot.least, slot.most), (0, 0)
    if slot.distribution or again:
        middle, spread = (slot.least + slot.most) // 2, (slot.most - slot.least) // 2
        if slot.distribution:
            middle, spread = slot.least, slot.most
        plain, drawn = (0, 0), (middle, max(spread, 1))
    return attribute(_SLOT, struct.pack("=qqiiqq", *plain, slot.packets, slot.size, *drawn))


def _jitter64(jitter: int) -> bytes:
    exact = jitter % TICK == 0 and jitter // TICK <= _MOST
    return b"" if exact else attribute(_JITTER64, struct.pack("=q", jitter))


def _table(kind: int, distribution: Distribution) -> bytes:
    table = distribution.table or table_of(distribution.name)
    return attribute(kind, struct.pack(f"={len(table)}h", *table))


def waiting_for(shaping: Shaping) -> Waiting:
    """Return the queue in front of the rate, with its limit in its own unit."""
    queue = shaping.queue or Queue()
    if queue.kind == "fifo":  # the kind that counts what the limit does
        packets = shaping.limit is None or shaping.limit.unit == "packets"
        queue = Queue("pfifo" if packets else "bfifo")
    rate = shaping.rate if queue.kind == "red" else None
    return Waiting(queue, limit_in(shaping, DISCIPLINES[queue.kind].unit), rate)
