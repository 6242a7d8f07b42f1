"""What will be built: the `Plan`, complete to the last setting, and its JSON form. Pure.

`emu plan` prints it, `emu run` builds it, and a running network keeps it for whoever attaches.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .addressing import Addressing, InterfaceAddress, assign_addresses
from .attributes import Kind, Prefix
from .graph import Topology
from .routes import NextHop, Route, RouteGroup, RouteTable
from .routing import compute_routes

#: Settings that a new namespace may have inherited from the outer host, and that a network rests on.
#: IPv4's `conf` is inherited from it by default, IPv6's where net.core.devconf_inherit_init_net says so.
#: All have the kernel's own default, but for what is said. A router on a shared segment must neither
#: redirect nor be redirected, or routes would drift; a multipath route spreads by layer-4 flow
#: (net/ipv4/route.c, fib_multipath_hash).
_IPV4 = {
    **{
        f"net/ipv4/conf/{scope}/{key}": "0"
        for scope in ("all", "default")
        for key in (
            "rp_filter", "accept_redirects", "send_redirects", "secure_redirects", "arp_ignore",
            "arp_announce", "arp_filter", "proxy_arp", "proxy_arp_pvlan", "accept_local", "route_localnet",
            # What happens when a link fails or an address goes (systemd changes the second).
            "ignore_routes_with_linkdown", "promote_secondaries",
            # A broadcast stays on its segment.
            "bc_forwarding",
        )
    },
    "net/ipv4/fib_multipath_hash_policy": "1",
    # Every error is reported, not six and then one a second: traceroute lives on them. (Without limit,
    # `icmp_ratelimit` would not do: "net unreachable" has a limit of its own that the mask lifts too.)
    "net/ipv4/icmp_ratemask": "0",
}  # fmt: skip
#: Without duplicate address detection an address works 4 ms after its link is up, else after 2 s. Router
#: advertisements count for nothing. A link-local address is there, made from the MAC address: next hops
#: need it. Fewer hops than 64 would not do for large networks.
_IPV6 = {
    **{
        f"net/ipv6/conf/{scope}/{key}": value
        for scope in ("all", "default")
        for key, value in (
            ("disable_ipv6", "0"), ("accept_dad", "0"), ("dad_transmits", "0"),
            ("accept_ra", "0"), ("accept_redirects", "0"), ("use_tempaddr", "0"), ("addr_gen_mode", "0"),
            ("hop_limit", "64"), ("proxy_ndp", "0"),
            # What happens when a link fails.
            ("ignore_routes_with_linkdown", "0"), ("keep_addr_on_down", "0"),
        )
    },
    # It is made with the namespace: what `default` was then is already in it.
    "net/ipv6/conf/lo/disable_ipv6": "0",
    "net/ipv6/fib_multipath_hash_policy": "1",
    "net/ipv6/icmp/ratelimit": "0",
}  # fmt: skip
_NO_IPV6 = {f"net/ipv6/conf/{scope}/disable_ipv6": "1" for scope in ("all", "default")}

_RING_NOTE = "switches form a ring: they take some seconds to agree on the links to leave unused"
FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
#: What an interface takes over when it is made; writing the above changes it too, but only when that
#: was different before.
_FORWARDING_LATER = {4: "net/ipv4/conf/default/forwarding", 6: "net/ipv6/conf/default/forwarding"}


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

    @property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses of the node, IPv4 before IPv6."""
        return tuple(
            sorted((a for one in self.interfaces for a in one.addresses), key=lambda address: address.version)
        )


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
        )


def compile_plan(
    topology: Topology,
    assign: Callable[[Topology], Addressing] = assign_addresses,
    route: Callable[[Topology, Addressing], Mapping[str, Iterable[Route]]] = compute_routes,
) -> Plan:
    """Return the plan of a topology, with other ways to address and to route where they are given.

    Raises:
        PlanError: when addresses run out.
    """
    addressing = assign(topology)
    routes = route(topology, addressing)
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
                    _interface(topology, addressing, number, index)
                    for index, number in enumerate(node.interfaces, start=2)
                ),
                routes=RouteTable.of(routes.get(node.name, ())),
                settings=_settings(node.kind, topology.families),
                spanning_tree=node.name in ringed,
                position=node.position,
            )
            for node in topology.nodes
        ),
        links=tuple(LinkPlan(_pair(_end(topology, end) for end in link.ends)) for link in topology.links),
        segments=tuple(
            SegmentPlan(prefixes, tuple(_end(topology, end) for end in segment.interfaces), segment.switches)
            for segment, prefixes in zip(topology.segments, addressing.prefixes, strict=True)
        ),
        warnings=topology.warnings,
        notes=topology.notes + ((_RING_NOTE,) if ringed else ()),
    )


def _interface(topology: Topology, addressing: Addressing, number: int, index: int) -> InterfacePlan:
    one = topology.interfaces[number]
    addresses = addressing.addresses[number]
    return InterfacePlan(one.name, one.altname, index, _peer(topology, number), addresses, one.weight)


def _end(topology: Topology, number: int) -> tuple[str, str]:
    interface = topology.interfaces[number]
    return interface.node, interface.name


def _peer(topology: Topology, number: int) -> tuple[str, str]:
    first, second = topology.links[topology.interfaces[number].link].ends
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


def _settings(kind: Kind, families: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """Return a node's sysctls. Forwarding comes first: writing it resets others."""
    forwards = "1" if kind is Kind.ROUTER else "0"
    ipv6 = 6 in families and kind is not Kind.SWITCH
    settings = {FORWARDING[4]: forwards, _FORWARDING_LATER[4]: forwards, **_IPV4}
    settings |= {FORWARDING[6]: forwards, _FORWARDING_LATER[6]: forwards, **_IPV6} if ipv6 else _NO_IPV6
    return tuple(settings.items())


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
            )
            for one in data["interfaces"]
        ),
        routes=RouteTable(_group_from(group) for group in data["routes"]),
        settings=settings[data["settings"]],
        spanning_tree=data["spanning_tree"],
        position=None if data["position"] is None else _pair(data["position"]),
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
