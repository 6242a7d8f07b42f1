"""Whatever ends a network, nothing of it is left, and the outer machine is as it was."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import emu
from emu.hooks.plugin_manager import default_plugins
from emu.planning.plan import Plan
from emu.sandboxes.sandbox import running_sandboxes
from emu.topologies.two_segment import two_segment

from .helpers import EMU, ROOT, WITHIN, assert_free, fresh_name, outer_unchanged, surroundings
from .owners import Owners, Terminal, start_stubborn
from .traces import Traces, await_keeper, folders_of

#: How often each random moment is tried.
MOMENTS = 15
HOLD = """
with Network() as net:
    say("ready")
    time.sleep(100)
"""


@pytest.fixture(scope="module", autouse=True)
def same_outer_machine() -> Iterator[None]:
    with outer_unchanged():
        yield


@pytest.fixture(scope="module")
def owners() -> Iterator[Owners]:
    with Owners() as found:
        yield found


@pytest.fixture(scope="module")
def plan() -> Plan:
    return default_plugins().plan_for(two_segment())


@pytest.fixture
def name() -> str:
    return fresh_name()


# -- how a process can end --------------------------------------------------------------------------


ENDINGS = {
    "the end of the block": "",
    "an exception": "raise ValueError('of the caller')",
    "sys.exit": "sys.exit(3)",
    "os._exit": "os._exit(3)",
    "another program": "os.execvp('sleep', ['sleep', '1000'])",
    "SIGKILL to itself": "os.kill(os.getpid(), signal.SIGKILL)",
    "an unhandled signal": "os.kill(os.getpid(), signal.SIGUSR1)",
    "Ctrl-C": "os.kill(os.getpid(), signal.SIGINT); time.sleep(100)",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_stubborn_programs_end_with_their_owner(ending: str, owners: Owners, name: str) -> None:
    owner = owners.start(
        name,
        f"""
        sys.stderr = open(os.devnull, "w")  # of the exception that is meant
        signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGUSR2}})
        with Network() as net:
            say("ready")
            signal.sigwait({{signal.SIGUSR2}})
            {ending or "pass"}
        """,
    )
    owners.expect(name, "ready")
    start_stubborn(name)
    traces = Traces(name)
    assert len(traces.processes) > 4
    os.kill(owner, signal.SIGUSR2)
    traces.assert_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_an_owner_ended_from_outside(number: int, owners: Owners, name: str) -> None:
    owner = owners.start(name, HOLD)
    owners.expect(name, "ready")
    traces = Traces(name)
    os.kill(owner, number)
    traces.assert_gone()


def test_a_stopped_owner_that_is_killed(owners: Owners, name: str) -> None:
    owner = owners.start(name, HOLD)
    owners.expect(name, "ready")
    traces = Traces(name)
    os.kill(owner, signal.SIGSTOP)
    os.kill(owner, signal.SIGKILL)
    traces.assert_gone()


# -- at any moment ------------------------------------------------------------------------------------


def test_an_owner_killed_at_any_moment_of_the_build(owners: Owners, plan: Plan) -> None:
    moments = random.Random(7)
    waiting = []
    for _ in range(MOMENTS):
        name = fresh_name()
        owner = owners.start(name, HOLD)
        time.sleep(moments.uniform(0, 0.08))
        traces = Traces(name)
        os.kill(owner, signal.SIGKILL)
        waiting.append(traces)
    for traces in waiting:
        # One killed before there was a keeper leaves a folder, which the next command removes.
        traces.assert_gone(but="folder")
        list(running_sandboxes())
        traces.assert_gone()
        assert_free(traces.name, plan)


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise KeyboardInterrupt in this thread after a while, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Between the making of a socket and its naming, an interrupt leaves it to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_moment_in_a_program_that_goes_on(plan: Plan) -> None:
    moments = random.Random(8)
    for _ in range(MOMENTS):
        name = fresh_name()
        soon = interrupted_after(moments.uniform(0.001, 0.08))
        with contextlib.suppress(KeyboardInterrupt), soon, emu.Network(plan, name) as net:
            net["HOST1"].run(["true"])
            time.sleep(0.005)
        Traces(name).assert_gone()
        assert_free(name, plan)


def test_ctrl_c_while_the_keeper_starts_leaves_no_child(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = subprocess.Popen, []

    def interrupted(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = start(*args, **options)
        started.append(process.pid)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr("emu.sandboxes.sandbox.subprocess.Popen", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # other tests may have left theirs
    try:
        with pytest.raises(KeyboardInterrupt), emu.Network(plan, fresh_name()):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    (pid,) = started
    assert not Path(f"/proc/{pid}").exists()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


#: Where the life of a network is decided.
DECISIVE = ("connection.py", "folders.py", "network.py", "sandbox.py", "sockets.py")
#: Each run tries every fifth line; both kinds of users, and the lines that move, see to the others.
STEP = 5


def lines_of_a_life(plan: Plan) -> list[tuple[str, int]]:
    """Return every line of those modules that building and ending a network runs."""
    seen: dict[tuple[str, int], None] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        path = frame.f_code.co_filename
        if os.path.basename(path) not in DECISIVE:
            return None
        if event == "line":
            seen[path, frame.f_lineno] = None
        return trace

    with traced(trace), emu.Network(plan, fresh_name()):
        pass
    assert {os.path.basename(path) for path, _ in seen} == set(DECISIVE)
    return list(seen)


@contextlib.contextmanager
def traced(trace: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    """Call `trace` for every line meanwhile, and put back what coverage or a debugger had there."""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.filterwarnings("ignore")  # of what was interrupted while it was closed
def test_ctrl_c_at_any_line(plan: Plan) -> None:
    for path, number in lines_of_a_life(plan)[ROOT::STEP]:
        name = fresh_name()

        def trace(frame: FrameType, event: str, _: Any, at: tuple[str, int] = (path, number)) -> Any:
            if os.path.basename(frame.f_code.co_filename) not in DECISIVE:
                return None
            if event == "line" and (frame.f_code.co_filename, frame.f_lineno) == at:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        with contextlib.suppress(KeyboardInterrupt), traced(trace), emu.Network(plan, name):
            pass
        try:
            Traces(name).assert_gone()
            assert_free(name, plan)
        except (AssertionError, emu.EmuError) as error:
            raise AssertionError(f"interrupted at {path}:{number}: {error}") from error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_command_at_any_moment(number: int) -> None:
    """From the first instruction of the interpreter to a program that runs in a node."""
    started = []
    moments = random.Random(number)
    for _ in range(4):
        name = fresh_name()
        command = subprocess.Popen(
            [*EMU, "run", "two_segment", "--name", name, "-c", "HOST1 sleep 100"],
            env=surroundings(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        started.append((name, command, time.monotonic() + moments.uniform(0, 1.2)))
    for name, command, moment in sorted(started, key=lambda one: one[2]):
        time.sleep(max(0.0, moment - time.monotonic()))
        traces = Traces(name)
        command.send_signal(number)
        assert command.wait(WITHIN) != 0
        traces.assert_gone(but="folder" if number == signal.SIGKILL else "")
    list(running_sandboxes())
    assert [name for name, _, _ in started if folders_of(name)] == []


# -- the prompt -----------------------------------------------------------------------------------------


WAYS_OUT: dict[str, Callable[[Terminal, int], object]] = {
    "exit": lambda terminal, _: terminal.type("exit\r"),
    "Ctrl-D": lambda terminal, _: terminal.type("\x04"),
    "closing the terminal": lambda terminal, _: terminal.close(),
    "SIGTERM": lambda terminal, _: os.kill(terminal.pid, signal.SIGTERM),
    "SIGHUP": lambda terminal, _: os.kill(terminal.pid, signal.SIGHUP),
    "SIGKILL": lambda terminal, _: os.kill(terminal.pid, signal.SIGKILL),
    "SIGKILL to the keeper": lambda _, keeper: os.kill(keeper, signal.SIGKILL),
}


@pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_ways_out_of_the_prompt(way: Callable[[Terminal, int], object], name: str) -> None:
    with Terminal(name) as terminal:
        terminal.await_text("emu>")
        terminal.type("HOST2 sleep 1000 &\r")
        terminal.await_text(r"\[1\].*emu>")
        start_stubborn(name)
        traces = Traces(name)
        way(terminal, await_keeper(name))
        terminal.wait()
        traces.assert_gone()


def test_closing_the_terminal_while_a_program_has_it(name: str) -> None:
    deaf = "trap '' HUP TERM; echo $((6 * 7)); while :; do sleep 1; done"
    with Terminal(name, "-c", f"HOST1 {deaf}") as terminal:
        terminal.await_text("42")
        traces = Traces(name)
        terminal.close()
        terminal.wait()
        traces.assert_gone()


def assert_ended_by(number: int, name: str, *command: str) -> None:
    """Send a signal to a command whose program in a node has said that it is there."""
    process = subprocess.Popen(
        command, env=surroundings(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        traces = Traces(name)
        process.send_signal(number)
        traces.assert_gone()
        assert process.wait(WITHIN) == 128 + number
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_whatever_its_program_makes_of_it(number: int, name: str) -> None:
    deaf = "HOST1 trap '' TERM HUP; echo here; while :; do sleep 1; done"
    words = ["run", "two_segment", "--name", name, "-c", deaf, "-c", "HOST1 sleep 100"]
    assert_ended_by(number, name, *EMU, *words)


def test_a_command_that_cannot_leave_in_an_orderly_way(name: str) -> None:
    """What waits for something else on its way out, as a plugin may, is not waited for."""
    program = """
        import sys, threading, emu.cli, emu.running.network
        def wait(self):
            threading.Thread(target=threading.Event().wait).start()  # which Python waits for at its end
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        emu.running.network.Network.stop = wait
        emu.cli.main()
        """
    words = ["run", "two_segment", "--name", name, "-c", "HOST1 echo here; sleep 100"]
    assert_ended_by(signal.SIGTERM, name, sys.executable, "-P", "-c", textwrap.dedent(program), *words)
