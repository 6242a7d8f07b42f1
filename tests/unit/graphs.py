"""Graphs that several tests use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
from hypothesis import strategies as st

import emu
from emu.reading.sources import graph_from


def named(graph: nx.Graph, name: str) -> nx.Graph:
    graph.name = name
    return graph


#: What people try first.
GRAPHS = [
    named(nx.petersen_graph(), "petersen"),
    named(nx.karate_club_graph(), "karate club"),
    named(nx.les_miserables_graph(), "les miserables"),
    named(nx.florentine_families_graph(), "florentine families"),
    named(nx.grid_2d_graph(4, 4), "grid"),
    named(nx.balanced_tree(2, 4), "tree"),
    named(nx.star_graph(20), "star"),
    named(nx.complete_graph(8), "mesh"),
    named(nx.hypercube_graph(3), "hypercube"),
    named(nx.random_internet_as_graph(50, seed=1), "internet"),
    named(nx.dodecahedral_graph().to_directed(as_view=False).to_undirected(), "dodecahedron"),
    named(nx.path_graph(1), "one node"),
    named(nx.disjoint_union(nx.cycle_graph(4), nx.path_graph(3)), "two parts"),
]


@st.composite
def networks(draw: st.DrawFn, largest: int = 12) -> nx.MultiDiGraph:
    """Draw a graph of hosts, routers and switches, with weights per direction and parallel links."""
    count = draw(st.integers(1, largest))
    graph: nx.MultiDiGraph = nx.MultiDiGraph(families=draw(st.sampled_from([4, 6, (4, 6)])))
    kinds = st.sampled_from(["router", "router", "host", "switch"])
    for node in range(count):
        graph.add_node(f"N{node}", kind=draw(kinds))
    ends = st.integers(0, count - 1)
    weights: Any = st.sampled_from([1, 1, 1, 2, 3, 0.1, 0.2, 0.3, 1e6, 1e-3])
    for a, b in draw(st.lists(st.tuples(ends, ends), max_size=2 * count)):
        if a != b:
            key = graph.add_edge(f"N{a}", f"N{b}", weight=draw(weights))
            if draw(st.booleans()) and not graph.has_edge(f"N{b}", f"N{a}", key):
                graph.add_edge(f"N{b}", f"N{a}", key, weight=draw(weights))
    return graph


def plan_or_fault(path: Path, content: bytes) -> str:
    """Return the fault of a file, or nothing; any other exception is one of emu."""
    path.write_bytes(content)
    try:
        emu.plan_for(graph_from(str(path)))
    except emu.UsageError as error:
        return str(error)
    return ""
