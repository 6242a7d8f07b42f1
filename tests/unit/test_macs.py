"""MAC addresses: those of the graph, and others that are the same each time and nobody else's."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given

import emu
from emu.planning.plan import Plan
from emu.topologies.two_segment import two_segment

from .graphs import networks


def macs(plan: Plan) -> dict[str, str | None]:
    return {one.name: one.mac for node in plan.nodes for one in node.interfaces}


def test_automatic_ones_are_numbered_by_node_and_interface() -> None:
    assert macs(emu.plan_for(two_segment())) == {
        "HOST1-veth0": "02:00:00:01:00:00",
        "ROUTER-veth0": "02:00:00:02:00:00",
        "ROUTER-veth1": "02:00:00:02:00:01",
        "HOST2-veth0": "02:00:00:03:00:00",
    }


@given(networks())
def test_each_is_there_once(graph: nx.MultiDiGraph) -> None:
    found = [one.mac for node in emu.plan_for(graph).nodes for one in node.interfaces]
    assert None not in found
    assert len(set(found)) == len(found)


def test_pinned_ones_are_honoured_and_nobody_else_has_them() -> None:
    graph = two_segment()
    graph.edges["HOST1", "ROUTER"]["macs"] = "HOST1=02-00-00-03-00-00 ROUTER=00:16:3E:00:00:01"
    assert macs(emu.plan_for(graph)) == {
        "HOST1-veth0": "02:00:00:03:00:00",
        "ROUTER-veth0": "00:16:3e:00:00:01",
        "ROUTER-veth1": "02:00:00:02:00:01",
        "HOST2-veth0": "06:00:00:03:00:00",
    }


def test_one_mac_may_be_on_two_segments() -> None:
    graph = two_segment()
    for edge in graph.edges:
        graph.edges[edge]["macs"] = {"ROUTER": "00:00:5e:00:01:01"}
    assert list(macs(emu.plan_for(graph)).values()).count("00:00:5e:00:01:01") == 2


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"a": "02:00:00:00:00:aa", "s": "02:00:00:00:00:aa"}, {}, "s-veth0 and a-veth0"),
        ({"a": "02:00:00:00:00:aa"}, {"b": "02:00:00:00:00:aa"}, "a-veth0 and b-veth0"),
        ({"s": "02:00:00:00:00:aa"}, {"b": "02:00:00:00:00:aa"}, "s-veth0 and b-veth0"),
    ],
)
def test_one_mac_twice_on_a_segment_is_a_fault(first: Any, second: Any, told: str) -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("s", kind="switch")
    graph.add_edge("a", "s", macs=first)
    graph.add_edge("s", "b", macs=second)
    with pytest.raises(emu.TopologyError) as caught:
        emu.plan_for(graph)
    assert caught.value.faults == (f"{told} are on one segment and both have MAC 02:00:00:00:00:aa",)


def test_a_mac_of_a_stranger_is_a_fault() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_edge("a", "b", macs={"c": "02:00:00:00:00:01"})
    with pytest.raises(emu.TopologyError, match="link a--b: macs names 'c', which is not an end of it"):
        emu.plan_for(graph)
