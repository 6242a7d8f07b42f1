"""Routers in a line."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered


@emu.topology
def line(routers: int = 3) -> nx.Graph:
    """Routers in a line, with a host at either end: every hop can be counted.

        HOST1 ── ROUTER1 ── ROUTER2 ── ROUTER3 ── HOST2

    Args:
        routers: how many there are; with none, the hosts are joined by a cable.

    >>> nx.shortest_path(line(), "HOST1", "HOST2")
    ['HOST1', 'ROUTER1', 'ROUTER2', 'ROUTER3', 'HOST2']
    """
    check_least("line", 0, routers=routers)
    check_links("line", routers + 1)
    graph: nx.Graph = nx.path_graph(["HOST1", *numbered("ROUTER", routers), "HOST2"])
    graph.graph["name"] = "line"
    graph.add_nodes_from(numbered("ROUTER", routers), kind="router")
    graph.add_nodes_from(["HOST1", "HOST2"], kind="host")
    return graph
