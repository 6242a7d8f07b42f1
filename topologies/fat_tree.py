"""The three-tier network of a data centre built of equal routers."""

import networkx as nx

import emu
from emu.topologies import check_links, numbered, place_in_rows


@emu.topology
def fat_tree(k: int = 4) -> nx.Graph:
    """A data centre of three tiers, as wide at the top as at the hosts.

            CORE1   CORE2      CORE3   CORE4        (k/2)² of them, each linked to all k pods
              └───┬───┘          └───┬───┘
               AGG1-1 ───┐ ┌──── AGG1-2             the first pod: k/2 of these
                  │   ┌──┼─┘         │
                  │   │  └───────┐   │
               EDGE1-1          EDGE1-2             and k/2 of these
                │   │            │   │
        HOST1-1-1 HOST1-1-2  HOST1-2-1 HOST1-2-2    with k/2 hosts each, k³/4 in all

    Every router has k links. Between hosts of different pods there are (k/2)² ways of equal cost, and
    flows spread over them. Every link is a segment of its own (M. Al-Fares, A. Loukissas,
    A. Vahdat, "A Scalable, Commodity Data Center Network Architecture", SIGCOMM 2008).

    Names tell the place: HOST2-1-2 is the second host of EDGE2-1, the first edge router of pod 2.

    Args:
        k: how many links a router has, an even number.

    >>> sorted(fat_tree().neighbors("AGG2-1"))
    ['CORE1', 'CORE2', 'EDGE2-1', 'EDGE2-2']
    """
    if k < 2 or k % 2:
        raise emu.UsageError(f"topology fat_tree: k must be even and at least 2, not {k}")
    check_links("fat_tree", 3 * k**3 // 4)
    half = k // 2
    graph: nx.Graph = nx.Graph(name="fat_tree")
    core = numbered("CORE", half * half)
    graph.add_nodes_from(core, kind="router")
    for pod in range(1, k + 1):
        aggregation, edge = numbered(f"AGG{pod}-", half), numbered(f"EDGE{pod}-", half)
        graph.add_nodes_from(aggregation + edge, kind="router")
        for number, router in enumerate(aggregation):
            graph.add_edges_from((above, router) for above in core[number * half : (number + 1) * half])
        graph.add_edges_from(nx.complete_bipartite_graph(aggregation, edge).edges)
        for number, router in enumerate(edge, start=1):
            hosts = numbered(f"HOST{pod}-{number}-", half)
            graph.add_nodes_from(hosts, kind="host")
            graph.add_edges_from((router, host) for host in hosts)
    tiers = [[node for node in graph if node.startswith(name)] for name in ("CORE", "AGG", "EDGE", "HOST")]
    place_in_rows(graph, *tiers)
    return graph
