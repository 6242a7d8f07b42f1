"""Lines of the prompt that run other lines: scripts, loops, patterns of nodes, Mininet's words, Python."""

from __future__ import annotations

import re
from pathlib import Path

import networkx as nx
import pytest

from emu import Network
from emu.hooks.plugin_manager import default_plugins
from emu.prompt.session import Leave, Session
from emu.topologies.two_segment import two_segment


def call_a_node(network: Network, name: str) -> None:
    """Give the second host of a network another name."""
    network.plan = Network(nx.relabel_nodes(two_segment(), {"HOST2": name})).plan


def test_a_script_stops_at_the_first_line_that_fails(session: Session, ran: list[str]) -> None:
    assert session.run_lines(["HOST1 a", "HOST1 false", "HOST1 b"]) == 3
    assert ran == ["a", "false"]


@pytest.mark.parametrize("line", ["set +e", "set +xe -x"])
def test_a_script_may_go_on(session: Session, ran: list[str], line: str) -> None:
    assert session.run_lines([line, "HOST1 false", "HOST1 b"]) == 3
    assert ran == ["false", "b"]


def test_a_failure_tells_where_its_line_stands(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    Path("inner").write_text("# a comment\nnodse\n")
    Path("quiet").write_text("HOST1 false\n")
    session.stops = False
    session.run_lines(
        ["HOST1 true", "source inner", "source quiet", "HOST1 false x", "! HOST1 true"], "outer"
    )
    assert [line.split(": ")[:3] for line in capfd.readouterr().err.splitlines()] == [
        ["emu", "inner:2", "no command or node 'nodse'; did you mean nodes?"],
        ["emu", "quiet:1", "status 3"],
        ["emu", "outer:4", "status 3"],
        ["emu", "outer:5", "not"],
    ]


def test_lines_are_shown_before_they_run(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    session.run_lines(["HOST1 a", "set -x", "  HOST1   b", "", "set +x", "HOST1 c"])
    assert capfd.readouterr().err == "+ HOST1   b\n+ set +x\n"


def test_a_loop_runs_a_line_for_each_value(session: Session, ran: list[str]) -> None:
    assert session.run_line("for n in HOST* x: for m in ROUTER 7: HOST1 echo {n} {m} {o}") == 0
    assert ran == [f"echo {n} {m} {{o}}" for n in ("HOST1", "HOST2", "x") for m in ("ROUTER", "7")]


def test_a_loop_stops_as_a_script_does(session: Session, ran: list[str]) -> None:
    assert session.run_line("for n in false a: HOST1 {n}") == 3
    session.stops = False
    assert session.run_line("for n in false b: HOST1 {n}") == 3
    assert ran == ["false", "false", "b"]


def test_a_line_that_must_fail(session: Session, ran: list[str]) -> None:
    assert session.run_line("! HOST1 false") == 0
    assert session.run_line("! HOST1 true") == 1


@pytest.mark.parametrize("word", ["HOST*", "HOST1,HOST2", "HOST[12]", "HOST1,HOST*", "HOST?"])
def test_a_word_stands_for_several_nodes(
    session: Session, ran: list[str], word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert session.run_line(f"interfaces {word}") == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()[1:]] == ["HOST1", "HOST2"]


@pytest.mark.parametrize("word", ["net", "intfs", "ports", "px", "noecho", "EOF", "xterm", "dpctl"])
def test_a_node_may_have_a_name_that_help_does_not_list(
    session: Session, network: Network, ran: list[str], word: str
) -> None:
    call_a_node(network, word)
    assert word not in session.words()[: len(session.words()) - len(network)]
    assert session.run_line(f"{word} hostname") == 0
    assert ran == ["hostname"]


def test_a_command_comes_before_a_node_of_its_name(
    session: Session, network: Network, ran: list[str]
) -> None:  # fmt: skip
    call_a_node(network, "nodes")
    assert session.run_line("nodes") == 0
    assert session.run_line("in nodes hostname -f") == 0
    assert ran == ["hostname -f"]


@pytest.mark.parametrize("name", ["help", "nodes", "links"])
def test_a_wrong_word_behind_such_a_name_gets_the_way_to_the_node(
    session: Session, network: Network, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    call_a_node(network, name)
    assert session.run_line(f"{name} hostname") == 2
    assert f"'in {name} COMMAND…' runs programs in the node" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("net", "links"), ("intfs", "interfaces"), ("ports HOST1", "interfaces HOST1"), ("px 1+1", "py 1+1")],
)
def test_words_of_mininet_do_what_ours_do(
    session: Session,
    theirs: str,
    ours: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emu.netlink.present.read_states", lambda *_: {})
    monkeypatch.setattr(Network, "sandbox", None)
    monkeypatch.setattr(Network, "refresh", lambda _: None)
    printed = []
    for line in (theirs, ours):
        assert session.run_line(line) == 0
        printed.append(capfd.readouterr().out)
    assert printed[0] == printed[1] != ""


def test_words_of_mininet_that_run_other_lines(session: Session, ran: list[str]) -> None:
    assert session.run_line("noecho HOST1 a 'b  c'") == 0
    assert ran == ["a 'b  c'"]
    with pytest.raises(Leave):
        session.run_line("EOF")


def test_python_lines_know_the_network(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [
        "py x = [node.name for node in net]",
        "py x",
        "py def f(node): return node.label, HOST2.name",
        "py f(HOST1)",
        "py None",
        "py for n in x[:1]: print(n)",
    ]
    assert session.run_lines(lines) == 0
    assert capfd.readouterr().out == "['HOST1', 'ROUTER', 'HOST2']\n('HOST1', 'HOST2')\nHOST1\n"


def test_python_variables_are_one_sessions_own(session: Session, network: Network) -> None:
    assert session.run_line("py HOST1 = 7") == 0
    assert session.run_line("py assert HOST1 == 7") == 0
    other = Session(network, default_plugins())
    assert other.run_line("py assert HOST1.name == 'HOST1'") == 0
    other.close()


@pytest.mark.parametrize("line", ["py exit()", "py raise SystemExit"])
def test_python_leaves_the_prompt_as_python_does(session: Session, line: str) -> None:
    with pytest.raises(Leave):
        session.run_line(line.replace("exit()", "import sys; sys.exit()"))


def test_the_page_for_users_of_mininet_has_every_word_of_theirs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "mininet.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    theirs = {word for row in rows for code in re.findall("`([^`]+)`", row[0]) for word in code.split()[:1]}
    commands = default_plugins().commands
    hidden = {name for name in commands if commands[name].hidden} - {"!"}
    assert hidden - theirs <= {"?", "EOF", "gterm"}
    for row in rows:
        for code in re.findall("`([^`]+)`", row[1]):
            first = code.split()[0]
            assert first in ("emu", "h1", "s1") or (first in commands and not commands[first].hidden), code
    assert {"pingall", "xterm", "dpctl", "px", "link"} <= theirs
