"""Who reaches whom: emu's `ping_all`, beside Mininet's `pingAll` on the same network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import emu
from emu.reading.sources import graph_from

from .contenders import build, mininet
from .tables import Table, median, ratio

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield how long all pairs take."""
    few, many = effort.of(30, 4), effort.of(100, 6)
    other = mininet("mininet_pingall.py", few)
    runs: dict[tuple[str, int], list[float]] = {}
    _seconds(2, namespaces)  # what is loaded when it is first needed, is loaded now
    for _ in range(effort.rounds):
        for count in (few, many):
            runs.setdefault(("emu", count), []).append(_seconds(count, namespaces) / _pairs(count))
        if other.missing is None:
            seconds = build(other, namespaces).seconds["pingall"]
            runs.setdefault(("Mininet", few), []).append(seconds / _pairs(few))
    table = Table(f"pingall on one switch (median of {effort.rounds})", [
        ("", ""), ("hosts", ""), ("pairs", ""), ("all pairs", "ms"), ("per pair", "µs"),
        (f"per pair, this / emu with {many} hosts", ""),
    ], notes=["IPv4 only; every pair answers."])  # fmt: skip
    if other.missing:
        table.notes.append(f"Mininet: left out, {other.missing}.")
    for (name, count), times in runs.items():
        pairs, per_pair = _pairs(count), median(times)
        table.rows.append([name, count, pairs, per_pair * pairs, per_pair, ratio(times, runs["emu", many])])
    yield table


def _pairs(count: int) -> int:
    return count * (count - 1)


def _seconds(count: int, namespaces: Namespaces) -> float:
    """Return how long all pairs of a new network take."""
    with emu.Network(graph_from("single", [f"hosts={count}"]), families=(4,)) as network:
        begin = time.perf_counter()
        results = network.ping_all()
        seconds = time.perf_counter() - begin
    if not results.ok or results.sent != _pairs(count):
        raise emu.EmuError(f"pingall with {count} hosts: {results}")
    namespaces.await_freed()
    return seconds
