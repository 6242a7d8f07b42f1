"""Switches in a line, each with hosts."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered


@emu.topology
def linear(switches: int = 3, hosts: int = 1) -> nx.Graph:
    """Switches in a line, each with hosts: one segment.

        SWITCH1 ── SWITCH2 ── SWITCH3
           │          │          │
         HOST1      HOST2      HOST3

    The same as Mininet's `linear`.

    Args:
        switches: how many there are.
        hosts: how many each of them has; the first ones are at SWITCH1, the next ones at SWITCH2.

    >>> sorted(linear(switches=2, hosts=2).neighbors("SWITCH2"))
    ['HOST3', 'HOST4', 'SWITCH1']
    """
    check_least("linear", 1, switches=switches, hosts=hosts)
    check_links("linear", switches * (hosts + 1))
    graph: nx.Graph = nx.path_graph(numbered("SWITCH", switches))
    graph.graph["name"] = "linear"
    graph.add_nodes_from(numbered("SWITCH", switches), kind="switch")
    for number, host in enumerate(numbered("HOST", switches * hosts)):
        graph.add_node(host, kind="host")
        graph.add_edge(f"SWITCH{number // hosts + 1}", host)
    return graph
