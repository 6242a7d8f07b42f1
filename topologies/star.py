"""Hosts around a router."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered


@emu.topology
def star(hosts: int = 4) -> nx.Graph:
    """Hosts around one router, each on a segment of its own.

                HOST1
                  │
        HOST4 ── ROUTER ── HOST2
                  │
                HOST3

    Args:
        hosts: how many there are.

    >>> star(hosts=5).degree("ROUTER")
    5
    """
    check_least("star", 1, hosts=hosts)
    check_links("star", hosts)
    graph: nx.Graph = nx.star_graph(["ROUTER", *numbered("HOST", hosts)])
    graph.graph["name"] = "star"
    graph.add_node("ROUTER", kind="router")
    graph.add_nodes_from(numbered("HOST", hosts), kind="host")
    return graph
