"""What of a direction's shaping a kernel can do. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from .model import Loss, Shaping

#: The queue disciplines that every kernel has, and those of which netem keeps a rate by itself.
PLAIN, ALWAYS = ("fifo", "pfifo"), ("fifo", "pfifo", "bfifo")
#: The largest rate of HFSC, which counts bytes per second in 32 bits (struct tc_service_curve).
STEEPEST = (2**32 - 1) * 8


def possible(shaping: Shaping | None, there: Collection[str]) -> Shaping | None:
    """Return what is left of a direction on a kernel that has the features `there`; None is nothing.

    Features are called as in `emu.netlink.features`. Loss that is independent needs `netem` or `numgen`, a
    rate one of its `keepers`.
    """
    if shaping is None:
        return None
    found = shaping
    if "netem" not in there:
        loss = plain_loss(found) if "numgen" in there else None
        found = dataclasses.replace(
            found.in_the_queue, loss=None if loss is None else Loss("random", (loss, 0.0))
        )
    if found.seed is not None and "netem seed" not in there:
        found = dataclasses.replace(found, seed=None)
    if found.queue is not None and found.queue.kind not in (*ALWAYS, *there):
        found = dataclasses.replace(found, queue=None)
    if found.rate is not None and not any(one in there for one in keepers(found)):
        found = dataclasses.replace(found, rate=None)
    if found.rate is None and (found.queue is None or (found.limit and found.limit.unit == "time")):
        found = dataclasses.replace(found, limit=None)
    return None if found == Shaping() else found


def rate_by_netem(shaping: Shaping) -> bool:
    """Tell whether netem can keep a direction's rate: packets leave its queue in order.

    netem gives each packet its time when it comes, by the rate of that moment.
    """
    plain = shaping.queue is None or shaping.queue.kind in PLAIN
    return plain and not shaping.duplicate and not shaping.varies


def keepers(shaping: Shaping) -> tuple[str, ...]:
    """Return the features of the kernel that can keep a direction's rate, the best first.

    A bucket of tokens (`tbf`) can always. What holds packets back by itself is no queue for `hfsc`, which
    would take that for lateness and make up for it.
    """
    if rate_by_netem(shaping):
        return "netem", "tbf"
    queue = shaping.queue
    paces = queue is not None and (queue.kind == "fq" or "bandwidth" in dict(queue.options))
    return ("tbf",) if paces or (shaping.rate or 0) > STEEPEST else ("hfsc", "tbf")


def plain_loss(shaping: Shaping | None) -> float | None:
    """Return the share of packets that a direction loses, each by a chance of its own; else None.

    Loss that depends on what became of the packets before is netem's alone.
    """
    if shaping is None or shaping.loss is None or shaping.loss.model != "random":
        return None
    share, *correlation = shaping.loss.chances
    return None if any(correlation) else share
