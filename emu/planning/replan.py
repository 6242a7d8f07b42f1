"""From a plan back to the graph it was made of, and to the routes over what works of it now. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Collection, Iterator, Mapping

from ..graph.attributes import Prefix
from ..graph.pin_values import PinnedRoutes
from ..graph.topology import FIRST_INDEX, LOOPBACK, Interface, Link, Node, Segment, Topology
from .addressing import Addressing
from .components import components
from .pinned_routes import Router, routes_for
from .plan import End, NodePlan, Plan
from .routes import NextHop, Route, RouteTable

#: Prefixes that stand for nothing, for segments that share their own with another: of "this network"
#: (RFC 1122, section 3.2.1.3) and of what is discarded (RFC 6666).
_NOWHERE: dict[int, Prefix] = {4: ipaddress.IPv4Network("0.0.0.0/8"), 6: ipaddress.IPv6Network("100::/64")}


def topology_of(plan: Plan) -> Topology:
    """Return the topology of a plan, in which every prefix and every address is pinned."""
    numbers: dict[End, int] = {}
    interfaces: list[Interface] = []
    for number, link in enumerate(plan.links):
        for end in link.ends:
            one = plan.interfaces[end]
            numbers[end] = len(interfaces)
            pinned = tuple(address.ip for address in one.addresses)
            known = one.name, one.altname, end[0], number, one.weight, pinned, one.mac, one.shaping
            interfaces.append(Interface(*known, one.index - FIRST_INDEX))
    loopbacks = []
    for node in plan.nodes:
        if node.loopback:
            pinned = tuple(address.ip for address in node.loopback)
            prefixes = tuple(address.network for address in node.loopback)
            loopbacks.append(Segment((len(interfaces),), pinned=prefixes, loopback=True))
            interfaces.append(Interface(LOOPBACK, None, node.name, None, 0.0, pinned))
    return Topology(
        name=plan.name,
        nodes=tuple(_node(node, numbers) for node in plan.nodes),
        interfaces=tuple(interfaces),
        links=tuple(Link((numbers[link.ends[0]], numbers[link.ends[1]])) for link in plan.links),
        segments=(
            *(
                Segment(tuple(numbers[end] for end in one.interfaces), one.switches, one.prefixes)
                for one in plan.segments
            ),
            *loopbacks,
        ),
        families=plan.families,
        routing=plan.routing,
        optional_shaping=plan.optional_shaping,
        profiles=plan.profiles,
        schedule=plan.schedule,
        warnings=plan.warnings,
        notes=plan.notes,
    )


def _node(node: NodePlan, numbers: Mapping[End, int]) -> Node:
    ends = tuple(numbers[node.name, one.name] for one in node.interfaces if (node.name, one.name) in numbers)
    return Node(node.name, node.label, node.kind, ends, node.position, node.pinned_routes, node.inside)


def addressing_of(plan: Plan) -> Addressing:
    """Return the addressing of a plan, by the numbers that `topology_of` gives."""
    loopbacks = [node.loopback for node in plan.nodes if node.loopback]
    return Addressing(
        (
            *(segment.prefixes for segment in plan.segments),
            *(tuple(address.network for address in addresses) for addresses in loopbacks),
        ),
        (*(plan.interfaces[end].addresses for link in plan.links for end in link.ends), *loopbacks),
    )


def rerouted(plan: Plan, down: Collection[End], route: Router) -> Plan:
    """Return the plan with the routes over what works.

    Args:
        plan: the whole network.
        down: interfaces that carry nothing; their links are out at both ends.
        route: what computes the routes.
    """
    topology, addressing = topology_of(plan), addressing_of(plan)
    out = _links_out(plan, set(down))
    parts, prefixes = _parts(topology, addressing, out)
    nowhere = {prefix for pair in prefixes for prefix in pair if prefix.overlaps(_NOWHERE[prefix.version])}
    ends = tuple(sorted(end for number in out for end in plan.links[number].ends))
    planned = zip(plan.nodes, topology.nodes, strict=True)
    working = tuple(dataclasses.replace(one, routes=own_routes(node, set(ends))) for node, one in planned)
    tables = routes_for(
        dataclasses.replace(topology, nodes=working, segments=tuple(parts)),
        Addressing(tuple(prefixes), addressing.addresses),
        route,
    )
    nodes = []
    losers = {name for name, _ in ends}
    for node in plan.nodes:
        table = tables[node.name]
        if nowhere or node.name in losers:
            table = _beside_own(node, table, nowhere, down=set(ends))
        nodes.append(dataclasses.replace(node, routes=table))
    return dataclasses.replace(plan, nodes=tuple(nodes), down=ends)


def own_routes(node: NodePlan, down: set[End]) -> PinnedRoutes:
    """Return the routes that the graph gives a node, over the next hops that it still can send to."""
    dead = [
        address.network
        for one in node.interfaces if (node.name, one.name) in down for address in one.addresses
    ]  # fmt: skip
    found = {
        prefix: tuple(hop for hop in hops if not any(hop in network for network in dead))
        for prefix, hops in node.pinned_routes.items()
    }
    return {prefix: hops for prefix, hops in found.items() if hops or not node.pinned_routes[prefix]}


def _links_out(plan: Plan, down: set[End]) -> set[int]:
    """Return the numbers of the links of which an end is down."""
    return {number for number, link in enumerate(plan.links) if not down.isdisjoint(link.ends)}


def _beside_own(node: NodePlan, table: RouteTable, nowhere: set[Prefix], down: set[End]) -> RouteTable:
    """Return a table that leaves the routes to the node's own prefixes to the kernel.

    It makes and removes them with each link. What it makes of a link without carrier would win over one
    of ours to the same prefix, and ours over the kernel's when the link comes back. So a prefix that is
    reached another way meanwhile has a route to either half of it.
    """
    up = {a.network for one in node.interfaces if (node.name, one.name) not in down for a in one.addresses}
    lost = {address.network for one in node.interfaces for address in one.addresses} - up
    detours = [
        Route(half, next_hops)
        for prefix in sorted(lost, key=lambda one: (one.version, one))
        if prefix.prefixlen < prefix.max_prefixlen and (next_hops := _lookup(table, prefix))
        for half in prefix.subnets()
    ]  # fmt: skip
    kept = _without(table, nowhere | up | lost)
    return RouteTable.of([*kept, *detours]) if detours else kept


def _lookup(table: RouteTable, prefix: Prefix) -> tuple[NextHop, ...]:
    """Return the next hops of the longest prefix that holds another one."""
    wanted, width = int(prefix.network_address), prefix.max_prefixlen
    found: tuple[int, tuple[NextHop, ...]] = (-1, ())
    for group in table.groups:
        if group.version != prefix.version:
            continue
        for address, length in group.packed():
            shift = width - length
            if found[0] < length <= prefix.prefixlen and int.from_bytes(address) >> shift == wanted >> shift:
                found = length, group.next_hops
    return found[1]


def _without(table: RouteTable, prefixes: Collection[Prefix]) -> RouteTable:
    """Return a table without the routes to some prefixes."""
    unwanted = {(one.version, one.network_address.packed, one.prefixlen) for one in prefixes}
    groups = []
    for group in table.groups:
        kept = [
            address + bytes([length])
            for address, length in group.packed() if (group.version, address, length) not in unwanted
        ]  # fmt: skip
        if kept:
            groups.append(dataclasses.replace(group, destinations=b"".join(kept)))
    return RouteTable(groups)


def _parts(
    topology: Topology, addressing: Addressing, out: set[int]
) -> tuple[list[Segment], list[tuple[Prefix, ...]]]:  # fmt: skip
    """Return the segments that still carry packets, with their prefixes.

    A segment whose switches are cut off from each other is several; the largest keeps the prefix for
    other nodes to reach, since one prefix cannot be in two places.
    """
    segments: list[Segment] = []
    prefixes: list[tuple[Prefix, ...]] = []
    spare = {version: _subnets(prefix) for version, prefix in _NOWHERE.items()}
    for parts, own in zip(parts_of(topology, out), addressing.prefixes, strict=True):
        for number, part in enumerate(parts):
            segments.append(part)
            prefixes.append(tuple(next(spare[one.version]) for one in own) if number else own)
    return segments, prefixes


def parts_of(topology: Topology, out: Collection[int]) -> Iterator[list[Segment]]:
    """Yield what is left of each segment without some links: its parts with interfaces, the largest first."""
    working = [number not in out for number in range(len(topology.links))]
    ports = {node.name: node.interfaces for node in topology.nodes}
    link_of = {end: number for number, link in enumerate(topology.links) for end in link.ends}
    for segment in topology.segments:
        parts = _parts_of(topology, ports, link_of, segment, working)
        yield sorted(parts, key=lambda part: -len(part.interfaces))


def _subnets(prefix: Prefix) -> Iterator[Prefix]:
    yield from prefix.subnets(new_prefix=prefix.max_prefixlen)


def _parts_of(
    topology: Topology,
    ports: Mapping[str, tuple[int, ...]],
    link_of: Mapping[int, int],
    segment: Segment,
    working: list[bool],
) -> Iterator[Segment]:
    """Yield the parts of a segment that working links hold together."""
    if not segment.switches:
        if segment.loopback or all(working[link_of[end]] for end in segment.interfaces):
            yield segment
        return
    neighbours: dict[str, list[str]] = {name: [] for name in segment.switches}
    members: dict[str, list[int]] = {name: [] for name in segment.switches}
    for name in segment.switches:
        for end in ports[name]:
            link = link_of[end]
            other = sum(topology.links[link].ends) - end
            owner = topology.interfaces[other].node
            if working[link] and owner in neighbours:
                neighbours[name].append(owner)
            elif working[link]:
                members[name].append(other)
    for switch_names in components(neighbours):
        found = {end for name in switch_names for end in members[name]}
        if found:
            order = tuple(end for end in segment.interfaces if end in found)
            yield Segment(order, tuple(switch_names), segment.pinned)
