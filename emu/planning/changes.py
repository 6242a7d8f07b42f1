"""A plan with a node or a link more, or less: what exists keeps its names, numbers and addresses. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import PlanError, UsageError, shown
from ..graph.attributes import Kind
from ..graph.names import node_names
from ..graph.pins import link_name
from ..graph.topology import FIRST_INDEX, Topology, topology_from
from .addressing import Addressing
from .compiler import compile_plan
from .plan import End, NodePlan, Plan
from .replan import own_routes, parts_of, rerouted, topology_of

if TYPE_CHECKING:
    import networkx as nx

    from .pinned_routes import Router

Assigner = Callable[[Topology], Addressing]
#: Which numbers interfaces have in the kernel, by node.
Used = Mapping[str, Collection[int]]


@dataclasses.dataclass(frozen=True)
class Changes:
    """Changes plans, with a way to hand out addresses and one to compute routes."""

    assign: Assigner
    route: Router

    def add_node(self, plan: Plan, name: str, attributes: Mapping[str, Any]) -> Plan:
        """Return the plan with one more node; without a `kind` it is a host.

        Raises:
            UsageError: it cannot have that name.
            TopologyError: its attributes have faults.
        """
        attempt = f"add node {shown(name)}"
        if (possible := node_names([(name, name)])[name]) != name:
            raise UsageError(f"{attempt}: that is no node name; {possible!r} would be one")
        taken = next((node.name for node in plan.nodes if node.name.casefold() == name.casefold()), None)
        if taken is not None:
            raise UsageError(f"{attempt}: there is a node {taken} already")
        graph = graph_of(plan)
        graph.add_node(name, **attributes)
        return self._compiled(plan, graph)

    def add_link(self, plan: Plan, a: str, b: str, attributes: Mapping[str, Any], used: Used) -> Plan:
        """Return the plan with one more link, between nodes that there are.

        Raises:
            UsageError: it is to replay a trace, which is for a schedule to begin.
            TopologyError: its attributes have faults, or it cannot be, such as one that joins two segments.
            PlanError: a prefix has no address left for it.
        """
        if "trace" in attributes:
            reason = "a link that is added has no trace; begin one by a schedule, once the link is there"
            raise UsageError(f"add link {a} {b}: {reason}")
        graph = graph_of(plan)
        if [node.name for node in plan.nodes if node.name in (a, b)] == [b, a]:
            a, b = b, a  # as in a graph without directions, which a file may hold it as
        pins = {name: _free_number(plan.node(name), used[name]) for name in {a, b}}
        given = attributes.get("interfaces", {})
        numbers = {**pins, **given} if isinstance(given, Mapping) else given
        graph.add_edge(a, b, len(plan.links), **{**attributes, "interfaces": numbers})
        return self._compiled(plan, graph)

    def remove_link(self, plan: Plan, number: int) -> Plan:
        """Return the plan without a link, by its number in the plan.

        Raises:
            UsageError: it holds a segment together.
        """
        (a, _), (b, _) = plan.links[number].ends
        return self._without(plan, {number}, None, f"remove {link_name(a, b)}")

    def remove_node(self, plan: Plan, name: str) -> Plan:
        """Return the plan without a node and its links.

        Raises:
            UsageError: it holds a segment together, or is the last one.
        """
        if len(plan.nodes) == 1:
            raise UsageError(f"remove node {name}: it is the last one; 'emu stop' ends the network")
        links = {number for number, link in enumerate(plan.links) if name in dict(link.ends)}
        return self._without(plan, links, name, f"remove node {name}")

    def _without(self, plan: Plan, links: set[int], name: str | None, attempt: str) -> Plan:
        for segment, parts in zip(plan.segments, parts_of(topology_of(plan), links), strict=False):
            if len(parts) > 1:
                reason = f"it holds the segment {segment.prefixes[0]} together, and one prefix has one place"
                raise UsageError(f"{attempt}: {reason}; set it down, or remove what is behind it first")
        graph = graph_of(plan)
        gone: set[End] = set()
        for number in links:
            gone.update(plan.links[number].ends)
            (a, _), (b, _) = plan.links[number].ends
            graph.remove_edge(a, b, number)
        for node in plan.nodes:
            if node.pinned_routes and any(end[0] == node.name for end in gone):
                graph.nodes[node.name]["routes"] = _texts(own_routes(node, gone))
        if name is not None:
            graph.remove_node(name)
        return self._compiled(plan, graph)

    def _compiled(self, old: Plan, graph: nx.MultiDiGraph) -> Plan:
        """Return the plan of a graph that was changed, with what the old one knows besides."""
        new = compile_plan(topology_from(graph), self.assign, lambda _topology, _addressing: {})
        before = {node.name: node for node in old.nodes}
        nodes = tuple(_kept(before[one.name], one) if one.name in before else one for one in new.nodes)
        there = {(node.name, one.name) for node in nodes for one in node.interfaces}
        optional, schedule = old.optional_shaping, old.schedule
        new = dataclasses.replace(new, nodes=nodes, optional_shaping=optional, schedule=schedule)
        return rerouted(new, [end for end in old.down if end in there], self.route)


def _free_number(node: NodePlan, used: Collection[int]) -> int:
    """Return the number of a node's next interface: above those of the others, and not the kernel's."""
    index = max((one.index for one in node.interfaces), default=FIRST_INDEX - 1) + 1
    while index in used:
        index += 1
    return index - FIRST_INDEX


def _kept(before: NodePlan, after: NodePlan) -> NodePlan:
    """Return a node that was there before: its interfaces are as they were."""
    known = {one.name: one for one in before.interfaces}
    interfaces = []
    for one in after.interfaces:
        old = known.get(one.name, one)
        if (old.addresses, old.index, old.peer) != (one.addresses, one.index, one.peer):
            raise PlanError(f"change the network: {one.name} of {after.name} would get other addresses")
        interfaces.append(old)
    return dataclasses.replace(
        after,
        label=before.label,
        position=before.position,
        interfaces=tuple(interfaces),
        # A ring that is gone leaves a port unused until its switches have agreed again.
        spanning_tree=before.spanning_tree or after.spanning_tree,
    )


def graph_of(plan: Plan) -> nx.MultiDiGraph:
    """Return a graph that has this plan, with everything pinned but for what happens on links.

    The key of an edge is the number of its link.
    """
    import networkx as nx

    routers = [node for node in plan.nodes if node.kind is Kind.ROUTER]
    loopbacks = bool(routers) and all(node.loopback for node in routers)
    graph: nx.MultiDiGraph = nx.MultiDiGraph(
        name=plan.name, families=plan.families, routes=str(plan.routing), loopbacks=loopbacks
    )
    if plan.profiles:
        graph.graph["profiles"] = {name: one.to_attribute() for name, one in plan.profiles.items()}
    prefixes = {end: segment.prefixes for segment in plan.segments for end in segment.interfaces}
    # What no address is in stands at the switch.
    empty = {one.switches[0]: one.prefixes for one in plan.segments if not one.interfaces}
    for node in plan.nodes:
        graph.add_node(node.name, **_node_attributes(node, empty))
    for number, link in enumerate(plan.links):
        ends = {end[0]: plan.interfaces[end] for end in link.ends}
        attributes: dict[str, Any] = {
            "weight": {name: one.weight for name, one in ends.items()},
            "addresses": {name: [a.ip for a in one.addresses] for name, one in ends.items()},
            "macs": {name: [one.mac] for name, one in ends.items() if one.mac},
            "interfaces": {name: [one.index - FIRST_INDEX] for name, one in ends.items()},
        }
        pinned = next((prefixes[end] for end in link.ends if end in prefixes), ())
        if pinned:
            attributes["prefix"] = list(pinned)
        (a, _), (b, _) = link.ends
        graph.add_edge(a, b, number, **attributes)
    return graph


def _node_attributes(node: NodePlan, prefixes: Mapping[str, Collection[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": str(node.kind), "routes": _texts(node.pinned_routes)}
    if node.name in prefixes:
        found["prefix"] = list(prefixes[node.name])
    if node.loopback:
        found["loopback"] = [address.ip for address in node.loopback]
    return found | (node.inside.attributes() if node.inside is not None else {})


def _texts(routes: Mapping[Any, Collection[Any]]) -> dict[str, Any]:
    """Return routes of a node's own as a graph has them."""
    return {str(prefix): [str(hop) for hop in hops] or "unreachable" for prefix, hops in routes.items()}
