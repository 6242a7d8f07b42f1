"""A prefix per segment, an address per interface: none twice, always the same, as pinned."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.errors import PlanError
from emu.graph.attributes import Kind
from emu.planning.plan import Plan

from .graphs import GRAPHS, networks


def addresses(plan: Plan, node: str) -> list[str]:
    return [str(address) for address in plan.node(node).addresses]


def lan(hosts: int, routers: int = 0, **attributes: Any) -> nx.Graph:
    """Return hosts h0, h1 ... and routers r0, r1 ... on one switch."""
    graph: nx.Graph = nx.Graph(families=4)
    graph.add_node("s", kind="switch", **attributes)
    for kind, count in (("host", hosts), ("router", routers)):
        for number in range(count):
            graph.add_node(f"{kind[0]}{number}", kind=kind)
            graph.add_edge("s", f"{kind[0]}{number}")
    return graph


def check(plan: Plan) -> None:
    """Check what holds of every plan."""
    prefixes = [prefix for segment in plan.segments for prefix in segment.prefixes]
    for version in (4, 6):
        family = sorted(prefix for prefix in prefixes if prefix.version == version)
        assert not any(one.overlaps(other) for one, other in itertools.pairwise(family))
    for segment in plan.segments:
        assert tuple(prefix.version for prefix in segment.prefixes) == plan.families
    found = {(node.name, one.name): one.addresses for node in plan.nodes for one in node.interfaces}
    on_segment = {end: segment.prefixes for segment in plan.segments for end in segment.interfaces}
    for end, given_addresses in found.items():
        assert [address.network for address in given_addresses] == list(on_segment.get(end, ()))
        for address in given_addresses:
            if address.network.num_addresses > 2:
                assert address.ip != address.network.network_address
                assert address.ip != address.network.broadcast_address
    counted = Counter(address.ip for given_addresses in found.values() for address in given_addresses)
    loopbacks = Counter(address.ip for node in plan.nodes for address in node.loopback)
    assert set((counted + loopbacks).values()) <= {1}
    assert not any(loopback in prefix for loopback in loopbacks for prefix in prefixes)
    assert set(counted.values()) <= {1}
    for node in plan.nodes:
        assert node.kind is not Kind.SWITCH or not node.addresses


@given(networks(), st.booleans(), st.booleans())
def test_no_prefix_overlaps_and_no_address_is_given_twice(
    graph: nx.MultiDiGraph, loopbacks: bool, packed: bool
) -> None:  # fmt: skip
    graph.graph.update(loopbacks=loopbacks, packed=packed)
    check(emu.plan_for(graph))


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_graphs_of_networkx_are_addressed(graph: nx.Graph) -> None:
    check(emu.plan_for(graph))


@given(networks(), st.data())
def test_pins_are_honoured_and_nothing_else_takes_them(graph: nx.MultiDiGraph, data: st.DataObject) -> None:
    free = ["10.0.1.0/24 fd00:0:0:1::/64", "10.0.2.0/23 fd00:0:0:2::/63", "192.0.2.0/24", "2001:db8::/64"]
    edges = data.draw(st.permutations(list(graph.edges(keys=True))))
    for (a, b, key), prefix in zip(edges, data.draw(st.permutations(free)), strict=False):
        switched = "switch" in (graph.nodes[a]["kind"], graph.nodes[b]["kind"])
        if not switched and "prefix" not in graph.get_edge_data(b, a, key, {}):
            graph.edges[a, b, key]["prefix"] = prefix
    pins: list[str] = [data["prefix"] for _, _, data in graph.edges(data=True) if "prefix" in data]
    wanted = {word for text in pins for word in text.split()}
    plan = emu.plan_for(graph)
    check(plan)
    present = {str(prefix) for segment in plan.segments for prefix in segment.prefixes}
    assert {word for word in wanted if (6 if ":" in word else 4) in plan.families} <= present


def test_hosts_count_up_and_routers_down() -> None:
    plan = emu.plan_for(lan(2, 2))
    assert [addresses(plan, name) for name in ("h0", "h1", "r0", "r1")] == [
        ["10.0.0.1/24"], ["10.0.0.2/24"], ["10.0.0.254/24"], ["10.0.0.253/24"],
    ]  # fmt: skip


def test_ipv6_uses_the_same_numbers() -> None:
    plan = emu.plan_for(lan(2, 1), families=(6,))
    assert [addresses(plan, name) for name in ("h0", "h1", "r0")] == [
        ["fd00::1/64"], ["fd00::2/64"], ["fd00::fe/64"],
    ]  # fmt: skip


def test_pinned_addresses_are_left_out_by_the_others() -> None:
    graph = lan(3, 1, prefix="192.0.2.0/24")
    graph.edges["s", "h2"]["addresses"] = {"h2": "192.0.2.1"}
    graph.edges["s", "h0"]["addresses"] = {"h0": "192.0.2.254"}
    plan = emu.plan_for(graph)
    assert [addresses(plan, name)[0] for name in ("h0", "h1", "h2", "r0")] == [
        "192.0.2.254/24", "192.0.2.2/24", "192.0.2.1/24", "192.0.2.253/24",
    ]  # fmt: skip


@pytest.mark.parametrize(("hosts", "length"), [(1, 24), (254, 24), (255, 23), (510, 23), (511, 22)])
def test_a_segment_gets_a_prefix_that_holds_all_of_it(hosts: int, length: int) -> None:
    plan = emu.plan_for(lan(hosts))
    assert plan.segments[0].prefixes[0].prefixlen == length
    check(plan)


@pytest.mark.parametrize(
    ("prefix", "first", "second"),
    [
        ("192.0.2.0/31", "192.0.2.0/31", "192.0.2.1/31"),
        ("192.0.2.0/30", "192.0.2.1/30", "192.0.2.2/30"),
        ("2001:db8::/127", "2001:db8::/127", "2001:db8::1/127"),
        ("2001:db8::/126", "2001:db8::1/126", "2001:db8::2/126"),
    ],
)
def test_links_of_two_addresses(prefix: str, first: str, second: str) -> None:
    graph: nx.Graph = nx.Graph(families=6 if ":" in prefix else 4)
    graph.add_edge("a", "b", prefix=prefix)
    plan = emu.plan_for(graph)
    assert [addresses(plan, name) for name in "ab"] == [[first], [second]]


@pytest.mark.parametrize("prefix", ["192.0.2.1/32", "192.0.2.0/31", "192.0.2.0/30"])
def test_a_pinned_prefix_that_is_too_small_is_one_clear_line(prefix: str) -> None:
    fault = rf"3 interfaces on the segment of .*-veth0: prefix {prefix} has too few"
    with pytest.raises(PlanError, match=fault):
        emu.plan_for(lan(3, prefix=prefix))


def test_a_pool_that_is_too_small_for_readable_prefixes_gives_packed_ones() -> None:
    graph = nx.path_graph(5)
    graph.graph["pools"] = "192.0.2.0/26"
    assert [segment.prefixes[0].prefixlen for segment in emu.plan_for(graph, families=(4,)).segments] == [
        30, 31, 31, 30,
    ]  # fmt: skip
    graph.graph["packed"] = False
    with pytest.raises(PlanError, match=r"pool 192.0.2.0/26 has 64 addresses.*1,024 are needed \(4 of /24\)"):
        emu.plan_for(graph, families=(4,))


@pytest.mark.parametrize(
    ("pools", "pin", "packed", "told"),
    [
        ("10.0.0.0/22", None, False, r"10.0.0.0/22 has 1,024 addresses, and 1,280 are needed \(5 of /24\)"),
        ("10.0.0.0/22", None, False, r"--packed makes prefixes .*larger --pool, or use IPv6 only"),
        ("10.0.0.0/29", None, None, r"10.0.0.0/29 has 8 addresses, and 14 are needed \(2 of /30, 3 of /31\)"),
        (
            "10.0.0.0/8",
            "10.0.0.0/8",
            None,
            r"16,777,216 addresses, of which pins take 16,777,216, and 10 are",
        ),
        (
            "fd00::/63",
            "192.0.2.0/24",
            False,
            r"fd00::/63 has 2\^65 addresses, and 2\^66.3 are needed \(5 of /64",
        ),
    ],
)
def test_a_pool_that_runs_out_is_one_clear_line(
    pools: str, pin: str | None, packed: bool | None, told: str
) -> None:  # fmt: skip
    graph = nx.path_graph(6)
    graph.graph.update(pools=pools, families=6 if ":" in pools else 4, packed=packed)
    if pin:
        graph.edges[0, 1]["prefix"] = pin
    with pytest.raises(PlanError, match=told):
        emu.plan_for(graph)


def test_loopbacks_stand_at_the_end_of_the_pool_and_move_no_other_address() -> None:
    graph: nx.Graph = nx.star_graph(4)
    nx.set_node_attributes(graph, dict.fromkeys((0, 1, 2), "router"), "kind")
    without = emu.plan_for(graph)
    graph.graph["loopbacks"] = True
    plan = emu.plan_for(graph)
    assert [list(map(str, node.loopback)) for node in plan.nodes] == [
        ["10.255.0.1/32", "fd00:ff00::1/128"], ["10.255.0.2/32", "fd00:ff00::2/128"],
        ["10.255.0.3/32", "fd00:ff00::3/128"], [], [],
    ]  # fmt: skip
    assert [node.interfaces for node in plan.nodes] == [node.interfaces for node in without.nodes]
    assert plan.segments == without.segments
    check(plan)


def test_loopbacks_leave_out_what_is_pinned() -> None:
    graph: nx.Graph = nx.path_graph(4)
    nx.set_node_attributes(graph, dict.fromkeys(graph, "router"), "kind")
    graph.graph.update(loopbacks=True, families=4)
    graph.edges[0, 1]["prefix"] = "10.255.0.0/24"
    graph.nodes[1]["loopback"] = "10.254.0.2"
    graph.nodes[2]["loopback"] = "192.0.2.1"
    plan = emu.plan_for(graph)
    assert [str(node.loopback[0]) for node in plan.nodes] == [
        "10.253.0.1/32", "10.254.0.2/32", "192.0.2.1/32", "10.253.0.2/32",
    ]  # fmt: skip
    check(plan)


def test_a_small_pool_has_as_many_loopbacks_as_it_must() -> None:
    graph = nx.cycle_graph(5)
    graph.graph.update(loopbacks=True, families=4, pools="192.0.2.0/27")
    plan = emu.plan_for(graph)
    assert {str(node.loopback[0].ip) for node in plan.nodes} == {f"192.0.2.{25 + n}" for n in range(5)}
    check(plan)
    graph.graph["pools"] = "192.0.2.0/29"
    with pytest.raises(PlanError, match=r"has 8 addresses, and 15 are needed \(5 of /31, 5 of /32\)"):
        emu.plan_for(graph)


def test_a_router_with_a_loopback_of_its_own_has_one_of_either_family() -> None:
    graph = nx.path_graph(3)
    graph.nodes[1]["loopback"] = "192.0.2.1"
    loopbacks = [list(map(str, node.loopback)) for node in emu.plan_for(graph).nodes]
    assert loopbacks == [[], ["192.0.2.1/32", "fd00:ff00::1/128"], []]


@given(networks(10), st.booleans(), st.data())
def test_a_node_added_at_the_end_renumbers_nothing(
    graph: nx.MultiDiGraph, loopbacks: bool, data: st.DataObject
) -> None:  # fmt: skip
    graph.graph["loopbacks"] = loopbacks
    before = emu.plan_for(graph)
    others = data.draw(st.lists(st.sampled_from(sorted(graph)), unique=True, max_size=3))
    switched = [name for name in others if graph.nodes[name]["kind"] == "switch"]
    graph.add_node("NEW", kind=data.draw(st.sampled_from(["host", "router"])))
    graph.add_edges_from(("NEW", name) for name in others)
    after = emu.plan_for(graph)
    for node in before.nodes:
        for one in node.interfaces:
            again = next(other for other in after.node(node.name).interfaces if other.name == one.name)
            assert again == one
        assert after.node(node.name).loopback == node.loopback
    assert len(after.nodes) == len(before.nodes) + 1
    assert len(after.segments) >= len(before.segments) + len(others) - len(switched)
