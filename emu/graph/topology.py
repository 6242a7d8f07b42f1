"""From a networkx graph to a `Topology`: named, typed, checked. Pure: no kernel, no files, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ..errors import TopologyError, listed, shown
from ..schedules import Event
from ..shaping.attributes import PARSERS as SHAPING
from ..shaping.links import by_direction, shapings_of
from ..shaping.profiles import Profile
from .attributes import BY_END, Address, Kind, Prefix, Reader, Routing, position_of
from .checked_graph import FIRST_INDEX, LOOPBACK, Interface, Link, Node, Segment, Topology
from .inside import Inside
from .names import interface_name, label_of, names_in
from .pins import link_name, long_name, mac_faults, pin_faults, unused_pins

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "FIRST_INDEX", "LOOPBACK", "SWITCH_LINKS", "Interface", "Link", "Node", "Segment", "Topology",
    "topology_from",
]  # fmt: skip

#: The kernel's limit of ports on one bridge (BR_MAX_PORTS in net/bridge/br_private.h), less one.
SWITCH_LINKS = 1023


def topology_from(
    graph: nx.Graph, name: str | None = None, families: tuple[int, ...] | None = None
) -> Topology:  # fmt: skip
    """Return the topology of a graph, whatever of networkx's graph classes it is.

    Args:
        graph: nodes and edges with the attributes of `emu.graph.attributes.KNOWN`.
        name: what to call it; default the graph's own name.
        families: 4, 6 or both, instead of the graph's attribute `families` and its default, both.

    Raises:
        TopologyError: with every fault of the graph.
    """
    builder = _Builder(graph)
    reader = builder.reader
    attributes = graph.graph if families is None else {**graph.graph, "families": families}
    given = reader.read("graph", "graph", attributes)
    builder.add_links()
    builder.add_nodes()
    builder.add_shapings(given.get("profiles", {}), given.get("families", (4, 6)))
    segments = builder.segments(given.get("loopbacks", False))
    titles = (label_of(one) for one in (name, given.get("name")) if one is not None)
    title = next(filter(str.strip, titles), "graph")
    if faults := dict.fromkeys(reader.faults + builder.faults):  # both directions of a link may have one
        raise TopologyError(title, faults)
    chosen, lonely = given.get("families", (4, 6)), [one.name for one in builder.nodes if not one.interfaces]
    return Topology(
        name=title,
        nodes=tuple(builder.nodes),
        interfaces=tuple(builder.interfaces),
        links=tuple(builder.links),
        segments=segments,
        families=chosen,
        packed=given.get("packed"),
        pools=given.get("pools", ()),
        routing=given.get("routes", Routing.COMPRESSED),
        optional_shaping=given.get("optional_shaping", ""),
        profiles=given.get("profiles", {}),
        schedule=builder.schedule(given.get("schedule", ())),
        warnings=(
            *([f"nothing can reach {listed(lonely)}: no links lead there"] if lonely else ()),
            *unused_pins(segments, builder.interfaces, chosen),
        ),
        notes=reader.notes(),
    )


@dataclass
class _Builder:
    """Collects what `topology_from` returns, one step after the other."""

    graph: Any
    reader: Reader = field(default_factory=Reader)
    faults: list[str] = field(default_factory=list)
    interfaces: list[Interface] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        data = self.graph.nodes(data=True)
        labelled = ((node, one.get("label")) for node, one in data)
        self.labels = {node: label_of(node if given is None else given) for node, given in labelled}
        self.names = names_in(data)
        self.position = {name: number for number, name in enumerate(self.names.values())}
        self.of: dict[str, list[int]] = {name: [] for name in self.names.values()}
        #: The numbers of interfaces that are taken, and the next that a node's interface gets.
        self.numbers: set[tuple[str, int]] = set()
        self.next_number = dict.fromkeys(self.of, 0)
        self.kinds: dict[str, Kind] = {}
        self.pins: dict[str, tuple[Prefix, ...]] = {}
        self.loopbacks: dict[str, tuple[Address, ...]] = {}
        self.link_pins: list[tuple[Prefix, ...]] = []
        #: Of each link, the parsed attributes of its two directions.
        self.ways: list[tuple[dict[str, Any], dict[str, Any]]] = []
        if not self.names:
            self.faults.append("the graph has no nodes")

    def add_links(self) -> None:
        """Make a link, and an interface at either end, of each edge."""
        for a, b, there, back in _edges(self.graph):
            where = link_name(self.names[a], self.names[b])
            if self.names[a] == self.names[b]:  # a == b is false of NaN
                self.faults.append(f"{where}: a link from a node to itself")
                continue
            ways = by_direction(there, back, partial(self._per_end, (a, b), where), BY_END)
            given = self.reader.read("link", where, ways[0])
            other = self.reader.read("link", where, ways[1]) if ways[1] is not ways[0] else given
            addresses, macs, numbers = (
                self._by_node((a, b), {**other.get(key, {}), **given.get(key, {})}, f"{where}: {key}")
                for key in ("addresses", "macs", "interfaces")
            )
            index, ends = len(self.links), []
            for node, weight in ((a, given.get("weight", 1.0)), (b, other.get("weight", 1.0))):
                pins = addresses.get(node, ()), macs.get(node), numbers.get(node)
                ends.append(self._add_interface(self.names[node], index, weight, *pins))
            self.links.append(Link((ends[0], ends[1])))
            self.ways.append((given, other))
            self.link_pins.append((*given.get("prefix", ()), *other.get("prefix", ())))

    def _by_node(self, ends: tuple[Any, Any], pins: dict[Any, Any], where: str) -> dict[Any, Any]:
        """Return pins by node. A node may be called by its label, which may be the other's name."""
        owners = {called[node]: node for called in (self.labels, self.names) for node in reversed(ends)}
        owners |= {node: node for node in ends}
        self.faults += [
            f"{where} names {shown(stranger)}, which is not an end of it"
            for stranger in pins if stranger not in owners
        ]  # fmt: skip
        return {owners[key]: pin for key, pin in pins.items() if key in owners}

    def _per_end(
        self, ends: tuple[Any, Any], where: str, key: str, values: Mapping[Any, Any]
    ) -> dict[int, Any]:  # fmt: skip
        """Return what a mapping of a link's ends has for the first and the second."""
        found = self._by_node(ends, dict(values), f"{where}: {key}")
        return {place: found[end] for place, end in enumerate(ends) if end in found}

    def _add_interface(
        self, node: str, link: int, weight: float, pinned: tuple[Address, ...], mac: str | None,
        number: int | None,
    ) -> int:  # fmt: skip
        if number is None:
            number = self.next_number[node]
        if (node, number) in self.numbers:
            self.faults.append(f"node {node}: two links have the interface number {number}")
        self.numbers.add((node, number))
        self.next_number[node] = max(self.next_number[node], number + 1)
        name, altname = interface_name(node, number)
        if (full := altname or name) in self.of:  # words at the prompt would mean either
            self.faults.append(f"node {full}: an interface of {node} has that name")
        index = len(self.interfaces)
        self.of[node].append(index)
        self.interfaces.append(Interface(name, altname, node, link, weight, pinned, mac, number=number))
        return index

    def add_nodes(self) -> None:
        """Make the nodes; one without a kind is a host with up to one link, else a router."""
        for node, attributes in self.graph.nodes(data=True):
            name = self.names[node]
            given = self.reader.read("node", f"node {name}", attributes)
            mine = tuple(sorted(self.of[name], key=lambda one: self.interfaces[one].number))
            kind = given.get("kind") or (Kind.HOST if len(mine) <= 1 else Kind.ROUTER)
            self.kinds[name] = kind
            self.pins[name], self.loopbacks[name] = given.get("prefix", ()), given.get("loopback", ())
            routes = given.get("routes", {})
            if self.pins[name] and kind is not Kind.SWITCH:
                self.faults.append(f"node {name}: a prefix belongs on a link or a switch, not on a {kind}")
            if self.loopbacks[name] and kind is not Kind.ROUTER:
                self.faults.append(f"node {name}: a loopback belongs on a router, not on a {kind}")
            if routes and kind is Kind.SWITCH:
                self.faults.append(f"node {name}: a switch has no routes")
            if kind is Kind.SWITCH and len(mine) > SWITCH_LINKS:
                self.faults.append(f"switch {name}: {len(mine)} links; a bridge has at most {SWITCH_LINKS}")
            position = position_of(attributes)
            inside = Inside.of(given)
            self.nodes.append(Node(name, self.labels[node] or name, kind, mine, position, routes, inside))

    def add_shapings(self, profiles: Mapping[str, Profile], families: tuple[int, ...]) -> None:
        """Give the interfaces what their direction of the link does; a profile's customer is a host."""
        for link, values in zip(self.links, self.ways, strict=True):
            if SHAPING.keys().isdisjoint(values[0].keys() | values[1].keys()):
                continue
            names = (self.interfaces[link.ends[0]].node, self.interfaces[link.ends[1]].node)
            hosts = [end for end, name in enumerate(names) if self.kinds[name] is Kind.HOST]
            customer = hosts[0] if len(hosts) == 1 else None
            try:
                shapings = shapings_of(values, names, customer, profiles, families)
            except ValueError as error:
                self.faults.append(f"{link_name(*names)}: {error}")
                continue
            for end, shaping in zip(link.ends, shapings, strict=True):
                self.interfaces[end] = replace(self.interfaces[end], shaping=shaping)

    def segments(self, loopbacks: bool) -> tuple[Segment, ...]:
        """Return the broadcast domains, with their pins checked; `loopbacks`: with one for every router."""
        found = []
        for links, switches in sorted(self._domains(), key=self._completed):
            ends = [end for link in links for end in self.links[link].ends]
            members = tuple(end for end in ends if self.interfaces[end].node not in switches)
            pins = [*(self.link_pins[link] for link in links), *(self.pins[name] for name in switches)]
            pinned = tuple(dict.fromkeys(prefix for group in pins for prefix in group))
            found.append(Segment(members, tuple(switches), pinned))
            for end in ends:
                if self.interfaces[end].pinned and self.interfaces[end].node in switches:
                    self.faults.append(f"{long_name(self.interfaces[end])}: a switch has no addresses")
            self.faults += mac_faults([self.interfaces[end] for end in ends])
        found += self._loopbacks(loopbacks)
        self.faults += pin_faults(found, self.interfaces)
        return tuple(found)

    def schedule(self, given: tuple[Event, ...]) -> tuple[Event, ...]:
        """Return what happens while the network runs: the traces of links, and what is given."""
        found = [
            Event(0, "trace", (long_name(self.interfaces[end]),), source=self.interfaces[end].node,
                  options={"trace": way["trace"]}, where=f"trace of {long_name(self.interfaces[end])}")
            for link, ways in zip(self.links, self.ways, strict=True)
            for end, way in zip(link.ends, ways, strict=True) if "trace" in way
        ]  # fmt: skip
        return (*found, *given)

    def _loopbacks(self, everywhere: bool) -> Iterator[Segment]:
        """Make the routers' loopback interfaces, and yield their segments."""
        for name, kind in self.kinds.items():
            pinned = self.loopbacks[name]
            if kind is Kind.ROUTER and (everywhere or pinned):
                prefixes = tuple(ip_network(address) for address in pinned)
                yield Segment((len(self.interfaces),), pinned=prefixes, loopback=True)
                self.interfaces.append(Interface(LOOPBACK, None, name, None, 0.0, pinned))

    def _completed(self, domain: tuple[list[int], list[str]]) -> int:
        """Return the position in the graph of the node that made a domain's first link complete."""
        owners = ([self.interfaces[end].node for end in self.links[link].ends] for link in domain[0])
        return min(max(self.position[name] for name in pair) for pair in owners)

    def _domains(self) -> Iterator[tuple[list[int], list[str]]]:
        """Yield the links and the switches of each broadcast domain."""
        seen: set[int] = set()
        for first in range(len(self.links)):
            if first in seen:
                continue
            seen.add(first)
            links: list[int] = []
            switches: dict[str, None] = {}  # a set in the order of arrival
            queue = deque([first])
            while queue:
                link = queue.popleft()
                links.append(link)
                for name in (self.interfaces[end].node for end in self.links[link].ends):
                    if self.kinds[name] is Kind.SWITCH and name not in switches:
                        switches[name] = None
                        ends = (self.interfaces[i].link for i in self.of[name])
                        more = [one for one in ends if one is not None]
                        queue += [one for one in more if one not in seen]
                        seen.update(more)
            yield sorted(links), list(switches)


def _edges(graph: Any) -> Iterator[tuple[Hashable, Hashable, dict[str, Any], dict[str, Any]]]:
    """Yield each edge's ends and its attributes in either direction; a link of a DiGraph has two edges."""
    if not graph.is_directed():
        for a, b, attributes in graph.edges(data=True):
            yield a, b, attributes, attributes
        return
    done = set()
    edges = graph.edges(data=True, keys=True) if graph.is_multigraph() else (
        (a, b, 0, attributes) for a, b, attributes in graph.edges(data=True)
    )  # fmt: skip
    for a, b, key, attributes in edges:
        if (b, a, key) in done and a != b:
            continue
        done.add((a, b, key))
        back = graph.get_edge_data(b, a, default=None)
        if back is not None and graph.is_multigraph():
            back = back.get(key)
        yield a, b, attributes, attributes if back is None else back
