"""Exported files give back the plan that they were written from; DOT keeps Graphviz's quoting rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import networkx as nx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import emu
from emu.export import export_plan
from emu.hooks.plugin_manager import PluginManager, default_plugins
from emu.planning.plan import Plan
from emu.plugins.export_dot import dot_lines, label, quoted
from emu.reading.sources import graph_from

READ_BACK = (".json", ".graphml", ".gml", ".dot", ".gv")
CLASSES = (nx.Graph, nx.MultiGraph, nx.DiGraph, nx.MultiDiGraph)

NAMES = st.one_of(
    st.integers(-3, 40),
    st.text(max_size=12),
    st.sampled_from(["HOST1", "host1", "node", "node-2", "Zürich", "東京", "a b", "a/b", "10"]),
    st.sampled_from(["", " ", 'q"\\', "&amp;", "<b>", "]]>"]),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.frozensets(st.integers(0, 3), max_size=1),
)
WEIGHTS = st.one_of(st.none(), st.integers(1, 9), st.floats(1e-4, 1e4))


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Graphs of every class, with switches, labels that repeat, and weights that differ by direction."""
    graph: Any = draw(st.sampled_from(CLASSES))(name=draw(st.sampled_from(["lab", "Netz ä", 'a "b" & <c>'])))
    if draw(st.booleans()):
        graph.graph["families"] = draw(st.sampled_from([4, 6, "4 6"]))
    graph.graph["loopbacks"] = draw(st.booleans())
    graph.graph["routes"] = draw(st.sampled_from(["compressed", "full", "hosts", "none"]))
    names = draw(st.lists(NAMES, min_size=1, max_size=10, unique=True))
    for name in names:
        graph.add_node(name)
        kind = draw(st.sampled_from([None, None, "host", "router", "switch"]))
        label = draw(st.sampled_from([None, None, None, "same", "Same", "x" * 80, "tab\there\r\n", ""]))
        place = draw(st.one_of(st.none(), st.tuples(*[st.floats(-180, 180)] * 2)))
        given = {"kind": kind, "label": label, "pos": place}
        graph.nodes[name].update({key: value for key, value in given.items() if value is not None})
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda pair: pair[0] != pair[1])
    for a, b in draw(st.lists(pairs, max_size=14)) if len(names) > 1 else []:
        weight = draw(WEIGHTS)
        graph.add_edge(a, b, **({} if weight is None else {"weight": weight}))
    return graph


def read_back(plan: Plan, path: Path) -> Plan:
    plugins = default_plugins()
    export_plan(plan, path, plugins)
    return plugins.plan_for(graph_from(str(path), plugins=plugins))


def lab() -> Any:
    """A graph with something of everything: kinds, pins, a weight, a label, a switch, parallel links."""
    graph: Any = nx.MultiGraph(name="lab")
    graph.add_node("A", kind="host", label="Alice")
    graph.add_node("S", kind="switch", prefix="192.0.2.0/24")
    graph.add_node("R", loopback="203.0.113.1", routes={"default": ["198.51.100.1", "192.0.2.77"]})
    graph.add_node("Q", pos=(1.5, -2), routes={"198.18.0.0/15": "unreachable", "::/0": "2001:db8::9"})
    graph.add_edge("A", "S", addresses={"A": "192.0.2.77"})
    graph.add_edge("S", "R", macs={"R": "02:00:00:00:00:99"})
    graph.add_edge("R", "Q", weight=2.5, prefix="2001:db8::/64 198.51.100.0/24")
    graph.add_edge("R", "Q")
    return graph


@pytest.mark.parametrize("suffix", READ_BACK)
@given(graph=graphs())
@example(graph=lab())
@example(graph=nx.MultiDiGraph([("b", "a", {"weight": 2}), ("a", "b", {"weight": 3}), ("b", "a")]))
@example(graph=nx.MultiDiGraph([("a", "b"), ("b", "c"), ("b", "a", 7)]))
@example(graph=nx.DiGraph([(2, 1), (1, 0), (0, 2)]))
def test_a_file_gives_back_the_plan(tmp_path: Path, suffix: str, graph: Any) -> None:
    plan = default_plugins().plan_for(graph)
    if suffix in {".dot", ".gv"}:  # in which people draw points by giving them empty labels
        assume(all(node.label.strip() for node in plan.nodes))
    assert read_back(plan, tmp_path / f"graph{suffix}") == plan


@pytest.mark.parametrize("suffix", READ_BACK)
def test_a_file_holds_what_was_pinned_and_what_was_not(tmp_path: Path, suffix: str) -> None:
    """A link added to the file later renumbers nothing."""
    plan = emu.plan_for(lab())
    path = tmp_path / f"lab{suffix}"
    export_plan(plan, path, default_plugins())
    graph = graph_from(str(path))
    graph.add_edge(next(iter(graph)), "new")
    grown = emu.plan_for(graph)
    assert {*plan.node("A").addresses} < {*grown.node("A").addresses}
    assert grown.segments[: len(plan.segments)] == plan.segments


def test_networkx_reads_the_files(tmp_path: Path) -> None:
    plan = emu.plan_for(lab())
    for suffix in (".json", ".graphml", ".gml"):
        export_plan(plan, tmp_path / f"lab{suffix}", default_plugins())
    content = json.loads((tmp_path / "lab.json").read_text())
    read = [
        nx.node_link_graph({**content, "links": content["edges"]}),
        nx.read_graphml(tmp_path / "lab.graphml"),
        nx.read_gml(tmp_path / "lab.gml", label="id"),
    ]
    read[2] = nx.relabel_nodes(read[2], dict(enumerate(read[0])))  # its nodes are numbers
    for graph in read:
        assert [*graph] == ["A", "S", "R", "Q"]
        assert graph.nodes["A"]["label"] == "Alice"
        assert sorted(graph.edges()) == sorted([("A", "S"), ("S", "R"), ("R", "Q"), ("R", "Q")])
        assert graph.is_multigraph()
        assert not graph.is_directed()
        assert graph.graph["name"] == "lab"


def test_files_are_no_more_complicated_than_the_graph(tmp_path: Path) -> None:
    """Neither directed nor with parallel links unless it must be."""
    cases = [
        (nx.path_graph(3), False, False),
        (nx.DiGraph([("a", "b", {"weight": 2}), ("b", "a", {"weight": 2})]), False, False),
        (nx.DiGraph([("a", "b", {"weight": 2}), ("b", "a", {"weight": 3})]), True, False),
        (nx.MultiGraph([("a", "b"), ("a", "b")]), False, True),
    ]
    for graph, directed, multigraph in cases:
        export_plan(emu.plan_for(graph), tmp_path / "graph.json", default_plugins())
        content = json.loads((tmp_path / "graph.json").read_text())
        assert (content["directed"], content["multigraph"]) == (directed, multigraph)


# -- DOT ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "as_name", "as_label"),
    [
        ("plain", '"plain"', '"plain"'),
        ('say "hi"', r'"say \"hi\""', r'"say \"hi\""'),
        ("ends in \\", r'"ends in \\"', r'"ends in \\"'),
        ("\\N", r'"\\N"', r'"\\N"'),  # alone it stands for the node's name
        ("R&amp;D", '"R&amp;D"', '"R&amp;amp;D"'),  # in labels Graphviz reads HTML's references
        ("a\0b\nc", '"a b c"', '"a b c"'),
        ("東京", '"東京"', '"東京"'),
    ],
)
def test_dot_quotes(text: str, as_name: str, as_label: str) -> None:
    assert quoted(text) == as_name
    assert label(text) == as_label


def test_dot_labels_have_lines() -> None:
    assert label("HOST1-veth0", "192.0.2.1") == r'"HOST1-veth0\n192.0.2.1"'


@given(graph=graphs())
def test_dot_has_one_statement_for_each_node_and_link(graph: Any) -> None:
    plan = default_plugins().plan_for(graph)
    # Outside of strings DOT's statements hold nothing of the graph's texts.
    bare = [re.sub(r'"(?:[^"\\]|\\.)*"', "T", line) for line in dot_lines(plan)]
    nodes = sum(bool(re.match(r"  T \[shape=(box|ellipse|hexagon), label=T\b", line)) for line in bare)
    links = sum(bool(re.match(r"  T -[->] T \[label=T, taillabel=T, headlabel=T\b", line)) for line in bare)
    assert (nodes, links) == (len(plan.nodes), len(plan.links))
    assert re.fullmatch(r"(di)?graph T {", bare[0])
    assert bare[-1] == "}"


def test_dot_shows_addresses_and_prefixes() -> None:
    text = "\n".join(dot_lines(emu.plan_for(lab())))
    ends = r'label="", taillabel="A-veth0\n192.0.2.77\nfd00::1", headlabel="S-'
    assert f'"A" -- "S" [{ends}' in text
    assert r'"S" [shape=hexagon, label="S", xlabel="192.0.2.0/24\nfd00::/64"' in text
    assert r'label="198.51.100.0/24\n2001:db8::/64"' in text


# -- files ----------------------------------------------------------------------------------------


def plugins_with(write: Any) -> PluginManager:
    """Return plugins of which one writes files of the suffix `.x`."""

    class Plugin:
        @emu.hookimpl
        def emu_register_exporters(self, register: Any) -> None:
            register(".x", write, "for this test")

    plugins = PluginManager()
    plugins.manager.register(Plugin(), "test")
    return plugins


def half_written(plan: Plan, path: Path) -> None:
    path.write_text("half")
    raise OSError(28, "No space left on device")


def test_a_failed_export_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lab.x"
    path.write_text("old")
    with pytest.raises(emu.EmuError, match=r"^write .*lab\.x: No space left on device$"):
        export_plan(emu.plan_for(lab()), path, plugins_with(half_written))
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_an_export_replaces_the_file_and_nothing_else(tmp_path: Path) -> None:
    target, link = tmp_path / "lab.x", tmp_path / "link.x"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to("lab.x")
    export_plan(emu.plan_for(lab()), link, plugins_with(lambda _, path: path.write_text("new")))
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert {*tmp_path.iterdir()} == {target, link}


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    export_plan(emu.plan_for(lab()), tmp_path / "LAB.JSON", default_plugins())
    assert json.loads((tmp_path / "LAB.JSON").read_text())["graph"]["name"] == "lab"


@pytest.mark.parametrize("name", ["lab.jpg", "lab", "lab."])
def test_an_unknown_format_names_the_known_ones(tmp_path: Path, name: str) -> None:
    known = "known are .dot, .gml, .graphml, .gv, .json, .pdf, .png, .svg, .yaml, .yml"
    with pytest.raises(emu.UsageError, match=re.escape(known) + "$"):
        export_plan(emu.plan_for(lab()), tmp_path / name, default_plugins())
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "reason"), [("no/lab.json", "No such file"), ("file/lab.json", "Not a directory")]
)
def test_a_folder_that_cannot_hold_it(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(emu.EmuError, match=f"^write .*lab.json: {reason}"):
        export_plan(emu.plan_for(lab()), tmp_path / name, default_plugins())


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "lab.json").mkdir()
    with pytest.raises(emu.UsageError, match="something else of that name"):
        export_plan(emu.plan_for(lab()), tmp_path / "lab.json", default_plugins())
    assert (tmp_path / "lab.json").is_dir()


# -- commands -------------------------------------------------------------------------------------


def run(*words: str) -> int:
    """Run `emu graph` with these words and return its exit status."""
    command = default_plugins().cli_group(click.Group("emu")).commands["graph"]
    try:
        return int(command.main([*words], prog_name="emu graph", standalone_mode=False) or 0)
    except emu.EmuError as error:
        return error.exit_status


def test_emu_graph_writes_a_topology_with_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "lab.dot"
    assert run("two_segment", "-o", str(path), "--set", "network1=203.0.113.0/24") == 0
    assert "203.0.113.1" in path.read_text()


def test_emu_graph_writes_one_family(tmp_path: Path) -> None:
    graph, path = tmp_path / "graph.json", tmp_path / "lab.dot"
    export_plan(emu.plan_for(nx.path_graph(2), families=(4, 6)), graph, default_plugins())
    assert run(str(graph), "-4", "-o", str(path)) == 0
    assert "10.0.0.1" in path.read_text()
    assert "fd00" not in path.read_text()


def test_emu_graph_lists_the_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--formats") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == [*default_plugins().exporters]


def test_emu_graph_says_what_is_wrong(tmp_path: Path) -> None:
    assert run("two_segment", "-o", str(tmp_path / "x.jpg")) == 2
    assert run("two_segmen", "-o", str(tmp_path / "x.dot")) == 2
    assert run("two_segment", "-o", str(tmp_path / "no" / "x.dot")) == 1
    assert not [*tmp_path.iterdir()]


def test_the_prompt_has_the_command_too(tmp_path: Path) -> None:
    session: Any = SimpleNamespace(
        network=SimpleNamespace(plan=emu.plan_for(lab())), plugins=default_plugins()
    )
    command = default_plugins().commands["graph"]
    with command.make_context("graph", [str(tmp_path / "lab.json")], obj=session) as context:
        command.invoke(context)
    assert emu.plan_for(graph_from(str(tmp_path / "lab.json"))) == session.network.plan
