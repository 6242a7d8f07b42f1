"""Plans with a node or a link more or less: what exists keeps its names, numbers and addresses."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emu
from emu.errors import EmuError, UsageError
from emu.hooks.plugin_manager import default_plugins
from emu.planning.addressing import assign_addresses
from emu.planning.changes import Changes
from emu.planning.plan import InterfacePlan, Plan
from emu.planning.routing import compute_routes
from emu.reading.sources import graph_from
from emu.running.saving import save_plan
from emu.topologies.two_segment import two_segment

from ..topologies.library import NAMES, build
from .graphs import networks

CHANGES = Changes(assign_addresses, compute_routes)


def interfaces(plan: Plan) -> dict[tuple[str, str], InterfacePlan]:
    return {(node.name, one.name): one for node in plan.nodes for one in node.interfaces}


def add_link(plan: Plan, a: str, b: str, **attributes: Any) -> Plan:
    return CHANGES.add_link(plan, a, b, attributes, {a: (), b: ()})


def saved(plan: Plan, path: Path) -> Plan:
    """Return the plan that a saved plan leads to."""
    save_plan(plan, path, default_plugins())
    return emu.plan_for(graph_from(str(path)))


def without_remarks(plan: Plan) -> Plan:
    return dataclasses.replace(plan, notes=(), warnings=())


def test_a_new_node_changes_nothing_else() -> None:
    plan = emu.plan_for(two_segment(), families=(4, 6))
    grown = CHANGES.add_node(plan, "HOST3", {})
    assert grown.nodes[:-1] == plan.nodes
    assert grown.node("HOST3").kind == "host"
    assert grown.segments == plan.segments


def test_a_new_link_has_a_prefix_of_its_own_and_routes() -> None:
    plan = emu.plan_for(two_segment(), families=(4, 6))
    grown = add_link(CHANGES.add_node(plan, "HOST3", {}), "HOST3", "ROUTER")
    assert interfaces(plan).items() <= interfaces(grown).items()
    new = interfaces(grown)["HOST3", "HOST3-veth0"]
    assert new.peer == ("ROUTER", "ROUTER-veth2")
    assert all(one.network not in [p for s in plan.segments for p in s.prefixes] for one in new.addresses)
    assert [one.destination for one in grown.node("HOST3").routes] == [None, None]


def test_a_host_stays_one_with_two_links() -> None:
    plan = emu.plan_for(two_segment())
    grown = add_link(plan, "HOST1", "HOST2", prefix="10.9.0.0/24")
    assert grown.node("HOST1").kind == "host"
    assert str(interfaces(grown)["HOST2", "HOST2-veth1"].addresses[0].network) == "10.9.0.0/24"


def test_a_port_of_a_switch_joins_its_segment() -> None:
    plan = emu.plan_for(build("single"), families=(4,))
    switch = next(node.name for node in plan.nodes if node.kind == "switch")
    grown = add_link(CHANGES.add_node(plan, "NEW", {}), "NEW", switch)
    assert len(grown.segments) == len(plan.segments)
    assert grown.node("NEW").addresses[0].network == plan.segments[0].prefixes[0]
    assert interfaces(plan).items() <= interfaces(grown).items()


def test_what_is_removed_is_gone_and_the_rest_as_before() -> None:
    plan = emu.plan_for(nx.complete_graph(4))
    less = CHANGES.remove_link(plan, 1)
    assert interfaces(less).items() < interfaces(plan).items()
    assert len(interfaces(plan)) - len(interfaces(less)) == 2
    less = CHANGES.remove_node(plan, "n1")
    assert interfaces(less).items() < interfaces(plan).items()
    assert [node.name for node in less.nodes] == ["n0", "n2", "n3"]
    back = add_link(add_link(CHANGES.add_node(less, "n1", {"kind": "router"}), "n1", "n0"), "n1", "n3")
    assert interfaces(less).items() < interfaces(back).items()


def test_faults() -> None:
    plan = emu.plan_for(two_segment())
    for name, reason in (("HOST1", "a node HOST1"), ("host1", "a node HOST1"), ("A B", "'A-B' would be one")):
        with pytest.raises(UsageError, match=reason):
            CHANGES.add_node(plan, name, {})
    with pytest.raises(EmuError, match="hots"):
        CHANGES.add_node(plan, "X", {"kind": "hots"})
    faulty: list[dict[str, Any]] = [{"wieght": 2}, {"prefix": "192.0.2.0/25"}, {"weight": "x"}]
    for attributes in faulty:
        with pytest.raises(EmuError):
            add_link(plan, "HOST1", "HOST2", **attributes)
    with pytest.raises(UsageError, match="has no trace; begin one by a schedule"):
        add_link(plan, "HOST1", "HOST2", trace="lte-walk")
    with pytest.raises(EmuError, match="itself"):
        add_link(plan, "HOST1", "HOST1")


def test_a_link_that_holds_a_segment_together_stays() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(["S1", "S2"], kind="switch")
    graph.add_edges_from([("S1", "S2"), ("A", "S1"), ("B", "S2")])
    plan = emu.plan_for(graph)
    number = next(n for n, link in enumerate(plan.links) if {one for one, _ in link.ends} == {"S1", "S2"})
    with pytest.raises(UsageError, match="holds the segment"):
        CHANGES.remove_link(plan, number)
    alone = CHANGES.remove_node(plan, "B")
    number = next(n for n, link in enumerate(alone.links) if {one for one, _ in link.ends} == {"S1", "S2"})
    assert len(CHANGES.remove_link(alone, number).links) == 1


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_topology_is_read_back(name: str, suffix: str, tmp_path: Path) -> None:
    plan = emu.plan_for(build(name))
    assert without_remarks(saved(plan, tmp_path / f"saved{suffix}")) == without_remarks(plan)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_changed_network_is_read_back(suffix: str, tmp_path: Path) -> None:
    plan = emu.plan_for(nx.complete_graph(4), families=(4, 6))
    plan = CHANGES.remove_link(plan, 1)
    plan = add_link(CHANGES.add_node(plan, "X", {"label": "São Paulo"}), "X", "n0", weight=3)
    plan = add_link(plan, "n1", "X")
    plan = CHANGES.remove_node(plan, "n2")
    again = saved(plan, tmp_path / f"saved{suffix}")
    assert without_remarks(again) == without_remarks(plan)


@given(networks(8), st.data())
@settings(max_examples=40, deadline=None)
def test_any_change_keeps_what_exists(graph: nx.Graph, data: st.DataObject) -> None:
    plan = emu.plan_for(graph)
    for _ in range(3):
        names = [node.name for node in plan.nodes]
        before, what = interfaces(plan), data.draw(st.sampled_from(["node", "link", "unlink", "remove"]))
        with contextlib.suppress(EmuError):  # what cannot be done is refused
            if what == "node":
                kind = data.draw(st.sampled_from(["host", "router", "switch"]))
                plan = CHANGES.add_node(plan, f"X{len(names)}", {"kind": kind})
            elif what == "link":
                a, b = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
                plan = add_link(plan, a, b)
            elif what == "unlink" and plan.links:
                plan = CHANGES.remove_link(plan, data.draw(st.integers(0, len(plan.links) - 1)))
            elif what == "remove":
                plan = CHANGES.remove_node(plan, data.draw(st.sampled_from(names)))
        after = interfaces(plan)
        assert all(before[end] == after[end] for end in before.keys() & after.keys())
