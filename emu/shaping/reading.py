"""From parsed attributes to a `Shaping`, or to what is wrong with them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .model import Shaping
from .possible import ALWAYS, keepers, plain_loss
from .queues import DISCIPLINES
from .units import show_time

#: How wide netem draws at most, in ns: tabledist() in net/sched/sch_netem.c takes 31 bits.
_WIDEST = 2**31 - 1


def shaping_from(attributes: Mapping[str, Any]) -> Shaping:
    """Return what one direction does, from the values that `attributes.PARSERS` returned.

    Raises:
        ValueError: the attributes contradict each other; with all that is wrong.
    """
    found = {name: value for name, value in attributes.items() if name != "profile"}
    distribution = found.get("distribution")
    if isinstance(distribution, tuple):  # of samples, which say the delay too
        mean, spread, found["distribution"] = distribution
        found.setdefault("delay", round(mean))
        found.setdefault("jitter", round(spread))
    shaping = Shaping(**found)
    if faults := list(contradictions(shaping)):
        raise ValueError("; ".join(faults))
    return shaping


def contradictions(shaping: Shaping) -> Iterator[str]:
    """Yield a line for each property that makes no sense beside the others."""
    if shaping.jitter and not shaping.delay:
        yield "jitter without a delay: there is nothing to vary"
    for name in ("delay_correlation", "distribution"):
        if getattr(shaping, name) and not shaping.jitter:
            yield f"{name} without jitter: there is nothing to distribute"
    slot = shaping.slot
    drawn = 0 if slot is None else slot.most if slot.distribution else slot.most - slot.least
    for name, spread in (("jitter", shaping.jitter), ("slot", drawn)):
        if spread > _WIDEST:  # netem would take less, and say nothing
            yield f"{name}: a spread of {show_time(spread)} is more than netem takes, {show_time(_WIDEST)}"
    if shaping.reorder and not shaping.delay:
        yield "reorder without a delay: there is nothing to overtake"
    if shaping.seed is not None and not _draws(shaping):
        yield "seed without loss, jitter or another chance: nothing is drawn"
    yield from _queue_contradictions(shaping)


def _queue_contradictions(shaping: Shaping) -> Iterator[str]:
    if shaping.limit and shaping.rate is None and shaping.queue is None:
        yield "limit without a rate: there is no queue"
    elif shaping.limit and shaping.limit.unit == "time" and shaping.rate is None:
        yield "limit in time without a rate: what the queue holds in it is unknown"
    if shaping.queue is None:
        return
    kind = shaping.queue.kind
    if shaping.rate is None and shaping.limit is None and kind in ("fifo", "pfifo", "bfifo", "red"):
        yield f"queue {kind} without a rate: nothing is ever queued"
    if shaping.limit and DISCIPLINES[kind].unit == "packets" and shaping.limit.unit != "packets":
        if kind == "pfifo":
            yield "queue pfifo has a limit in packets; use bfifo or fifo"
    elif kind == "bfifo" and shaping.limit and shaping.limit.unit == "packets":
        yield "queue bfifo has a limit in bytes or time; use pfifo or fifo"
    options = dict(shaping.queue.options)
    if kind == "red":
        low, high = options.get("min"), options.get("max")
        if isinstance(low, int) and isinstance(high, int) and low >= high:
            yield "queue red: min is not less than max"


def _draws(shaping: Shaping) -> bool:
    """Tell whether anything is left to chance."""
    chances = (shaping.jitter, shaping.loss, shaping.duplicate, shaping.corrupt, shaping.reorder)
    slot = shaping.slot
    return any(chances) or (slot is not None and (slot.distribution is not None or slot.least != slot.most))


#: What of netem's each property is.
_NETEM = ("delay", "jitter", "loss", "duplicate", "corrupt", "reorder", "slot")


def needs(shaping: Shaping) -> list[tuple[str, str, str | None]]:
    """Return what the kernel has to have: a feature of `emu.netlink.features`, for what, and what does, too.

    A rate is kept by tbf where a kernel lacks what does so better.
    """
    found: list[tuple[str, str, str | None]] = [
        ("netem", name, "numgen" if name == "loss" and plain_loss(shaping) is not None else None)
        for name in _NETEM if getattr(shaping, name)
    ]  # fmt: skip
    if shaping.seed is not None:
        found.append(("netem seed", "seed", None))
    if shaping.rate is not None:
        best, *others = keepers(shaping)
        found.append((best, "rate", others[-1] if others else None))
    if shaping.queue is not None and shaping.queue.kind not in ALWAYS:
        found.append((shaping.queue.kind, "queue", None))
    return found
