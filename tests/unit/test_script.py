"""The script for a shell: commands and comments, nothing else, in the order in which one would type them."""

from __future__ import annotations

import itertools
import re
import shlex

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.netlink.lowering import operations_for
from emu.planning.plan import Plan
from emu.script import script_for
from emu.topologies.two_segment import two_segment

from .graphs import GRAPHS, networks


def commands(plan: Plan) -> list[str]:
    return [line for line in script_for(plan) if line and not line.startswith("#")]


@given(networks())
def test_every_operation_is_in_the_script_once(graph: nx.MultiDiGraph) -> None:
    plan = emu.plan_for(graph)
    assert sorted(commands(plan)) == sorted(
        line for operation in operations_for(plan) for line in operation.commands()
    )


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_lines_are_plain_commands(graph: nx.Graph) -> None:
    for line in commands(emu.plan_for(graph)):
        words = shlex.split(line)
        assert words[0] == "ip"
        assert " ".join(words) == line  # nothing to quote, nothing that a shell expands
        assert not re.search(r"[;&|<>$`*?!]", line)


@given(st.text(max_size=30), st.lists(st.text(max_size=20), min_size=2, max_size=5, unique=True))
def test_names_cannot_smuggle_commands_into_the_script(name: str, nodes: list[str]) -> None:
    graph: nx.Graph = nx.Graph(name=name)
    nx.add_path(graph, nodes)
    plan = emu.plan_for(graph)
    for line in script_for(plan):
        assert line.isprintable()
        assert line == "" or line.startswith(("#", "ip "))


def test_the_steps_are_in_the_order_in_which_they_are_taught() -> None:
    lines = commands(emu.plan_for(two_segment()))
    first = [
        next(index for index, line in enumerate(lines) if word in line)
        for word in ("netns add", "link add", "address add", " up", "route add", "ip_forward=1")
    ]
    assert first == sorted(first)


def test_each_step_says_what_it_is_for() -> None:
    lines = list(script_for(emu.plan_for(two_segment())))
    for before, line in itertools.pairwise(lines):
        if line.startswith("ip ") and not before.startswith("ip "):
            assert before.startswith("# ")


def test_the_last_lines_try_it_and_undo_it() -> None:
    lines = list(script_for(emu.plan_for(two_segment())))
    assert lines[-6:] == [
        "# Try it:",
        "# ip netns exec HOST1 ping -c 1 -I 192.0.2.1 198.51.100.1",
        "# To undo it all:",
        *(f"# ip netns delete {name}" for name in ("HOST1", "ROUTER", "HOST2")),
    ]


def test_one_node_has_nobody_to_try_it_with() -> None:
    lines = list(script_for(emu.plan_for(nx.path_graph(1))))
    assert not [line for line in lines if "ping" in line]
