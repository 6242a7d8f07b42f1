"""Next hops lead to every address that can be reached, by the shortest way, and never in a circle."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emu
from emu.graph.attributes import Address, Kind
from emu.planning.plan import Plan
from emu.planning.routes import NextHop

from .graphs import GRAPHS, networks


class Forwarding:
    """What the nodes of a plan do with packets, as the kernel would."""

    def __init__(self, plan: Plan, version: int) -> None:
        self.plan = plan
        self.kinds = {node.name: node.kind for node in plan.nodes}
        self.weights = {(node.name, one.name): one.weight for node in plan.nodes for one in node.interfaces}
        self.own: dict[str, dict[Any, str]] = {}
        self.owner: dict[Address, str] = {}
        self.routes: dict[str, dict[Any, tuple[NextHop, ...]]] = {}
        whole = ipaddress.ip_network("0.0.0.0/0" if version == 4 else "::/0")
        for node in plan.nodes:
            pairs = [(address, one.name) for one in node.interfaces for address in one.addresses]
            mine = [(address, name) for address, name in pairs if address.version == version]
            self.own[node.name] = {address.network: name for address, name in reversed(mine)}
            self.owner.update({address.ip: node.name for address, _ in mine})
            for address in (one for one in node.loopback if one.version == version):
                self.own[node.name][address.network] = "lo"
                self.owner[address.ip] = node.name
            self.routes[node.name] = {
                route.destination or whole: route.next_hops
                for route in node.routes
                if route.version == version
            }

    def next_hops(self, node: str, target: Address) -> tuple[NextHop, ...] | None:
        """Return where a node sends a packet next; None: it is on the segment; empty: it has no route."""
        holding = [prefix for prefix in (*self.own[node], *self.routes[node]) if target in prefix]
        if not holding:
            return ()
        best = max(holding, key=lambda prefix: prefix.prefixlen)
        return None if best in self.own[node] else self.routes[node][best]

    def arrives(self, node: str, target: Address, passed: tuple[str, ...] = ()) -> bool:
        """Tell whether a packet arrives, whichever of equal next hops is taken; fail when it circles."""
        assert node not in passed, f"{' '.join(passed)} {node}: a circle on the way to {target}"
        hops = self.next_hops(node, target)
        if hops is None:
            return True
        assert not passed or self.kinds[node] is Kind.ROUTER, f"{node} is no router and forwards"
        owners = [self.owner[hop.gateway] for hop in hops]
        return bool(hops) and all(self.arrives(owner, target, (*passed, node)) for owner in owners)


def joined(plan: Plan) -> nx.Graph:
    """Return routers and segments, joined where a router is on a segment."""
    graph: nx.Graph = nx.Graph()
    for number, segment in enumerate(plan.segments):
        graph.add_node(number)
        graph.add_edges_from(
            (number, name) for name, _ in segment.interfaces if plan.node(name).kind is Kind.ROUTER
        )
    return graph


def reachable(plan: Plan, graph: nx.Graph, name: str) -> set[int]:
    """Return the segments that a node can reach: its own, and those its routers are joined to."""
    own = {number for number, segment in enumerate(plan.segments) if name in dict(segment.interfaces)}
    return {
        node for number in own for node in nx.node_connected_component(graph, number) if isinstance(node, int)
    }


def targets(plan: Plan, version: int) -> Iterator[tuple[int, Address]]:
    """Yield an address of every segment and loopback that has one, with the number of a segment there."""
    for number, segment in enumerate(plan.segments):
        for name, interface in segment.interfaces[:1]:
            (one,) = (one for one in plan.node(name).interfaces if one.name == interface)
            yield from ((number, address.ip) for address in one.addresses if address.version == version)
        for name, _ in segment.interfaces:
            yield from ((number, one.ip) for one in plan.node(name).loopback if one.version == version)


def check_reachability(plan: Plan) -> None:
    graph = joined(plan)
    for version in plan.families:
        forwarding = Forwarding(plan, version)
        for node in plan.nodes:
            if node.kind is Kind.SWITCH:
                assert node.routes == ()
                continue
            wanted = reachable(plan, graph, node.name)
            for number, target in targets(plan, version):
                assert forwarding.arrives(node.name, target) == (number in wanted), (node.name, target)


@given(networks(), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_every_address_that_can_be_reached_is_reached_and_no_other(
    graph: nx.MultiDiGraph, loopbacks: bool, packed: bool
) -> None:  # fmt: skip
    graph.graph.update(loopbacks=loopbacks, packed=packed)
    check_reachability(emu.plan_for(graph))


def edges_of(prefixes: Iterable[Any]) -> Iterator[Address]:
    """Yield the first and last addresses of prefixes and those beside them.

    Between two of them, what all tables say of an address does not change.
    """
    for prefix in prefixes:
        least, most = int(prefix.network_address), int(prefix.broadcast_address)
        for number in (least - 1, least, most, most + 1):
            if 0 <= number < 1 << prefix.max_prefixlen:
                yield type(prefix.network_address)(number)


@given(networks(), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_compressed_tables_forward_every_address_as_full_ones_do(
    graph: nx.MultiDiGraph, loopbacks: bool, packed: bool
) -> None:  # fmt: skip
    graph.graph.update(loopbacks=loopbacks, packed=packed)
    graph.graph["routes"] = "compressed"
    small = emu.plan_for(graph)
    graph.graph["routes"] = "full"
    full = emu.plan_for(graph)
    assert [node.interfaces for node in small.nodes] == [node.interfaces for node in full.nodes]
    for version in small.families:
        short, long = Forwarding(small, version), Forwarding(full, version)
        for name in short.routes:
            assert len(short.routes[name]) <= len(long.routes[name])
            for address in set(edges_of([*short.routes[name], *long.routes[name]])):
                assert short.next_hops(name, address) == long.next_hops(name, address), (name, address)


@given(networks(), st.booleans())
def test_full_tables_have_one_route_per_segment_and_hosts_routes_are_none_of_routers(
    graph: nx.MultiDiGraph, loopbacks: bool
) -> None:  # fmt: skip
    graph.graph.update(loopbacks=loopbacks)
    plans = {}
    for routing in ("full", "hosts", "none"):
        graph.graph["routes"] = routing
        plans[routing] = emu.plan_for(graph)
    full, hosts, none = plans.values()
    prefixes = {prefix for segment in full.segments for prefix in segment.prefixes}
    prefixes |= {address.network for node in full.nodes for address in node.loopback}
    for node in full.nodes:
        destinations = [route.destination for route in node.routes]
        if node.kind is Kind.ROUTER:
            assert set(destinations) <= prefixes - {address.network for address in node.addresses}
            assert len(set(destinations)) == len(destinations)
        defaults = [route for route in node.routes if route.destination is None]
        assert list(hosts.node(node.name).routes) == defaults
        assert not none.node(node.name).routes


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_graphs_of_networkx_are_routed(graph: nx.Graph) -> None:
    if len(graph) < 30:
        check_reachability(emu.plan_for(graph))


def distances(plan: Plan) -> dict[str, dict[Any, float]]:
    """Return networkx's shortest paths: leaving a node costs the interface's weight, entering nothing."""
    graph: nx.DiGraph = nx.DiGraph()
    weights = {(node.name, one.name): one.weight for node in plan.nodes for one in node.interfaces}
    for number, segment in enumerate(plan.segments):
        for name, interface in segment.interfaces:
            if plan.node(name).kind is Kind.ROUTER:
                weight = weights[name, interface]
                known = graph.get_edge_data(name, number, {}).get("weight", weight)
                graph.add_edge(name, number, weight=min(weight, known))
                graph.add_edge(number, name, weight=0)
    return dict(nx.all_pairs_dijkstra_path_length(graph))


@given(networks())
def test_next_hops_are_all_those_on_shortest_paths(graph: nx.MultiDiGraph) -> None:
    for _, _, data in graph.edges(data=True):
        data["weight"] = max(1, round(data["weight"]))  # exact sums
    plan = emu.plan_for(graph)
    lengths = distances(plan)
    for version in plan.families:
        forwarding = Forwarding(plan, version)
        for node in plan.nodes:
            if node.kind is not Kind.ROUTER:
                continue
            for number, target in targets(plan, version):
                hops = forwarding.next_hops(node.name, target)
                assert (hops is None) == (node.name in dict(plan.segments[number].interfaces))
                if hops is None:
                    continue
                out = forwarding.weights
                through = {
                    NextHop(interface, address.ip): out[node.name, interface] + lengths[owner][number]
                    for interface, owner, address in neighbours(plan, node.name, version)
                    if number in lengths[owner]
                }
                least = min(through.values(), default=None)
                assert set(hops) == {hop for hop, total in through.items() if total == least}
                assert least is None or least == lengths[node.name][number]


def neighbours(plan: Plan, name: str, version: int) -> Iterator[tuple[str, str, Any]]:
    """Yield a node's interface, a router on the same segment, and the router's address there."""
    for segment in plan.segments:
        for _, interface in (end for end in segment.interfaces if end[0] == name):
            for owner, theirs in segment.interfaces:
                if owner != name and plan.node(owner).kind is Kind.ROUTER:
                    (one,) = (one for one in plan.node(owner).interfaces if one.name == theirs)
                    (address,) = (address for address in one.addresses if address.version == version)
                    yield interface, owner, address


@given(networks())
def test_hosts_on_one_part_of_a_network_have_nothing_but_a_default_route(graph: nx.MultiDiGraph) -> None:
    plan = emu.plan_for(graph)
    parts = joined(plan)
    for node in plan.nodes:
        if node.kind is Kind.HOST:
            routers = [owner for _, owner, _ in neighbours(plan, node.name, plan.families[0])]
            if len({frozenset(nx.node_connected_component(parts, owner)) for owner in routers}) <= 1:
                defaults = len(plan.families) if routers else 0
                assert [route.destination for route in node.routes] == [None] * defaults


def routes(graph: nx.Graph, name: str) -> list[str]:
    return [
        f"{route.destination or 'default'} {' '.join(str(hop.gateway) for hop in route.next_hops)}"
        for route in emu.plan_for(graph, families=(4,)).node(name).routes
    ]


def test_two_routers_on_a_hosts_segment_are_both_its_default() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("s", kind="switch")
    graph.add_nodes_from(["r1", "r2"], kind="router")
    graph.add_edges_from([("s", "h"), ("s", "r1"), ("s", "r2"), ("r1", "x"), ("r2", "x")])
    assert routes(graph, "h") == ["default 10.0.0.254 10.0.0.253"]


def test_two_links_to_one_router_are_two_next_hops() -> None:
    graph: nx.MultiGraph = nx.MultiGraph([("a", "b"), ("a", "b"), ("b", "c")])
    graph.add_nodes_from("abc", kind="router")
    assert routes(graph, "a") == ["10.0.2.0/24 10.0.0.253 10.0.1.253"]


def test_a_host_between_two_parts_reaches_both_and_joins_them_for_nobody() -> None:
    graph: nx.Graph = nx.Graph()
    nx.add_path(graph, ["a", "r1", "middle", "r2", "b"])
    graph.add_node("middle", kind="host")
    plan = emu.plan_for(graph, families=(4,))
    forwarding = Forwarding(plan, 4)
    (a, b) = (plan.node(name).addresses[0].ip for name in "ab")
    assert forwarding.arrives("middle", a)
    assert forwarding.arrives("middle", b)
    assert not forwarding.arrives("a", b)


def test_weights_choose_the_way_in_either_direction() -> None:
    graph: nx.DiGraph = nx.DiGraph()
    for a, b, there, back in [("a", "b", 1, 10), ("b", "c", 1, 10), ("a", "c", 5, 5)]:
        graph.add_edge(a, b, weight=there)
        graph.add_edge(b, a, weight=back)
    graph.add_edges_from([("a", "ha"), ("c", "hc")])
    forwarding = Forwarding(emu.plan_for(graph, families=(4,)), 4)
    ha, hc = (forwarding.plan.node(name).addresses[0].ip for name in ("ha", "hc"))
    onwards, backwards = forwarding.next_hops("a", hc), forwarding.next_hops("c", ha)
    assert [forwarding.owner[hop.gateway] for hop in onwards or ()] == ["b"]
    assert [forwarding.owner[hop.gateway] for hop in backwards or ()] == ["a"]


@pytest.mark.parametrize("weight", [1e-100, 1e-12, 1e12, 1e100])
def test_extreme_weights_lead_in_no_circle(weight: float) -> None:
    graph = nx.cycle_graph(5)
    nx.set_node_attributes(graph, dict.fromkeys(graph, "router"), "kind")
    graph.edges[0, 1]["weight"] = graph.edges[1, 2]["weight"] = weight
    with contextlib.suppress(emu.PlanError):  # that they cannot be compared is an answer, too
        check_reachability(emu.plan_for(graph))
    nx.set_edge_attributes(graph, dict.fromkeys(graph.edges, weight), "weight")
    check_reachability(emu.plan_for(graph))
