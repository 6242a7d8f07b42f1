"""Public maps: what becomes of them, awkward ones among them, and how they are found."""

from __future__ import annotations

import importlib.resources
import json
import math
from pathlib import Path
from typing import Any

import click
import networkx as nx
import pytest
from click.testing import CliRunner

import emu
from emu.errors import UsageError
from emu.graph.attributes import Kind
from emu.hooks.plugin_manager import default_plugins
from emu.plugins import topohub_maps
from emu.reading.sources import graph_from

pytest.importorskip("topohub")

SAMPLE = [
    "backbone/africa_nosc",
    "caida/2024-08/1103",  # its node numbers are large
    "caida/2024-08/12479",  # 34 labels are not ASCII
    "caida/2024-08/38022",
    "caida/2024-08/701",  # dense, with nodes that have no name and others that share one
    "caida/2024-08/8151",
    "gabriel/25/0",
    "gabriel/50/7",
    "sndlib/brain",
    "sndlib/dfn-bwin",
    "sndlib/di-yuan",  # its labels are numbers
    "sndlib/germany50",
    "sndlib/india35",
    "topozoo/Abilene",
    "topozoo/Arpanet196912",
    "topozoo/Cynet",
    "topozoo/Garr200109",  # labels that repeat
    "topozoo/Heanet",
    "topozoo/Itnet",
    "topozoo/Marnet",  # hardly any link has a length
    "topozoo/Myren",
    "topozoo/Nsfnet",  # labels with commas
    "topozoo/Renam",
    "topozoo/Rhnet",
    "topozoo/SwitchL3",  # labels with parentheses
    "topozoo/Uninett2010",
    "topozoo/VtlWavenet2008",  # labels with slashes
]


FOLDER = Path(str(importlib.resources.files("topohub"))) / "data"


def content(key: str) -> Any:
    return json.loads((FOLDER / f"{key}.json").read_text(encoding="utf-8"))


def load(key: str) -> nx.Graph:
    return graph_from(f"topohub:{key}")


@pytest.mark.parametrize("key", SAMPLE)
def test_a_map_is_planned_as_it_is(key: str) -> None:
    data = content(key)
    plan = emu.plan_for(load(key))
    assert plan.name == key.replace("/", "-")
    assert [node.label for node in plan.nodes] == [
        str(node.get("name") or node["id"]).strip() for node in data["nodes"]
    ]
    assert {node.kind for node in plan.nodes} == {Kind.ROUTER}
    assert [node.position for node in plan.nodes] == [tuple(node["pos"]) for node in data["nodes"]]
    assert len(plan.links) == len(data["edges"])
    assert plan.notes in ((), ("attributes left alone: link delay",))


@pytest.mark.parametrize("key", SAMPLE)
def test_weights_are_kilometres_and_delays_those_of_light(key: str) -> None:
    edges = {frozenset((edge["source"], edge["target"])): edge["dist"] for edge in content(key)["edges"]}
    least = min(filter(None, edges.values()))
    for a, b, attributes in load(key).edges(data=True):
        length = edges[frozenset((a, b))]
        assert math.isclose(attributes["weight"], length or least)
        delay = float(attributes.get("delay", "0ms").removesuffix("ms"))
        assert math.isclose(delay, length / 200, abs_tol=0.000_501)
        assert set(attributes) <= {"weight", "delay"}


def test_delays_are_texts_that_people_write() -> None:
    assert load("topozoo/Abilene").edges["0", "1"]["delay"] == "5.731ms"


# -- what other versions of the package may hold ---------------------------------------------------


def graph_of(monkeypatch: pytest.MonkeyPatch, data: Any) -> nx.Graph:
    monkeypatch.setattr(json, "loads", lambda _: data)
    return load("topozoo/Abilene")


def test_parallel_links_and_links_without_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"id": 1, "name": "a/b"}, {"id": 2, "name": "a/b"}, {"id": 3}]
    edges = [
        {"source": 1, "target": 2, "dist": 0.1},
        {"source": 1, "target": 2, "dist": 0.2},
        {"source": 2, "target": 3},
        {"source": 1, "target": 3, "dist": "far"},
        {"source": 1, "target": 3, "dist": math.nan},
    ]
    graph = graph_of(monkeypatch, {"multigraph": True, "nodes": nodes, "edges": edges})
    assert sorted(one["weight"] for *_, one in graph.edges(data=True)) == [0.1, 0.1, 0.1, 0.1, 0.2]
    assert [node.name for node in emu.plan_for(graph).nodes] == ["a-b", "a-b-2", "n3"]


def test_a_map_without_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = [{"source": 1, "target": 2, "dist": 0.0}]
    graph = graph_of(monkeypatch, {"nodes": [{"id": 1}, {"id": 2}], "edges": edges})
    assert list(graph.edges(data=True)) == [(1, 2, {"weight": 1.0})]


@pytest.mark.parametrize(
    "data", [{}, {"nodes": 1}, {"nodes": [{}], "edges": []}, None, {"nodes": [], "edges": [{}]}]
)  # fmt: skip
def test_a_map_of_another_form_is_one_line(monkeypatch: pytest.MonkeyPatch, data: Any) -> None:
    with pytest.raises(
        UsageError, match=r"read topohub:topozoo/Abilene: .*another version of topohub may do"
    ):
        graph_of(monkeypatch, data)


# -- finding them ---------------------------------------------------------------------------------


def test_every_map_of_the_package_is_known_by_its_key() -> None:
    keys = {str(path.relative_to(FOLDER))[:-5] for path in FOLDER.rglob("*.json")}
    assert set(topohub_maps._maps()) == keys
    assert len(keys) > 700


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("topozoo/abilene", "; did you mean sndlib/abilene or topozoo/Abilene?"),
        ("xeex", "; did you mean topozoo/Xeex?"),
        ("sndlib/germany5", "; did you mean sndlib/germany50"),
        ("", "; 'emu topologies --search topohub:' lists them"),
        ("../../../../etc/passwd", "; 'emu topologies --search topohub:' lists them"),
        ("/etc/passwd", "topohub has no such map"),
        ("\0\n\x1b[2J", "topohub has no such map"),
        ("x" * 5000, "topohub has no such map"),
    ],
    ids=range(8),
)
def test_an_unknown_key_gets_the_nearest(key: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(key)
    assert hint in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def search(word: str) -> str:
    command = default_plugins().cli_group(click.Group()).commands["topologies"]
    return CliRunner().invoke(command, ["--search", word], catch_exceptions=False).stdout


def test_search_shows_topologies_and_maps_with_their_sizes() -> None:
    text = search("GERMANY")
    assert [line.split()[:5] for line in text.splitlines()[1:]] == [
        ["topohub:sndlib/germany50", "50", "routers,", "88", "links"],
        ["topohub:sndlib/nobel-germany", "17", "routers,", "26", "links"],
    ]
    assert search("leaf_sp").splitlines()[1].startswith("leaf_spine")


@pytest.mark.parametrize("key", SAMPLE)
def test_sizes_are_those_of_the_map(key: str) -> None:
    graph = load(key)
    assert topohub_maps._counts(key) == f"{len(graph)} routers, {graph.number_of_edges()} links"


def test_search_without_a_find_is_an_error() -> None:
    with pytest.raises(UsageError, match="search 'zzzz'"):
        search("zzzz")


def test_without_the_package_there_is_a_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.resources.files

    def missing(package: str) -> Any:
        if package == "topohub":
            raise ModuleNotFoundError(package)
        return real(package)

    monkeypatch.setattr(importlib.resources, "files", missing)
    topohub_maps._maps.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"topohub is not installed; pip install 'emunet\[topohub\]'$"):
            load("topozoo/Abilene")
        assert "pip install 'emunet[topohub]'" in search("zzzz")
    finally:
        topohub_maps._maps.cache_clear()
