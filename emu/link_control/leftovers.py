"""Queue disciplines that interfaces have and no plan knows of any more: which of them have to go.

What has nothing to do any more stays while packets are in it. It is found here, in the kernel, when it is in
the way of something or has become empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..netlink.arrangement import MAJORS, PACE, Layer
from ..netlink.counters import QueueCount, encode_queue_query, read_queue_counts
from ..netlink.delivery import Batch, exchange
from ..netlink.disciplines import Netem
from ..netlink.queueing import Place, RemoveDiscipline
from ..shaping.queues import DISCIPLINES

if TYPE_CHECKING:
    from ..netlink.operations import Request
    from ..sandboxes.connection import Sandbox


def leftovers(
    sandbox: Sandbox,
    known: Mapping[Place, Sequence[Layer]],
    chosen: Callable[[Sequence[QueueCount], Sequence[Layer]], QueueCount | None],
) -> dict[Place, list[Request]]:
    """Return what takes away queue disciplines that interfaces have: those that are chosen.

    Args:
        sandbox: the network's.
        known: the interfaces, each with what helps to choose.
        chosen: returns of those of an interface the one that has to go, with all below it.
    """
    if not known:
        return {}
    queries = [Batch(place.node, encode_queue_query(number), number) for number, place in enumerate(known, 1)]
    answers = exchange(sandbox, queries, lambda _: None)
    found: dict[Place, list[Request]] = {}
    for (place, layers), answer in zip(known.items(), answers, strict=True):
        gone = chosen(read_queue_counts(answer.data).get(place.index, []), layers)
        if gone is not None:
            parent = 0 if gone.is_root else gone.parent >> 16
            found[place] = [RemoveDiscipline(place.node, place.name, place.index, gone.handle >> 16, parent)]
    return found


def root(there: Sequence[QueueCount], _: Sequence[Layer]) -> QueueCount | None:
    """Return the uppermost queue discipline, with which all go."""
    return next((one for one in there if one.is_root and one.handle), None)


def in_the_way(there: Sequence[QueueCount], wanted: Sequence[Layer]) -> QueueCount | None:
    """Return the uppermost queue discipline that has to go; None where all may stay.

    Without packets in them all go. Amid packets what is of use stays, and each netem, which does nothing by
    now, if none is to duplicate. The kernel would refuse to make one of another kind of the rest, whose
    handles are always the same. A queue with options would keep those that it had. What others have put there
    has other handles, and stays.
    """
    ours = [one for one in there if one.handle >> 16 in MAJORS]
    ours.sort(key=lambda one: (not one.is_root, one.handle))
    if not any(one.waiting for one in there):
        return next((one for one in ours if one.is_root), None)
    if not wanted:
        return None
    kinds = {(layer.major, layer.discipline.kind) for layer in wanted}
    fitting = {
        (major, kind) for major, kind in kinds if kind not in DISCIPLINES or not DISCIPLINES[kind].options
    }
    if not duplicates(wanted):
        fitting |= {(one.handle >> 16, one.kind) for one in ours if one.kind == "netem"}
    return next((one for one in ours if (one.handle >> 16, one.kind) not in fitting), None)


def beside(there: Sequence[QueueCount], known: Sequence[Layer]) -> QueueCount | None:
    """Return the uppermost netem beside that of the way that no plan knows of: one that has nothing to do."""
    if any(layer.major == PACE for layer in known):
        return None
    return next((one for one in there if one.kind == "netem" and one.handle >> 16 == PACE), None)


def duplicates(layers: Sequence[Layer]) -> bool:
    """Return whether a netem among these duplicates packets."""
    return any(isinstance(one.discipline, Netem) and one.discipline.shaping.duplicate for one in layers)
