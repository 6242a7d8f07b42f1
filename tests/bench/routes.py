"""Many routes: every router of a line has one to each host's segment, uncompressed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .contenders import build, emu_line, floor_line
from .tables import Table, median, ratio

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield emu's phase `routes`, and the floor's."""
    nodes = 2 * effort.of(500, 10)
    both = emu_line(nodes, "--routes"), floor_line(nodes, "--routes")
    present = [one for one in both if one.missing is None]
    runs = [[build(one, namespaces) for one in present] for _ in range(effort.rounds)]
    count = runs[0][0].said["routes"]
    table = Table(f"{count:,} routes (median of {effort.rounds})", [
        ("", ""), ("routes", "ms"), ("per route", "µs"), ("whole build", "ms"), ("emu / this, routes", ""),
    ], notes=[
        f"{nodes // 2} routers in a line, each with a route to every other router's host. "
        "Compared is the phase that encodes and sends them. In emu it includes the default routes of hosts; "
        "computing which routes there are is planning, and part of the whole build.",
        *(f"{one.name}: left out, {one.missing}." for one in both if one.missing),
    ])  # fmt: skip
    for number, one in enumerate(present):
        times = [row[number].seconds["routes"] for row in runs]
        whole = median(row[number].seconds["total"] for row in runs)
        ours = [row[0].seconds["routes"] for row in runs]
        table.rows.append([one.name, median(times), median(times) / count, whole, ratio(ours, times)])
    yield table
