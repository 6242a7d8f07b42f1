"""Graph files as topologies: GraphML, GML and node-link JSON."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import emu
from emu.errors import one_line, shown
from emu.reading.files import content_of

if TYPE_CHECKING:
    import networkx as nx

#: A file whose elements are nested deeper is no graph, and readers that recurse would fail on it.
_DEPTH = 100
_NODE_LINK = '{"nodes": [{"id": "A"}, {"id": "B"}], "edges": [{"source": "A", "target": "B"}]}'


@emu.hookimpl(trylast=True)
def emu_load_graph(source: str) -> nx.Graph | None:
    """Read a graph file; its suffix tells the format."""
    path = Path(source)
    if path.suffix.lower() not in _READERS:
        if os.path.isfile(source):  # unlike Path.is_file false for a name that is too long
            known = ", ".join(_READERS)
            raise emu.UsageError(f"read {path}: its name must end in one of .py, .yaml, .dot, {known}")
        return None
    form, reader = _READERS[path.suffix.lower()]
    data = content_of(path, _READERS)
    try:
        with warnings.catch_warnings(action="ignore"):  # networkx warns of what it leaves out
            return reader(data)
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeDecodeError:
        reason = "it is a binary file"
    except Exception as error:  # noqa: BLE001  # networkx's readers raise whatever their parsers do
        reason = one_line(" ".join(str(error)[:300].split())) or type(error).__name__
    raise emu.UsageError(f"read {path}: it is not {form}: {reason}")


# -- GraphML --------------------------------------------------------------------------------------


def _graphml(data: bytes) -> nx.Graph:
    import io

    import networkx as nx

    _check_xml(data)
    graph: Any = nx.read_graphml(io.BytesIO(data))
    if graph.graph.pop("multigraph", False) and not graph.is_multigraph():
        graph = nx.read_graphml(io.BytesIO(data), force_multigraph=True)
        del graph.graph["multigraph"]
    # networkx keeps the format's own bookkeeping beside the attributes.
    for key in ("node_default", "edge_default"):
        graph.graph.pop(key, None)
    for *_, attributes in graph.edges(data=True):
        attributes.pop("id", None)
    # yEd numbers its nodes n0, n1 … and shows their labels only.
    return cast("nx.Graph", nx.convert_node_labels_to_integers(graph) if b"www.yworks.com" in data else graph)


def _check_xml(data: bytes) -> None:
    """Refuse what is not GraphML, before a reader builds it in memory.

    A document type can define entities that expand to gigabytes or name other files; GraphML needs none.
    """
    from xml.parsers import expat

    parser, depth = expat.ParserCreate(), 0

    def enter(name: str, _: dict[str, str]) -> None:
        nonlocal depth
        if depth == 0 and name.rpartition(":")[2] != "graphml":
            raise emu.UsageError(f"its root element is <{name[:40]}>, not <graphml>")
        depth += 1
        if depth > _DEPTH:
            raise RecursionError

    def leave(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise emu.UsageError("it has a document type (<!DOCTYPE>), which emu does not read")

    parser.StartElementHandler, parser.EndElementHandler = enter, leave
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(data, True)


# -- GML ------------------------------------------------------------------------------------------


def _gml(data: bytes) -> nx.Graph:
    """Return the graph of a GML file. Nodes are numbers, or have names, and keep their labels."""
    import networkx as nx

    try:  # GML is ASCII, but not every program that writes it knows
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise emu.UsageError("it is a binary file")
    parse: Any = nx.parse_gml  # its stubs do not know that a label may be None
    graph = parse(text.replace("\r\n", "\n").rstrip().split("\n"), label=None)
    return cast("nx.Graph", nx.relabel_nodes(graph, _gml_names(graph)))


def _gml_names(graph: nx.Graph) -> dict[Any, str]:
    """Take their names from those nodes that have one beside their label, and nobody else the same."""
    given = {node: attributes.get("name") for node, attributes in graph.nodes(data=True)}
    counts = Counter(given.values())
    names = {node: name for node, name in given.items() if isinstance(name, str) and counts[name] == 1}
    for node in names:
        del graph.nodes[node]["name"]
    return names


# -- JSON -----------------------------------------------------------------------------------------


def _node_link(data: bytes) -> nx.Graph:
    """Return the graph of node-link JSON, whose edges stand under `edges` or, as of old, under `links`."""
    import networkx as nx

    content = json.loads(data)
    if not isinstance(content, dict):
        content = {}
    nodes, edges = content.get("nodes"), content.get("edges", content.get("links"))
    if not isinstance(nodes, list) or not isinstance(edges, list):
        raise emu.UsageError(f"it looks like {_NODE_LINK}")
    classes = ((nx.Graph, nx.MultiGraph), (nx.DiGraph, nx.MultiDiGraph))
    # networkx, too, takes a graph that does not say for one that may have parallel edges.
    graph: Any = classes[bool(content.get("directed"))][bool(content.get("multigraph", True))]()
    graph.graph.update(content.get("graph", {}))
    for number, node in enumerate(nodes):
        (name,) = _ends(f"nodes[{number}]", node, "id")
        if name in graph:
            raise emu.UsageError(f"nodes[{number}]: a second node {shown(name)}")
        graph.add_node(name)
        graph.nodes[name].update(_without(node, "id"))
    for number, edge in enumerate(edges):
        _add_edge(graph, f"edges[{number}]", edge)
    return cast("nx.Graph", graph)


def _add_edge(graph: Any, where: str, edge: Any) -> None:
    ends = _ends(where, edge, "source", "target")
    for name in ends:
        if name not in graph:
            raise emu.UsageError(f"{where}: {shown(name)} is not a node")
    if graph.is_multigraph():
        key = graph.add_edge(*ends, _hashable(edge.get("key")))
        graph.edges[(*ends, key)].update(_without(edge, "source", "target", "key"))
    else:
        graph.add_edge(*ends)
        graph.edges[ends].update(_without(edge, "source", "target"))


def _ends(where: str, item: Any, *keys: str) -> tuple[Any, ...]:
    """Return the values of `keys`, which name nodes."""
    if not isinstance(item, dict):
        raise emu.UsageError(f"{where}: {shown(item)} is no object; it looks like {_NODE_LINK}")
    for key in keys:
        if item.get(key) is None:
            raise emu.UsageError(f"{where}: it has no {key!r}; it looks like {_NODE_LINK}")
        if isinstance(item[key], dict):
            raise emu.UsageError(f"{where}: {key!r} is {shown(item[key])}, which is no name")
    return tuple(_hashable(item[key]) for key in keys)


def _hashable(value: Any) -> Any:
    """Return a list, which is how JSON writes a tuple, as one."""
    return tuple(_hashable(item) for item in value) if isinstance(value, list) else value


def _without(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


_READERS = {
    ".graphml": ("GraphML", _graphml),
    ".gml": ("GML", _gml),
    ".json": ("node-link JSON", _node_link),
}
