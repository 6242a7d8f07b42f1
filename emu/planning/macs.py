"""MAC addresses: none twice on a segment, and the same in each run. Pure."""

from __future__ import annotations

from ..graph.topology import Topology


def macs_for(topology: Topology) -> dict[int, str | None]:
    """Return each interface's MAC address: the graph's, else one of the node's and its own number.

    They are locally administered (the second bit of the first byte, IEEE 802), the same in each run,
    and so are the IPv6 link-local addresses made of them and the switch that is a spanning tree's root.
    """
    pinned = {one.mac for one in topology.interfaces}
    found: dict[int, str | None] = {}
    for count, node in enumerate(topology.nodes, start=1):
        for number in node.interfaces:
            place = count, topology.interfaces[number].number
            own = (mac for first in range(2, 256, 4) if (mac := mac_of(*place, first)) not in pinned)
            found[number] = topology.interfaces[number].mac or next(own, None)
    return found


def mac_of(node: int, position: int, first: int = 2) -> str | None:
    """Return the MAC address of an interface that the graph gives none, or None where six bytes do not do.

    Args:
        node: the node's number in the graph, from 1.
        position: the interface's number in the node, from 0.
        first: the first byte; others than 2 are for those whose address somebody pinned elsewhere.
    """
    if node >> 24 or position >> 16:
        return None
    return (bytes([first]) + node.to_bytes(3, "big") + position.to_bytes(2, "big")).hex(":")
