"""The short form of a graph that people write by hand, as YAML: every fault is told with its line."""

from __future__ import annotations

import bisect
import collections.abc
import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import TopologyError, UsageError, did_you_mean, one_line, shown
from ..schedules import Event, parse_schedule
from ..shaping.attributes import meant_by
from .attributes import BY_END, KNOWN, number_or_text, position_of
from .names import node_names
from .yaml_tree import Item, Mapping, Scalar, Sequence

if TYPE_CHECKING:
    import networkx as nx

    Parsers = collections.abc.Mapping[str, Callable[[Any], Any]]
    Attributes = dict[str, Any]

_GRAPH = "one looks like 'links: [[HOST1, ROUTER], [ROUTER, HOST2]]'"
_NODES = "nodes is a list of names, or a mapping such as {HOST1: {kind: host}}"
_LINK = "one looks like [HOST1, ROUTER] or {ends: [HOST1, ROUTER], weight: 2}"
#: What a plain scalar says when it says nothing.
_NOTHING = ("", "~", "null", "Null", "NULL")
#: Among how many names the nearest is looked for, for how many faults, and how many names are listed.
_SEARCHED, _HINTS, _LISTED = 10_000, 40, 12


def graph_of(tree: Item, file: str) -> nx.Graph:
    """Return the graph that a YAML document describes, a multigraph.

    Args:
        tree: the document.
        file: what to call it in errors.

    Raises:
        TopologyError: with every fault of the form and of the values in it, each with its line.
    """
    form = _Form(file)
    graph = form.graph(tree)
    if form.faults:
        raise TopologyError(file, [form.faults[place] for place in sorted(form.faults)])
    return graph


def _position(value: Any) -> tuple[float, float]:
    """Return where pictures show a node."""
    found = position_of({"pos": value})
    if found is None:
        raise ValueError(f"pos {shown(value)} is not two numbers, [x, y]")
    return found


_OF_NODE = {**KNOWN["node"], "pos": _position}


@dataclass(frozen=True)
class _Link:
    """The names of two ends, and the attributes."""

    ends: list[str]
    attributes: Attributes


@dataclass
class _Form:
    """Reads the form. `faults` are texts by line and by order of discovery."""

    file: str
    faults: dict[tuple[int, int], str] = field(default_factory=dict)
    nodes: dict[str, Attributes] = field(default_factory=dict)
    #: Names without regard to case, and who has them.
    taken: dict[str, str] = field(default_factory=dict)

    def graph(self, tree: Item) -> nx.Graph:
        """Return the graph, as far as there is one: `faults` says whether it is sound."""
        import networkx as nx

        found = self.mapping(tree, "a graph", [*KNOWN["graph"], "nodes", "links"], _GRAPH)
        if not self.faults and not {"nodes", "links"} & set(found):
            self.fault(tree, f"a graph has nodes or links; {_GRAPH}")
        nodes, links = found.pop("nodes", None), found.pop("links", None)
        self.read_nodes(nodes)
        edges = self.links(links, closed=nodes is not None)
        graph: nx.MultiGraph = nx.MultiGraph()
        graph.graph.update(given := self.attributes(found, KNOWN["graph"]))
        if "schedule" in given:
            events = parse_schedule(given["schedule"])
            graph.graph["schedule"] = _located(events, found["schedule"], self.file)
        graph.add_nodes_from(self.nodes.items())
        for number, link in enumerate(edges):
            there, back = link.ends
            graph.add_edge(there, back, number, **link.attributes)
        return graph

    # -- nodes ------------------------------------------------------------------------------------

    def read_nodes(self, item: Item | None) -> None:
        """Read a list of names, or a mapping of names to their kinds or attributes."""
        if isinstance(item, Mapping):
            for key, value in item.pairs:
                name = self.text(key, _NODES)
                if name is not None and self.is_new(name, key):
                    self.nodes[name] = self.node_attributes(value)
        elif isinstance(item, Sequence):
            for one in item.items:
                name = self.text(one, _NODES)
                if name is not None and self.is_new(name, one):
                    self.nodes[name] = {}
        elif item is not None and not _is_nothing(item):
            self.fault(item, _NODES)

    def node_attributes(self, item: Item) -> Attributes:
        """Return a node's attributes, of which the kind may stand alone."""
        alone = not isinstance(item, Mapping)
        return self.attributes({"kind": item} if alone else self.mapping(item, "a node", _OF_NODE), _OF_NODE)

    def is_new(self, name: str, item: Item) -> bool:
        """Tell whether a node's name can be used and is not taken, and report why not."""
        usable = node_names([(name, name)])[name]
        owner = self.taken.setdefault(name.casefold(), name)
        if usable != name:
            hint = f"write {usable} and 'label: {one_line(name[:60])}'" if name else "it is empty"
            self.fault(item, f"{shown(name)} cannot be typed as a node's name and be a host name; {hint}")
        elif name in self.nodes:
            self.fault(item, f"a second node {name}")
        elif owner != name:
            self.fault(item, f"nodes {owner} and {name} differ in nothing but case")
        return name not in self.nodes

    # -- links ------------------------------------------------------------------------------------

    def links(self, item: Item | None, closed: bool) -> list[_Link]:
        """Return the links of a list; in a `closed` graph all nodes are known, else they make them known."""
        if isinstance(item, Sequence):
            found = [self.link(one, closed) for one in item.items]
            return [link for link in found if len(link.ends) == 2]
        if item is not None and not _is_nothing(item):
            self.fault(item, f"links is a list of links; {_LINK}")
        return []

    def link(self, item: Item, closed: bool) -> _Link:
        """Return a link, from a list of its ends or a mapping that has them among its attributes."""
        found: dict[str, Item] = {"ends": item}
        if isinstance(item, Mapping):
            found = {"ends": item} | self.mapping(item, "a link", ["ends", *KNOWN["link"]])
        ends = self.ends(found.pop("ends"), closed)
        per_end = self.per_end(found, ends) if len(ends) == 2 else {}
        return _Link(ends, self.attributes(found, KNOWN["link"]) | per_end)

    def ends(self, item: Item, closed: bool) -> list[str]:
        """Return the names of a link's two ends, or what of them there is."""
        if not isinstance(item, Sequence) or len(item.items) != 2:
            self.fault(item, f"a link has two ends; {_LINK}")
            return []
        found = []
        for end in item.items:
            name = self.text(end, f"a link has the names of two nodes; {_LINK}")
            if name is None:
                continue
            found.append(name)
            if name not in self.nodes and closed:
                self.fault(end, f"no node {shown(name)}{self.hint(name, self.nodes)}")
            elif name not in self.nodes and self.is_new(name, end):
                self.nodes[name] = {}
        if len(found) == 2 and found[0] == found[1]:
            self.fault(item, f"a link from {shown(found[0])} to itself")
        return found

    def per_end(self, found: dict[str, Item], ends: list[str]) -> Attributes:
        """Take out of a link's attributes those that are mappings of its ends, and return them."""
        given: Attributes = {}
        for name, item in list(found.items()):
            if isinstance(item, Mapping):
                values = self.mapping(item, f"{name} of a link", ends)
                if name in BY_END:
                    del found[name]
                    read = {end: self.attributes({name: one}, KNOWN["link"]) for end, one in values.items()}
                    given[name] = {end: one[name] for end, one in read.items() if one}
        return given

    # -- values -----------------------------------------------------------------------------------

    def attributes(self, found: dict[str, Item], parsers: Parsers) -> Attributes:
        """Return the values that are given, as far as their parsers take them."""
        given = {}
        for name, item in found.items():
            text, number = _value(item, numbers=False), _value(item, numbers=True)
            if text is None:
                continue
            # Only the parser knows whether `7` is a number or a text; as faults go, a number.
            if not _fault_of(text, parsers[name]):
                given[name] = text
            elif fault := _fault_of(number, parsers[name]):
                self.fault(_culprit(item, parsers[name]), fault)
            else:
                given[name] = number
        return given

    def mapping(self, item: Item, what: str, known: Collection[str], example: str = "") -> dict[str, Item]:
        """Return a mapping's values by their keys; unknown and repeated ones are faults."""
        if not isinstance(item, Mapping):
            self.fault(item, f"{what} is a mapping; {example}")
            return {}
        found: dict[str, Item] = {}
        lines: dict[str, int] = {}
        for key, value in item.pairs:
            name = self.text(key, f"{what} has keys that are texts")
            if name is None:
                continue
            if name not in known:
                self.fault(key, f"{what} has no {shown(name)}{self.hint(name, known)}")
            elif name in found:
                self.fault(key, f"a second {name}; the first is on line {lines[name]}")
            else:
                found[name], lines[name] = value, key.line
        return found

    def text(self, item: Item, expected: str) -> str | None:
        """Return a scalar as it is written: in YAML `NO` would be no and `10` a number."""
        if isinstance(item, Scalar):
            return item.text
        self.fault(item, expected)
        return None

    def hint(self, word: str, known: Collection[str]) -> str:
        """Return the nearest of what is known, or all of it; nothing where it would take long."""
        if len(known) > _SEARCHED or len(self.faults) > _HINTS:
            return ""
        listed = f"; known are {', '.join(islice(known, _LISTED))}{' …' if len(known) > _LISTED else ''}"
        return did_you_mean(meant_by(word, known)) or (listed if known else "")

    def fault(self, item: Item, text: str) -> None:
        """Report a fault."""
        self.faults[item.line, len(self.faults)] = f"{self.file}:{item.line}: {text}"


def _is_nothing(item: Item) -> bool:
    return isinstance(item, Scalar) and item.plain and item.text in _NOTHING


def _fault_of(value: Any, parser: Callable[[Any], Any]) -> str:
    """Return why a parser does not take a value; an empty text when it does."""
    try:
        parser(value)
    except ValueError as error:
        return str(error)
    return ""


def _culprit(item: Item, parser: Callable[[Any], Any]) -> Item:
    """Return the first entry of a mapping or a list with which a parser stops taking it, else all of it."""
    if isinstance(item, Sequence):
        # Whatever comes behind the first faulty entry, the list has that fault.
        lasts, faulty = range(len(item.items)), lambda last: bool(_fault_of(_items(item, last + 1), parser))
        place = bisect.bisect_left(lasts, True, key=faulty)
        return item.items[place] if place < len(item.items) else item
    for key, value in item.pairs if isinstance(item, Mapping) else ():
        if isinstance(key, Scalar):
            within = _parser_within(parser, key.text)
            if _fault_of(_value(value, numbers=True), within):
                return _culprit(value, within)
    return item


def _parser_within(parser: Callable[[Any], Any], key: str) -> Callable[[Any], Any]:
    """Return what parses the value of one key of a mapping as if nothing else were in it."""
    return lambda value: parser({key: value})


def _items(item: Sequence, count: int) -> list[Any]:
    return [_value(one, numbers=True) for one in item.items[:count]]


def read_events(item: Item, file: str) -> tuple[Event, ...]:
    """Return the events of a schedule, each with the line on which it begins.

    Raises:
        UsageError: something in it is wrong; with the file's name and the line.
    """
    value = _value(item, numbers=True)
    if fault := _fault_of(value, parse_schedule):
        raise UsageError(f"{file}:{_culprit(item, parse_schedule).line}: {fault}")
    return _located(parse_schedule(value), item, file)


def _located(events: collections.abc.Sequence[Event], item: Item, file: str) -> tuple[Event, ...]:
    if isinstance(item, Mapping):
        found = [one for key, one in item.pairs if isinstance(key, Scalar) and key.text == "events"]
        item = found[0] if found else item
    lines = [one.line for one in item.items] if isinstance(item, Sequence) else [item.line] * len(events)
    return tuple(
        dataclasses.replace(event, where=f"{file}:{line}") for event, line in zip(events, lines, strict=True)
    )


def _value(item: Item, numbers: bool) -> Any:
    """Return a value of texts, or with `numbers` of numbers where texts are some; None if there is none."""
    if isinstance(item, Mapping):
        keys = ((key, value) for key, value in item.pairs if isinstance(key, Scalar))
        return {key.text: _value(value, numbers) for key, value in keys}
    if isinstance(item, Sequence):
        return [_value(one, numbers) for one in item.items]
    if _is_nothing(item):
        return None
    return number_or_text(item.text) if numbers and item.plain else item.text
