"""Paths in a file count from its folder, wherever emu is started; those in Python from where one is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import emu
from emu.planning.plan import Plan
from emu.reading.schedule_files import events_in
from emu.reading.sources import graph_from
from emu.schedules import Event, parse_schedule
from emu.topologies.two_segment import two_segment

TRACE = "time,rate\n0,1mbit\n1,2mbit\n"
MEAN = 13_666_667
SCHEDULE: list[dict[str, Any]] = [
    {"at": 1, "link": ["A", "B"], "trace": "./up.csv"},
    {"at": 2, "link": ["A", "B"], "trace": "up.csv"},
    {"at": 3, "link": ["A", "B"], "trace": "lte-walk"},
    {"at": 4, "link": ["A", "B"], "set": {"distribution": "./samples"}},
    {"at": 5, "link": ["A", "B"], "set": {"distribution": {"A": "../lab/samples"}}},
]  # fmt: skip
YAML = """
links:
  - {ends: [A, B], distribution: {A: ./samples}, trace: {B: ./up.csv}}
  - {ends: [B, C], trace: up.csv}
  - {ends: [C, D], profile: drawn}
profiles: {drawn: {distribution: {up: ./samples, down: ./samples}}}
schedule:
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a trace and samples, seen from another one."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "up.csv").write_text(TRACE)
    (folder / "samples").write_text("10ms\n12ms\n19ms\n")
    monkeypatch.chdir(tmp_path)
    return folder


def delays(plan: Plan) -> dict[str, int]:
    ends = {node.name: one.shaping for node in plan.nodes for one in node.interfaces}
    return {name: one.delay for name, one in ends.items() if one is not None and one.delay}


def check_events(events: tuple[Event, ...], lab: Path) -> None:
    up, samples = str(lab / "up.csv"), str(lab / "samples")
    assert [one.options["trace"] for one in events[:3]] == [up, up, "lte-walk"]
    assert events[3].options["set"]["distribution"] == samples
    there = events[4].options["set"]["distribution"]
    assert Path(there["A"]).samefile(samples)


@pytest.mark.parametrize("source", ["lab/net.yaml", "./lab/net.yaml", "{lab}/net.yaml"])
def test_a_yaml_topology_is_planned_from_any_folder(source: str, lab: Path) -> None:
    (lab / "net.yaml").write_text(YAML + "".join(f"  - {json.dumps(one)}\n" for one in SCHEDULE))
    plan = emu.plan_for(graph_from(source.format(lab=lab)))
    traces, events = plan.schedule[:-5], plan.schedule[-5:]
    assert {one.options["trace"] for one in traces} == {str(lab / "up.csv")}
    check_events(events, lab)
    assert delays(plan) == {"A": MEAN, "C": MEAN, "D": MEAN}


@pytest.mark.parametrize("suffix", [".json", ".graphml", ".gml", ".dot"])
def test_so_are_files_of_other_formats(suffix: str, lab: Path) -> None:
    write(lab / f"net{suffix}")
    plan = emu.plan_for(graph_from(f"lab/net{suffix}"))
    assert delays(plan) == {"A": MEAN, "B": MEAN, "C": MEAN}
    check_events(plan.schedule[-5:], lab)


def write(path: Path) -> None:
    """Write a graph as other programs do."""
    graph: Any = nx.MultiGraph(schedule=json.dumps(SCHEDULE))
    for pair in ("AB", "BC"):
        graph.add_edge(*pair, distribution="./samples", trace="./up.csv")
    if path.suffix == ".json":
        path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    elif path.suffix == ".graphml":
        nx.write_graphml(graph, path)
    elif path.suffix == ".gml":
        nx.write_gml(graph, path)
    else:
        edges = "".join(
            f'{a} -- {b} [distribution="./samples", trace="./up.csv"]\n' for a, b in graph.edges()
        )
        text = graph.graph["schedule"].replace('"', '\\"')
        path.write_text(f'graph {{ schedule="{text}"\n{edges}}}\n')


@pytest.mark.parametrize("form", ["list", "start"])
def test_so_is_a_schedule_s_file(form: str, lab: Path) -> None:
    content = SCHEDULE if form == "list" else {"start": "1s", "events": SCHEDULE}
    (lab / "events.json").write_text(json.dumps(content))
    check_events(events_in(Path("lab/events.json")), lab)


def test_a_file_beside_the_shell_is_not_one_beside_the_topology(lab: Path) -> None:
    (lab.parent / "other.csv").write_text(TRACE)
    for name in ("./other.csv", "other.csv"):
        (lab / "net.yaml").write_text(f"links: [{{ends: [A, B], trace: {name}}}]\n")
        with pytest.raises(emu.EmuError, match=rf"net.yaml:1: trace {lab}/other.csv: no such trace or file"):
            graph_from("lab/net.yaml")


def test_from_python_they_count_from_the_working_directory_once_and_for_all(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab)
    events = parse_schedule([{**one, "link": ["HOST1", "ROUTER"]} for one in SCHEDULE[:4]])
    monkeypatch.chdir("/")
    assert events[3].options["set"]["distribution"] == str(lab / "samples")
    graph = two_segment()
    graph.graph["schedule"] = events
    assert [one.options.get("trace") for one in emu.plan_for(graph).schedule[:2]] == [str(lab / "up.csv")] * 2


def test_nothing_else_that_looks_like_a_path_is_changed(lab: Path) -> None:
    (lab / "net.yaml").write_text(
        "nodes: {trace: {kind: host, run: cat ./up.csv}, distribution: router, E: host}\n"
        "links:\n"
        "  - {ends: [trace, distribution], prefix: 10.1.0.0/24, loss: {trace: 1%}}\n"
        "  - {ends: [distribution, E]}\n"
        "schedule: [{at: 1s, node: trace, run: cat ./up.csv}]\n"
    )
    plan = emu.plan_for(graph_from("lab/net.yaml"))
    assert plan.schedule[0].options == {"run": "cat ./up.csv"}
    inside = plan.node("trace").inside
    assert inside is not None
    assert inside.attributes()["run"] == [{"command": "cat ./up.csv"}]
