"""What `emu plan` prints: a summary, then tables that stay readable at any size."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import sys
from typing import Any

import click
import networkx as nx
import pytest

import emu
from emu.hooks.plugin_manager import default_plugins
from emu.tables import print_table


class Terminal(io.StringIO):
    """A standard output that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def plan(tmp_path: Any) -> Any:
    """Return a function that gives the lines which `emu plan` prints of a graph, with options."""

    def run(graph: Any, *options: str) -> list[str]:
        path = tmp_path / "lab.json"
        path.write_text(json.dumps(nx.node_link_data(graph)))
        command = default_plugins().cli_group(click.Group("emu")).commands["plan"]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            command.main([str(path), *options], prog_name="emu plan", standalone_mode=False)
        return out.getvalue().splitlines()

    return run


def table(lines: list[str], title: str) -> list[str]:
    """Return the rows under a table's titles."""
    start = next(number for number, line in enumerate(lines) if title in line)
    return list(itertools.takewhile(bool, lines[start + 1 :]))


def test_the_summary_comes_first(plan: Any) -> None:
    graph = nx.star_graph(3)
    graph.add_node(0, kind="switch")
    head = plan(graph, "-4")[:2]
    assert head == [
        "lab: 4 nodes (1 switch, 3 hosts), 3 links, 1 segment",
        "IPv4; 0 routes, at most 0 in a node",
    ]


def test_every_address_has_a_row_with_node_and_interface_at_the_other_end(plan: Any) -> None:
    graph = nx.Graph([("A", "a-name-of-some-length")])
    assert [row.split() for row in table(plan(graph), "LINKED TO")] == [
        ["A", "host", "A-veth0", "10.0.0.1/24", "a-name-of-some-length", "veth0"],
        ["A", "host", "A-veth0", "fd00::1/64", "a-name-of-some-length", "veth0"],
        ["a-name-of-some-length", "host", "veth0", "10.0.0.2/24", "A-veth0"],
        ["a-name-of-some-length", "host", "veth0", "fd00::2/64", "A-veth0"],
    ]


def test_what_is_to_happen_is_shown_with_its_time(plan: Any) -> None:
    graph = nx.path_graph(["A", "R", "B"])
    graph.edges["A", "R"]["trace"] = {"A": "lte-walk"}
    graph.graph["schedule"] = [
        {"at": "1s", "link": ["A", "R"], "set": {"rate": {"A": "1mbit"}, "loss": "1%"}},
        {"at": "2s", "link": ["R", "B"], "ramp": {"rate": ["5mbit", "1mbit"]}, "over": "10s", "every": "1s"},
        {"at": "3s", "link": ["R", "B"], "flap": {"down": "200ms"}},
        {"at": 4, "node": "B", "run": "sleep 1"},
    ]
    rows = [row.split(maxsplit=1) for row in table(plan(graph), "WHAT HAPPENS")]
    assert rows == [
        ["0s", "link A-veth0 trace lte-walk from=A"],
        ["1s", "link A--R set rate={A: 1mbit} loss=1%"],
        ["2s", "link R--B ramp rate=5mbit..1mbit over=10s every=1s"],
        ["3s", "link R--B flap down=200ms times=1"],
        ["4s", "node B run sleep 1"],
    ]
    assert [row.split()[0] for row in table(plan(graph, "--node", "B"), "WHAT HAPPENS")] == ["2s", "3s", "4s"]


def test_labels_have_a_column_where_they_differ_from_names(plan: Any) -> None:
    assert "São Paulo" in plan(nx.Graph([("São Paulo", "B")]))[4]
    assert "LABEL" not in "\n".join(plan(nx.Graph([("A", "B")])))


def test_a_large_plan_is_a_page_and_says_how_to_see_the_rest(plan: Any) -> None:
    graph = nx.cycle_graph(120)
    lines = plan(graph, "-4")
    assert len(lines) < 70
    assert sum("--node NODE" in line and "--all" in line for line in lines) == 2
    whole = plan(graph, "-4", "--all")
    assert len(table(whole, "LINKED TO")) == 240
    assert not [line for line in whole if "more" in line]


def test_a_node_is_shown_whole(plan: Any) -> None:
    lines = plan(nx.star_graph(150), "-4", "--node", "n0")
    assert len(table(lines, "LINKED TO")) == 150
    assert lines[0].startswith("lab: 151 nodes")


def test_settings_are_those_that_differ_from_the_kernels(plan: Any) -> None:
    graph = nx.path_graph(3)
    some, every = (table(plan(graph, *options), "SETTINGS") for options in ((), ("--all",)))
    assert set(some) < set(every)
    assert "net.ipv4.ip_forward=1  n1" in some
    assert "net.ipv4.ip_forward=0  n0, n2" in every
    assert len(some) <= 15 < len(every)
    assert not [line for line in some if re.match(r"net\.ipv[46]\.\S*(rp_filter|proxy_arp)=0", line)]


def test_a_wrong_node_is_told(plan: Any) -> None:
    with pytest.raises(emu.UsageError, match="show node 'n22': there is none; did you mean n2"):
        plan(nx.path_graph(3), "--node", "n22")


# -- tables -------------------------------------------------------------------------------------------


def printed(monkeypatch: pytest.MonkeyPatch, out: io.StringIO, *rows: tuple[str, str]) -> list[str]:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys, "stdout", out)
    print_table(("NAME", "TEXT"), rows)
    return out.getvalue().splitlines()


def test_columns_are_as_wide_as_their_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, io.StringIO(), ("東京", "x"), ("a" * 40, ""))
    assert lines == [f"NAME{' ' * 38}TEXT", f"東京{' ' * 38}x", "a" * 40]


def test_a_table_fits_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, Terminal(), ("a" * 40, "b" * 40))
    bare = [re.sub(r"\x1b\[\d*m", "", line) for line in lines]
    assert max(map(len, bare)) <= 30
    assert "".join(bare).count("a") == 40
    assert "\x1b[1m" in lines[0]


def test_a_table_without_rows_has_its_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, io.StringIO()) == ["NAME  TEXT"]
