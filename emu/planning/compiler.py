"""From a topology to the plan of a network: addresses, routes, settings, and what they ask of each other.

Pure: the same topology gives the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..errors import TopologyError
from ..graph.topology import FIRST_INDEX, Link, Topology
from ..schedules import check_schedule
from .addressing import Addressing, assign_addresses
from .macs import macs_for
from .path_lengths import MOST, PathLength, longest_path
from .pinned_routes import Router, routes_for, unanswered_hops
from .plan import InterfacePlan, LinkPlan, NodePlan, Plan, SegmentPlan
from .routes import RouteTable
from .routing import compute_routes
from .sysctls import settings_for

_RING_NOTE = "switches form a ring: they take some seconds to agree on the links to leave unused"


def compile_plan(
    topology: Topology,
    assign: Callable[[Topology], Addressing] = assign_addresses,
    route: Router = compute_routes,
) -> Plan:
    """Return the plan of a topology, with other ways to address and to route where they are given.

    Raises:
        PlanError: when addresses run out.
        TopologyError: the graph has routes of its own that cannot be, or a schedule of what is not there.
    """
    addressing = assign(topology)
    routes = routes_for(topology, addressing, route)
    length = longest_path(topology)
    ringed = _switches_on_rings(topology)
    plan = Plan(
        name=topology.name,
        families=topology.families,
        nodes=tuple(_nodes(topology, addressing, routes, length.hops, ringed)),
        links=tuple(LinkPlan(_ends(topology, link)) for link in topology.links),
        segments=tuple(
            SegmentPlan(prefixes, tuple(_end(topology, end) for end in segment.interfaces), segment.switches)
            for segment, prefixes in zip(topology.segments, addressing.prefixes, strict=True)
            if not segment.loopback
        ),
        warnings=(*topology.warnings, *unanswered_hops(topology, addressing), *_too_long(length)),
        notes=topology.notes + ((_RING_NOTE,) if ringed else ()),
        routing=topology.routing,
        optional_shaping=topology.optional_shaping,
        profiles=topology.profiles,
        schedule=topology.schedule,
    )
    if faults := check_schedule(plan.schedule, plan)[0]:
        raise TopologyError(plan.name, faults, what="schedule of")
    return plan


def _nodes(
    topology: Topology, addressing: Addressing, routes: Mapping[str, RouteTable], hops: int, ringed: set[str]
) -> Iterator[NodePlan]:
    """Yield the nodes: `hops` is the TTL that packets need, `ringed` are switches on rings."""
    loopbacks = {
        topology.interfaces[end].node: addressing.addresses[end]
        for segment in topology.segments if segment.loopback for end in segment.interfaces
    }  # fmt: skip
    macs = macs_for(topology)
    for node in topology.nodes:
        yield NodePlan(
            name=node.name,
            label=node.label,
            kind=node.kind,
            interfaces=tuple(
                _interface(topology, addressing, number, macs[number]) for number in node.interfaces
            ),
            routes=routes[node.name],
            settings=settings_for(node.kind, topology.families, hops),
            spanning_tree=node.name in ringed,
            position=node.position,
            loopback=loopbacks.get(node.name, ()),
            pinned_routes=node.routes,
            inside=node.inside,
        )


def _interface(
    topology: Topology, addressing: Addressing, number: int, mac: str | None
) -> InterfacePlan:  # fmt: skip
    one = topology.interfaces[number]
    addresses, index = addressing.addresses[number], one.number + FIRST_INDEX
    peer = _peer(topology, number)
    return InterfacePlan(one.name, one.altname, index, peer, addresses, one.weight, mac, one.shaping)


def _too_long(length: PathLength) -> tuple[str, ...]:
    if length.least < MOST:
        return ()
    reach = f"no packet crosses more than {MOST - 1}, as its TTL or hop limit ends at {MOST}"
    return (f"the longest path crosses {length.least} routers, and {reach}",)


def _end(topology: Topology, number: int) -> tuple[str, str]:
    interface = topology.interfaces[number]
    return interface.node, interface.name


def _peer(topology: Topology, number: int) -> tuple[str, str]:
    link = topology.interfaces[number].link
    assert link is not None
    first, second = topology.links[link].ends
    return _end(topology, second if number == first else first)


def _switches_on_rings(topology: Topology) -> set[str]:
    """Return the switches of segments in which as many links join switches as there are switches."""
    ports = {node.name: len(node.interfaces) for node in topology.nodes}
    found: set[str] = set()
    for segment in topology.segments:
        between_switches = (sum(ports[name] for name in segment.switches) - len(segment.interfaces)) // 2
        if 0 < len(segment.switches) <= between_switches:
            found.update(segment.switches)
    return found


def _ends(topology: Topology, link: Link) -> tuple[tuple[str, str], tuple[str, str]]:
    first, second = link.ends
    return _end(topology, first), _end(topology, second)
