"""What emu reads graphs from, and what it says of files that are none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.hooks.plugin_manager import default_plugins
from emu.reading.sources import graph_from

from .graphs import plan_or_fault

SUFFIXES = (".graphml", ".gml", ".json")
GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{}</graphml>'


def read(path: Path, content: str | bytes) -> nx.Graph:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return graph_from(str(path))


def fault(path: Path, content: str | bytes) -> str:
    """Return the one line that a file's fault gets."""
    with pytest.raises(emu.UsageError) as caught:
        read(path, content)
    text = str(caught.value)
    assert text.startswith(f"read {path}: ")
    assert text.isprintable()
    return text.removeprefix(f"read {path}: ")


# -- graphs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["edges", "links"])
def test_node_link_json(tmp_path: Path, key: str) -> None:
    """`links` is what networkx wrote before 3.4, and what D3 has."""
    content = {
        "directed": False,
        "multigraph": False,
        "graph": {"name": "lab"},
        "nodes": [{"id": "A", "kind": "host"}, {"id": [0, 1]}],
        key: [{"source": "A", "target": [0, 1], "weight": 2}],
    }
    graph = read(tmp_path / "x.json", json.dumps(content))
    assert type(graph) is nx.Graph
    assert dict(graph.nodes(data=True)) == {"A": {"kind": "host"}, (0, 1): {}}
    assert [*graph.edges(data=True)] == [("A", (0, 1), {"weight": 2})]
    assert graph.graph["name"] == "lab"


@pytest.mark.parametrize("graph_class", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_what_networkx_writes(tmp_path: Path, graph_class: Any) -> None:
    graph = graph_class([("b", "a", {"weight": 3}), ("a", "b", {"weight": 2}), ("b", "c")], name="lab")
    (tmp_path / "x.json").write_text(json.dumps(nx.node_link_data(graph)))
    nx.write_gml(graph, tmp_path / "x.gml")
    nx.write_graphml(graph, tmp_path / "x.graphml")
    plans = [emu.plan_for(graph_from(str(tmp_path / f"x{suffix}"))) for suffix in SUFFIXES]
    assert plans == [emu.plan_for(graph)] * len(SUFFIXES)


def test_json_that_does_not_say_may_have_parallel_links(tmp_path: Path) -> None:
    ends = {"source": 1, "target": 2}
    graph = read(tmp_path / "x.json", json.dumps({"nodes": [{"id": 1}, {"id": 2}], "edges": [ends, ends]}))
    assert graph.number_of_edges() == 2


def test_a_file_without_a_name_is_called_after_itself(tmp_path: Path) -> None:
    graph = read(tmp_path / "abilene.gml", 'graph [ node [ id 0 label "A" ] ]')
    assert emu.plan_for(graph).name == "abilene"


def test_gml_labels_may_repeat_or_be_missing(tmp_path: Path) -> None:
    nodes = 'node [ id 0 label "None" ] node [ id 1 label "None" ] node [ id 2 ]'
    graph = read(tmp_path / "x.gml", f"graph [ {nodes} edge [ source 0 target 1 ] ]")
    names = [(node.name, node.label) for node in emu.plan_for(graph).nodes]
    assert names == [("None", "None"), ("None-2", "None"), ("n2", "2")]


@pytest.mark.parametrize("content", ["Zürich".encode(), "Zürich".encode("latin-1"), b"Z&#252;rich"])
def test_gml_beyond_ascii(tmp_path: Path, content: bytes) -> None:
    graph = read(tmp_path / "x.gml", b'graph [\r\n node [ id 0\r\n label "' + content + b'" ]\r\n]\r\n')
    assert emu.plan_for(graph).nodes[0].label == "Zürich"


def test_graphml_of_yed(tmp_path: Path) -> None:
    """yEd keeps labels inside of its own elements."""
    key = '<key id="d0" for="node" yfiles.type="nodegraphics"/>'
    space = 'xmlns:y="http://www.yworks.com/xml/graphml"'
    label = f"<y:ShapeNode {space}><y:NodeLabel>A host</y:NodeLabel></y:ShapeNode>"
    node = f'<node id="n0"><data key="d0">{label}</data></node>'
    graph = read(tmp_path / "x.graphml", GRAPHML.format(f'{key}<graph edgedefault="directed">{node}</graph>'))
    assert [(node.name, node.label) for node in emu.plan_for(graph).nodes] == [("A-host", "A host")]


def test_graphml_attributes_have_types(tmp_path: Path) -> None:
    keys = (
        '<key id="k" for="node" attr.name="kind" attr.type="string"/>'
        '<key id="w" for="edge" attr.name="weight" attr.type="int"/>'
    )
    content = (
        '<graph edgedefault="undirected"><node id="a"><data key="k">router</data></node>'
        '<edge source="a" target="b"><data key="w">7</data></edge></graph>'
    )
    graph = read(tmp_path / "x.graphml", GRAPHML.format(keys + content))
    assert graph.nodes["a"] == {"kind": "router"}
    assert graph.edges["a", "b"] == {"weight": 7}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_format_adds_no_attributes_of_its_own(tmp_path: Path, suffix: str) -> None:
    """What emu leaves alone is named to the user, who wrote none of it."""
    graph: Any = nx.MultiGraph([("a", "b"), ("a", "b")])
    path = tmp_path / f"x{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps(nx.node_link_data(graph)))
    elif suffix == ".gml":
        nx.write_gml(graph, path)
    else:
        nx.write_graphml(graph, path)
    assert emu.plan_for(graph_from(str(path))).notes == ()


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\x00\xff\xfe\x01" * 50, "it is not "),
        (b"hello", "it is not "),
    ],
)
def test_a_file_that_is_no_graph(tmp_path: Path, suffix: str, content: bytes, reason: str) -> None:
    assert fault(tmp_path / f"x{suffix}", content).startswith(reason)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".json", "[" * 200_000),
        (".json", '{"nodes":' * 200_000),
        (".gml", "graph [ " + "a [ " * 200_000),
        (".graphml", "<graphml>" + "<a>" * 200_000),
    ],
)
def test_a_file_that_is_nested_too_deeply(tmp_path: Path, suffix: str, content: str) -> None:
    assert fault(tmp_path / f"x{suffix}", content).endswith("it is nested too deeply")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", 'it looks like {"nodes": ['),
        ('{"nodes": []}', 'it looks like {"nodes": ['),
        ('{"nodes": {}, "edges": []}', 'it looks like {"nodes": ['),
        ('{"nodes": [7], "edges": []}', "nodes[0]: 7 is no object; it looks like"),
        ('{"nodes": [{"name": "A"}], "edges": []}', "nodes[0]: it has no 'id'"),
        ('{"nodes": [{"id": {}}], "edges": []}', "nodes[0]: 'id' is {}, which is no name"),
        ('{"nodes": [{"id": 1}, {"id": 1}], "edges": []}', "nodes[1]: a second node 1"),
        ('{"nodes": [{"id": 1}], "edges": [{"source": 1}]}', "edges[0]: it has no 'target'"),
        ('{"nodes": [{"id": 1}], "edges": [{"source": 1, "target": "B"}]}', "edges[0]: 'B' is not a node"),
        ('{"nodes": [{"id": 1}', "delimiter: line 1 column"),
    ],
)
def test_json_of_another_kind(tmp_path: Path, content: str, reason: str) -> None:
    text = fault(tmp_path / "x.json", content)
    assert text.startswith("it is not node-link JSON: ")
    assert reason in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<svg/>", "its root element is <svg>, not <graphml>"),
        ("<graphml>", "no element found"),
        (GRAPHML.format("<graph><hyperedge/></graph>"), "hyperedges"),
        ('<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><graphml>&b;</graphml>', "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><graphml/>', "document type"),
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><graphml/>'.encode("utf-16"), "document type"),
    ],
)
def test_graphml_of_another_kind(tmp_path: Path, content: str | bytes, reason: str) -> None:
    assert reason in fault(tmp_path / "x.graphml", content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("graph [ node [ id 0 ] edge [ source 0 target 9 ] ]", "undefined target"),
        ("graph [ node [ label 0 ] ]", "has no 'id'"),
        ("graph [ node [ id 0 ]", "EOF"),
        ('creator "me"', "no graph"),
    ],
)
def test_gml_of_another_kind(tmp_path: Path, content: str, reason: str) -> None:
    assert reason in fault(tmp_path / "x.gml", content)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "abilene.gml").touch()
    with pytest.raises(emu.UsageError, match=r"abilen\.gml: no such file; did you mean abilene\.gml\?$"):
        graph_from(str(tmp_path / "abilen.gml"))
    with pytest.raises(emu.UsageError, match=r"read .*x\.gml: no such file$"):
        graph_from(str(tmp_path / "no" / "x.gml"))


def test_a_folder_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(emu.UsageError, match=r"read .*x\.json: (it is a folder|Is a directory)"):
        graph_from(str(tmp_path / "x.json"))


def test_a_pipe_nobody_writes_to_is_no_graph(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(emu.UsageError, match=r"x\.json: it is no regular file$"):
        graph_from(str(tmp_path / "x.json"))


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is acted."""

    def refuse(*_: object, **options: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(emu.UsageError, match=r"^read x\.json: Permission denied$"):
        graph_from("x.json")


def test_a_file_of_another_suffix(tmp_path: Path) -> None:
    suffixes = ".py, .yaml, .dot, .graphml, .gml, .json"
    assert fault(tmp_path / "x.txt", "hello") == f"its name must end in one of {suffixes}"


def test_other_plugins_may_read_any_file(tmp_path: Path) -> None:
    class Plugin:
        @emu.hookimpl
        def emu_load_graph(self, source: str) -> nx.Graph | None:
            return nx.path_graph(3) if source.endswith(".txt") else None

    plugins = default_plugins()
    path = tmp_path / "x.txt"
    path.touch()
    plugins.manager.register(Plugin(), "test")
    try:
        assert len(graph_from(str(path))) == 3
    finally:
        plugins.manager.unregister(name="test")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["id", "source", "target", "key", "kind", "label", "weight", "prefix", "addresses", "pos", "x"]
    ), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


NODES = st.fixed_dictionaries({}, optional={"kind": JSON, "label": JSON, "prefix": JSON, "pos": JSON})
EDGES = st.fixed_dictionaries(
    {"source": st.integers(0, 3), "target": st.integers(0, 3)},
    optional={"key": JSON, "weight": JSON, "prefix": JSON, "addresses": JSON},
)


@given(
    nodes=st.lists(NODES, min_size=4, max_size=4), edges=st.lists(EDGES, max_size=4), graph=JSON,
    multigraph=JSON, more=st.none() | JSON,
)  # fmt: skip
def test_any_json_is_a_plan_or_one_line(
    tmp_path: Path, nodes: list[Any], edges: list[Any], graph: Any, multigraph: Any, more: Any
) -> None:  # fmt: skip
    nodes = [{"id": number, **node} for number, node in enumerate(nodes)] + ([more] if more else [])
    content = {"nodes": nodes, "edges": edges, "graph": graph, "multigraph": multigraph}
    assert plan_or_fault(tmp_path / "x.json", json.dumps(content).encode()).isprintable()


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(content=st.binary(max_size=60) | st.text("<>/graphml[]{}\"'nodeidsource =0\n&;").map(str.encode))
def test_any_bytes_are_a_graph_or_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    assert plan_or_fault(tmp_path / f"x{suffix}", content).isprintable()
