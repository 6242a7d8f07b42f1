"""A `Shaping` as the attributes that make it, in the shortest words, for people and for files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .model import Chance, Limit, Loss, Queue, Reorder, Shaping, Slot, default_limit
from .queues import CHANCE, DISCIPLINES, FLAG, NANOSECONDS, RATE, TIME
from .units import show_chance, show_rate, show_size, show_time

_SHOWN: dict[str, Callable[[Any], str]] = {
    RATE: show_rate, TIME: show_time, NANOSECONDS: show_time, CHANCE: "{:.10g}".format,
}  # fmt: skip


def attributes_of(shaping: Shaping) -> dict[str, str]:
    """Return the attributes that give this shaping, as texts; none where there is nothing to say."""
    shown: dict[str, Callable[[Any], str]] = {
        "rate": show_rate, "delay": show_time, "jitter": show_time, "delay_correlation": show_chance,
        "distribution": lambda one: one.name, "loss": _loss, "duplicate": _chance, "reorder": _reorder,
        "corrupt": _chance, "slot": _slot, "limit": show_limit, "queue": show_queue, "mtu": str, "seed": str,
    }  # fmt: skip
    empty = Shaping()
    return {
        name: show(getattr(shaping, name)) for name, show in shown.items()
        if getattr(shaping, name) != getattr(empty, name)
    }  # fmt: skip


def describe(shaping: Shaping, *, defaults: bool = True) -> str:
    """Return it in one line; by `defaults` with the queue's limit also where that is the default one.

    >>> describe(Shaping(rate=10_000_000, delay=50_000_000))
    'rate 10mbit, delay 50ms, limit 100p (by default)'
    """
    found = attributes_of(shaping)
    one = shaping.distribution
    if one is not None and one.table and not one.is_file:
        found["distribution"] = f"of {len(one.name.split())} samples"
    parts = [f"{name} {text}" for name, text in found.items()]
    if defaults and shaping.limit is None and (shaping.rate is not None or shaping.queue is not None):
        parts.append(f"limit {show_limit(default_limit(shaping))} (by default)")
    return ", ".join(parts)


def show_limit(limit: Limit) -> str:
    """Return a limit as the attribute has it."""
    shown: dict[str, Callable[[Any], str]] = {"packets": "{}p".format, "bytes": show_size, "time": show_time}
    return shown[limit.unit](limit.number)


def show_queue(queue: Queue) -> str:
    """Return a queue discipline with its options, as tc has them."""
    return " ".join([queue.kind, *queue_options(queue)])


def queue_options(queue: Queue) -> list[str]:
    """Return a queue discipline's options as words of tc."""
    known = DISCIPLINES[queue.kind].options
    words: list[str] = []
    for name, value in queue.options:
        kind = known[name].kind
        words += [name] if kind == FLAG else [name, _SHOWN.get(kind, str)(value)]
    return words


def _loss(loss: Loss) -> str:
    chances = " ".join(map(show_chance, loss.chances))
    if loss.model == "random":
        return chances if loss.chances[1] else show_chance(loss.chances[0])
    return f"{loss.model} {chances}"


def _chance(one: Chance) -> str:
    return show_chance(one.chance) + (f" {show_chance(one.correlation)}" if one.correlation else "")


def _reorder(one: Reorder) -> str:
    return _chance(Chance(one.chance, one.correlation)) + (f" gap {one.gap}" if one.gap != 1 else "")


def _slot(slot: Slot) -> str:
    words = [show_time(slot.least)] if slot.least == slot.most else [*map(show_time, (slot.least, slot.most))]
    if slot.distribution:
        words = ["distribution", slot.distribution.name, *map(show_time, (slot.least, slot.most))]
    words += [f"packets {slot.packets}"] if slot.packets else []
    return " ".join(words + ([f"bytes {slot.size}"] if slot.size else []))
