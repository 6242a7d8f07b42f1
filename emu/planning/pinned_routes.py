"""Routes that a graph gives a node of its own, and the computed ones around them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ..errors import TopologyError, one_line
from ..graph.pin_values import WHOLE, Address, Prefix
from ..graph.topology import Node, Topology
from .addressing import Addressing
from .routes import NextHop, Route, RouteTable

#: What computes routes: `emu.planning.routing.compute_routes`, or a plugin.
Router = Callable[[Topology, Addressing], Mapping[str, Iterable[Route]]]


def routes_for(topology: Topology, addressing: Addressing, route: Router) -> dict[str, RouteTable]:
    """Return every node's routes: those that `route` computes, and the graph's own.

    A route of the graph's own wins over a computed one to the same destination. One of a family that
    the network lacks is left out.

    Raises:
        TopologyError: a route that no kernel would take, with all others like it.
    """
    pinned: dict[str, list[Route]] = {}
    faults: list[str] = []
    for node in topology.nodes:
        if node.routes:
            found = _Own(topology, addressing, node)
            pinned[node.name] = list(found.routes())
            faults += found.faults
    if faults:
        raise TopologyError(topology.name, faults)
    computed = route(topology, addressing)
    tables = {}
    for node in topology.nodes:
        table = RouteTable.of(computed.get(node.name, ()))
        if own := pinned.get(node.name):
            taken = {_destination(one) for one in own}
            others = [one for one in table if _destination(one) not in taken]
            table = RouteTable.of([*others, *own])
        tables[node.name] = table
    return tables


def _destination(route: Route) -> Prefix:
    return route.destination or WHOLE[route.version]


def unanswered_hops(topology: Topology, addressing: Addressing) -> Iterator[str]:
    """Yield a line for each next hop of the graph's own routes that no interface has as its address."""
    present = {address.ip for of_interface in addressing.addresses for address in of_interface}
    for node in topology.nodes:
        for destination, hops in node.routes.items():
            for hop in hops:
                if hop.version in topology.families and hop not in present:
                    yield f"{node.name}: route {destination}: no interface has the next hop's address {hop}"


class _Own:
    """The routes of one node, and what is wrong with them."""

    def __init__(self, topology: Topology, addressing: Addressing, node: Node) -> None:
        self.node, self.families = node, topology.families
        self.faults: list[str] = []
        self.addresses = [
            (topology.interfaces[number].name, address)
            for number in node.interfaces for address in addressing.addresses[number]
        ]  # fmt: skip

    def routes(self) -> Iterator[Route]:
        """Yield the routes that can be had, and note why others cannot."""
        for prefix, hops in self.node.routes.items():
            if prefix.version not in self.families:
                continue
            found = [hop for gateway in hops if (hop := self._next_hop(prefix, gateway))]
            for _, address in self.addresses:
                own: Prefix = address.network
                if prefix.version == own.version and prefix.subnet_of(own):  # type: ignore[arg-type]
                    self._fault(prefix, f"it is on the node's own segment {own}")
                    break
            if len(found) == len(hops):
                yield Route(prefix if prefix.prefixlen or not found else None, tuple(found))

    def _next_hop(self, prefix: Prefix, gateway: Address) -> NextHop | None:
        """Return the next hop, through the interface on whose segment it is."""
        for name, address in self.addresses:
            if gateway == address.ip:
                self._fault(prefix, f"next hop {gateway} is the node itself")
                return None
            if gateway in address.network:
                return NextHop(name, gateway)
        segments = ", ".join(str(one.network) for _, one in self.addresses if one.version == gateway.version)
        self._fault(prefix, f"next hop {gateway} is on none of its segments ({segments or 'it has none'})")
        return None

    def _fault(self, prefix: Prefix, reason: str) -> None:
        self.faults.append(f"node {one_line(self.node.name)}: route {prefix}: {reason}")
