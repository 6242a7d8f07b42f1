"""The attributes of a node that say how it looks to its programs, and which run from the beginning."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

import emu
from emu.graph.inside import (
    Conditions,
    Daemon,
    Inside,
    Restart,
    parse_conditions,
    parse_env,
    parse_private,
    parse_run,
)


def plan_with(**attributes: Any) -> emu.Plan:
    graph = nx.path_graph(["HOST1", "ROUTER", "HOST2"])
    graph.nodes["HOST2"].update(attributes)
    return emu.plan_for(graph)


def test_a_daemon_is_a_line_or_words_or_a_mapping() -> None:
    given = ["dnsmasq -k", ["python3", "-m", "http.server", 80], {"command": "x", "restart": "on-failure"}]
    line, words, mapping = parse_run(given)
    assert line == Daemon("dnsmasq -k")
    assert words == Daemon(("python3", "-m", "http.server", "80"))
    assert mapping == Daemon("x", restart=Restart.ON_FAILURE)
    assert parse_run("dnsmasq -k") == (line,)


def test_a_port_alone_is_a_condition() -> None:
    assert (
        parse_conditions(80) == parse_conditions("80") == parse_conditions({"tcp": 80}) == Conditions(tcp=80)
    )


def test_environments_are_mappings_or_texts() -> None:
    assert parse_env("A=1 B='2 3'") == parse_env({"A": 1, "B": "2 3"}) == {"A": "1", "B": "2 3"}


def test_private_folders_are_named_once_and_plainly() -> None:
    assert parse_private("/var/log/, /etc//frr /var/log") == ("/var/log", "/etc/frr")


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"run": ["python3", "-m", "http.server"]}, "a list in the list"),
        ({"run": [{"ready": 80}]}, "has no command"),
        ({"run": [{"command": "x", "redy": 80}]}, "a daemon has no 'redy'; did you mean ready?"),
        ({"run": [{"command": "x", "ready": {"tpc": 80}}]}, "a condition has no 'tpc'; did you mean tcp?"),
        ({"run": [{"command": "x", "ready": {"timeout": 3}}]}, "has no condition"),
        ({"run": [{"command": "x", "ready": 70000}]}, "port 70000"),
        ({"run": [{"command": "x", "ready": {"log": "("}}]}, "is not a regular expression"),
        (
            {"run": [{"command": "x", "restart": "often"}]},
            "restart 'often' is none of never, on-failure, always",
        ),
        ({"run": [[]]}, "neither a command line nor a list of words"),
        ({"private": "/proc/sys"}, "private /proc/sys: it cannot be covered"),
        ({"private": "logs"}, "'logs' does not begin with /"),
        ({"env": "A"}, "is not NAME=VALUE"),
        ({"env": {"A=B": "1"}}, "is not a variable's name"),
        ({"cwd": "here"}, "'here' does not begin with /"),
        ({"user": "no body"}, "user 'no body' is not a name or a number"),
    ],
)
def test_a_fault_is_one_clear_line(attributes: dict[str, Any], fault: str) -> None:
    with pytest.raises(emu.UsageError) as caught:
        plan_with(**attributes)
    assert "node HOST2: " in str(caught.value)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


FULL = {
    "run": [
        {"command": "a b"},
        {"command": ["c", "d e"], "ready": {"udp": 53, "log": "^x", "timeout": 3.5}, "restart": "always"},
        {"command": "f", "env": {"G": "h i"}, "cwd": "/tmp"},
    ],
    "private": ["/var/log", "/opt/with space"],
    "env": {"A": "1"},
    "cwd": "/srv",
    "user": "nobody",
}


def test_a_plan_keeps_it_through_its_document_and_through_files() -> None:
    plan = plan_with(**FULL)
    inside = plan.node("HOST2").inside
    assert inside is not None
    assert inside.attributes() == FULL
    assert plan.node("HOST1").inside is None
    assert emu.Plan.from_document(plan.to_document()) == emu.Plan.from_json(plan.to_json()) == plan
    assert Inside.of({"kind": "host"}) is None
