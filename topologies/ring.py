"""A ring of routers."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered, routed


@emu.topology
def ring(routers: int = 4, hosts: bool = True) -> nx.Graph:
    """A ring of routers: two ways between any two of them.

        HOST1 ── ROUTER1 ── ROUTER2 ── HOST2
                    │          │
        HOST4 ── ROUTER4 ── ROUTER3 ── HOST3

    Args:
        routers: how many there are.
        hosts: whether each has a host, on a segment of its own.

    >>> sorted(ring(routers=5).neighbors("ROUTER1"))
    ['HOST1', 'ROUTER2', 'ROUTER5']
    """
    check_least("ring", 3, routers=routers)
    check_links("ring", 2 * routers)
    return routed(nx.cycle_graph(numbered("ROUTER", routers)), "ring", hosts)
