"""The plan: complete, the same each time, and the same when it comes back from JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given

import emu
from emu.graph.attributes import Kind
from emu.planning.plan import Plan
from emu.planning.sysctls import FORWARDING
from emu.script import script_for
from emu.topologies.two_segment import two_segment

from .graphs import GRAPHS, networks

GOLDEN = Path(__file__).with_name("golden")
#: EMU_UPDATE_GOLDEN=1 writes the files anew; look at what changed before you keep it.
UPDATE = bool(os.environ.get("EMU_UPDATE_GOLDEN"))


def golden(name: str, text: str) -> str:
    """Return what the golden file holds."""
    path = GOLDEN / name
    if UPDATE:
        path.write_text(text)
    return path.read_text()


def test_the_plan_of_two_segment_is_the_founding_example() -> None:
    text = json.dumps(json.loads(emu.plan_for(two_segment()).to_json()), indent=1) + "\n"
    assert text == golden("two_segment.json", text)


def test_the_script_of_two_segment_is_the_founding_example() -> None:
    text = "\n".join(script_for(emu.plan_for(two_segment()))) + "\n"
    assert text == golden("two_segment.ip", text)


def test_two_segment_as_the_documentation_tells_it() -> None:
    plan = emu.plan_for(two_segment())
    assert [(node.name, node.kind) for node in plan.nodes] == [
        ("HOST1", Kind.HOST), ("ROUTER", Kind.ROUTER), ("HOST2", Kind.HOST),
    ]  # fmt: skip
    assert {one.name: str(one.addresses[0]) for node in plan.nodes for one in node.interfaces} == {
        "HOST1-veth0": "192.0.2.1/24",
        "ROUTER-veth0": "192.0.2.254/24",
        "ROUTER-veth1": "198.51.100.254/24",
        "HOST2-veth0": "198.51.100.1/24",
    }
    gateways = [(node.name, str(route.next_hops[0].gateway)) for node in plan.nodes for route in node.routes]
    assert gateways == [("HOST1", "192.0.2.254"), ("HOST2", "198.51.100.254")]
    forwarding = {node.name: dict(node.settings)[FORWARDING[4]] for node in plan.nodes}
    assert forwarding == {"HOST1": "0", "ROUTER": "1", "HOST2": "0"}


@given(networks())
def test_json_gives_back_an_equal_plan(graph: nx.MultiDiGraph) -> None:
    plan = emu.plan_for(graph)
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(plan.to_json().encode()) == plan


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_the_same_graph_gives_the_same_plan_and_is_left_as_it_was(graph: nx.Graph) -> None:
    before = nx.node_link_data(graph, edges="edges")
    assert emu.plan_for(graph).to_json() == emu.plan_for(graph.copy()).to_json()
    assert nx.node_link_data(graph, edges="edges") == before


@given(networks())
def test_every_link_end_is_an_interface_with_the_other_as_peer(graph: nx.MultiDiGraph) -> None:
    plan = emu.plan_for(graph)
    peers = {(node.name, one.name): one.peer for node in plan.nodes for one in node.interfaces}
    for first, second in (link.ends for link in plan.links):
        assert (peers.pop(first), peers.pop(second)) == (second, first)
    assert not peers
    for node in plan.nodes:
        assert [one.index for one in node.interfaces] == list(range(2, 2 + len(node.interfaces)))


@given(networks())
def test_settings_say_of_every_node_whether_it_forwards(graph: nx.MultiDiGraph) -> None:
    plan = emu.plan_for(graph)
    for node in plan.nodes:
        settings = dict(node.settings)
        assert settings[FORWARDING[4]] == ("1" if node.kind is Kind.ROUTER else "0")
        ipv6 = 6 in plan.families and node.kind is not Kind.SWITCH
        assert settings["net/ipv6/conf/all/disable_ipv6"] == ("0" if ipv6 else "1")
        assert settings.get(FORWARDING[6], "0") == ("1" if ipv6 and node.kind is Kind.ROUTER else "0")


@pytest.mark.parametrize(
    ("edges", "ringed"),
    [
        ([("s1", "s2"), ("s2", "s3")], set()),
        ([("s1", "s2"), ("s2", "s3"), ("s3", "s1")], {"s1", "s2", "s3"}),
        ([("s1", "s2"), ("s1", "s2")], {"s1", "s2"}),
        ([("s1", "h1"), ("s1", "h1")], set()),
        ([("s1", "r1"), ("r1", "s2"), ("s2", "r2"), ("r2", "s1")], set()),
    ],
)
def test_switches_on_a_ring_and_no_others_get_a_spanning_tree(
    edges: list[tuple[str, str]], ringed: set[str]
) -> None:  # fmt: skip
    graph: nx.MultiGraph = nx.MultiGraph(edges)
    for name in graph:
        graph.nodes[name]["kind"] = {"s": "switch", "r": "router", "h": "host"}[name[0]]
    assert {node.name for node in emu.plan_for(graph).nodes if node.spanning_tree} == ringed


def test_a_node_is_found_by_its_name() -> None:
    plan = emu.plan_for(two_segment())
    assert plan.node("ROUTER").name == "ROUTER"
    with pytest.raises(KeyError):
        plan.node("ROUTER2")
