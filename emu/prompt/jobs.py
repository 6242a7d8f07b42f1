"""Programs that a prompt runs in nodes: in front, in the background, stopped."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

from ..errors import UsageError
from ..node import Node
from ..process import Process
from ..terminal import SPOKEN, TerminalJob, forwarded_signals, has_terminal, shell_status


class Background(Protocol):
    """What can be a job beside the programs in nodes, with the same methods."""

    def poll(self) -> int | None:
        """Return the exit status, or None while it goes on."""

    def wait(self) -> int:
        """Wait for the end and return the exit status."""

    def kill_group(self) -> None:
        """End it."""

    def close(self) -> None:
        """Let go of it, as the prompt ends."""


@dataclass
class Job:
    """A program, or something else, that is not in front; `note` says more of it at its end."""

    number: int
    node: str
    command: str
    process: Process | Background
    terminal: TerminalJob | None = None
    note: Callable[[], str] = str

    @property
    def state(self) -> str:
        """Running, stopped, or how it ended."""
        status = self.process.poll()
        if status is not None:
            return "done" if status == 0 else f"exit {shell_status(status)}"
        return "stopped" if self.terminal is not None else "running"

    def __str__(self) -> str:
        note = self.note()
        return f"[{self.number}] {self.state}  {self.node} {self.command}{note and f': {note}'}"


class Jobs:
    """The jobs of one prompt. `stdin` is what programs without a terminal read; None: ours."""

    def __init__(self, stdin: int | None = None) -> None:
        self.stdin = stdin
        self._jobs: dict[int, Job] = {}

    def run(self, node: Node, command: str) -> int:
        """Run a shell command line in a node and return its status; with a closing `&` start it only."""
        if command.endswith("&") and not command.endswith("&&"):
            return self._start_in_background(node, command[:-1].strip())
        if self.stdin is None and has_terminal():
            job = TerminalJob(lambda terminal: node.popen(_shell(command), terminal=terminal))
            return self._follow(Job(self._free_number(), node.name, command, job.process, job))
        with node.popen(_shell(command), stdin=self.stdin) as process:
            interrupted: list[int] = []
            # Those that end the prompt do so, whatever its program makes of them.
            with forwarded_signals(process, SPOKEN, interrupted.append):
                status = shell_status(process.wait())
            if signal.SIGINT in interrupted:
                raise KeyboardInterrupt
        return status

    def _start_in_background(self, node: Node, command: str) -> int:
        shown = subprocess.PIPE if self.stdin is None and has_terminal() else None
        process = node.popen(
            _shell(command), stdin=subprocess.DEVNULL, stdout=shown, stderr=shown and subprocess.STDOUT,
            background=True,
        )  # fmt: skip
        job = Job(self._free_number(), node.name, command, process)
        self._jobs[job.number] = job
        print(f"[{job.number}] {process.pid}")
        output, process.stdout = process.stdout, None  # the thread's to close: who reads holds a lock on it
        if output is not None:  # what it prints begins on a line of its own
            threading.Thread(target=_show, args=(output,), daemon=True).start()
        return 0

    def add(self, what: str, command: str, process: Background, note: Callable[[], str] = str) -> Job:
        """Add what goes on in the background: `jobs` shows it, `kill` and the prompt's end end it."""
        job = Job(self._free_number(), what, command, process, note=note)
        self._jobs[job.number] = job
        return job

    def resume(self, number: int | None) -> int:
        """Bring a stopped job back to the front and return its status."""
        stopped = [job for job in self._jobs.values() if job.terminal is not None]
        if number is None and not stopped:
            raise UsageError("continue a job: none is stopped")
        job = stopped[-1] if number is None else self.get(number)
        if job.terminal is None:
            raise UsageError(f"continue job {number}: it is running in the background")
        print(f"{job.node} {job.command}")
        return self._follow(job, resumed=True)

    def _follow(self, job: Job, resumed: bool = False) -> int:
        assert job.terminal is not None
        if (job.terminal.resume() if resumed else job.terminal.foreground()) == "stopped":
            self._jobs[job.number] = job
            print(f"\n{job}")
            return 128 + signal.SIGTSTP
        self._jobs.pop(job.number, None)
        status = shell_status(job.process.wait())
        if status == 128 + signal.SIGINT:
            print()  # behind the terminal's ^C
        return status

    def get(self, number: int) -> Job:
        """Return a job by its number; UsageError when there is none."""
        if number not in self._jobs:
            raise UsageError(f"no job {number}; 'jobs' lists them")
        return self._jobs[number]

    def all(self) -> list[Job]:
        """Return all jobs; those that ended are forgotten after this."""
        jobs = list(self._jobs.values())
        self._jobs = {job.number: job for job in jobs if job.process.poll() is None}
        return jobs

    def ended(self) -> list[Job]:
        """Return, and forget, the jobs that ended since the last time."""
        ended = [job for job in self._jobs.values() if job.process.poll() is not None]
        for job in ended:
            del self._jobs[job.number]
        return ended

    def close(self) -> None:
        """Let go of all jobs; stopped ones are hung up."""
        for job in self._jobs.values():
            with contextlib.suppress(OSError):
                (job.terminal or job.process).close()
        self._jobs.clear()

    def _free_number(self) -> int:
        return max(self._jobs, default=0) + 1


def _show(output: IO[bytes]) -> None:
    """Print a background program's output as it comes, above the prompt that is being edited.

    The program does not write to the terminal itself: it is in a raw mode meanwhile, where a new line
    does not begin at the left.
    """
    with output, contextlib.suppress(ValueError, OSError):
        for line in output:
            sys.stdout.write(line.decode(errors="replace").replace("\n", "\r\n"))
            sys.stdout.flush()


def _shell(command: str) -> list[str]:
    # bash becomes a single command instead of waiting for it, and leaves Ctrl-C and Ctrl-\ to it.
    return [shutil.which("bash") or "sh", "-c", command]
