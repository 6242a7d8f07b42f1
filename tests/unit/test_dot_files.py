"""What emu reads of DOT, the language of Graphviz, and what it says of files that are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.reading.sources import graph_from

from .graphs import plan_or_fault

MANY = " ".join(map(str, range(1100)))


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "lab.dot"
    path.write_bytes(text.encode())
    return graph_from(str(path))


def fault(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "lab.dot"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(emu.UsageError) as caught:
        graph_from(str(path))
    assert str(caught.value).startswith(f"read {path}: ")
    assert str(caught.value).isprintable()
    return str(caught.value).removeprefix(f"read {path}: ")


def test_nodes_links_and_attributes(tmp_path: Path) -> None:
    text = 'graph lab { families=4; A [kind=host, label="Alice"]; A -- B [weight=2.5; prefix="10.1.0.0/24"] }'
    graph = read(tmp_path, text)
    assert graph.graph == {"name": "lab", "families": 4}
    assert dict(graph.nodes(data=True)) == {"A": {"kind": "host", "label": "Alice"}, "B": {}}
    assert [*graph.edges(data=True)] == [("A", "B", {"weight": 2.5, "prefix": "10.1.0.0/24"})]
    plan = emu.plan_for(graph)
    assert (plan.notes, str(plan.segments[0].prefixes[0])) == ((), "10.1.0.0/24")


@pytest.mark.parametrize(
    ("head", "kind", "links"),
    [
        ("graph", nx.MultiGraph, 2),
        ("digraph", nx.MultiDiGraph, 2),
        ("strict graph", nx.Graph, 1),
        ("Strict DiGraph", nx.DiGraph, 1),
    ],
)
def test_kinds_of_graphs(tmp_path: Path, head: str, kind: Any, links: int) -> None:
    operator = "->" if "di" in head.lower() else "--"
    graph = read(tmp_path, f"{head} {{ a {operator} b; a {operator} b }}")
    assert type(graph) is kind
    assert graph.number_of_edges() == links


def test_directions_that_differ_are_one_link(tmp_path: Path) -> None:
    plan = emu.plan_for(read(tmp_path, "digraph { a -> b [weight=2]; b -> a [weight=3] }"))
    assert len(plan.links) == 1
    assert [node.interfaces[0].weight for node in plan.nodes] == [2, 3]


def test_a_subgraph_stands_for_its_nodes(tmp_path: Path) -> None:
    graph = read(tmp_path, "graph { a -- {b c} -- subgraph s { d } }")
    assert {frozenset(pair) for pair in graph.edges()} == {
        frozenset(pair) for pair in ("ab", "ac", "bd", "cd")
    }  # fmt: skip


def test_defaults_hold_from_their_line_on_and_within_their_subgraph(tmp_path: Path) -> None:
    text = (
        "graph { z; node [kind=router]; edge [weight=5]; a -- z;"
        " subgraph cluster_1 { node [kind=host]; edge [weight=7] b -- a } c -- a }"
    )
    graph = read(tmp_path, text)
    kinds = {name: given.get("kind") for name, given in graph.nodes(data=True)}
    assert kinds == {"z": None, "a": "router", "b": "host", "c": "router"}
    assert [weight for *_, weight in graph.edges(data="weight")] == [5, 7, 5]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("plain_1", "plain_1"),
        ("Zürich", "Zürich"),
        ("-.5", "-.5"),
        ("nodeA", "nodeA"),
        ('"node"', "node"),
        ('"a b: c"', "a b: c"),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"C:\\dir\x"', r"C:\dir\x"),
        ('"long" + "er"', "longer"),
        ('"two\\\n lines"', "two lines"),
        ('"// /* no comment"', "// /* no comment"),
        ("a:port:ne", "a"),
        ('"a":port', "a"),
    ],
)
def test_names(tmp_path: Path, written: str, name: str) -> None:
    assert [*read(tmp_path, f"graph {{ {written} -- other }}")] == [name, "other"]


@pytest.mark.parametrize(
    ("written", "label"),
    [
        (r'"two\nlines\l"', "two lines"),
        (r'"\N is R&amp;D"', "a is R&D"),
        ("<<b>São</b> <i>Paulo</i>>", "São Paulo"),
        ("7", "7"),
        ('""', "a"),
    ],
)
def test_labels(tmp_path: Path, written: str, label: str) -> None:
    graph = read(tmp_path, f"graph {{ a [label={written}] }}")
    assert emu.plan_for(graph).nodes[0].label.strip() == label


def test_comments_and_what_is_only_drawn(tmp_path: Path) -> None:
    text = (
        "\ufeff/* a */ graph { // b\n# 1 preprocessor\nrankdir=LR; pack=true; node [shape=box][color=red];"
        'a [pos="1,2!", height=3 width=4,]; a -- b [label="10 km" color="#ff0000"] }'
    )
    plan = emu.plan_for(read(tmp_path, text))
    assert plan.notes == ()
    assert plan.nodes[0].position == (1, 2)
    assert plan.nodes[0].label == "a"


def test_a_misspelt_attribute_is_told(tmp_path: Path) -> None:
    with pytest.raises(emu.TopologyError, match="unknown attribute 'wieght'; did you mean 'weight'"):
        emu.plan_for(read(tmp_path, "graph { a -- b [wieght=2] }"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("hello", "it is not DOT: line 1: 'hello' cannot stand in column 1"),
        ("graph {\n a -- ; }", "it is not DOT: line 2: ';' cannot stand in column 7"),
        ("graph { a -- b", "it is not DOT: it ends too early; a brace } is missing"),
        ("graph { 10.0.0.1 }", "it is not DOT: line 1: '1' cannot stand in column 9"),
        ("graph { a } graph { b }", "it is not DOT: line 1: 'graph' cannot stand in column 13"),
        (b"graph { \xff }", "it is not DOT: it is a binary file, or text that is not UTF-8"),
        (b"\x00\x01" * 50, "it is not DOT: line 1: '\\x00' cannot stand in column 1"),
        ("graph {" + "{" * 300 + "}" * 301, "it is not DOT: it is nested too deeply"),
        (f"graph {{ {{{MANY}}} -- {{{MANY}}} }}", "it is not DOT: it has more than 1,000,000 links"),
    ],
)
def test_a_file_that_is_no_graph(tmp_path: Path, text: str | bytes, reason: str) -> None:
    assert fault(tmp_path, text) == reason


def test_a_file_without_its_package_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "lark", None)
    assert fault(tmp_path, "graph { a }") == "DOT needs the package lark: pip install 'emunet[dot]'"


@given(content=st.text('graph digraph{}[]<>"\\;:=-,+ab01\n/*#&é').map(str.encode) | st.binary(max_size=40))
def test_any_bytes_are_a_plan_or_one_line(tmp_path: Path, content: bytes) -> None:
    for text in (content, b"graph {" + content + b"}"):
        assert plan_or_fault(tmp_path / "lab.gv", text).isprintable()
