"""What holds of every topology that emu brings, and of its parameters."""

from __future__ import annotations

import doctest
import inspect
import itertools
import os
import subprocess
import sys

import networkx as nx
import pytest

import emu
from emu.reading.sources import graph_from, parameters_of

from .library import NAMES, REGISTRY, build, kind_of, kinds, of_kind


def test_the_library_is_there() -> None:
    assert set(NAMES) == {
        "dumbbell", "fat_tree", "grid", "internet", "leaf_spine", "line", "linear", "mesh", "one_router",
        "parking_lot", "ring", "single", "star", "three_hosts", "torus", "tree", "two_hosts", "two_routers",
        "two_segment",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
class TestEvery:
    def test_is_connected_and_named_and_says_what_each_node_is(self, name: str) -> None:
        graph = build(name)
        assert graph.graph["name"] == name
        assert nx.is_connected(graph)
        assert set(kind_of(graph)) == set(graph)
        assert set(kinds(graph)) <= {"host", "router", "switch"}
        assert kinds(graph)["host"] >= 2

    def test_its_plan_is_the_graph(self, name: str) -> None:
        """Nodes keep names and kinds, interfaces are called after them, nothing is warned or noted."""
        graph = build(name)
        plan = emu.plan_for(graph)
        assert {node.name: node.kind for node in plan.nodes} == kind_of(graph)
        assert len(plan.links) == graph.number_of_edges()
        for node in plan.nodes:
            names = [interface.name for interface in node.interfaces]
            assert names == [f"{node.name}-veth{number}" for number in range(graph.degree[node.name])]
        assert not plan.warnings + plan.notes

    def test_each_segment_has_one_prefix_of_its_own(self, name: str) -> None:
        graph = build(name)
        plan = emu.plan_for(graph)
        switches = of_kind(graph, "switch")
        routed = graph.subgraph(set(graph) - set(switches))
        bridged = graph.subgraph(switches)
        assert len(plan.segments) == routed.number_of_edges() + nx.number_connected_components(bridged)
        for family in plan.families:
            prefixes = [one for segment in plan.segments for one in segment.prefixes if one.version == family]
            assert len(prefixes) == len(plan.segments)
            assert not any(a.overlaps(b) for a, b in itertools.combinations(prefixes, 2))
        addresses = [address.ip for node in plan.nodes for address in node.addresses]
        assert len(set(addresses)) == len(addresses)

    def test_all_parameters_have_defaults_and_are_explained(self, name: str) -> None:
        summary, *_ = text = (inspect.getdoc(REGISTRY[name]) or "").splitlines()
        assert summary.endswith(".")
        assert len(summary) <= 80
        for parameter in parameters_of(REGISTRY[name]).values():
            assert parameter.default is not parameter.empty
            assert type(parameter.default) is parameter.annotation
            assert any(line.startswith(f"    {parameter.name}: ") for line in text)

    def test_its_example_works(self, name: str) -> None:
        function = REGISTRY[name]
        finder = doctest.DocTestFinder(recurse=False)
        examples = finder.find(function, name, globs=dict(function.__globals__))
        results = [doctest.DocTestRunner().run(example) for example in examples]
        assert sum(result.attempted for result in results) >= 1
        assert not any(result.failed for result in results)


def test_plans_are_the_same_in_every_process() -> None:
    script = (
        "import emu; from emu.hooks.plugin_manager import default_plugins as plugins\n"
        f"for name in {NAMES}:\n"
        "    graph = plugins().topologies[name]()\n"
        "    print(emu.plan_for(graph).to_json())\n"
        "    graph.graph.update(loopbacks=True, packed=True)\n"
        "    print(emu.plan_for(graph).to_json())"
    )
    here = []
    for name in NAMES:
        here.append(emu.plan_for(graph := build(name)).to_json())
        graph.graph.update(loopbacks=True, packed=True)
        here.append(emu.plan_for(graph).to_json())
    there = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert there.stdout.splitlines() == here


# -- parameters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("single", ["hosts=0"], "topology single: hosts must be at least 1, not 0"),
        ("star", ["hosts=-3"], "topology star: hosts must be at least 1, not -3"),
        ("line", ["routers=-1"], "topology line: routers must be at least 0, not -1"),
        ("linear", ["switches=0"], "topology linear: switches must be at least 1, not 0"),
        ("linear", ["hosts=0"], "topology linear: hosts must be at least 1, not 0"),
        ("tree", ["depth=0"], "topology tree: depth must be at least 1, not 0"),
        ("tree", ["fanout=0"], "topology tree: fanout must be at least 1, not 0"),
        ("ring", ["routers=2"], "topology ring: routers must be at least 3, not 2"),
        ("mesh", ["routers=1"], "topology mesh: routers must be at least 2, not 1"),
        ("grid", ["rows=0"], "topology grid: rows must be at least 1, not 0"),
        ("grid", ["columns=-1"], "topology grid: columns must be at least 1, not -1"),
        ("torus", ["rows=2"], "topology torus: rows must be at least 3, not 2"),
        ("torus", ["columns=2"], "topology torus: columns must be at least 3, not 2"),
        ("dumbbell", ["left=0"], "topology dumbbell: left must be at least 1, not 0"),
        ("dumbbell", ["right=0"], "topology dumbbell: right must be at least 1, not 0"),
        ("parking_lot", ["hops=0"], "topology parking_lot: hops must be at least 1, not 0"),
        ("leaf_spine", ["leaves=0"], "topology leaf_spine: leaves must be at least 1, not 0"),
        ("leaf_spine", ["spines=0"], "topology leaf_spine: spines must be at least 1, not 0"),
        ("leaf_spine", ["hosts=-1"], "topology leaf_spine: hosts must be at least 0, not -1"),
        ("fat_tree", ["k=3"], "topology fat_tree: k must be even and at least 2, not 3"),
        ("fat_tree", ["k=0"], "topology fat_tree: k must be even and at least 2, not 0"),
        ("fat_tree", ["k=-2"], "topology fat_tree: k must be even and at least 2, not -2"),
        ("internet", ["systems=9"], "topology internet: systems must be at least 10, not 9"),
        ("ring", ["routers=many"], "set routers='many': routers must be int"),
    ],
)
def test_parameters_out_of_range(source: str, settings: list[str], message: str) -> None:
    with pytest.raises(emu.UsageError) as caught:
        graph_from(source, settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        (name, [f"{parameter.name}={10**number}"])
        for name in NAMES
        for parameter in parameters_of(REGISTRY[name]).values()
        if parameter.annotation is int and parameter.name != "seed"
        for number in (6, 30)
    ],
    ids=str,
)
def test_what_no_machine_can_hold_is_refused_at_once(source: str, settings: list[str]) -> None:
    with pytest.raises(emu.UsageError, match=f"topology {source}: it would have more than 100,000 links"):
        graph_from(source, settings)


def test_a_network_may_be_as_large_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emu.topologies.MOST_LINKS", 30)
    for name, largest, larger in (
        ("star", {"hosts": 30}, {"hosts": 31}),
        ("tree", {"depth": 4}, {"depth": 5}),
        ("mesh", {"routers": 7}, {"routers": 8}),
        ("line", {"routers": 29}, {"routers": 30}),
    ):
        assert build(name, **largest).number_of_edges() <= 30
        with pytest.raises(emu.UsageError, match="more than 30 links; choose smaller parameters"):
            build(name, **larger)


def test_settings_of_the_command_line_reach_the_function() -> None:
    graph = graph_from("grid", ["rows=2", "columns=5", "hosts=no"])
    assert nx.is_isomorphic(graph, nx.grid_2d_graph(2, 5))
