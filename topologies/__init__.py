"""The topologies that emu brings: one file each, found by their mark. Here is what several of them share."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emu.errors import UsageError, shown

if TYPE_CHECKING:
    import networkx as nx

#: Beyond so many links a parameter is taken for a slip: they would cost the kernel tens of gigabytes.
MOST_LINKS = 100_000
#: How far apart rows of nodes are drawn, times the distance of two nodes.
_ROW = 2.5


def numbered(name: str, count: int) -> list[str]:
    """Return `NAME1`, `NAME2` and so on, `count` of them."""
    return [f"{name}{number}" for number in range(1, count + 1)]


def routed(routers: nx.Graph, name: str, hosts: bool) -> nx.Graph:
    """Return a graph of that name whose nodes are routers, each with a host of its own if wanted.

    The host has its router's number: HOST2 is the one at ROUTER2.
    """
    graph = routers.copy()
    graph.graph["name"] = name
    graph.add_nodes_from(routers, kind="router")
    if hosts:
        pairs = [(router, "HOST" + router.lstrip(string.ascii_uppercase)) for router in routers]
        graph.add_nodes_from((host for _, host in pairs), kind="host")
        graph.add_edges_from(pairs)
    return graph


def place_in_rows(graph: nx.Graph, *rows: Sequence[str]) -> None:
    """Say where pictures show the nodes: in rows, the first at the top, each as wide as the longest.

    Rows are further apart than nodes in them, as texts stand along the links from row to row.
    """
    width = max(map(len, rows))
    for number, row in enumerate(filter(None, rows)):
        for place, node in enumerate(row):
            graph.nodes[node]["pos"] = ((place + 0.5) * width / len(row), -_ROW * number)


def check_least(topology: str, least: int, **parameters: int) -> None:
    """Raise UsageError if one of the parameters is less than `least`."""
    for name, value in parameters.items():
        if value < least:
            raise UsageError(f"topology {topology}: {name} must be at least {least}, not {shown(value)}")


def check_links(topology: str, links: int) -> None:
    """Raise UsageError if there would be too many links to build."""
    if links > MOST_LINKS:
        reason = f"it would have more than {MOST_LINKS:,} links; choose smaller parameters"
        raise UsageError(f"topology {topology}: {reason}")
