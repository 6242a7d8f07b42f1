"""Two groups of hosts and the link between them."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered


@emu.topology
def dumbbell(left: int = 2, right: int = 2) -> nx.Graph:
    """Two groups of hosts that share the link between them.

        LEFT1 ─┐                       ┌─ RIGHT1
               ├─ ROUTER1 ─── ROUTER2 ─┤
        LEFT2 ─┘                       └─ RIGHT2

    Every host is on a segment of its own. What is measured on it is how flows share the one
    bottleneck (L. Andrew et al., "Towards a Common TCP Evaluation Suite", PFLDnet 2008).

    Args:
        left: how many hosts there are at ROUTER1.
        right: how many hosts there are at ROUTER2.

    >>> nx.shortest_path(dumbbell(), "LEFT1", "RIGHT2")
    ['LEFT1', 'ROUTER1', 'ROUTER2', 'RIGHT2']
    """
    check_least("dumbbell", 1, left=left, right=right)
    check_links("dumbbell", left + right + 1)
    graph: nx.Graph = nx.Graph(name="dumbbell")
    graph.add_nodes_from(["ROUTER1", "ROUTER2"], kind="router")
    graph.add_edge("ROUTER1", "ROUTER2")
    for router, hosts in (("ROUTER1", numbered("LEFT", left)), ("ROUTER2", numbered("RIGHT", right))):
        graph.add_nodes_from(hosts, kind="host")
        graph.add_edges_from((router, host) for host in hosts)
    return graph
