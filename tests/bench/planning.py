"""How planning grows with the graph."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import emu

from .tables import Table, median

if TYPE_CHECKING:
    import networkx as nx

    from .apart import Namespaces
    from .parts import Effort


def _path(count: int) -> nx.Graph:
    import networkx as nx

    graph: nx.Graph = nx.path_graph(count)
    return graph


def _grid(count: int) -> nx.Graph:
    import networkx as nx

    side = math.isqrt(count)
    graph: nx.Graph = nx.grid_2d_graph(side, count // side)
    return graph


def _random(count: int) -> nx.Graph:
    """Return a random graph with four links at a node, in the mean."""
    import networkx as nx

    graph: nx.Graph = nx.gnm_random_graph(count, 2 * count, seed=1)
    return graph


GRAPHS: dict[str, Callable[[int], nx.Graph]] = {"line": _path, "grid": _grid, "random": _random}


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield the time of planning for each kind and size, and the exponent of its growth."""
    sizes = (20, 40) if effort.quick else (100, 300, 1000, 3000)
    table = Table(f"Planning (median of {effort.rounds})", [
        ("routers", ""), *((f"{size:,}", "ms") for size in sizes), ("growth", ""), ("bound", "")
    ], notes=[
        f"Growth: e where time grows as n^e, from {sizes[-2]:,} to {sizes[-1]:,} routers; the bound is that "
        "of n² · log n. IPv4 only; the graph is made beforehand."
    ])  # fmt: skip
    _planned(_path(10))  # what is loaded when it is first needed, is loaded now
    for name, make in GRAPHS.items():
        graphs = [make(size) for size in sizes]
        times = [[_planned(graph) for graph in graphs] for _ in range(effort.rounds)]
        medians = [median(column) for column in zip(*times, strict=True)]
        pairs = [median(row[-1] / row[-2] for row in times), _bound(sizes[-1]) / _bound(sizes[-2])]
        exponents = [math.log(pair) / math.log(sizes[-1] / sizes[-2]) for pair in pairs]
        table.rows.append([name, *medians, *exponents])
    yield table


def _bound(count: int) -> float:
    return count**2 * math.log(count)


def _planned(graph: nx.Graph) -> float:
    begin = time.perf_counter()
    emu.plan_for(graph, families=(4,))
    return time.perf_counter() - begin
