"""Programs that a prompt runs in nodes: in front, in the background, stopped."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..commands import nearest_program, shell_words
from ..errors import UsageError
from ..processes.terminal import SPOKEN, TerminalJob, forwarded_signals, has_terminal, shell_status

if TYPE_CHECKING:
    from ..processes.jobs import Job, JobFacts
    from ..processes.process import Process
    from ..running.network import Network
    from ..running.node import Node
    from .watcher import Watcher

#: What a shell answers when there is no such program.
NOT_FOUND = 127


@dataclass
class OwnJob:
    """A job that belongs to this prompt and ends with it: a program that was in front, and is stopped."""

    number: int
    node: str
    command: str
    terminal: TerminalJob

    @property
    def process(self) -> Process:
        """The program."""
        return self.terminal.process

    @property
    def state(self) -> str:
        """Stopped, or how it ended."""
        status = self.process.poll()
        if status is None:
            return "stopped"
        return "done" if status == 0 else f"exit {shell_status(status)}"

    def __str__(self) -> str:
        return f"[{self.number}] {self.state}  {self.node} {self.command}"


class Jobs:
    """What a prompt runs. Programs in the background are the network's jobs, and go on without it.

    `stdin` is what programs without a terminal read; None: ours.
    """

    def __init__(self, network: Network, stdin: int | None = None) -> None:
        self.network, self.stdin = network, stdin
        self._own: dict[int, OwnJob] = {}
        self._watcher: Watcher | None = None

    def watch(self) -> Watcher:
        """Begin to tell of the network's jobs, if that has not begun."""
        from .watcher import Watcher

        if self._watcher is None:
            self._watcher = Watcher(self.network.sandbox, person=self.stdin is None and has_terminal())
        return self._watcher

    def run(self, node: Node, command: str) -> int:
        """Run a shell command line in a node and return its status; with a closing `&` start it only."""
        if command.endswith("&") and not command.endswith("&&"):
            return self._start_in_background(node, command[:-1].strip())
        status = self._run_in_front(node, command)
        if status == NOT_FOUND:
            self.explain(command)
        return status

    def _run_in_front(self, node: Node, command: str) -> int:
        if self.stdin is None and has_terminal():
            terminal = TerminalJob(lambda theirs: node.popen(shell_words(command), terminal=theirs))
            return self._follow(OwnJob(0, node.name, command, terminal))
        with node.popen(shell_words(command), stdin=self.stdin) as process:
            interrupted: list[int] = []
            # Those that end the prompt do so, whatever its program makes of them.
            with forwarded_signals(process, SPOKEN, interrupted.append):
                status = shell_status(process.wait())
            if signal.SIGINT in interrupted:
                raise KeyboardInterrupt
        return status

    def _start_in_background(self, node: Node, command: str) -> int:
        if not command:
            raise UsageError(f"run nothing in {node.name}: what to run in the background?")

        def start() -> Job:
            job = node.start_job(command)
            print(f"[{job.number}] {job.facts().pid}")
            sys.stdout.flush()
            return job

        self.watch().adopt(start)
        return 0

    def explain(self, command: str) -> None:
        """Say what was meant, where a shell has said that there is no such program."""
        with contextlib.suppress(ValueError, IndexError):
            word = shlex.split(command)[0]
            if hint := nearest_program(word, self.network.plugins.programs):
                sys.stdout.flush()
                sys.stderr.write(f"emu: no program {word!r}{hint}\n")
                sys.stderr.flush()

    def _number(self) -> int:
        """Return a number that no other job of the network has."""
        return int(self.network.sandbox.ask("number").message["number"])

    def bring_to_front(self, number: int | None) -> int:
        """Bring a job to the front, by default the one that was stopped last, and return its status.

        One in the background has no terminal: its output is shown, and Ctrl-C interrupts it.
        """
        if number is None and not self._own:
            raise UsageError("continue a job: none is stopped; name one that 'jobs' lists")
        number = list(self._own)[-1] if number is None else number
        own = self._own.get(number)
        if own is None:
            job = self.network.job(number)
            return self._show(job, job.facts())
        print(f"{own.node} {own.command}")
        return self._follow(own, resumed=True)

    def _show(self, job: Job, facts: JobFacts) -> int:
        """Show what a job in the background prints until it ends; Ctrl-C interrupts it."""
        print(f"{facts.node} {facts.command}")
        if self._watcher is not None:
            self._watcher.disown(job.number)
        if facts.stopped:
            job.send_signal(signal.SIGCONT)
        position = facts.log[1]
        while True:
            try:
                for data in job.follow(position):
                    position += len(data)
                    sys.stdout.write(data.decode(errors="replace"))
                    sys.stdout.flush()
                return shell_status(job.wait())
            except KeyboardInterrupt:
                print()
                job.send_signal(signal.SIGINT, end=True)

    def _follow(self, job: OwnJob, resumed: bool = False) -> int:
        if (job.terminal.resume() if resumed else job.terminal.foreground()) == "stopped":
            job.number = job.number or self._number()
            self._own[job.number] = job
            print(f"\n{job}")
            return 128 + signal.SIGTSTP
        self._own.pop(job.number, None)
        status = shell_status(job.process.wait())
        if status == 128 + signal.SIGINT:
            print()  # behind the terminal's ^C
        return status

    def own(self) -> list[OwnJob]:
        """Return this prompt's own jobs; those that ended are forgotten after this."""
        jobs = list(self._own.values())
        self._own = {job.number: job for job in jobs if job.process.poll() is None}
        return jobs

    def find_own(self, number: int) -> OwnJob | None:
        """Return one of this prompt's own jobs by its number, or None where there is none."""
        return self._own.get(number)

    def report(self) -> None:
        """Tell what ended since the last time, now that nothing runs in front."""
        for job in [job for job in self._own.values() if job.process.poll() is not None]:
            del self._own[job.number]
            print(job)
        if self._watcher is not None:
            self._watcher.report()

    def hold(self) -> None:
        """Tell nothing of what ends until `report`."""
        if self._watcher is not None:
            self._watcher.hold()

    def close(self) -> None:
        """Let go of everything: stopped programs are hung up, programs in the background go on."""
        for job in self._own.values():
            with contextlib.suppress(OSError):
                job.terminal.close()
        self._own.clear()
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
