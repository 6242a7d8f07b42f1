"""From a plan back to its topology, and routes over what works of a network."""

from __future__ import annotations

import dataclasses
import ipaddress

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emu
from emu.graph.topology import Topology, topology_from
from emu.planning.addressing import assign_addresses
from emu.planning.compiler import compile_plan
from emu.planning.plan import Plan
from emu.planning.replan import addressing_of, rerouted, topology_of
from emu.planning.routes import NextHop
from emu.planning.routing import compute_routes

from ..topologies.library import NAMES, build
from .graphs import GRAPHS, networks


def unpinned(topology: Topology) -> Topology:
    """Return a topology without its pins, and without how it is to be numbered."""
    return dataclasses.replace(
        topology,
        packed=None,
        pools=(),
        interfaces=tuple(dataclasses.replace(one, pinned=(), mac=None) for one in topology.interfaces),
        segments=tuple(dataclasses.replace(one, pinned=()) for one in topology.segments),
    )


def assert_round_trip(graph: nx.Graph) -> None:
    topology = topology_from(graph)
    plan = compile_plan(topology)
    again = topology_of(plan)
    assert unpinned(again) == dataclasses.replace(unpinned(topology), notes=plan.notes)
    assert addressing_of(plan) == assign_addresses(again)
    built = compile_plan(again)
    assert dataclasses.replace(built, notes=()) == dataclasses.replace(plan, notes=())


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_of_a_topology_leads_back_to_it(name: str) -> None:
    assert_round_trip(build(name))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_the_plan_of_a_graph_leads_back_to_its_topology(graph: nx.Graph) -> None:
    assert_round_trip(graph)


@given(networks())
@settings(max_examples=50, deadline=None)
def test_the_plan_of_any_network_leads_back_to_its_topology(graph: nx.Graph) -> None:
    assert_round_trip(graph)


def ring() -> Plan:
    return emu.plan_for(nx.cycle_graph(5), families=(4,))


def test_while_all_works_routes_are_those_of_the_plan() -> None:
    plan = ring()
    assert rerouted(plan, (), compute_routes) == plan


def test_equal_cost_paths_shrink_to_those_that_are_left() -> None:
    plan = ring()
    link = next(one for one in plan.node("n2").interfaces if one.peer[0] == "n3")
    across = link.addresses[0].network  # n0 reaches it either way round

    def ways(plan: Plan) -> set[str]:
        return {hop.interface for hop in route_to(plan, "n0", across.network_address)}

    assert len(ways(plan)) == 2
    end = next(one for one in plan.node("n1").interfaces if one.peer[0] == "n2")
    left = rerouted(plan, [("n1", end.name)], compute_routes)
    assert len(ways(left)) == 1
    assert left.down == tuple(sorted([("n1", end.name), end.peer]))


def route_to(plan: Plan, node: str, address: object) -> tuple[NextHop, ...]:
    """Return the next hops of the longest prefix that has an address."""
    target = ipaddress.ip_address(str(address))
    found = [
        (0 if one.destination is None else one.destination.prefixlen, one.next_hops)
        for one in plan.node(node).routes
        if one.version == target.version and (one.destination is None or target in one.destination)
    ]
    return max(found, default=(0, ()))[1]


def test_what_cannot_be_reached_any_more_has_no_next_hop() -> None:
    plan = emu.plan_for(nx.path_graph(5), families=(4,))
    far = plan.node("n4").addresses[0].ip
    assert route_to(plan, "n1", far)
    cut = next(one for one in plan.node("n2").interfaces if one.peer[0] == "n3")
    assert not route_to(rerouted(plan, [("n2", cut.name)], compute_routes), "n1", far)


def test_a_segment_in_two_parts_is_reached_where_most_of_it_is() -> None:
    graph: nx.Graph = nx.Graph(families=4)
    graph.add_nodes_from(["S1", "S2"], kind="switch")
    graph.add_edges_from(
        [("S1", "S2"), ("A", "S1"), ("B", "S2"), ("H", "S2"), ("A", "C"), ("B", "C"), ("C", "D")]
    )
    for name in "ABCD":
        graph.nodes[name]["kind"] = "router"
    plan = emu.plan_for(graph)
    end = next(one for one in plan.node("S1").interfaces if one.peer[0] == "S2")
    parted = rerouted(plan, [("S1", end.name)], compute_routes)
    address = plan.node("H").addresses[0].ip
    assert {plan.node("C").interfaces[0].peer[0], plan.node("C").interfaces[1].peer[0]} == {"A", "B"}
    (hop,) = route_to(parted, "C", address)
    assert hop.gateway in {one.ip for one in plan.node("B").addresses}
    # On a segment of its own prefix a node needs no route, and the kernel would take it for a second one.
    prefix = plan.node("H").addresses[0].network
    assert all(prefix not in [one.destination for one in parted.node(name).routes] for name in "ABH")


@given(networks(), st.data())
@settings(max_examples=60, deadline=None)
def test_following_routes_over_what_works_arrives(graph: nx.Graph, data: st.DataObject) -> None:
    plan = emu.plan_for(graph)
    ends = [end for link in plan.links for end in link.ends]
    down = data.draw(st.sets(st.sampled_from(ends), max_size=4)) if ends else set()
    left = rerouted(plan, down, compute_routes)
    owners = {(one.ip): node.name for node in plan.nodes for one in node.addresses}
    out = set(left.down)
    for node in left.nodes:
        for route in node.routes:
            for hop in route.next_hops:
                assert (node.name, hop.interface) not in out
                assert owners[hop.gateway] != node.name
    assert rerouted(left, (), compute_routes) == rerouted(plan, (), compute_routes)
