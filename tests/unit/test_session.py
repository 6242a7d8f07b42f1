"""Lines at the prompt: whatever is typed, the prompt goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import emu
from emu import Network
from emu.hooks.plugin_manager import PluginManager, default_plugins
from emu.prompt.choosing import is_pattern
from emu.prompt.session import Leave, Session


def status(session: Session, line: str) -> int:
    return session.run_line(line)


commands = st.sampled_from([*default_plugins().commands])
words = st.one_of(
    st.sampled_from(["HOST1", "HOST2", "ROUTER", "HOST3", "host1", "&", "#", "--help", "-4", "1"]),
    st.sampled_from(["'", '"', "\\", "--", "-", ";", "|", "$(x)", "\t", "\0", "\x1b[A", "é", "9" * 20]),
    commands,
    st.text(max_size=6),
)


@settings(max_examples=300)
@given(st.text(max_size=20) | st.builds(" ".join, st.lists(words, max_size=5)))
def test_no_line_whatsoever_gives_a_traceback(session: Session, line: str) -> None:
    first = (line.split() or [""])[0]
    # Programs in several nodes take real pipes, and so does what is given to other programs.
    assume(not is_pattern(first) and "," not in first and not {"|", ">"} & set(line))
    try:
        found = session.run_line(line)
    except Leave:
        found = 0
    assert isinstance(found, int)


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "#", "\t"])
def test_empty_lines_and_comments_are_nothing(
    session: Session, line: str, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert status(session, line) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("HOST3 ping HOST2", 127, "no command or node 'HOST3'; did you mean HOST"),
        ("nodse", 127, "did you mean nodes"),
        ("zzzzzz", 127, "help lists the commands"),
        ("HOST1", 2, "HOST1: what to run?"),
        ("addresses HOST3", 2, "no node 'HOST3'; did you mean HOST"),
        ("addresses 'HOST1", 2, "addresses: No closing quotation"),
        ("nodes extra", 2, "nodes: Got unexpected extra argument (extra); 'help nodes' tells how it is used"),
        ("add node", 2, "add node: Missing argument 'NAME'; 'help add node'"),
        ("add host HOST4", 2, "add 'host': write 'add node …' or 'add link …'"),
        ("remove HOST1", 2, "remove 'HOST1': write 'remove node …' or 'remove link …'"),
        ("link HOST1 ROUTER dwn", 2, "did you mean down?"),
        ("link HOST1 ROUTER set rate 10mbit", 2, "rate has no value; write rate=…"),
        ("links -i 0", 2, "0 is not more than 0 s, and 86400 s at most; 'help links'"),
        ("links -i 5parsec", 2, "unknown unit 'parsec'"),
        ("pingall &", 2, "NODE COMMAND… &"),
        ("nodes 2>/dev/null", 2, "redirect 2>: only what a command prints goes elsewhere"),
        ("help HOST3", 2, "no command 'HOST3'; did you mean HOST"),
        ("help add nothing", 2, "add has no 'nothing'"),
        ("fg 7", 2, "no job 7"),
        ("bg", 2, "none is stopped"),
        ("! sh true", 1, "it was to fail, and it did not: sh true"),
        ("help nothing", 2, "no command 'nothing'"),
        ("source missing", 2, "missing"),
        ("fg", 2, "none is stopped"),
        ("fg x", 2, "no job x; 'jobs' lists them"),
        ("kill 7", 2, "no job 7"),
        ("kill HOST3", 2, "no job HOST3; did you mean HOST"),
        ("graph", 2, "Missing argument"),
        ("graph x.zzz", 2, "no file format '.zzz'"),
        ("pingall", 1, "is not running"),
        ("source a\0b", 2, "zero byte"),
        ("X* ls", 2, "no node matches X*"),
        ("HOST1,HOST7 ls", 2, "no node 'HOST7'"),
        ("addresses X*", 2, "no node matches X*"),
        ("HOST*", 2, "HOST*: what to run?"),
        ("for n in HOST*", 2, "it is written like"),
        ("for n in : nodes", 2, "it is written like"),
        ("for n in X*: nodes", 2, "no node matches X*"),
        ("in HOST1", 2, "HOST1: what to run?"),
        ("set -q", 2, "known are -e"),
        ("py 1/0", 1, "py: ZeroDivisionError: division by zero"),
        ("py 1 +", 1, "py: SyntaxError: invalid syntax"),
        ("py x = 1; assert x == 2", 1, "py: AssertionError: x = 1; assert x == 2"),
        ("py raise ValueError('two\\nlines')", 1, "py: ValueError: two lines"),
        ("py net['HOST7']", 1, "py: no node 'HOST7'"),
        ("dpctl dump-flows", 2, "without OpenFlow; 'NODE bridge fdb'"),
        ("switch s1 stop", 2, "remove node"),
        ("iperfudp 10M HOST1 HOST2", 1, "is not running"),
    ],
)
def test_bad_lines_get_one_clear_line(
    session: Session, line: str, code: int, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status(session, line) == code
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("emu: ")
    assert words in err


@pytest.mark.parametrize("line", ["exit", "quit", "exit ", "  exit"])
def test_the_ways_out(session: Session, line: str) -> None:
    with pytest.raises(Leave):
        session.run_line(line)


def test_what_follows_a_nodes_name_is_for_a_shell_as_typed(session: Session, ran: list[str]) -> None:
    assert status(session, "  HOST1   echo 'a  b' | cat > \"x\" # not a comment of ours ") == 0
    assert ran == ["echo 'a  b' | cat > \"x\" # not a comment of ours"]


def test_the_status_is_that_of_the_first_line_that_failed(session: Session) -> None:
    assert session.run_lines(["HOST1 true", "HOST1 false", "zzzzzz", "HOST1 true"]) == 3
    session.stops = False
    with pytest.raises(Leave) as caught:
        session.run_lines(["HOST1 false", "exit", "zzzzzz"])
    assert caught.value.status == 3


def test_unreachable_destinations_are_shown(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    assert status(session, "routes HOST1") == 0
    assert "unreachable" in capfd.readouterr().out


def test_a_file_that_reads_itself_is_refused(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    Path("loop").write_text("HOST1 true\nsource loop\n")
    assert status(session, "source loop") == 2
    assert "it is being read already" in capfd.readouterr().err


def test_lines_in_lines_end_at_some_depth(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    assert status(session, "time " * 2000 + "nodes") != 0
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("a\nbug"), KeyError("x"), OSError(5, "I/O"), click.UsageError("no"), emu.EmuError("so")],
)
def test_a_command_of_a_plugin_that_fails_does_not_end_the_prompt(
    network: Network, failure: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def broken() -> None:
        raise failure

    class Plugin:
        @emu.hookimpl
        def emu_register_commands(self, register: Callable[..., None]) -> None:
            register(broken)

    plugins = PluginManager()
    plugins.manager.register(Plugin(), "mine")
    if isinstance(failure, RuntimeError | KeyError):
        with pytest.raises(type(failure)):  # a bug keeps its traceback
            Session(network, plugins).run_line("broken")
    else:
        assert Session(network, plugins).run_line("broken") > 0
        assert capfd.readouterr().err.startswith("emu: ")
