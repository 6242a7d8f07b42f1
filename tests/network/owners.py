"""Owners of networks: processes that end in all ways, terminals, and programs that will not end."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import textwrap
import time
from pathlib import Path
from typing import Self

import emu

from .helpers import EMU, WITHIN, eventually, surroundings
from .traces import await_keeper, command_of, processes

#: Programs that do not end by being asked: one is deaf, one stopped, one has left its parents.
STUBBORN = (
    "trap '' TERM HUP INT; while :; do sleep 1; done",
    "kill -STOP $$; sleep 1000",
    "(setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & sleep 1000' >/dev/null 2>&1 &) &",
)


class Owners:
    """A process that has all imported and makes a copy of itself for each owner of a network.

    Within an owner's code there are `name`, `emu`, `Network` (of two_segment under that name), `say`,
    which `expect` waits for, and `sleep`.
    """

    _PROGRAM = textwrap.dedent(
        """
        import os, signal, sys, time
        import emu, emu.running.network
        from emu.hooks.plugin_manager import default_plugins
        from emu.topologies.two_segment import two_segment
        plan = default_plugins().plan_for(two_segment())
        import emu.netlink.lowering, emu.netlink.dumps
        emu.netlink.lowering.operations_for(plan)

        def say(word):
            os.write(1, f"{name} {word}\\n".encode())

        def Network(graph=None, **options):
            return emu.Network(plan if graph is None else graph, name, **options)

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for line in sys.stdin:
            name, code = eval(line)
            if (pid := os.fork()) == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.dup2(os.open(os.devnull, os.O_RDWR), 0)
                try:
                    exec(code)
                except KeyboardInterrupt:
                    sys.exit(130)
                sys.exit(0)
            print(name, pid, flush=True)
        """
    )

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=surroundings(), start_new_session=True,
        )  # fmt: skip
        self._seen: set[str] = set()
        self._unfinished = ""

    def start(self, name: str, code: str) -> int:
        """Run `code` in an owner of its own and return that one's process id."""
        assert self._process.stdin is not None
        print(repr((name, textwrap.dedent(code))), file=self._process.stdin, flush=True)
        return int(self._read(name))

    def expect(self, name: str, word: str) -> None:
        """Wait until an owner says `word`."""
        said = self._read(name)
        assert said == word, said

    def _read(self, name: str) -> str:
        assert self._process.stdout is not None
        while not (mine := [line for line in self._seen if line.startswith(name + " ")]):
            assert select.select([self._process.stdout], [], [], WITHIN)[0], f"owner {name} says nothing"
            data = os.read(self._process.stdout.fileno(), 4096)
            assert data, "the owners' process has ended"
            *lines, self._unfinished = (self._unfinished + data.decode()).split("\n")
            self._seen.update(lines)
        self._seen.remove(mine[0])
        return mine[0].partition(" ")[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End, with all owners and their copies: they share the standard output."""
        assert self._process.stdin is not None
        output = os.readlink(f"/proc/{self._process.pid}/fd/1")
        self._process.stdin.close()
        self._process.wait()

        def gone() -> bool:
            left = [pid for pid in processes() if _links_to(f"/proc/{pid}/fd/1", output)]
            for pid in left:
                send_signal(pid, signal.SIGKILL)
            return not left

        eventually(gone)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _links_to(path: str, target: str) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(path) == target
    return False


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def start_stubborn(name: str) -> None:
    """Start programs in a network's nodes that do not end by being asked, and return once they run."""
    with emu.Network.attach(name) as network:
        host = network["HOST1"]
        for command in STUBBORN:
            host.start_job(["sh", "-c", command])
    keeper = await_keeper(name)
    inside = os.readlink(f"/proc/{keeper}/ns/pid")

    def all_there() -> bool:
        states = []
        for pid in processes():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid") == inside:
                    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                    states.append((command_of(pid), state))
        stopped = any(state == "T" for _, state in states)
        return stopped and sum(command.startswith("sleep 1000") for command, _ in states) >= 2

    eventually(all_there)


class Terminal:
    """A terminal with `emu run two_segment` in it."""

    def __init__(self, name: str, *options: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            words = [*EMU, "run", "two_segment", "--name", name, *options]
            os.execve(words[0], words, surroundings(TERM="xterm"))
        termios.tcsetwinsize(self.master, (24, 80))
        self.shown = b""
        self._status: int | None = None

    def await_text(self, pattern: str, within: float = WITHIN) -> None:
        """Read until the terminal shows what matches a regular expression."""
        deadline = time.monotonic() + within
        while not re.search(pattern, self.plain(), re.DOTALL):
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.master], [], [], left)[0], f"no {pattern!r} in {self.plain()!r}"
            data = os.read(self.master, 4096)
            self.shown += data
            if b"\x1b[6n" in data:  # where is the cursor?
                os.write(self.master, b"\x1b[1;1R")

    def plain(self) -> str:
        """Return what the terminal has shown, without the sequences that move and colour."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown.decode(errors="replace"))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def close(self) -> None:
        """Close the terminal, as its window's closing does."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def wait(self, within: float = WITHIN) -> int:
        """Wait for the command to end and return its status, reading what it still says."""
        deadline = time.monotonic() + within
        while self.master >= 0:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.master], [], [], left)[0], f"goes on: {self.plain()!r}"
            try:
                self.shown += os.read(self.master, 4096)
            except OSError:
                break
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
