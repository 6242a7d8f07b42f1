"""What will be built: the `Plan`, complete to the last setting, and its JSON form. Pure.

`emu plan` prints it, `emu run` builds it, and a running network keeps it for whoever attaches.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .addressing import Addressing, InterfaceAddress, assign_addresses
from .attributes import Kind, Prefix, Routing
from .graph import Topology
from .macs import macs_for
from .path_lengths import MOST, PathLength, longest_path
from .pin_values import UNREACHABLE, PinnedRoutes, parse_routes
from .pinned_routes import Router, routes_for, unanswered_hops
from .routes import NextHop, RouteGroup, RouteTable
from .routing import compute_routes
from .shaping import Shaping
from .sysctls import settings_for

_RING_NOTE = "switches form a ring: they take some seconds to agree on the links to leave unused"


@dataclass(frozen=True, slots=True)
class InterfacePlan:
    """One interface: `index` is its number in the kernel, `peer` the node and name at the other end."""

    name: str
    altname: str | None
    index: int
    peer: tuple[str, str]
    addresses: tuple[InterfaceAddress, ...]
    weight: float
    #: Its MAC address; None leaves it to the kernel.
    mac: str | None = None
    #: What happens to the packets that leave through it; None is nothing.
    shaping: Shaping | None = None


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node. `settings` are sysctls, written `net/ipv4/ip_forward`, in the order they are set."""

    name: str
    label: str
    kind: Kind
    interfaces: tuple[InterfacePlan, ...]
    routes: RouteTable
    settings: tuple[tuple[str, str], ...]
    #: Switches on a ring agree on which links to leave unused (IEEE 802.1D).
    spanning_tree: bool = False
    #: Where pictures show it, where the graph says so.
    position: tuple[float, float] | None = None
    #: The addresses of `lo`, besides the usual ones.
    loopback: tuple[InterfaceAddress, ...] = ()
    #: Which of the routes the graph gave.
    pinned_routes: PinnedRoutes = dataclasses.field(default_factory=dict)

    @property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses of the node, IPv4 before IPv6; of each the loopback's, which its name stands for."""
        links = (address for one in self.interfaces for address in one.addresses)
        return tuple(sorted((*self.loopback, *links), key=lambda address: address.version))


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One link: the node and the interface's name at either end."""

    ends: tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """One broadcast domain: its prefixes, the interfaces with addresses on it, and its switches."""

    prefixes: tuple[Prefix, ...]
    interfaces: tuple[tuple[str, str], ...]
    switches: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A whole network as it will be built."""

    name: str
    families: tuple[int, ...]
    nodes: tuple[NodePlan, ...]
    links: tuple[LinkPlan, ...]
    segments: tuple[SegmentPlan, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    #: Node and name of the interfaces whose links carried nothing when routes were last computed.
    down: tuple[tuple[str, str], ...] = ()
    #: Which routes nodes were given.
    routing: Routing = Routing.COMPRESSED

    def node(self, name: str) -> NodePlan:
        """Return the node of that name; KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def addresses_of(self, node: NodePlan) -> tuple[InterfaceAddress, ...]:
        """Return a node's addresses, IPv4 before IPv6, and of each family last those that are `down`."""
        if not self.down:
            return node.addresses
        down = {a for one in node.interfaces if (node.name, one.name) in self.down for a in one.addresses}
        return tuple(sorted(node.addresses, key=lambda address: (address.version, address in down)))

    def to_json(self) -> str:
        """Return the plan as JSON, which `Plan.from_json` reads back to an equal plan.

        Routes stand together by their next hops, and nodes with the same settings share them: `settings`
        of a node is an index into the plan's.
        """
        tables = list(dict.fromkeys(node.settings for node in self.nodes))
        number = {table: index for index, table in enumerate(tables)}
        data = _plain(self) | {"settings": [dict(table) for table in tables]}
        for node, form in zip(self.nodes, data["nodes"], strict=True):
            form["settings"] = number[node.settings]
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Return the plan that `to_json` wrote."""
        data = json.loads(text)
        settings = [tuple(table.items()) for table in data["settings"]]
        return cls(
            name=data["name"],
            families=tuple(data["families"]),
            nodes=tuple(_node_from(node, settings) for node in data["nodes"]),
            links=tuple(LinkPlan(_pair(map(_pair, link["ends"]))) for link in data["links"]),
            segments=tuple(_segment_from(segment) for segment in data["segments"]),
            warnings=tuple(data["warnings"]),
            notes=tuple(data["notes"]),
            down=tuple(_pair(end) for end in data["down"]),
            routing=Routing(data["routing"]),
        )


def compile_plan(
    topology: Topology,
    assign: Callable[[Topology], Addressing] = assign_addresses,
    route: Router = compute_routes,
) -> Plan:
    """Return the plan of a topology, with other ways to address and to route where they are given.

    Raises:
        PlanError: when addresses run out.
        TopologyError: the graph has routes of its own that cannot be.
    """
    addressing = assign(topology)
    routes = routes_for(topology, addressing, route)
    length = longest_path(topology)
    loopbacks = {
        topology.interfaces[end].node: addressing.addresses[end]
        for segment in topology.segments if segment.loopback for end in segment.interfaces
    }  # fmt: skip
    macs = macs_for(topology)
    ringed = _switches_on_rings(topology)
    return Plan(
        name=topology.name,
        families=topology.families,
        nodes=tuple(
            NodePlan(
                name=node.name,
                label=node.label,
                kind=node.kind,
                interfaces=tuple(
                    # The loopback interface has index 1.
                    _interface(topology, addressing, number, index, macs[number])
                    for index, number in enumerate(node.interfaces, start=2)
                ),
                routes=routes[node.name],
                settings=settings_for(node.kind, topology.families, length.hops),
                spanning_tree=node.name in ringed,
                position=node.position,
                loopback=loopbacks.get(node.name, ()),
                pinned_routes=node.routes,
            )
            for node in topology.nodes
        ),
        links=tuple(LinkPlan(_pair(_end(topology, end) for end in link.ends)) for link in topology.links),
        segments=tuple(
            SegmentPlan(prefixes, tuple(_end(topology, end) for end in segment.interfaces), segment.switches)
            for segment, prefixes in zip(topology.segments, addressing.prefixes, strict=True)
            if not segment.loopback
        ),
        warnings=(*topology.warnings, *unanswered_hops(topology, addressing), *_too_long(length)),
        notes=topology.notes + ((_RING_NOTE,) if ringed else ()),
        routing=topology.routing,
    )


def _interface(
    topology: Topology, addressing: Addressing, number: int, index: int, mac: str | None
) -> InterfacePlan:  # fmt: skip
    one = topology.interfaces[number]
    addresses = addressing.addresses[number]
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


def _pair(items: Any) -> tuple[Any, Any]:
    first, second = items
    return first, second


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a part of a plan."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, RouteTable):
        return [
            {"next_hops": _plain(group.next_hops), "destinations": group.texts()} for group in value.groups
        ]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _fields(type(value))}
    return str(value)


@functools.cache
def _fields(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; settings are shared, and written apart."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.name != "settings")


def _node_from(data: dict[str, Any], settings: list[tuple[tuple[str, str], ...]]) -> NodePlan:
    return NodePlan(
        name=data["name"],
        label=data["label"],
        kind=Kind(data["kind"]),
        interfaces=tuple(
            InterfacePlan(
                name=one["name"],
                altname=one["altname"],
                index=one["index"],
                peer=_pair(one["peer"]),
                addresses=tuple(ipaddress.ip_interface(address) for address in one["addresses"]),
                weight=one["weight"],
                mac=one["mac"],
                shaping=None if one["shaping"] is None else Shaping.from_dict(one["shaping"]),
            )
            for one in data["interfaces"]
        ),
        routes=RouteTable(_group_from(group) for group in data["routes"]),
        settings=settings[data["settings"]],
        spanning_tree=data["spanning_tree"],
        position=None if data["position"] is None else _pair(data["position"]),
        loopback=tuple(ipaddress.ip_interface(address) for address in data["loopback"]),
        pinned_routes=parse_routes({one: hops or UNREACHABLE for one, hops in data["pinned_routes"].items()}),
    )


def _group_from(data: dict[str, Any]) -> RouteGroup:
    next_hops = tuple(
        NextHop(hop["interface"], ipaddress.ip_address(hop["gateway"])) for hop in data["next_hops"]
    )
    return RouteGroup.of(next_hops, data["destinations"])


def _segment_from(data: dict[str, Any]) -> SegmentPlan:
    return SegmentPlan(
        prefixes=tuple(ipaddress.ip_network(prefix) for prefix in data["prefixes"]),
        interfaces=tuple(_pair(end) for end in data["interfaces"]),
        switches=tuple(data["switches"]),
    )
