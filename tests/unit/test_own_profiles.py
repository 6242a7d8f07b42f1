"""A graph's own profiles are known wherever a link is set, and stay with the network and its files."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import networkx as nx
import pytest

import emu
from emu.export import export_plan
from emu.finding import after_setting
from emu.hooks.plugin_manager import default_plugins
from emu.planning.addressing import assign_addresses
from emu.planning.changes import Changes
from emu.planning.plan import Plan
from emu.planning.routing import compute_routes
from emu.reading.sources import graph_from
from emu.topologies.two_segment import two_segment

SAMPLES = ["10ms", "12ms", "19ms"]
PROFILES: dict[str, Any] = {
    "lab": {"rate": {"up": "1mbit", "down": "2mbit"}, "delay": "9ms", "seed": None},
    "one-way": {"loss": {"down": 2.5}},
    "drawn": {"distribution": SAMPLES},
    "dsl": {"delay": "1ms"},
}


def planned(*events: Any, profiles: Any = MappingProxyType(PROFILES)) -> Plan:
    graph = two_segment()
    graph.graph.update(profiles=profiles, schedule=list(events))
    return emu.plan_for(graph)


def set_to(plan: Plan, profile: str) -> list[tuple[int | None, int]]:
    """Return rate and delay of HOST1's link in either direction, once it has a profile."""
    found = after_setting(plan, 0, {"profile": profile}, None)
    return [(one.rate, one.delay) for one in found.values() if one is not None]


def test_a_link_is_set_to_a_profile_of_the_graph_s_own() -> None:
    up_down = [(1_000_000, 9_000_000), (2_000_000, 9_000_000)]
    assert set_to(planned(), "lab") == up_down
    assert set_to(planned(), "dsl") == [(None, 1_000_000)] * 2  # before emu's of the same name


def test_a_schedule_knows_them() -> None:
    event = {"at": "1s", "link": ["HOST1", "ROUTER"], "set": {"profile": "lab"}}
    assert planned(event).schedule[0].options["set"] == {"profile": "lab"}
    with pytest.raises(emu.EmuError, match="unknown profile 'lap'; did you mean lab"):
        planned({**event, "set": {"profile": "lap"}})


def test_a_link_that_is_added_may_have_one() -> None:
    changes = Changes(assign_addresses, compute_routes)
    grown = changes.add_node(planned(), "HOST3", {})
    grown = changes.add_link(grown, "HOST3", "ROUTER", {"profile": "lab"}, {"HOST3": (), "ROUTER": ()})
    leaving = grown.node("HOST3").interfaces[0].shaping
    assert leaving is not None
    assert leaving.rate == 1_000_000
    assert grown.profiles == planned().profiles


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".graphml", ".gml", ".dot"])
def test_files_and_documents_keep_them(suffix: str, tmp_path: Path) -> None:
    plan = planned({"at": "1s", "link": ["HOST1", "ROUTER"], "set": {"profile": "lab"}})
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_document(plan.to_document()) == plan
    export_plan(plan, tmp_path / f"lab{suffix}", default_plugins())
    again = emu.plan_for(graph_from(str(tmp_path / f"lab{suffix}")))
    assert again.profiles == plan.profiles
    assert set_to(again, "lab") == set_to(plan, "lab")


def test_a_file_of_samples_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samples").write_text("\n".join(SAMPLES))
    monkeypatch.chdir(tmp_path)
    plan = planned(profiles={"drawn": {"distribution": "./samples"}})
    monkeypatch.chdir("/")
    assert set_to(plan, "drawn") == [(None, 13_666_667)] * 2


@pytest.mark.parametrize("text", ["lab", "[1]", "7"])
def test_a_text_that_is_no_mapping_is_a_fault(text: str) -> None:
    with pytest.raises(emu.EmuError, match="is not a mapping of names to attributes"):
        planned(profiles=text)


@pytest.mark.parametrize("name", ["schedule", "profiles"])
def test_text_that_is_too_deep_for_json_is_told(name: str) -> None:
    graph = nx.Graph([("A", "B")], **{name: "[" * 100_000})
    with pytest.raises(emu.TopologyError, match=rf"{name} '\[+\.\.\. is not"):
        emu.plan_for(graph)
