"""The first steps of a course, each with one thing more than the step before."""

import networkx as nx

import emu
from emu.topologies import line, single


@emu.topology
def two_hosts() -> nx.Graph:
    """Two hosts joined by a cable: the smallest network.

        HOST1 ── HOST2

    >>> sorted(two_hosts().edges)
    [('HOST1', 'HOST2')]
    """
    return _named("two_hosts", line.line(routers=0))


@emu.topology
def three_hosts() -> nx.Graph:
    """Three hosts on a switch: one segment.

        HOST1 ─┐
        HOST2 ─┼─ SWITCH
        HOST3 ─┘

    >>> sorted(three_hosts().neighbors("SWITCH"))
    ['HOST1', 'HOST2', 'HOST3']
    """
    return _named("three_hosts", single.single(hosts=3))


@emu.topology
def one_router() -> nx.Graph:
    """Two hosts and a router between them: two segments.

        HOST1 ── ROUTER1 ── HOST2

    >>> sorted(one_router().edges)
    [('HOST1', 'ROUTER1'), ('ROUTER1', 'HOST2')]
    """
    return _named("one_router", line.line(routers=1))


@emu.topology
def two_routers() -> nx.Graph:
    """Two hosts and two routers between them: routes that go further.

        HOST1 ── ROUTER1 ── ROUTER2 ── HOST2

    >>> sorted(two_routers().edges)
    [('HOST1', 'ROUTER1'), ('ROUTER1', 'ROUTER2'), ('ROUTER2', 'HOST2')]
    """
    return _named("two_routers", line.line(routers=2))


def _named(name: str, graph: nx.Graph) -> nx.Graph:
    graph.graph["name"] = name
    return graph
