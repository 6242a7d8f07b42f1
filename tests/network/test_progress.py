"""How far a large network is: shown at a terminal only, gone at the end, and no obstacle to leaving."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import sys
import termios
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .helpers import EMU, WITHIN, fresh_name, run_emu, surroundings
from .traces import Traces

#: What hides and shows the cursor (DECTCEM), and what clears a line.
HIDE, SHOW, CLEAR = b"\x1b[?25l", b"\x1b[?25h", b"\x1b[2K"
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LARGE = ("run", "line", "--set", "routers=300", "-4")
#: What the bar shows while routes are computed.
SIGN = b"computing routes"
#: `emu`, where planning goes on until a file is there, and for long enough to be shown; `deaf` to signals.
SLOW = """
import os, time, emu, emu.cli
from emu.hooks.plugin_manager import default_plugins
class Slow:
    @emu.hookimpl
    def emu_compute_routes(self, topology, addressing):
        end = time.monotonic() + 0.7
        while time.monotonic() < end or not os.path.exists({go!r}):
            try:
                time.sleep(0.02)
            except SystemExit:
                if not {deaf}:
                    raise
default_plugins().manager.register(Slow())
emu.cli.main()
"""


class Terminal:
    """A command at a terminal of so many columns."""

    def __init__(self, command: list[str], columns: int = 80, **changes: str | None) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            termios.tcsetwinsize(0, (24, columns))
            os.execve(command[0], command, surroundings(**{"TERM": "xterm", **changes}))
        self.shown = b""

    def read(self, until: Callable[[], object] = lambda: False, within: float = WITHIN) -> None:
        """Read until something is so, or the terminal is closed."""
        deadline = time.monotonic() + within
        with contextlib.suppress(OSError):
            while not until():
                left = max(0.0, deadline - time.monotonic())
                if not select.select([self.master], [], [], left)[0]:
                    break
                self.shown += os.read(self.master, 4096)

    def end(self) -> int:
        """Read what there is until the command has ended, and return its status."""
        self.read()
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def assert_as_before(self) -> None:
        """Check that the cursor is there and no bar is."""
        assert self.shown.count(HIDE) <= self.shown.count(SHOW)
        if HIDE in self.shown:
            assert CLEAR in self.shown[self.shown.rindex(HIDE) :]


def slow(go: Path, *words: str, deaf: bool = False) -> list[str]:
    return [sys.executable, "-P", "-c", textwrap.dedent(SLOW).format(go=str(go), deaf=deaf), *words]


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """The file for which a slow `emu` waits."""
    return tmp_path / "go"


@pytest.mark.parametrize("columns", [80, 40])
def test_phase_and_count_are_shown_and_gone_at_the_end(columns: int, go: Path) -> None:
    terminal = Terminal(slow(go, "run", "two_segment", "--name", fresh_name(), "-c", "nodes"), columns)
    terminal.read(lambda: SIGN in terminal.shown)
    go.touch()
    assert terminal.end() == 0
    terminal.assert_as_before()
    bar = terminal.shown[terminal.shown.index(HIDE) : terminal.shown.index(SHOW)]
    lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", bar).decode().replace("\n", "\r").split("\r")
    assert any(line.startswith("computing routes") for line in lines)
    assert max(map(len, lines)) <= columns
    assert b"HOST1" in terminal.shown[terminal.shown.rindex(SHOW) :]


@pytest.mark.parametrize(
    "words", [("plan", "two_segment"), ("graph", "two_segment", "-o", "/dev/null/x.dot")]
)
def test_whatever_plans_shows_it(words: tuple[str, ...], go: Path) -> None:
    terminal = Terminal(slow(go, *words))
    terminal.read(lambda: SIGN in terminal.shown)
    go.touch()
    terminal.end()
    assert SIGN in terminal.shown
    terminal.assert_as_before()


def test_a_dumb_terminal_shows_no_bar(go: Path) -> None:
    go.touch()
    terminal = Terminal(slow(go, "plan", "two_segment"), TERM="dumb")
    assert terminal.end() == 0
    assert HIDE not in terminal.shown
    assert b"computing" not in terminal.shown


def test_no_bar_for_who_does_not_look() -> None:
    name = fresh_name()
    shown = run_emu(*LARGE, "--name", name, "-c", "nodes")
    assert shown.startswith("NODE")
    assert "\x1b" not in shown


PHASES = [SIGN, b"namespaces", b"settings", b"links", b"interfaces", b"addresses"]


@pytest.mark.parametrize(
    ("number", "sign"),
    [(NUMBERS[at % 3], sign) for at, sign in enumerate(PHASES)],
)
def test_a_signal_in_any_phase(number: int, sign: bytes) -> None:
    """Sent when the bar shows that phase, or what comes later where it was over too soon to be drawn."""
    name = fresh_name()
    terminal = Terminal([*EMU, *LARGE, "--name", name, "-c", "HOST1 echo built; exec sleep 1000"])
    later = [*PHASES[PHASES.index(sign) :], b"built"]
    terminal.read(lambda: any(one in terminal.shown for one in later))
    traces = Traces(name)
    os.kill(terminal.pid, number)
    assert terminal.end() == 128 + number
    terminal.assert_as_before()
    traces.assert_gone()


def test_a_command_that_does_not_listen_ends_with_its_bar(go: Path) -> None:
    terminal = Terminal(slow(go, "plan", "two_segment", deaf=True))
    terminal.read(lambda: SIGN in terminal.shown)
    assert HIDE in terminal.shown
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGTERM
    terminal.assert_as_before()
