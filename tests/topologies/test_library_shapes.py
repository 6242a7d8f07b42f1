"""How large each topology is, and what makes it what its name says."""

from __future__ import annotations

import ipaddress
import itertools
import math
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest

import emu
from emu.planning.plan import Plan

from .library import NAMES, build, core, kinds, links, of_kind

# -- sizes ------------------------------------------------------------------------------------------

Expected = tuple[dict[str, int], int, int]


def routers_and_hosts(routers: int, between: int, hosts: bool) -> Expected:
    """Return kinds, links and segments of routers with so many links between them."""
    total = between + routers * hosts
    return {"router": routers, **({"host": routers} if hosts else {})}, total, total


def size_of_tree(depth: int, fanout: int) -> Expected:
    switches = sum(fanout**level for level in range(depth))
    return {"switch": switches, "host": fanout**depth}, switches - 1 + fanout**depth, 1


def size_of_dumbbell(left: int, right: int) -> Expected:
    return {"router": 2, "host": left + right}, left + right + 1, left + right + 1


def size_of_leaf_spine(leaves: int, spines: int, hosts: int) -> Expected:
    total = leaves * (spines + hosts)
    return {"router": leaves + spines, **({"host": leaves * hosts} if hosts else {})}, total, total


#: Topology → what its parameters are tried with, and its nodes of each kind, links and segments.
SIZES: dict[str, tuple[dict[str, list[Any]], Callable[..., Expected]]] = {
    "dumbbell": ({"left": [1, 3], "right": [1, 2]}, size_of_dumbbell),
    "fat_tree": (
        {"k": [2, 4, 6]},
        lambda k: ({"router": 5 * k * k // 4, "host": k**3 // 4}, 3 * k**3 // 4, 3 * k**3 // 4),
    ),
    "grid": (
        {"rows": [1, 2, 4], "columns": [1, 3], "hosts": [True, False]},
        lambda rows, columns, hosts: routers_and_hosts(
            rows * columns, rows * (columns - 1) + columns * (rows - 1), hosts
        ),
    ),
    "leaf_spine": ({"leaves": [1, 3], "spines": [1, 4], "hosts": [0, 2]}, size_of_leaf_spine),
    "line": (
        {"routers": [0, 1, 5]},
        lambda routers: (
            {"host": 2, **({"router": routers} if routers else {})}, routers + 1, routers + 1,
        ),
    ),
    "linear": (
        {"switches": [1, 4], "hosts": [1, 3]},
        lambda switches, hosts: (
            {"switch": switches, "host": switches * hosts}, switches * (hosts + 1) - 1, 1,
        ),
    ),
    "mesh": (
        {"routers": [2, 3, 6], "hosts": [True, False]},
        lambda routers, hosts: routers_and_hosts(routers, math.comb(routers, 2), hosts),
    ),
    "one_router": ({}, lambda: ({"host": 2, "router": 1}, 2, 2)),
    "parking_lot": (
        {"hops": [1, 2, 5]},
        lambda hops: ({"router": hops + 1, "host": 2 * hops + 2}, 3 * hops + 2, 3 * hops + 2),
    ),
    "ring": (
        {"routers": [3, 8], "hosts": [True, False]},
        lambda routers, hosts: routers_and_hosts(routers, routers, hosts),
    ),
    "single": ({"hosts": [1, 2, 30]}, lambda hosts: ({"switch": 1, "host": hosts}, hosts, 1)),
    "star": ({"hosts": [1, 2, 30]}, lambda hosts: ({"router": 1, "host": hosts}, hosts, hosts)),
    "three_hosts": ({}, lambda: ({"host": 3, "switch": 1}, 3, 1)),
    "torus": (
        {"rows": [3, 4], "columns": [3, 5], "hosts": [True, False]},
        lambda rows, columns, hosts: routers_and_hosts(rows * columns, 2 * rows * columns, hosts),
    ),
    "tree": ({"depth": [1, 2, 3], "fanout": [1, 2, 3]}, size_of_tree),
    "two_hosts": ({}, lambda: ({"host": 2}, 1, 1)),
    "two_routers": ({}, lambda: ({"host": 2, "router": 2}, 3, 3)),
    "two_segment": ({}, lambda: ({"host": 2, "router": 1}, 2, 2)),
}  # fmt: skip


def sizes() -> list[Any]:
    cases = []
    for name, (tried, formula) in SIZES.items():
        for values in itertools.product(*tried.values()):
            parameters = dict(zip(tried, values, strict=True))
            words = [f"{key}={value}" for key, value in parameters.items()]
            cases.append(pytest.param(name, parameters, formula, id=" ".join([name, *words])))
    return cases


@pytest.mark.parametrize(("name", "parameters", "formula"), sizes())
def test_size(name: str, parameters: dict[str, Any], formula: Callable[..., Expected]) -> None:
    graph = build(name, **parameters)
    nodes, edges, segments = formula(**parameters)
    assert kinds(graph) == nodes
    assert graph.number_of_edges() == edges
    assert len(emu.plan_for(graph).segments) == segments
    assert nx.is_connected(graph)


def test_every_topology_has_its_size_tested() -> None:
    assert set(NAMES) - set(SIZES) == {"internet"}  # which is random


# -- shapes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_hosts_have_one_link(name: str) -> None:
    graph = build(name)
    assert {graph.degree[host] for host in of_kind(graph, "host")} == {1}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (build("ring", routers=7), nx.cycle_graph(7)),
        (build("mesh", routers=5), nx.complete_graph(5)),
        (build("grid", rows=3, columns=4), nx.grid_2d_graph(3, 4)),
        (build("torus", rows=3, columns=4), nx.grid_2d_graph(3, 4, periodic=True)),
        (build("tree", depth=3, fanout=2), nx.balanced_tree(2, 2)),
        (build("linear", switches=5, hosts=2), nx.path_graph(5)),
        (build("line", routers=5), nx.path_graph(5)),
        (build("parking_lot", hops=4), nx.path_graph(5)),
        (build("leaf_spine", leaves=4, spines=3), nx.complete_bipartite_graph(4, 3)),
    ],
    ids=lambda graph: graph.graph.get("name", ""),
)
def test_what_stands_between_the_hosts(graph: nx.Graph, expected: nx.Graph) -> None:
    assert nx.is_isomorphic(core(graph), expected)


@pytest.mark.parametrize("name", ["ring", "mesh", "grid", "torus", "internet"])
def test_each_router_has_the_host_of_its_number(name: str) -> None:
    graph = build(name)
    for host in of_kind(graph, "host"):
        (router,) = graph.neighbors(host)
        assert router.lstrip("ROUTEAS") == host.removeprefix("HOST")
    assert len(of_kind(graph, "host")) == len(of_kind(graph, "router"))


def test_names_of_a_grid_are_places() -> None:
    graph = build("grid", rows=2, columns=3, hosts=False)
    assert list(graph) == [f"ROUTER{row}-{column}" for row in (1, 2) for column in (1, 2, 3)]
    assert graph.has_edge("ROUTER1-3", "ROUTER2-3")
    assert not graph.has_edge("ROUTER1-3", "ROUTER2-1")


def test_hosts_of_a_linear_and_a_tree_are_counted_along_the_switches() -> None:
    linear = build("linear", switches=3, hosts=2)
    assert [next(linear.neighbors(f"HOST{number}")) for number in range(1, 7)] == [
        "SWITCH1", "SWITCH1", "SWITCH2", "SWITCH2", "SWITCH3", "SWITCH3",
    ]  # fmt: skip
    tree = build("tree", depth=2, fanout=2)
    assert [next(tree.neighbors(f"HOST{number}")) for number in range(1, 5)] == [
        "SWITCH2", "SWITCH2", "SWITCH3", "SWITCH3",
    ]  # fmt: skip


def test_a_tree_of_one_branch_may_be_deep() -> None:
    assert nx.diameter(build("tree", depth=500, fanout=1)) == 500


def test_all_traffic_from_left_to_right_shares_the_dumbbells_link() -> None:
    graph = build("dumbbell", left=3, right=2)
    graph.remove_edge("ROUTER1", "ROUTER2")
    assert sorted(map(len, nx.connected_components(graph))) == [3, 4]
    assert {"LEFT1", "LEFT2", "LEFT3"} == set(graph["ROUTER1"])


def test_each_short_flow_of_a_parking_lot_shares_its_one_link_with_the_long_one() -> None:
    graph = build("parking_lot", hops=4)
    bottlenecks = links(core(graph).edges)
    assert bottlenecks <= links(itertools.pairwise(nx.shortest_path(graph, "SENDER", "RECEIVER")))
    crossed = []
    for number in range(1, 5):
        path = nx.shortest_path(graph, f"SENDER{number}", f"RECEIVER{number}")
        crossed.append(links(itertools.pairwise(path)) & bottlenecks)
    assert [len(shared) for shared in crossed] == [1, 1, 1, 1]
    assert set.union(*crossed) == bottlenecks


@pytest.mark.parametrize("k", [2, 4, 6])
def test_fat_tree_has_equal_routers_and_many_ways_of_equal_cost(k: int) -> None:
    graph = build("fat_tree", k=k)
    assert {graph.degree[router] for router in of_kind(graph, "router")} == {k}
    paths = list(nx.all_shortest_paths(graph, "HOST1-1-1", "HOST2-1-1"))
    assert len(paths) == (k // 2) ** 2
    assert {len(path) for path in paths} == {7}
    assert {path[3] for path in paths} == {f"CORE{number}" for number in range(1, (k // 2) ** 2 + 1)}
    # As wide at the top as at the hosts: half of the hosts can talk to the other half at once.
    half = [host for host in of_kind(graph, "host") if int(host[4:].split("-")[0]) <= k // 2]
    assert cut_between(graph, half) == len(half)


def cut_between(graph: nx.Graph, some: list[str]) -> int:
    """Return how many links must break to part some of the hosts from all others."""
    flow: nx.DiGraph = nx.DiGraph()
    flow.add_edges_from(graph.to_directed().edges, capacity=1)
    others = set(of_kind(graph, "host")) - set(some)
    flow.add_edges_from(("source", host) for host in some)
    flow.add_edges_from((host, "sink") for host in others)
    return int(nx.maximum_flow_value(flow, "source", "sink"))


def test_flows_between_leaves_spread_over_all_spines() -> None:
    plan = emu.plan_for(build("leaf_spine", leaves=3, spines=4, hosts=1))
    assert next_hops(plan, "LEAF1", "HOST3-1") == {f"SPINE{number}" for number in (1, 2, 3, 4)}


def test_flows_between_pods_spread_over_all_ways() -> None:
    plan = emu.plan_for(build("fat_tree", k=4))
    assert next_hops(plan, "EDGE1-1", "HOST3-1-1") == {"AGG1-1", "AGG1-2"}
    assert next_hops(plan, "AGG1-2", "HOST3-1-1") == {"CORE3", "CORE4"}
    assert next_hops(plan, "CORE3", "HOST3-1-1") == {"AGG3-2"}


DEFAULT = ipaddress.ip_network("0.0.0.0/0")


def next_hops(plan: Plan, node: str, target: str) -> set[str]:
    """Return to which nodes `node` forwards packets to `target`, by longest prefix."""
    address = next(address.ip for address in plan.node(target).addresses if address.version == 4)
    matching = {
        destination.prefixlen: route
        for route in plan.node(node).routes
        if route.version == 4 and address in (destination := route.destination or DEFAULT)
    }
    route = matching[max(matching)]
    owners = {one.ip: each.name for each in plan.nodes for one in each.addresses}
    return {owners[hop.gateway] for hop in route.next_hops}


@pytest.mark.parametrize("systems", [10, 11, 25, 60])
def test_internet_is_networkxs_own(systems: int) -> None:
    for seed in (1, 2, 3):
        graph = build("internet", systems=systems, seed=seed)
        expected = nx.random_internet_as_graph(systems, seed)
        assert nx.is_connected(graph)
        assert core(graph).number_of_nodes() == systems
        assert links(core(graph).edges) == links((f"AS{a + 1}", f"AS{b + 1}") for a, b in expected.edges)


def test_another_seed_is_another_internet() -> None:
    one, two = build("internet", seed=1), build("internet", seed=2)
    assert set(one.edges) != set(two.edges)
