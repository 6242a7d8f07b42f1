"""Routes that a graph gives a node of its own: what they win over, and what cannot be."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.graph.attributes import Kind
from emu.planning.plan import Plan
from emu.planning.replan import rerouted
from emu.planning.routing import compute_routes

from .graphs import networks
from .test_routing import Forwarding


def line(**routes: Any) -> nx.Graph:
    """Return two hosts a and d, and routers b and c between them, with the routes of each."""
    graph: nx.Graph = nx.path_graph(["a", "b", "c", "d"])
    graph.graph["families"] = 4
    for node, given_routes in routes.items():
        graph.nodes[node]["routes"] = given_routes
    return graph


def table(plan: Plan, node: str) -> dict[str, str]:
    return {
        str(route.destination or "default"): " ".join(f"{hop.interface}:{hop.gateway}" for hop in hops)
        for route in plan.node(node).routes for hops in [route.next_hops]
    }  # fmt: skip


def test_routes_of_ones_own_stand_beside_the_computed_ones() -> None:
    plan = emu.plan_for(line(b={"203.0.113.0/24": "10.0.1.253", "198.18.0.0/15": "unreachable"}))
    assert table(plan, "b") == {
        "10.0.2.0/24": "b-veth1:10.0.1.253", "203.0.113.0/24": "b-veth1:10.0.1.253", "198.18.0.0/15": "",
    }  # fmt: skip
    assert not plan.warnings


def test_a_route_of_ones_own_wins_over_the_computed_one() -> None:
    plan = emu.plan_for(line(a="default=unreachable", b="10.0.2.0/24=10.0.0.1"))
    assert table(plan, "a") == {"0.0.0.0/0": ""}
    assert table(plan, "b") == {"10.0.2.0/24": "b-veth0:10.0.0.1"}


def test_several_next_hops_share_the_traffic() -> None:
    graph = line(b="203.0.113.0/24=10.0.1.253 203.0.113.0/24=10.0.0.1")
    assert table(emu.plan_for(graph), "b")["203.0.113.0/24"] == "b-veth1:10.0.1.253 b-veth0:10.0.0.1"


def test_a_default_route_of_a_router_takes_what_no_segment_has() -> None:
    """Also within the prefixes that compression would have made of the segments around it."""
    graph = nx.star_graph(["hub", *"abcde"])
    graph.graph["families"] = 4
    graph.add_edges_from((f"{name}1", name) for name in "abcde")
    graph.nodes["a"]["routes"] = {"default": "10.0.5.1"}
    graph.edges["a", "a1"]["prefix"] = "10.0.5.0/24"
    graph.edges["a", "a1"]["addresses"] = {"a1": "10.0.5.1"}
    plan = emu.plan_for(graph)
    forwarding = Forwarding(plan, 4)
    prefixes = [prefix for segment in plan.segments for prefix in segment.prefixes]
    for number in range(0, 16):
        address = prefixes[0].network_address + 256 * number + 9
        hops = forwarding.next_hops("a", address)
        if not any(address in prefix for prefix in prefixes):
            assert hops is not None
            assert [str(hop.gateway) for hop in hops] == ["10.0.5.1"]
        elif hops is not None:
            assert [forwarding.owner[hop.gateway] for hop in hops] == ["hub"]


def test_families_that_the_network_lacks_are_left_out() -> None:
    plan = emu.plan_for(line(b="default=10.0.1.253 default=2001:db8::1"))
    assert [route.version for route in plan.node("b").routes] == [4, 4]


def test_a_next_hop_that_nobody_has_is_a_warning() -> None:
    plan = emu.plan_for(line(b={"203.0.113.0/24": "10.0.1.7"}))
    assert plan.warnings == ("b: route 203.0.113.0/24: no interface has the next hop's address 10.0.1.7",)


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        (
            "203.0.113.0/24=192.0.2.1",
            "next hop 192.0.2.1 is on none of its segments (10.0.0.0/24, 10.0.1.0/24)",
        ),
        ("203.0.113.0/24=10.0.0.254", "next hop 10.0.0.254 is the node itself"),
        ("10.0.1.0/24=10.0.0.1", "it is on the node's own segment 10.0.1.0/24"),
        ("10.0.1.128/25=10.0.0.1", "it is on the node's own segment 10.0.1.0/24"),
        ("10.0.0.0/24=unreachable", "it is on the node's own segment 10.0.0.0/24"),
    ],
)
def test_routes_that_the_kernel_would_refuse_are_faults(routes: str, fault: str) -> None:
    with pytest.raises(emu.TopologyError) as caught:
        emu.plan_for(line(b=routes))
    assert caught.value.faults == (f"node b: route {routes.partition('=')[0]}: {fault}",)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(emu.TopologyError) as caught:
        emu.plan_for(line(b="203.0.113.0/24=192.0.2.1", a="default=192.0.2.1 198.18.0.0/15=192.0.2.1"))
    assert len(caught.value.faults) == 3


def test_switches_have_no_routes() -> None:
    graph = line(b="203.0.113.0/24=10.0.0.1")
    graph.nodes["b"]["kind"] = "switch"
    with pytest.raises(emu.TopologyError, match="node b: a switch has no routes"):
        emu.plan_for(graph)


def test_they_are_rerouted_as_far_as_their_next_hops_are_there() -> None:
    graph = line(
        b={"203.0.113.0/24": "10.0.1.253", "198.18.0.0/15": "10.0.0.1 10.0.1.253", "9.9.9.9": "unreachable"}
    )
    graph.graph["loopbacks"] = True
    plan = emu.plan_for(graph)
    assert rerouted(plan, [], compute_routes) == plan
    assert table(rerouted(plan, [("b", "b-veth1")], compute_routes), "b") == {
        "198.18.0.0/15": "b-veth0:10.0.0.1", "9.9.9.9/32": "",
    }  # fmt: skip
    graph.graph["routes"] = "none"
    plan = emu.plan_for(graph)
    assert rerouted(plan, [], compute_routes) == plan


@given(networks(), st.data())
def test_an_address_outside_the_network_goes_where_the_route_says(
    graph: nx.MultiDiGraph, data: st.DataObject
) -> None:  # fmt: skip
    graph.graph["routes"] = data.draw(st.sampled_from(["compressed", "full", "hosts", "none"]))
    before = emu.plan_for(graph)
    chosen: dict[str, Any] = {}
    for node in before.nodes:
        ends: list[Any] = [address for address in node.addresses if node.kind is not Kind.SWITCH]
        if data.draw(st.booleans()) and ends:
            own: Any = data.draw(st.sampled_from(ends))
            others = [
                address.ip
                for other in before.nodes if other.name != node.name
                for address in other.addresses if address.network == own.network
            ]  # fmt: skip
            if others:
                chosen[node.name] = data.draw(st.sampled_from(others))
                outside = "203.0.113.0/24" if own.version == 4 else "2001:db8:1::/48"
                graph.nodes[node.name]["routes"] = {outside: chosen[node.name]}
    after = emu.plan_for(graph)
    for name, hop in chosen.items():
        forwarding = Forwarding(after, hop.version)
        target = type(hop)(0xCB007105 if hop.version == 4 else 0x20010DB8000100000000000000000001)
        assert [one.gateway for one in forwarding.next_hops(name, target) or ()] == [hop]
    for version in after.families:  # and all else goes as before
        old, new = Forwarding(before, version), Forwarding(after, version)
        for name in old.routes:
            for target in old.owner:
                assert old.next_hops(name, target) == new.next_hops(name, target)
