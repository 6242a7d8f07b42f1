"""Lines at the prompt: whatever is typed, the prompt goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emu
from emu import Network, Node
from emu.netlink.dumps import InterfaceState, RouteState
from emu.plugin_manager import PluginManager, default_plugins
from emu.prompt.session import Leave, Session
from emu.topologies.two_segment import two_segment


class Ended:
    """A program that has ended already."""

    pid, args, stdout = 7, ["sh"], None

    def __init__(self, status: int) -> None:
        self.returncode = status

    def __enter__(self) -> Ended:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def wait(self) -> int:
        return self.returncode

    def poll(self) -> int:
        return self.returncode

    def send_signal(self, number: int, group: bool = False) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make nodes of networks run nothing; return the list of what they are asked to run."""
    lines: list[str] = []

    def popen(node: Node, args: Any, **options: Any) -> Any:
        lines.append(args[-1])
        return Ended(3 if args[-1].startswith("false") else 0)

    interfaces = [InterfaceState(2, "HOST1-veth0", (), True, True, 1500, "02:00:00:00:00:01")]
    monkeypatch.setattr(Node, "popen", popen)
    monkeypatch.setattr(Network, "jobs", lambda _: [])
    monkeypatch.setattr(Node, "read_interfaces", lambda _: interfaces)
    monkeypatch.setattr(Node, "read_addresses", lambda _: [])
    monkeypatch.setattr(Node, "read_routes", lambda _: [RouteState(4, "10.9.0.0/16", (), "boot")])
    return lines


@pytest.fixture
def network(ran: list[str]) -> Network:
    """Return a network of which nothing is running."""
    found = Network(two_segment())
    found._nodes = {node.name: node for node in found.plan.nodes}
    return found


@pytest.fixture
def session(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:  # fmt: skip
    """Yield a session in a folder of its own, in which `sh` runs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda args, **_: subprocess.CompletedProcess(args, 0))
    monkeypatch.setattr("emu.prompt.jobs.has_terminal", lambda: False)
    found = Session(network, default_plugins())
    yield found
    found.close()


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
        ("nodes extra", 2, "unexpected extra argument"),
        ("help nothing", 2, "no command 'nothing'"),
        ("source missing", 2, "missing"),
        ("fg", 2, "none is stopped"),
        ("fg x", 2, "no job x; 'jobs' lists them"),
        ("kill 7", 2, "no job 7"),
        ("graph", 2, "Missing argument"),
        ("graph x.zzz", 2, "no file format '.zzz'"),
        ("pingall", 1, "is not running"),
        ("source a\0b", 2, "zero byte"),
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
