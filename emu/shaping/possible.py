"""What of a direction's shaping a kernel can do. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from .model import Loss, Shaping

#: The queue disciplines that every kernel has, and those of which netem keeps a rate by itself.
PLAIN, ALWAYS = ("fifo", "pfifo"), ("fifo", "pfifo", "bfifo")


def possible(shaping: Shaping | None, there: Collection[str]) -> Shaping | None:
    """Return what is left of a direction on a kernel that has the features `there`; None is nothing.

    Features are called as in `emu.netlink.features`. Loss that is independent needs `netem` or `numgen`, a
    rate `tbf` or, where the queue is plain, `netem`.
    """
    if shaping is None:
        return None
    found = shaping
    if "netem" not in there:
        loss = plain_loss(found) if "numgen" in there else None
        found = dataclasses.replace(
            found.in_the_queue, loss=None if loss is None else Loss("random", (loss, 0.0))
        )
    if found.queue is not None and found.queue.kind not in (*ALWAYS, *there):
        found = dataclasses.replace(found, queue=None)
    if found.rate is not None and "tbf" not in there and not ("netem" in there and rate_by_netem(found)):
        found = dataclasses.replace(found, rate=None)
    if found.rate is None and found.queue is None:
        found = dataclasses.replace(found, limit=None)
    return None if found == Shaping() else found


def rate_by_netem(shaping: Shaping) -> bool:
    """Tell whether netem can keep a direction's rate: packets leave its queue in order."""
    return (shaping.queue is None or shaping.queue.kind in PLAIN) and not shaping.duplicate


def plain_loss(shaping: Shaping | None) -> float | None:
    """Return the share of packets that a direction loses, each by a chance of its own; else None.

    Loss that depends on what became of the packets before is netem's alone.
    """
    if shaping is None or shaping.loss is None or shaping.loss.model != "random":
        return None
    share, *correlation = shaping.loss.chances
    return None if any(correlation) else share
