"""The default TTL is enough for every path, and no more is said of it than is so."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emu
from emu.graph.topology import topology_from
from emu.planning import path_lengths
from emu.planning.path_lengths import PathLength, longest_path
from emu.planning.plan import Plan


def routers(graph: nx.Graph) -> nx.Graph:
    nx.set_node_attributes(graph, dict.fromkeys(graph, "router"), "kind")
    return graph


def limits(plan: Plan) -> set[str]:
    """Return what all nodes of a plan have as TTL and hop limit."""
    keys = ("net/ipv4/ip_default_ttl", "net/ipv6/conf/all/hop_limit", "net/ipv6/conf/default/hop_limit")
    return {dict(node.settings)[key] for node in plan.nodes for key in keys}


@pytest.mark.parametrize(
    ("graph", "limit"),
    [
        (nx.path_graph(2), 64),
        (nx.path_graph(65), 64),  # 63 routers, and hosts at both ends
        (nx.path_graph(66), 65),
        (nx.path_graph(200), 199),
        (routers(nx.grid_2d_graph(10, 10)), 64),
        (nx.disjoint_union(routers(nx.path_graph(80)), routers(nx.path_graph(10))), 81),
    ],
)
def test_the_limit_follows_the_longest_path(graph: nx.Graph, limit: int) -> None:
    assert limits(emu.plan_for(graph)) == {str(limit)}
    assert not [one for one in emu.plan_for(graph).warnings if "longest path" in one]


def test_a_path_that_no_packet_can_follow_is_told() -> None:
    assert not emu.plan_for(nx.path_graph(256)).warnings  # 254 routers
    plan = emu.plan_for(nx.path_graph(257))
    assert limits(plan) == {"255"}
    assert plan.warnings == (
        "the longest path crosses 255 routers, and no packet crosses more than 254, "
        "as its TTL or hop limit ends at 255",
    )


def test_weights_may_lead_the_long_way_around() -> None:
    graph = routers(nx.path_graph(100))
    graph.add_edge(0, 99, weight=1000)
    assert limits(emu.plan_for(graph)) == {"101"}
    graph.edges[0, 99]["weight"] = 1
    assert limits(emu.plan_for(graph)) == {"64"}


def most_routers(graph: nx.Graph) -> int:
    """Return how many nodes the longest of all shortest paths has, by trying all of them."""
    paths = (
        len(path)
        for a in graph for b in nx.node_connected_component(graph, a)
        for path in nx.all_shortest_paths(graph, a, b, weight="weight")
    )  # fmt: skip
    return max(paths)


@given(
    st.integers(0, 10_000),
    st.integers(2, 14),
    st.sampled_from([[1], [1, 2, 3], [0.1, 0.2, 0.3], [1, 1000], [3.7, 12.25, 812.5]]),
)
@settings(max_examples=200)
def test_bounds_hold_whatever_the_weights(seed: int, size: int, weights: list[float]) -> None:
    graph = routers(nx.gnm_random_graph(size, size + seed % (2 * size), seed=seed))
    for number, edge in enumerate(graph.edges):
        graph.edges[edge]["weight"] = weights[(seed + 7 * number) % len(weights)]
    true = most_routers(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(path_lengths, "LEAST", 1)
        found = longest_path(topology_from(graph))
        patch.setattr(path_lengths, "_EXACT", 0)
        estimate = longest_path(topology_from(graph))
    assert estimate.least <= true <= estimate.most
    assert found.least <= true <= found.most <= true + 1


def test_small_networks_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(path_lengths, "_search", fail)
    assert longest_path(topology_from(routers(nx.path_graph(63)))) == PathLength(0, 63)
