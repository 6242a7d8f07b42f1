"""In which order queue disciplines stand on an interface, from the root down.

At the root is what cuts the pieces of up to 64 KB that TCP hands over into packets: the rest acts on packets.
netem hands each packet that is due *down* to the discipline below it. So the delay is first, below it
are the rate and the queue in front of it (netem as `Pace`), and below these what befalls packets that have
been sent, loss for example. No discipline holds packets behind the queue: many kernels would count them with
those that wait. A queue that drops or marks by its own mind decides when a packet leaves it, not when it
comes: it needs a rate above that fetches packets, that of hfsc or tbf. docs/explanation/links.md has the
reasons.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

from ..shaping import Shaping
from ..shaping.model import limit_in
from ..shaping.possible import keepers, rate_by_netem
from ..shaping.units import LARGEST_RATE
from .disciplines import Netem, Pace, Tbf, Waiting, waiting_for
from .service_curve import Hfsc

#: The major numbers of the handles of what cuts pieces into packets, of the way to the queue, of what sets
#: the pace, of the way behind it, and of what fetches packets at a rate and its queue: always the same ones,
#: so that a change finds them. Each is more than that of what is above.
MAJORS = SPLIT, WAY, PACE, BEYOND, FETCHER, QUEUE = 1, 2, 3, 4, 5, 6
#: How many packets may be on their way. That is no queue, and drops none: 1 s of 10 Gbit/s.
ON_THE_WAY = 1_000_000
#: For how long a late timer costs no bandwidth, in seconds: what the bucket holds.
_SLACK = 0.004
#: The limit of the root, in bytes: nothing waits there.
_ROOM = 1 << 20
#: How much longer a frame may be, as by the tags of VLANs: a bucket lets nothing pass that it cannot hold.
_TAGS = 64

Discipline = Pace | Netem | Hfsc | Tbf | Waiting


@dataclass(frozen=True, slots=True)
class Layer:
    """A queue discipline and where it is: the major numbers of its handle and of its parent's (0: none)."""

    discipline: Discipline
    major: int
    parent: int


def layers_of(shaping: Shaping | None, there: Collection[str] | None = None) -> tuple[Layer, ...]:
    """Return the queue disciplines of one direction, from the root down.

    Args:
        shaping: what the direction does.
        there: the kernel's features; None is all. A rate and its queue do without netem and hfsc, less well,
            and random loss is not a matter of queue disciplines then.
    """
    if shaping is None or not shaping.shapes:
        return ()
    found = _acting(shaping, there)
    if there is not None and "tbf" not in there:
        return found
    # tbf cuts up all that its bucket cannot hold (tbf_segment). Its rate is such that nothing waits for it.
    root = Layer(Tbf(LARGEST_RATE, shaping.frame + _TAGS, _ROOM), SPLIT, 0)
    return (root, *(dataclasses.replace(one, parent=one.parent or SPLIT) for one in found))


def _acting(shaping: Shaping, there: Collection[str] | None) -> tuple[Layer, ...]:
    """Return what acts on packets."""
    netem = there is None or "netem" in there
    if netem and shaping.rate is not None and rate_by_netem(shaping):
        return _paced(shaping, shaping.rate)
    found: list[Layer] = []
    if netem:
        fetched = shaping.rate is not None or shaping.queue is not None
        found.append(Layer(Netem(shaping.on_the_way, _passing(shaping), frees=fetched), WAY, 0))
    if shaping.rate is None and shaping.queue is None:
        return tuple(found)
    waiting = waiting_for(shaping)
    if shaping.rate is not None:
        fetcher = _fetcher(shaping, shaping.rate, waiting.limit, there)
        found.append(Layer(fetcher, FETCHER, found[-1].major if found else 0))
    found.append(Layer(waiting, QUEUE, found[-1].major if found else 0))
    return tuple(found)


def _paced(shaping: Shaping, rate: int) -> tuple[Layer, ...]:
    """Return the layers of a direction whose rate is netem's."""
    before, behind = shaping.around_the_queue
    way = Layer(Netem(before, _passing(shaping)), WAY, 0)
    pace = Layer(Pace(rate, limit_in(shaping, "packets")), PACE, WAY)
    if behind == Shaping():
        return way, pace
    return way, pace, Layer(Netem(behind, ON_THE_WAY), BEYOND, PACE)


def _passing(shaping: Shaping) -> int:
    """Return the limit of the way: it counts those with that wait further down."""
    waiting = limit_in(shaping, "packets") if shaping.rate is not None or shaping.limit else 0
    return min(max(ON_THE_WAY, 2 * waiting), 2**32 - 1)


def _fetcher(shaping: Shaping, rate: int, limit: int, there: Collection[str] | None) -> Hfsc | Tbf:
    """Return what takes packets out of a queue at a rate."""
    if "hfsc" in keepers(shaping) and (there is None or "hfsc" in there):
        return Hfsc(rate)
    # A change of the rate fills the bucket anew.
    slack = 0.0 if shaping.varies else _SLACK
    return Tbf(rate, max(shaping.frame + _TAGS, int(rate * slack / 8)), limit)
