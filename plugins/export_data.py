"""Export to the file formats that emu reads: node-link JSON, GraphML and GML.

What is read back gives the same plan: every prefix and address is pinned, and nodes and links keep
their order, from which interfaces take their numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import emu

if TYPE_CHECKING:
    from emu.planning.plan import InterfacePlan, LinkPlan, NodePlan, Plan

Attributes = dict[str, Any]


@emu.hookimpl
def emu_register_exporters(register: Callable[..., None]) -> None:
    """Add the formats."""
    register(".json", write_json, "node-link JSON, as networkx writes it; emu reads it back")
    register(".graphml", write_graphml, "GraphML, for Gephi, yEd, networkx…; emu reads it back")
    register(".gml", write_gml, "GML, for Gephi, igraph, networkx…; emu reads it back")


@dataclass(frozen=True)
class Records:
    """A graph as files hold it. An edge's key tells it from others between the same two nodes."""

    directed: bool
    multigraph: bool
    graph: Attributes
    nodes: list[tuple[str, Attributes]]
    edges: list[tuple[str, str, int, Attributes]]


def records_of(plan: Plan) -> Records:
    """Return the graph that has this plan.

    It is directed only where it must be: where a link's two directions differ, or where a link
    begins at the later of its nodes, which an undirected networkx graph does not keep. A link from
    the earlier to the later node may have an edge back, which holds the other direction's. All
    edges back come last, so that the order of the others is the order of the links.
    """
    rank = {node.name: number for number, node in enumerate(plan.nodes)}
    ends = [(plan.interfaces[a], plan.interfaces[b]) for a, b in (link.ends for link in plan.links)]
    pairs = [(link.ends[0][0], link.ends[1][0]) for link in plan.links]
    uneven = [_leaving(a) != _leaving(b) for a, b in ends]
    directed = any(uneven) or any(rank[a] > rank[b] for a, b in pairs)
    pins = {
        end: segment.prefixes
        for segment in plan.segments if not segment.switches for end in segment.interfaces
    }  # fmt: skip
    numbers = _unusual_numbers(plan)
    edges = [
        (*pair, key, _link_attributes(link, both, pins.get(link.ends[0], ()), rank) | numbers.get(key, {}))
        for key, (pair, link, both) in enumerate(zip(pairs, plan.links, ends, strict=True))
    ]
    edges += [
        (b, a, key, _leaving(other))
        for key, ((a, b), (_, other)) in enumerate(zip(pairs, ends, strict=True)) if uneven[key]
    ]  # fmt: skip
    return Records(
        directed, len(set(map(frozenset, pairs))) < len(pairs),
        _graph_attributes(plan), _nodes(plan), edges,
    )  # fmt: skip


def _unusual_numbers(plan: Plan) -> dict[int, Attributes]:
    """Return by link the interface numbers that are not the next ones, as after links were removed."""
    from emu.graph.topology import FIRST_INDEX

    following = dict.fromkeys((node.name for node in plan.nodes), 0)
    found: dict[int, Attributes] = {}
    for key, link in enumerate(plan.links):
        for end in link.ends:
            number = plan.interfaces[end].index - FIRST_INDEX
            if number != following[end[0]]:
                found.setdefault(key, {"interfaces": {}})["interfaces"][end[0]] = [number]
            following[end[0]] = max(following[end[0]], number + 1)
    return found


def _graph_attributes(plan: Plan) -> Attributes:
    found: Attributes = {"name": plan.name, "families": list(plan.families)}
    if plan.routing != "compressed":
        found["routes"] = str(plan.routing)
    if plan.optional_shaping:
        found["optional_shaping"] = plan.optional_shaping
    if plan.profiles:
        found["profiles"] = {name: one.to_attribute() for name, one in plan.profiles.items()}
    if plan.schedule:
        found["schedule"] = [event.to_attribute() for event in plan.schedule]
    return found


def _nodes(plan: Plan) -> list[tuple[str, Attributes]]:
    # A shared segment's prefix is pinned on its first switch, which stands for all of them.
    pins = {segment.switches[0]: segment.prefixes for segment in plan.segments if segment.switches}
    return [(node.name, _node_attributes(node, pins.get(node.name, ()))) for node in plan.nodes]


def _node_attributes(node: NodePlan, prefixes: tuple[object, ...]) -> Attributes:
    found: Attributes = {"kind": str(node.kind)}
    if node.label != node.name:
        found["label"] = node.label
    if prefixes:
        found["prefix"] = [str(prefix) for prefix in prefixes]
    if node.position is not None:
        found["pos"] = list(node.position)
    if node.loopback:
        found["loopback"] = [str(address.ip) for address in node.loopback]
    if node.pinned_routes:
        found["routes"] = {
            str(destination): [str(hop) for hop in hops] or ["unreachable"]
            for destination, hops in node.pinned_routes.items()
        }
    return found | (node.inside.attributes() if node.inside is not None else {})


def _link_attributes(
    link: LinkPlan,
    ends: tuple[InterfacePlan, InterfacePlan],
    prefixes: tuple[object, ...],
    rank: Mapping[str, int],
) -> Attributes:
    from emu.graph.topology import FIRST_INDEX
    from emu.planning.macs import mac_of

    found = _leaving(ends[0])
    if prefixes:
        found["prefix"] = [str(prefix) for prefix in prefixes]
    addresses = {
        node: [str(address.ip) for address in one.addresses]
        for (node, _), one in zip(link.ends, ends, strict=True) if one.addresses
    }  # fmt: skip
    if addresses:
        found["addresses"] = addresses
    macs = {
        node: [one.mac]
        for (node, _), one in zip(link.ends, ends, strict=True)
        if one.mac != mac_of(rank[node] + 1, one.index - FIRST_INDEX)
    }
    return {**found, "macs": macs} if macs else found


def _leaving(interface: InterfacePlan) -> Attributes:
    """Return what is said of the direction that leaves an interface."""
    from emu.shaping import attributes_of

    found: Attributes = {"weight": interface.weight} if interface.weight != 1 else {}
    return found | (attributes_of(interface.shaping) if interface.shaping else {})


# -- the formats ----------------------------------------------------------------------------------


def write_json(plan: Plan, path: Path) -> None:
    """Write node-link JSON, one line per node and edge, the form of `networkx.node_link_data`."""
    records = records_of(plan)
    nodes = [{"id": node, **attributes} for node, attributes in records.nodes]
    edges = [
        {"source": a, "target": b, **({"key": key} if records.multigraph else {}), **attributes}
        for a, b, key, attributes in records.edges
    ]
    head = {"directed": records.directed, "multigraph": records.multigraph, "graph": records.graph}
    parts = [f"{_json(key)}: {_json(value)}" for key, value in head.items()]
    parts += [f"{_json(key)}: {_json_lines(items)}" for key, items in (("nodes", nodes), ("edges", edges))]
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    path.write_text(text, "utf-8", newline="\n")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_lines(items: list[Attributes]) -> str:
    return "[\n" + ",\n".join(f"  {_json(item)}" for item in items) + "\n]" if items else "[]"


def write_graphml(plan: Plan, path: Path) -> None:
    """Write GraphML as networkx reads it. A plan's texts are printable, so XML can hold them."""
    path.write_text("".join(f"{line}\n" for line in _graphml(records_of(plan))), "utf-8", newline="\n")


def _graphml(records: Records) -> Iterator[str]:
    scopes = {
        "graph": [records.graph, {"multigraph": True}],
        "node": [attributes for _, attributes in records.nodes],
        "edge": [attributes for *_, attributes in records.edges],
    }
    from xml.sax.saxutils import quoteattr

    yield "<?xml version='1.0' encoding='utf-8'?>"
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for scope, owners in scopes.items():
        for name, value in {name: value for owner in owners for name, value in owner.items()}.items():
            kind = {bool: "boolean", float: "double"}.get(type(value), "string")
            yield f'  <key id="{scope}-{name}" for="{scope}" attr.name="{name}" attr.type="{kind}"/>'
    yield f'  <graph edgedefault="{"directed" if records.directed else "undirected"}">'
    # Readers tell a multigraph by two edges of one direction, which a directed one need not have.
    yield from _graphml_data("graph", records.graph | ({"multigraph": True} if records.multigraph else {}))
    for node, attributes in records.nodes:
        yield f"    <node id={quoteattr(node)}>"
        yield from _graphml_data("node", attributes)
        yield "    </node>"
    for a, b, key, attributes in records.edges:
        mark = f' id="{key}"' if records.multigraph else ""
        yield f"    <edge{mark} source={quoteattr(a)} target={quoteattr(b)}>"
        yield from _graphml_data("edge", attributes)
        yield "    </edge>"
    yield "  </graph>"
    yield "</graphml>"


def _graphml_data(scope: str, attributes: Attributes) -> Iterator[str]:
    from xml.sax.saxutils import escape

    for name, value in attributes.items():
        text = str(value).lower() if isinstance(value, bool) else str(flat(value))
        yield f'      <data key="{scope}-{name}">{escape(text)}</data>'


def write_gml(plan: Plan, path: Path) -> None:
    """Write GML, which is ASCII with HTML's character references, nodes numbered from 0."""
    records = records_of(plan)
    number = {node: count for count, (node, _) in enumerate(records.nodes)}
    lines = ["graph ["]
    lines += ["  directed 1"] * records.directed + ["  multigraph 1"] * records.multigraph
    lines += _gml(records.graph, "  ")
    for node, attributes in records.nodes:
        called = {"name": node, **attributes} if "label" in attributes else {"label": node, **attributes}
        lines += ["  node [", *_gml({"id": number[node], **called}, "    "), "  ]"]
    for a, b, key, attributes in records.edges:
        ends = {"source": number[a], "target": number[b], **({"key": key} if records.multigraph else {})}
        lines += ["  edge [", *_gml({**ends, **attributes}, "    "), "  ]"]
    path.write_text("".join(f"{line}\n" for line in [*lines, "]"]), "ascii")


def _gml(attributes: Attributes, indent: str) -> Iterator[str]:
    for name, value in attributes.items():
        yield f"{indent}{name} {_gml_value(flat(value))}"


def _gml_value(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):  # a real has a decimal point
        mantissa, mark, exponent = repr(value).partition("e")
        return mantissa + ("" if "." in mantissa else ".0") + mark + exponent
    return '"' + re.sub('[^ -~]|[&"]', lambda match: f"&#{ord(match[0])};", str(value)) + '"'


def flat(value: object) -> object:
    """Return an attribute as text where it is a list or a mapping, in the form that emu reads.

    Where the items are neither words nor numbers, that is JSON.
    """
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    simple = list if isinstance(value, Mapping) else str | int | float
    if not all(isinstance(one, simple) and not (isinstance(one, str) and " " in one) for one in items):
        return _json(value)
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, items in value.items() for item in items)
    return " ".join(map(str, value)) if isinstance(value, list) else value
