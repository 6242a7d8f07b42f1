"""A row of bottlenecks."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, numbered


@emu.topology
def parking_lot(hops: int = 3) -> nx.Graph:
    """A row of bottlenecks: one flow crosses all, others one each.

        SENDER                                                                RECEIVER
           │                                                                      │
        ROUTER1 ────────── ROUTER2 ─────────────── ROUTER3 ─────────────────── ROUTER4
           │                │   │                   │   │                         │
        SENDER1     RECEIVER1   SENDER2     RECEIVER2   SENDER3               RECEIVER3

    Every host is on a segment of its own. The long flow is meant to go from SENDER to RECEIVER, the
    short ones from SENDER1 to RECEIVER1 and so on (S. Floyd, "Connections with Multiple Congested
    Gateways in Packet-Switched Networks, Part 1: One-way Traffic", CCR 21(5), 1991).

    Args:
        hops: how many links between routers there are.

    >>> nx.shortest_path(parking_lot(), "SENDER2", "RECEIVER2")
    ['SENDER2', 'ROUTER2', 'ROUTER3', 'RECEIVER2']
    """
    check_least("parking_lot", 1, hops=hops)
    check_links("parking_lot", 3 * hops + 2)
    routers = numbered("ROUTER", hops + 1)
    graph: nx.Graph = nx.path_graph(routers)
    graph.graph["name"] = "parking_lot"
    graph.add_nodes_from(routers, kind="router")
    flows = [("SENDER", "RECEIVER"), *zip(numbered("SENDER", hops), numbered("RECEIVER", hops), strict=True)]
    ways = [(routers[0], routers[-1]), *nx.utils.pairwise(routers)]
    for (sender, receiver), (first, last) in zip(flows, ways, strict=True):
        graph.add_nodes_from([sender, receiver], kind="host")
        graph.add_edges_from([(first, sender), (last, receiver)])
    return graph
