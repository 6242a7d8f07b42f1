"""The two-tier network of a data centre."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered, place_in_rows


@emu.topology
def leaf_spine(leaves: int = 4, spines: int = 2, hosts: int = 2) -> nx.Graph:
    """A data centre of two tiers: every leaf is linked to every spine.

             SPINE1 ───┐ ┌─── SPINE2
                │   ┌──┼─┘       │
                │   │  └─────┐   │
              LEAF1          LEAF2
              │   │          │   │
        HOST1-1 HOST1-2  HOST2-1 HOST2-2

    Leaves and spines are routers, so that flows from leaf to leaf spread over as many ways of equal
    cost as there are spines: a folded Clos network (RFC 7938, section 3.2; C. Clos, "A Study of
    Non-Blocking Switching Networks", 1953). Every host is on a segment of its own.

    Args:
        leaves: how many leaves there are.
        spines: how many spines there are.
        hosts: how many hosts each leaf has: HOST1-2 is the second one of LEAF1.

    >>> sorted(leaf_spine().neighbors("LEAF3"))
    ['HOST3-1', 'HOST3-2', 'SPINE1', 'SPINE2']
    """
    check_least("leaf_spine", 1, leaves=leaves, spines=spines)
    check_least("leaf_spine", 0, hosts=hosts)
    check_links("leaf_spine", leaves * (spines + hosts))
    graph: nx.Graph = nx.Graph(name="leaf_spine")
    tiers = numbered("SPINE", spines), numbered("LEAF", leaves)
    for tier in tiers:
        graph.add_nodes_from(tier, kind="router")
    graph.add_edges_from(nx.complete_bipartite_graph(*tiers).edges)
    below: list[str] = []
    for number, leaf in enumerate(tiers[1], start=1):
        mine = numbered(f"HOST{number}-", hosts)
        graph.add_nodes_from(mine, kind="host")
        graph.add_edges_from((leaf, host) for host in mine)
        below += mine
    place_in_rows(graph, *tiers, below)
    return graph
