"""What will be built: the `Plan`, complete to the last setting, and its JSON form. Pure.

`emu plan` prints it, `emu run` builds it, and a running network keeps it for whoever attaches.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..graph.attributes import Kind, Prefix, Routing
from ..graph.inside import Inside
from ..graph.pin_values import UNREACHABLE, PinnedRoutes, parse_routes
from ..schedules import Event
from ..shaping import Shaping
from ..shaping.profiles import Profile
from .addressing import InterfaceAddress
from .places import Places
from .routes import ADDRESS_SIZE, NextHop, RouteGroup, RouteTable

#: An interface: its node and its name.
End = tuple[str, str]
#: Types that JSON has.
_AS_IT_IS = frozenset({type(None), str, bool, int, float})
#: Makes routes of their next hops and what stands for their destinations.
_Grouping = Callable[[tuple[NextHop, ...], Any], RouteGroup]


@dataclass(frozen=True, slots=True)
class InterfacePlan:
    """One interface: `index` is its number in the kernel, `peer` the node and name at the other end."""

    name: str
    altname: str | None
    index: int
    peer: End
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
    #: How it looks to its programs, and which run from the beginning; None is as usual.
    inside: Inside | None = None

    @property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses of the node, IPv4 before IPv6; of each the loopback's, which its name stands for."""
        links = (address for one in self.interfaces for address in one.addresses)
        return tuple(sorted((*self.loopback, *links), key=lambda address: address.version))


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One link: the node and the interface's name at either end."""

    ends: tuple[End, End]


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """One broadcast domain: its prefixes, the interfaces with addresses on it, and its switches."""

    prefixes: tuple[Prefix, ...]
    interfaces: tuple[End, ...]
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
    #: The interfaces whose links carried nothing when routes were last computed.
    down: tuple[End, ...] = ()
    #: Which routes nodes were given.
    routing: Routing = Routing.COMPRESSED
    #: What links do that is left out where the kernel cannot do it; an empty text is nothing.
    optional_shaping: str = ""
    #: Kinds of links of the graph's own, by name.
    profiles: Mapping[str, Profile] = dataclasses.field(default_factory=dict)
    #: What happens while it runs, and when.
    schedule: tuple[Event, ...] = ()

    @functools.cached_property
    def interfaces(self) -> dict[End, InterfacePlan]:
        """Every interface by its node and name."""
        return {(node.name, one.name): one for node in self.nodes for one in node.interfaces}

    @functools.cached_property
    def places(self) -> Places:
        """Where everything is, by name."""
        return Places.of(self)

    def node(self, name: str) -> NodePlan:
        """Return the node of that name; KeyError when there is none."""
        return self.nodes[self.places.nodes[name]]

    def interface(self, end: End) -> InterfacePlan:
        """Return an interface by its node and name; KeyError when there is none."""
        return self.node(end[0]).interfaces[self.places.interfaces[end]]

    def addresses_of(self, node: NodePlan) -> tuple[InterfaceAddress, ...]:
        """Return a node's addresses, IPv4 before IPv6, and of each family last those that are `down`."""
        if not self.down:
            return node.addresses
        down = {a for one in node.interfaces if (node.name, one.name) in self.down for a in one.addresses}
        return tuple(sorted(node.addresses, key=lambda address: (address.version, address in down)))

    def with_shapings(self, shapings: Mapping[End, Shaping | None]) -> Plan:
        """Return the plan with what some interfaces do to packets that leave."""
        nodes = list(self.nodes)
        for number in {self.places.nodes[name] for name, _ in shapings if name in self.places.nodes}:
            nodes[number] = _with_shapings(nodes[number], shapings)
        plan = dataclasses.replace(self, nodes=tuple(nodes))
        plan.__dict__["places"] = self.places  # everything is where it was, and finding that out takes long
        return plan

    def to_json(self) -> str:
        """Return the plan as JSON, which `Plan.from_json` reads back to an equal plan.

        Routes stand together by their next hops, and nodes with the same settings share them: `settings`
        of a node is an index into the plan's.
        """
        return json.dumps(self._form(RouteGroup.texts), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Return the plan that `to_json` wrote."""
        return cls._from_form(json.loads(text), RouteGroup.of)

    def to_document(self) -> bytes:
        """Return the plan as a running network keeps it: JSON, a line's end, and all packed destinations."""
        blobs: list[bytes] = []

        def keep(group: RouteGroup) -> tuple[int, int]:
            blobs.append(group.destinations)
            return group.version, len(group)

        form = self._form(keep)
        return json.dumps(form).encode() + b"\n" + b"".join(blobs)

    @classmethod
    def from_document(cls, data: bytes) -> Plan:
        """Return the plan that `to_document` wrote."""
        text, _, packed = data.partition(b"\n")
        rest = io.BytesIO(packed)

        def group(next_hops: tuple[NextHop, ...], form: tuple[int, int]) -> RouteGroup:
            version, count = form
            return RouteGroup(version, next_hops, rest.read(count * (ADDRESS_SIZE[version] + 1)))

        return cls._from_form(json.loads(text), group)

    def _form(self, destinations: Callable[[RouteGroup], Any]) -> dict[str, Any]:
        tables = list(dict.fromkeys(node.settings for node in self.nodes))
        number = {table: index for index, table in enumerate(tables)}
        form: dict[str, Any] = _plain(self, destinations) | {"settings": [dict(table) for table in tables]}
        for node, part in zip(self.nodes, form["nodes"], strict=True):
            part["settings"] = number[node.settings]
        return form

    @classmethod
    def _from_form(cls, data: dict[str, Any], group: _Grouping) -> Plan:
        settings = [tuple(table.items()) for table in data["settings"]]
        return cls(
            name=data["name"],
            families=tuple(data["families"]),
            nodes=tuple(_node_from(node, settings, group) for node in data["nodes"]),
            links=tuple(LinkPlan(_pair(map(_pair, link["ends"]))) for link in data["links"]),
            segments=tuple(_segment_from(segment) for segment in data["segments"]),
            warnings=tuple(data["warnings"]),
            notes=tuple(data["notes"]),
            down=tuple(_pair(end) for end in data["down"]),
            routing=Routing(data["routing"]),
            optional_shaping=data["optional_shaping"],
            profiles={name: Profile.from_dict(one) for name, one in data["profiles"].items()},
            schedule=tuple(map(Event.from_dict, data["schedule"])),
        )


def _with_shapings(node: NodePlan, shapings: Mapping[End, Shaping | None]) -> NodePlan:
    interfaces = tuple(
        dataclasses.replace(one, shaping=shapings.get((node.name, one.name), one.shaping))
        for one in node.interfaces
    )
    return dataclasses.replace(node, interfaces=interfaces)


def _pair(items: Any) -> tuple[Any, Any]:
    first, second = items
    return first, second


def _plain(value: Any, destinations: Callable[[RouteGroup], Any]) -> Any:
    """Return what JSON can hold of a part of a plan; of a group of routes what `destinations` makes of it."""
    kind = type(value)  # rather than isinstance: there are many
    if kind in _AS_IT_IS:
        return value
    if kind is tuple:
        return [_plain(item, destinations) for item in value]
    if kind is RouteTable:
        return [
            {"next_hops": _plain(group.next_hops, destinations), "destinations": destinations(group)}
            for group in value.groups
        ]
    if kind is dict:
        return {str(key): _plain(item, destinations) for key, item in value.items()}
    fields = _fields(kind)
    if fields is None:
        return str(value)
    return {name: _plain(getattr(value, name), destinations) for name in fields}


#: Of each type the names of its fields, as `_fields` returns them.
_FIELDS: dict[type, tuple[str, ...] | None] = {}


def _fields(kind: type) -> tuple[str, ...] | None:
    """Return the names of a dataclass's fields, but settings, which are shared; None of another class."""
    if kind not in _FIELDS:
        _FIELDS[kind] = None
        if dataclasses.is_dataclass(kind):
            _FIELDS[kind] = tuple(one.name for one in dataclasses.fields(kind) if one.name != "settings")
    return _FIELDS[kind]


def _node_from(
    data: dict[str, Any], settings: list[tuple[tuple[str, str], ...]], group: _Grouping
) -> NodePlan:  # fmt: skip
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
        routes=RouteTable(_group_from(routes, group) for routes in data["routes"]),
        settings=settings[data["settings"]],
        spanning_tree=data["spanning_tree"],
        position=None if data["position"] is None else _pair(data["position"]),
        loopback=tuple(ipaddress.ip_interface(address) for address in data["loopback"]),
        pinned_routes=parse_routes({one: hops or UNREACHABLE for one, hops in data["pinned_routes"].items()}),
        inside=None if data["inside"] is None else Inside.from_dict(data["inside"]),
    )


def _group_from(data: dict[str, Any], group: _Grouping) -> RouteGroup:
    next_hops = tuple(
        NextHop(hop["interface"], ipaddress.ip_address(hop["gateway"])) for hop in data["next_hops"]
    )
    return group(next_hops, data["destinations"])


def _segment_from(data: dict[str, Any]) -> SegmentPlan:
    return SegmentPlan(
        prefixes=tuple(ipaddress.ip_network(prefix) for prefix in data["prefixes"]),
        interfaces=tuple(_pair(end) for end in data["interfaces"]),
        switches=tuple(data["switches"]),
    )
