"""Next hops for every node: shortest paths over the links' weights, all equal-cost ones. Pure.

A router reaches a segment over the interfaces whose weights add up to the least; entering a node from
a segment costs nothing, as in OSPF's broadcast networks (RFC 2328, section 2.1). Hosts do not forward.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .addressing import Addressing
from .attributes import Address, Kind, Prefix
from .graph import Topology


@dataclass(frozen=True, slots=True, order=True)
class NextHop:
    """Where a packet goes next: the neighbour's address, through which of the node's interfaces."""

    interface: str
    gateway: Address


@dataclass(frozen=True, slots=True)
class Route:
    """A destination and its equal-cost next hops; None as destination is the default route."""

    destination: Prefix | None
    next_hops: tuple[NextHop, ...]

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.next_hops[0].gateway.version


def compute_routes(topology: Topology, addressing: Addressing) -> dict[str, tuple[Route, ...]]:
    """Return every node's routes, beyond those of its own interfaces.

    Hosts get a default route with all routers on their segments as next hops, routers a route per
    segment that they can reach and are not on. A host between separate parts of a network has such
    routes too: one to each segment to which not all of its default routers know a way.
    """
    graph = _SegmentGraph(topology)
    routes: dict[str, list[Route]] = {node.name: [] for node in topology.nodes}
    for host in graph.hosts:
        routes[host] += _default_routes(graph, addressing, host)
    for segment in range(len(topology.segments)):
        for name, hops in graph.next_hops_to(segment).items():
            for position, prefix in enumerate(addressing.prefixes[segment]):
                next_hops = tuple(
                    NextHop(topology.interfaces[out].name, addressing.addresses[into][position].ip)
                    for out, into in hops
                )
                routes[name].append(Route(prefix, next_hops))
    return {name: tuple(sorted(found, key=_order)) for name, found in routes.items()}


def _order(route: Route) -> tuple[int, int, int]:
    """Default routes first, then by family and destination."""
    if route.destination is None:
        return route.version, -1, 0
    return route.version, int(route.destination.network_address), route.destination.prefixlen


def _default_routes(graph: _SegmentGraph, addressing: Addressing, host: str) -> Iterable[Route]:
    """Yield a host's default route per family, if there is a router on one of its segments."""
    hops = sorted(graph.neighbours(host))
    if not hops:
        return
    for position in range(len(addressing.addresses[hops[0][0]])):
        yield Route(
            None,
            tuple(
                NextHop(graph.topology.interfaces[out].name, addressing.addresses[into][position].ip)
                for out, into in hops
            ),
        )


class _SegmentGraph:
    """Routers and segments, as the shortest-path search sees them."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.kinds = {node.name: node.kind for node in topology.nodes}
        self.members = [segment.interfaces for segment in topology.segments]
        self.segment = {index: number for number, indices in enumerate(self.members) for index in indices}
        self.interfaces: dict[str, list[int]] = {node.name: [] for node in topology.nodes}
        for index in self.segment:
            self.interfaces[topology.interfaces[index].node].append(index)
        self.hosts = [name for name, kind in self.kinds.items() if kind is Kind.HOST]

    def forwards(self, interface: int) -> bool:
        """Tell whether an interface belongs to a router."""
        return self.kinds[self.topology.interfaces[interface].node] is Kind.ROUTER

    def next_hops_to(self, segment: int) -> dict[str, list[tuple[int, int]]]:
        """Return, for each node that needs a route to `segment`, its equal-cost next hops.

        A next hop is a pair of interfaces: the one to leave through, the neighbour's to enter by.
        """
        costs = self._costs_to(segment)
        rank = {name: number for number, name in enumerate(costs)}
        found: dict[str, list[tuple[int, int]]] = {}
        for name in (*costs, *(host for host in self.hosts if len(self.interfaces[host]) > 1)):
            if any(self.segment[index] == segment for index in self.interfaces[name]):
                continue
            neighbours = list(self.neighbours(name))
            # Only those nearer to the segment, also where rounding or the tolerance hides it: no loops.
            mine = rank.get(name, len(rank))
            totals = {
                hop: self._through(hop[0]) + costs[self._owner(hop[1])]
                for hop in neighbours if rank.get(self._owner(hop[1]), mine) < mine
            }  # fmt: skip
            if name in rank or 0 < len(totals) < len(neighbours):
                best = min(totals.values())
                found[name] = [hop for hop, cost in totals.items() if math.isclose(cost, best, rel_tol=1e-9)]
        return found

    def _costs_to(self, segment: int) -> dict[str, float]:
        """Return every router's least cost to a segment (Dijkstra's algorithm, run backwards)."""
        cost: dict[str, float] = {}
        ours = filter(self.forwards, self.members[segment])
        queue = [(self._through(index), self._owner(index)) for index in ours]
        heapq.heapify(queue)
        while queue:
            total, name = heapq.heappop(queue)
            if name in cost:
                continue
            cost[name] = total
            for _, theirs in self.neighbours(name):
                if self._owner(theirs) not in cost:
                    heapq.heappush(queue, (total + self._through(theirs), self._owner(theirs)))
        return cost

    def neighbours(self, name: str) -> Iterator[tuple[int, int]]:
        """Yield the routers' interfaces that share a segment with one of this node's, with that one."""
        for mine in self.interfaces[name]:
            for theirs in self.members[self.segment[mine]]:
                if theirs != mine and self.forwards(theirs):
                    yield mine, theirs

    def _through(self, interface: int) -> float:
        return self.topology.interfaces[interface].weight

    def _owner(self, interface: int) -> str:
        return self.topology.interfaces[interface].node
