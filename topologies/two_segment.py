"""Two segments joined by a router: the network to begin with."""

import networkx as nx

import emu


@emu.topology
def two_segment(network1: str = "192.0.2.0/24", network2: str = "198.51.100.0/24") -> nx.Graph:
    """Two hosts, each on a segment of its own, and a router between them.

        HOST1 ── network1 ── ROUTER ── network2 ── HOST2

    Args:
        network1: the prefix of HOST1's segment; the host has its first address, the router its last.
        network2: the prefix of HOST2's segment, likewise.

    >>> sorted(two_segment().edges)
    [('HOST1', 'ROUTER'), ('ROUTER', 'HOST2')]
    """
    graph: nx.Graph = nx.Graph(name="two_segment", families=4)
    graph.add_node("HOST1", kind="host")
    graph.add_node("ROUTER", kind="router")
    graph.add_node("HOST2", kind="host")
    graph.add_edge("HOST1", "ROUTER", prefix=network1)
    graph.add_edge("ROUTER", "HOST2", prefix=network2)
    return graph
