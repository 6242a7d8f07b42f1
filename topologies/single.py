"""Hosts on one switch."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered


@emu.topology
def single(hosts: int = 4) -> nx.Graph:
    """Hosts on one switch: one segment.

        HOST1 ─┐
        HOST2 ─┼─ SWITCH
        HOST3 ─┤
        HOST4 ─┘

    The same as Mininet's `single`.

    Args:
        hosts: how many there are.

    >>> single(hosts=2).degree("SWITCH")
    2
    """
    check_least("single", 1, hosts=hosts)
    check_links("single", hosts)
    graph: nx.Graph = nx.star_graph(["SWITCH", *numbered("HOST", hosts)])
    graph.graph["name"] = "single"
    graph.add_node("SWITCH", kind="switch")
    graph.add_nodes_from(numbered("HOST", hosts), kind="host")
    return graph
