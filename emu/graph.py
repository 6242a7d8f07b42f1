"""From a networkx graph to a `Topology`: named, typed, checked. Pure: no kernel, no files, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .attributes import Address, Kind, Prefix, Reader, position_of
from .errors import TopologyError, shown
from .names import interface_name, label_of, node_names
from .pins import link_name, long_name, pin_faults, unused_pins

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
    #: Where pictures show it, in units of the graph's own, y upwards.
    position: tuple[float, float] | None = None


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
    """A checked graph.

    Interfaces and links are numbered in edge order; segments in the order in which the graph's nodes
    complete them, so that a node added at the end changes the number of none.
    """

    name: str
    nodes: tuple[Node, ...]
    interfaces: tuple[Interface, ...]
    links: tuple[Link, ...]
    segments: tuple[Segment, ...]
    families: tuple[int, ...]
    #: Whether prefixes are only as wide as each segment needs; None leaves it to the network's size.
    packed: bool | None = None
    #: Where automatic prefixes come from, instead of the usual pools.
    pools: tuple[Prefix, ...] = ()
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
    reader = builder.reader
    attributes = graph.graph if families is None else {**graph.graph, "families": families}
    given = reader.read("graph", "graph", attributes)
    builder.add_links()
    builder.add_nodes()
    segments = builder.segments()
    titles = (label_of(one) for one in (name, given.get("name")) if one is not None)
    title = next(filter(str.strip, titles), "graph")
    if faults := dict.fromkeys(reader.faults + builder.faults):  # both directions of a link may have one
        raise TopologyError(title, faults)
    nodes, chosen = tuple(builder.nodes), given.get("families", (4, 6))
    return Topology(
        name=title,
        nodes=nodes,
        interfaces=tuple(builder.interfaces),
        links=tuple(builder.links),
        segments=segments,
        families=chosen,
        packed=given.get("packed"),
        pools=given.get("pools", ()),
        warnings=(
            *(f"{one.name} has no links: nothing can reach it" for one in nodes if not one.interfaces),
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
        labels = {node: attributes.get("label") for node, attributes in data}
        self.labels = {node: label_of(node if given is None else given) for node, given in labels.items()}
        self.names = node_names(self.labels.items())
        self.position = {name: number for number, name in enumerate(self.names.values())}
        self.of: dict[str, list[int]] = {name: [] for name in self.names.values()}
        self.kinds: dict[str, Kind] = {}
        self.pins: dict[str, tuple[Prefix, ...]] = {}
        self.link_pins: list[tuple[Prefix, ...]] = []
        if not self.names:
            self.faults.append("the graph has no nodes")

    def add_links(self) -> None:
        """Make a link, and an interface at either end, of each edge."""
        for a, b, there, back in _edges(self.graph):
            where = link_name(self.names[a], self.names[b])
            if self.names[a] == self.names[b]:  # a == b is false of NaN
                self.faults.append(f"{where}: a link from a node to itself")
                continue
            given = self.reader.read("link", where, there)
            other = self.reader.read("link", where, back) if back is not there else given
            addresses = {**other.get("addresses", {}), **given.get("addresses", {})}
            pinned = self._pinned((a, b), addresses, where)
            index, ends = len(self.links), []
            for node, weight in ((a, given.get("weight", 1.0)), (b, other.get("weight", 1.0))):
                ends.append(self._add_interface(self.names[node], index, weight, pinned.get(node, ())))
            self.links.append(Link((ends[0], ends[1])))
            self.link_pins.append((*given.get("prefix", ()), *other.get("prefix", ())))

    def _pinned(
        self, ends: tuple[Any, Any], addresses: dict[Any, tuple[Address, ...]], where: str
    ) -> dict[Any, tuple[Address, ...]]:  # fmt: skip
        """Return the addresses by node. A node may be called by its label, which may be the other's name."""
        owners = {called[node]: node for called in (self.labels, self.names) for node in reversed(ends)}
        owners |= {node: node for node in ends}
        self.faults += [
            f"{where}: addresses names {shown(stranger)}, which is not an end of it"
            for stranger in addresses if stranger not in owners
        ]  # fmt: skip
        return {owners[key]: pins for key, pins in addresses.items() if key in owners}

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
            self.nodes.append(Node(name, self.labels[node] or name, kind, mine, position_of(attributes)))

    def segments(self) -> tuple[Segment, ...]:
        """Return the broadcast domains, with their pins checked."""
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
        self.faults += pin_faults(found, self.interfaces)
        return tuple(found)

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
                        more = [self.interfaces[i].link for i in self.of[name]]
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
