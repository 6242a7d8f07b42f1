"""10,000 nodes: whether they build, answer and end, and what that takes."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import emu

from .contenders import kernel_memory, user_memory
from .line import line
from .tables import Table

if TYPE_CHECKING:
    import networkx as nx

    from .apart import Namespaces
    from .parts import Effort


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield what each network takes."""
    side = effort.of(100, 4)
    table = Table("10,000 nodes", [
        ("", ""), ("nodes", ""), ("links", ""), ("plan", "s"), ("build", "s"), ("pings answered", ""),
        ("end", "s"), ("processes, at most", "MB"), ("kernel", "MB"),
    ], notes=[
        "One run each; IPv4 only. Pings: from nodes all over the network, each to one that is linked to it."
    ])  # fmt: skip
    for name, graph in (("line", line(side * side // 2)), (f"grid {side} by {side}", _grid(side))):
        table.rows.append([name, *_measured(graph, namespaces)])
    yield table


def _grid(side: int) -> nx.Graph:
    """Return routers on a grid, each with routes to all prefixes."""
    import networkx as nx

    graph: nx.Graph = nx.grid_2d_graph(side, side)
    graph.graph.update(name="grid", families=(4,))
    nx.set_node_attributes(graph, dict.fromkeys(graph, "router"), "kind")
    return graph


def _measured(graph: nx.Graph, namespaces: Namespaces) -> tuple[int | float | str, ...]:
    """Build a network of the graph, ask nodes all over it, and end it."""
    before = kernel_memory()
    begin = time.perf_counter()
    network = emu.Network(graph)
    planned = time.perf_counter()
    with network:
        built = time.perf_counter()
        kernel = kernel_memory() - before
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        user = own + user_memory()
        answered = _ask(network, 50)
        counts = len(network), len(network.plan.links)
        end = time.perf_counter()
    namespaces.await_freed()
    return (*counts, planned - begin, built - planned, answered, time.perf_counter() - end, user, kernel)


def _ask(network: emu.Network, count: int) -> str:
    """Ping from every so many nodes the node at the other end of its first link."""
    answered = asked = 0
    for node in list(network)[:: max(1, len(network) // count)]:
        peer, name = node.interfaces[0].peer
        target = next(one for one in network[peer].interfaces if one.name == name).addresses[0].ip
        done = node.run(["ping", "-c", "1", "-W", "5", str(target)], stdout=subprocess.DEVNULL)
        asked, answered = asked + 1, answered + (done.returncode == 0)
    return f"{answered} of {asked}"
