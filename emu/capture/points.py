"""Where to capture: what a user names, as the nodes and interfaces that it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import UsageError, shown, suggestion
from ..planning.plan import NodePlan, Plan

#: Stands for every node.
EVERYTHING = "*"


@dataclass
class Point:
    """A node, and which of its interfaces: all, those of the plan in `planned`, others by name in `named`."""

    node: NodePlan
    everything: bool = False
    planned: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)


def points_for(plan: Plan, wanted: Sequence[str]) -> list[Point]:
    """Return where to capture, a point per node in the plan's order.

    Args:
        plan: of the running network.
        wanted: each is the name of an interface or a node, `NODE:INTERFACE`, `NODE--NODE` for both ends of
            the links between two nodes, or `*` for everything.

    Raises:
        UsageError: there is nothing of a name, or there are two things.
    """
    found: dict[str, Point] = {}
    for word in wanted:
        for node, interface in _ends_for(plan, word):
            point = found.setdefault(node.name, Point(node))
            if interface is None:
                point.everything = True
            elif any(one.name == interface for one in node.interfaces):
                point.planned += [] if interface in point.planned else [interface]
            else:
                point.named += [] if interface in point.named else [interface]
    order = {node.name: index for index, node in enumerate(plan.nodes)}
    return sorted(found.values(), key=lambda point: order[point.node.name])


def _ends_for(plan: Plan, word: str) -> list[tuple[NodePlan, str | None]]:
    """Return nodes and their interfaces; None is all of a node's."""
    if word == EVERYTHING:
        return [(node, None) for node in plan.nodes]
    nodes = {node.name: node for node in plan.nodes}
    interfaces = [
        (node, one.name) for node in plan.nodes for one in node.interfaces if word in (one.name, one.altname)
    ]
    if word in nodes and interfaces:
        owner = interfaces[0][0].name
        raise UsageError(f"capture {word}: a node and an interface have that name; write {owner}:{word}")
    if word in nodes:
        return [(nodes[word], None)]
    if len(interfaces) > 1:  # short names, each with a long one
        owner = interfaces[0][0].name
        raise UsageError(f"capture {word}: several nodes have one; write {owner}:{word}, for example")
    if interfaces:
        return list(interfaces)
    return _compound(plan, nodes, word)


def _compound(plan: Plan, nodes: dict[str, NodePlan], word: str) -> list[tuple[NodePlan, str | None]]:
    name, colon, interface = word.partition(":")
    if colon and name in nodes:
        planned = [one.name for one in nodes[name].interfaces if interface in (one.name, one.altname)]
        return [(nodes[name], (planned or [interface])[0])]
    for first in nodes:
        second = word.removeprefix(f"{first}--")
        if second != word and second in nodes:
            return _link(plan, nodes, first, second)
    known = [*nodes, *(one.altname or one.name for node in plan.nodes for one in node.interfaces)]
    hint = suggestion(word, known) or "; it is an interface, a node, NODE:INTERFACE, NODE--NODE or --all"
    raise UsageError(f"capture {shown(word)}: there is no such interface or node{hint}")


def _link(
    plan: Plan, nodes: dict[str, NodePlan], first: str, second: str
) -> list[tuple[NodePlan, str | None]]:
    found: Iterable[tuple[str, str]] = (
        end for link in plan.links if {first, second} == {node for node, _ in link.ends} for end in link.ends
    )
    ends: list[tuple[NodePlan, str | None]] = [(nodes[node], interface) for node, interface in found]
    if not ends:
        raise UsageError(f"capture {first}--{second}: there is no link between these nodes")
    return ends
