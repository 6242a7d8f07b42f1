"""Topologies of tiers are drawn in rows."""

from __future__ import annotations

import itertools
from typing import Any

import networkx as nx
import pytest

from .library import build

TIERED = [
    ("fat_tree", {}, ("CORE", "AGG", "EDGE", "HOST")),
    ("fat_tree", {"k": 6}, ("CORE", "AGG", "EDGE", "HOST")),
    ("leaf_spine", {}, ("SPINE", "LEAF", "HOST")),
    ("leaf_spine", {"hosts": 0}, ("SPINE", "LEAF")),
    ("tree", {"depth": 3}, ("SWITCH1", "SWITCH3", "SWITCH7", "HOST")),
]


@pytest.mark.parametrize(("name", "parameters", "tiers"), TIERED)
def test_every_tier_has_a_row(name: str, parameters: dict[str, Any], tiers: tuple[str, ...]) -> None:
    places = nx.get_node_attributes(build(name, **parameters), "pos")
    heights = [{y for node, (_, y) in places.items() if node.startswith(tier)} for tier in tiers]
    assert [len(height) for height in heights] == [1] * len(tiers)
    assert [*itertools.chain(*heights)] == sorted({y for _, y in places.values()}, reverse=True)


@pytest.mark.parametrize(("name", "parameters", "tiers"), TIERED)
def test_every_node_has_a_place_of_its_own(name: str, parameters: dict[str, Any], tiers: Any) -> None:
    graph = build(name, **parameters)
    assert len(set(nx.get_node_attributes(graph, "pos").values())) == len(graph)


@pytest.mark.parametrize(("name", "parameters", "tiers"), TIERED)
def test_hosts_stand_around_their_router(name: str, parameters: dict[str, Any], tiers: Any) -> None:
    graph = build(name, **parameters)
    x = {node: place[0] for node, place in nx.get_node_attributes(graph, "pos").items()}
    for node in graph:
        hosts = [x[other] for other in graph[node] if other.startswith("HOST")]
        if hosts and not node.startswith("HOST"):
            assert sum(hosts) / len(hosts) == pytest.approx(x[node])
