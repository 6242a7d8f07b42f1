"""From a networkx graph to a `Topology`: named, typed, checked. Pure: no kernel, no files, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .attributes import Address, Kind, Prefix, Reader, parse_families
from .errors import TopologyError
from .names import interface_name, node_names

if TYPE_CHECKING:
    import networkx as nx

#: The kernel's limit of ports on one bridge (BR_MAX_PORTS in net/bridge/br_private.h), less one.
SWITCH_LINKS = 1023


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link. `weight` is the cost of leaving the node through it."""

    name: str
    altname: str | None
    node: str
    link: int
    weight: float = 1.0
    pinned: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A node; `label` is what the graph calls it, `interfaces` are indices into the topology's."""

    name: str
    label: str
    kind: Kind
    interfaces: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An edge of the graph: the indices of its two interfaces."""

    ends: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """A broadcast domain: the interfaces of hosts and routers on it, and the switches that join them."""

    interfaces: tuple[int, ...]
    switches: tuple[str, ...] = ()
    pinned: tuple[Prefix, ...] = ()


@dataclass(frozen=True)
class Topology:
    """A checked graph. Interfaces, links and segments are numbered in edge order."""

    name: str
    nodes: tuple[Node, ...]
    interfaces: tuple[Interface, ...]
    links: tuple[Link, ...]
    segments: tuple[Segment, ...]
    families: tuple[int, ...]
    #: What the user should know, and what a reader may want to: neither is a fault.
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def topology_from(
    graph: nx.Graph, name: str | None = None, families: tuple[int, ...] | None = None
) -> Topology:  # fmt: skip
    """Return the topology of a graph, whatever of networkx's graph classes it is.

    Args:
        graph: nodes and edges with the attributes of `emu.attributes.KNOWN`.
        name: what to call it; default the graph's own name.
        families: 4, 6 or both, instead of the graph's attribute `families` and its default, both.

    Raises:
        TopologyError: with every fault of the graph.
    """
    builder = _Builder(graph)
    given = builder.reader.read("graph", "graph", graph.graph)
    builder.add_links()
    builder.add_nodes()
    segments = builder.segments()
    reader = builder.reader
    reader.faults += builder.faults
    title = name or given.get("name") or "graph"
    if reader.faults:
        raise TopologyError(title, reader.faults)
    return Topology(
        name=title,
        nodes=tuple(builder.nodes),
        interfaces=tuple(builder.interfaces),
        links=tuple(builder.links),
        segments=segments,
        families=parse_families(families) if families is not None else given.get("families", (4, 6)),
        warnings=tuple(
            f"{node.name} has no links: nothing can reach it" for node in builder.nodes if not node.interfaces
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
        self.labels = {node: str(attributes.get("label", node)) for node, attributes in data}
        self.names = node_names(self.labels.items())
        self.of: dict[str, list[int]] = {name: [] for name in self.names.values()}
        self.kinds: dict[str, Kind] = {}
        self.pins: dict[str, tuple[Prefix, ...]] = {}
        self.link_pins: list[tuple[Prefix, ...]] = []
        if not self.names:
            self.faults.append("the graph has no nodes")

    def add_links(self) -> None:
        """Make a link, and an interface at either end, of each edge."""
        for a, b, there, back in _edges(self.graph):
            where = f"link {self.names[a]} – {self.names[b]}"  # noqa: RUF001  # a dash, no minus
            if a == b:
                self.faults.append(f"{where}: a link from a node to itself")
                continue
            given = self.reader.read("link", where, there)
            other = self.reader.read("link", where, back) if back is not there else given
            addresses = {**other.get("addresses", {}), **given.get("addresses", {})}
            index, ends = len(self.links), []
            for node, weight in ((a, given.get("weight", 1.0)), (b, other.get("weight", 1.0))):
                pinned = addresses.pop(str(node), None) or addresses.pop(self.names[node], ())
                ends.append(self._add_interface(self.names[node], index, weight, pinned))
            for stranger in addresses:
                self.faults.append(f"{where}: addresses names {stranger!r}, which is not an end of it")
            self.links.append(Link((ends[0], ends[1])))
            self.link_pins.append(given.get("prefix") or other.get("prefix", ()))

    def _add_interface(self, node: str, link: int, weight: float, pinned: tuple[Address, ...]) -> int:
        name, altname = interface_name(node, len(self.of[node]))
        index = len(self.interfaces)
        self.of[node].append(index)
        self.interfaces.append(Interface(name, altname, node, link, weight, pinned))
        return index

    def add_nodes(self) -> None:
        """Make the nodes; one without a kind is a host with up to one link, else a router."""
        for node, attributes in self.graph.nodes(data=True):
            name = self.names[node]
            given = self.reader.read("node", f"node {name}", attributes)
            mine = tuple(self.of[name])
            kind = given.get("kind") or (Kind.HOST if len(mine) <= 1 else Kind.ROUTER)
            self.kinds[name] = kind
            self.pins[name] = given.get("prefix", ())
            if self.pins[name] and kind is not Kind.SWITCH:
                self.faults.append(f"node {name}: a prefix belongs on a link or a switch, not on a {kind}")
            if kind is Kind.SWITCH and len(mine) > SWITCH_LINKS:
                self.faults.append(f"switch {name}: {len(mine)} links; a bridge has at most {SWITCH_LINKS}")
            self.nodes.append(Node(name, self.labels[node], kind, mine))

    def segments(self) -> tuple[Segment, ...]:
        """Return the broadcast domains in the order of their first link, with their pins checked."""
        found = []
        for links, switches in self._domains():
            ends = [end for link in links for end in self.links[link].ends]
            members = tuple(end for end in ends if self.interfaces[end].node not in switches)
            pins = [*(self.link_pins[link] for link in links), *(self.pins[name] for name in switches)]
            segment = Segment(members, tuple(switches), self._one_pin_per_family(pins, links))
            found.append(segment)
            for end in ends:
                if self.interfaces[end].pinned and end not in members:
                    self.faults.append(f"{self.interfaces[end].name}: a switch has no addresses")
        self._check_pins(found)
        return tuple(found)

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
                        more = [self.interfaces[i].link for i in self.of[name]]
                        queue += [one for one in more if one not in seen]
                        seen.update(more)
            yield sorted(links), list(switches)

    def _one_pin_per_family(self, pins: list[tuple[Prefix, ...]], links: list[int]) -> tuple[Prefix, ...]:
        chosen: dict[int, Prefix] = {}
        for prefix in (prefix for group in pins for prefix in group):
            if chosen.setdefault(prefix.version, prefix) != prefix:
                where = " ".join(self.interfaces[end].name for link in links for end in self.links[link].ends)
                self.faults.append(
                    f"one segment ({where}) has two prefixes: {chosen[prefix.version]} and {prefix}"
                )
        return tuple(chosen[version] for version in sorted(chosen))

    def _check_pins(self, segments: list[Segment]) -> None:
        """Report pinned prefixes that overlap, and pinned addresses that are taken or don't fit."""
        pinned = sorted(
            ((prefix, segment) for segment in segments for prefix in segment.pinned),
            key=lambda pair: (pair[0].version, int(pair[0].network_address), pair[0].prefixlen),
        )
        widest: Prefix | None = None
        for prefix, _ in pinned:
            if widest is not None and prefix.version == widest.version and prefix[0] in widest:
                self.faults.append(f"prefixes {widest} and {prefix} overlap")
            else:
                widest = prefix
        owners: dict[Address, str] = {}
        for segment in segments:
            for interface in (self.interfaces[i] for i in segment.interfaces):
                for address in interface.pinned:
                    self._check_address(interface, address, segment)
                    if owners.setdefault(address, interface.name) != interface.name:
                        self.faults.append(f"{owners[address]} and {interface.name} both have address {address}")

    def _check_address(self, interface: Interface, address: Address, segment: Segment) -> None:
        prefix = next((one for one in segment.pinned if one.version == address.version), None)
        where = f"{interface.name}: address {address}"
        if prefix is None:
            self.faults.append(f"{where} needs a prefix pinned on its link")
        elif address not in prefix:
            self.faults.append(f"{where} is outside the link's prefix {prefix}")
        elif prefix.num_addresses > 2 and address == prefix.network_address:
            self.faults.append(f"{where} is the prefix's own")
        elif prefix.num_addresses > 2 and address.version == 4 and address == prefix.broadcast_address:
            self.faults.append(f"{where} is the broadcast address of {prefix}")


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
