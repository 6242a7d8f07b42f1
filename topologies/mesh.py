"""A full mesh of routers."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered, routed


@emu.topology
def mesh(routers: int = 4, hosts: bool = True) -> nx.Graph:
    """A full mesh of routers: a link between any two of them.

        HOST1 ── ROUTER1 ── ROUTER2 ── HOST2
                    │    X     │
        HOST4 ── ROUTER4 ── ROUTER3 ── HOST3

    Args:
        routers: how many there are.
        hosts: whether each has a host, on a segment of its own.

    >>> mesh(routers=5, hosts=False).number_of_edges()
    10
    """
    check_least("mesh", 2, routers=routers)
    check_links("mesh", routers * (routers + 1) // 2)
    return routed(nx.complete_graph(numbered("ROUTER", routers)), "mesh", hosts)
