"""What makes a running arrangement of queue disciplines another one, with the packets in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from ..shaping import Shaping
from ..shaping.model import DEFAULT_MTU, Queue
from ..shaping.possible import STEEPEST
from ..shaping.queues import DISCIPLINES
from ..shaping.units import LARGEST_RATE
from .arrangement import BEYOND, ON_THE_WAY, PACE, QUEUE, SPLIT, WAY, Discipline, Layer, layers_of
from .disciplines import Netem, Pace, Tbf, Waiting
from .operations import Request
from .queueing import Place, RemoveDiscipline, SetMtu, setting
from .service_curve import Hfsc

#: A bucket through which packets pass at once, however many come together.
_OPEN = 1 << 20
#: What stays where it has nothing to do any more, with packets in it perhaps.
_STAYING = {SPLIT, WAY, PACE, BEYOND}


def changes(
    place: Place, old: Shaping | None, new: Shaping | None, there: Collection[str] | None = None
) -> list[Request]:  # fmt: skip
    """Return what makes a running direction that does `old` do `new`.

    All is changed in place and keeps its packets, but for a queue that becomes one of another kind or loses
    an option, or an sfq that gets other ones. What has nothing to do any more stays and does nothing,
    since packets may be in it: what removes it drops them.
    """
    node, name, index = place.node, place.name, place.index
    before = {layer.major: layer for layer in layers_of(old, there)}
    after = {layer.major: layer for layer in layers_of(new, there)}
    if _keeps_its_length(old, new) and QUEUE in before and QUEUE in after:
        after[QUEUE] = dataclasses.replace(before[QUEUE], parent=after[QUEUE].parent)
    if not after.keys() - _STAYING:
        after = {
            major: dataclasses.replace(layer, discipline=_idle(layer.discipline))
            for major, layer in before.items() if major in _STAYING or not after
        } | after  # fmt: skip
    found: list[Request] = []
    gone = next((one for major, one in sorted(before.items()) if not _stays(one, after.get(major))), None)
    if gone is not None and _leaves_nothing(gone, before, after):
        gone = before[gone.parent]
    if gone is not None:  # with all that is below it
        found.append(RemoveDiscipline(node, name, index, gone.major, gone.parent))
        before = {major: one for major, one in before.items() if major < gone.major}
    found += [
        request for major, layer in sorted(after.items()) if layer != before.get(major)
        for request in setting(place, _again(layer, major in before), replace=True)
    ]  # fmt: skip
    mtu, mtu_before = ((one and one.mtu) or DEFAULT_MTU for one in (new, old))
    if mtu != mtu_before:  # longer frames come when there is room for them, and no more when there is not
        found.insert(len(found) if mtu > mtu_before else 0, SetMtu(node, name, index, mtu))
    return found


def _idle(one: Discipline) -> Discipline:
    """Return a queue discipline that does nothing, of the same kind; a queue is as it was."""
    if isinstance(one, Pace):
        return Pace(None, ON_THE_WAY)
    if isinstance(one, Netem):
        return Netem(Shaping(), ON_THE_WAY, one.frees)
    if isinstance(one, Tbf):
        return Tbf(LARGEST_RATE, _OPEN, one.limit)
    return Hfsc(STEEPEST) if isinstance(one, Hfsc) else one


def _keeps_its_length(old: Shaping | None, new: Shaping | None) -> bool:
    """Tell whether a queue that cannot be changed stays, since only what its limit comes to is another.

    A rate that a trace changes a hundred times a second would empty it each time.
    """
    if old is None or new is None or new.queue is None or not DISCIPLINES[new.queue.kind].is_fixed:
        return False
    return (old.queue, old.limit) == (new.queue, new.limit)


def _stays(before: Layer, after: Layer | None) -> bool:
    if after is None or before.parent != after.parent:
        return False
    one, other = before.discipline, after.discipline
    if isinstance(one, Waiting) and isinstance(other, Waiting):
        return _can_become(one, other)
    return one.kind == other.kind


def _can_become(one: Waiting, other: Waiting) -> bool:
    """Tell whether a change makes a queue another one; the kernel keeps options that it is not told of."""
    discipline = DISCIPLINES[one.kind]
    mine, its = dict(one.queue.options), dict(other.queue.options)
    if one.kind != other.kind or (discipline.is_fixed and one != other):
        return False
    if any(mine.get(name) != its.get(name) for name in discipline.set_up):
        return False
    places = {name: option.attribute for name, option in discipline.options.items()}
    return discipline.is_whole or {places[name] for name in mine} <= {places[name] for name in its}


def _leaves_nothing(gone: Layer, before: Mapping[int, Layer], after: Mapping[int, Layer]) -> bool:
    """Tell whether a layer leaves its place to nobody, in a discipline that drops all from then on.

    tbf_graft in net/sched/sch_tbf.c has `noop_qdisc` instead. Without netem that place may stay empty.
    """
    above = before.get(gone.parent)
    if above is None or not isinstance(above.discipline, Tbf):
        return False
    return all(layer.parent != gone.parent for layer in after.values())


def _again(layer: Layer, running: bool) -> Layer:
    """Return a layer for a change, which says all that it is to be, and nothing that cannot be changed."""
    if running and isinstance(layer.discipline, Waiting):
        queue = layer.discipline.queue
        set_up = DISCIPLINES[queue.kind].set_up
        said = Queue(queue.kind, tuple(one for one in queue.options if one[0] not in set_up))
        return dataclasses.replace(layer, discipline=dataclasses.replace(layer.discipline, queue=said))
    if isinstance(layer.discipline, Netem | Pace):
        return dataclasses.replace(layer, discipline=dataclasses.replace(layer.discipline, again=True))
    return layer
