"""A host for every router: who gets one, what it is called, where it is drawn, and the option."""

from __future__ import annotations

import json
import math
from typing import Any

import click
import networkx as nx
import pytest
from click.testing import CliRunner
from hypothesis import given

import emu
from emu.arguments import takes_topology
from emu.errors import TopologyError, UsageError
from emu.hooks.plugin_manager import default_plugins
from emu.topologies.two_segment import two_segment

from .graphs import GRAPHS, networks


def kinds(graph: nx.Graph) -> dict[str, str]:
    return {node.name: str(node.kind) for node in emu.plan_for(graph).nodes}


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_a_plain_graph_becomes_routers_with_a_host_each(graph: nx.Graph) -> None:
    before = len(graph), graph.number_of_edges()
    found = kinds(emu.with_hosts(graph))
    routers = [name for name, kind in found.items() if kind == "router"]
    assert len(routers) == len(graph)
    assert [name for name, kind in found.items() if kind == "host"] == [f"H-{name}" for name in routers]
    assert (len(graph), graph.number_of_edges()) == before


@given(graph=networks())
def test_other_nodes_and_links_stay_as_they_are(graph: nx.Graph) -> None:
    before, after = emu.plan_for(graph), emu.plan_for(emu.with_hosts(graph))
    names = [node.name for node in before.nodes]
    assert [(node.name, node.kind) for node in after.nodes][: len(names)] == [
        (node.name, node.kind) for node in before.nodes
    ]
    for old, new in zip(before.nodes, after.nodes, strict=False):
        assert [one.name for one in new.interfaces][: len(old.interfaces)] == [
            one.name for one in old.interfaces
        ]
        assert len(new.interfaces) - len(old.interfaces) == (old.kind == "router")
    assert len(after.nodes) == len(names) + sum(node.kind == "router" for node in before.nodes)


def test_hosts_and_switches_get_none() -> None:
    found = kinds(emu.with_hosts(two_segment()))
    assert found == {"HOST1": "host", "ROUTER": "router", "HOST2": "host", "H-ROUTER": "host"}


@pytest.mark.parametrize("make", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_any_class_of_graph_also_frozen_or_a_view(make: Any) -> None:
    graph = nx.freeze(make([(1, 2), (2, 3)]))
    assert type(emu.with_hosts(graph)) is make
    assert list(kinds(emu.with_hosts(graph.subgraph([1, 2])))) == ["n1", "n2", "H-n1", "H-n2"]


def test_names_that_are_taken_repeated_or_no_host_names() -> None:
    graph: nx.Graph = nx.Graph([("New York", "H-New-York"), ("New York", 7), (7, 8)])
    graph.nodes[7]["label"] = graph.nodes[8]["label"] = "Łódź"
    found = kinds(emu.with_hosts(graph))
    assert list(found.values()) == ["router"] * 4 + ["host"] * 4
    assert list(found)[4:] == ["H-New-York-2", "H-H-New-York", *(f"H-{name}" for name in list(found)[2:4])]


def test_a_wrong_kind_is_told_of_as_without_the_option() -> None:
    graph: nx.Graph = nx.Graph([("a", "b")])
    graph.nodes["a"]["kind"] = "ruter"
    with pytest.raises(TopologyError, match=r"node a: unknown kind 'ruter'; did you mean router\?"):
        emu.plan_for(emu.with_hosts(graph))


def test_what_is_no_graph() -> None:
    wrong: Any = [1, 2]
    with pytest.raises(UsageError, match=r"add hosts to \[1, 2\]: it is not a networkx graph"):
        emu.with_hosts(wrong)


def test_hosts_lie_beside_their_routers_and_apart_from_all_else() -> None:
    graph: nx.Graph = nx.grid_2d_graph(3, 3)
    nx.set_node_attributes(graph, {node: node for node in graph}, "pos")
    found = emu.plan_for(emu.with_hosts(graph)).nodes
    assert all(node.position is not None for node in found)
    places: list[tuple[float, float]] = [node.position for node in found if node.position]
    for router, host in zip(places[:9], places[9:], strict=True):
        assert 0.1 < math.dist(router, host) < 0.5
    assert all(math.dist(a, b) > 0.1 for n, a in enumerate(places) for b in places[:n])


def test_positions_that_coincide_or_are_alone() -> None:
    graph: nx.Graph = nx.Graph([(1, 2)])
    graph.add_node(3)
    graph.add_nodes_from([1, 2, 3], pos=(4.0, 5.0))
    for node in emu.plan_for(emu.with_hosts(graph)).nodes[3:]:
        assert node.position is not None
        assert node.position != (4.0, 5.0)


# -- the option -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "plan", "graph"])
def test_every_command_with_a_topology_has_the_same_options(name: str) -> None:
    @click.command
    @takes_topology
    def bare(graph: nx.Graph) -> None:
        """Only for its options."""

    command = default_plugins().cli_group(click.Group()).commands[name]
    common = {option for parameter in bare.params for option in parameter.opts}
    assert {"topology", "--set", "--with-hosts", "-4", "-6"} <= common
    assert common <= {option for parameter in command.params for option in parameter.opts}
    assert "TOPOLOGY is " in (command.help or "")


def planned(*words: str) -> dict[str, Any]:
    command = default_plugins().cli_group(click.Group()).commands["plan"]
    done = CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_the_option_gives_hosts_and_a_family() -> None:
    found = planned("two_segment", "--with-hosts", "-6")
    assert [node["name"] for node in found["nodes"]] == ["HOST1", "ROUTER", "HOST2", "H-ROUTER"]
    assert found["families"] == [6]
    assert planned("two_segment")["families"] != [6]
