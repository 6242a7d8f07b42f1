"""Programs that a prompt runs in nodes, in front or in the background, and what else goes on behind it."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..commands import nearest_programs, shell_words
from ..errors import EmuError, UsageError, did_you_mean
from ..processes.terminal import (
    SPOKEN,
    await_status,
    forwarded_signals,
    has_terminal,
    on_signal,
    shell_status,
)
from .aside import STOPPED, Program
from .own import OwnJob

if TYPE_CHECKING:
    from ..processes.jobs import Job
    from ..processes.watching import JobFacts
    from ..running.network import Network
    from ..running.node import Node
    from .watcher import Watcher

#: What a shell answers when there is no such program.
NOT_FOUND = 127
#: What only changes the shell that runs it, which ends with the line.
_FORGOTTEN = re.compile(r"(cd|export)\b[^;&|\n]*")


class _Stop(Exception):
    """Ctrl-Z was pressed."""


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

    # -- programs ----------------------------------------------------------------------------------------

    def run(self, node: Node, command: str) -> int:
        """Run a shell command line in a node and return its status; with a closing `&` start it only."""
        if command.endswith("&") and not command.endswith("&&"):
            return self._start_in_background(node, command[:-1].strip())
        status = self._run_in_front(node, command)
        if status == NOT_FOUND:
            self.explain(command)
        elif status == 0 and (found := _FORGOTTEN.fullmatch(command)):
            way = f"'{node.name} {command} && COMMAND…' or '{node.name} bash' keeps it"
            _say(f"{node.name} {found[1]}: each line has a shell of its own; {way}")
        return status

    def _run_in_front(self, node: Node, command: str) -> int:
        if self.stdin is None and has_terminal():
            return Program(self, node, command).run()
        with node.popen(shell_words(command), stdin=self.stdin) as process:
            interrupted: list[int] = []
            # Those that end the prompt do so, whatever its program makes of them.
            with forwarded_signals(process, SPOKEN, interrupted.append):
                status = await_status(process)
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
            if hint := self._meant(word):
                _say(f"no program {word!r}{hint}")

    def _meant(self, word: str) -> str:
        """Return a hint at programs that are called much like a word, or at a command of ours that is."""
        plugins = self.network.plugins
        commands = {name for name in plugins.commands if not plugins.commands[name].hidden}
        near = nearest_programs(word, {*plugins.programs, *commands})
        ours = commands.difference(plugins.programs)
        own = [one for one in near if one in ours and not shutil.which(one)]
        if own and own[0] == near[0]:
            return f"; did you mean emu's own {own[0]}, without a node before it?"
        return did_you_mean([one for one in near if one not in own])

    # -- what goes on here, and ends with the prompt -----------------------------------------------------

    def add(self, job: OwnJob) -> None:
        """Take care of a job of the prompt's own; give it a number that no other of the network has."""
        job.number = job.number or int(self.network.sandbox.ask("number").message["number"])
        self._own.pop(job.number, None)
        self._own[job.number] = job

    def remove(self, job: OwnJob) -> None:
        """Take care of a job no more."""
        self._own.pop(job.number, None)

    def own(self) -> list[OwnJob]:
        """Return this prompt's own jobs that go on or are stopped, the latest last."""
        for job in list(self._own.values()):  # a thread may remove one that ends meanwhile
            if job.over:
                self.remove(job)
        return list(self._own.values())

    def every(self) -> list[JobFacts | OwnJob]:
        """Return all jobs, the network's and the prompt's own."""
        return [*self.network.jobs(), *self.own()]

    # -- to the front and back ---------------------------------------------------------------------------

    def current(self, running: bool) -> JobFacts | OwnJob:
        """Return the job that was stopped last; where none is and `running` will do, the last that runs.

        Raises:
            UsageError: there is none.
        """
        known = [one for one in self.every() if not one.over]
        stopped = [one for one in known if one.state == "stopped"]
        mine = self._watcher.mine if self._watcher is not None else ()
        started = [one for one in known if one.number in mine or isinstance(one, Program)] if running else []
        if found := stopped or started:
            return found[-1]
        raise UsageError("continue a job: none is stopped; name one that 'jobs' lists")

    def bring_to_front(self, one: JobFacts | OwnJob) -> int:
        """Bring a job to the front until it stops or ends, and return its status.

        One in the background has no terminal: its output is shown, Ctrl-C interrupts it, Ctrl-Z stops it.
        """
        return one.to_front() if isinstance(one, OwnJob) else self._show(one)

    def send_to_background(self, one: JobFacts | OwnJob) -> None:
        """Let a stopped job go on in the background, and show what it prints."""
        if isinstance(one, OwnJob):
            one.to_background()
            return
        if one.over or not one.stopped:
            raise UsageError(f"continue job {one.number}: it is not stopped ({one.state})")
        self.watch().follow(one.number, one.log[1])
        print(f"[{one.number}] {one.node or '-'} {one.command} &")
        self.network.job(one.number).send_signal(signal.SIGCONT)

    def _show(self, facts: JobFacts) -> int:
        """Show what a job in the background prints until it ends or Ctrl-Z stops it."""
        job = self.network.job(facts.number)
        print(f"{facts.node or '-'} {facts.command}")
        if self._watcher is not None:
            self._watcher.disown(job.number)
        if facts.stopped:
            job.send_signal(signal.SIGCONT)
        position = facts.log[1]
        while True:
            try:
                with _stopping():
                    for data in job.follow(position):
                        position += len(data)
                        sys.stdout.write(data.decode(errors="replace"))
                        sys.stdout.flush()
                    return shell_status(job.wait())
            except KeyboardInterrupt:
                print()
                job.send_signal(signal.SIGINT, end=True)
            except _Stop:
                job.send_signal(signal.SIGSTOP)
                print(f"\n[{job.number}] stopped  {facts.node or '-'} {facts.command}")
                return STOPPED

    # -- news, and the end -------------------------------------------------------------------------------

    def report(self) -> None:
        """Tell what became of jobs since the last time, now that nothing runs in front."""
        if self._watcher is not None:
            self._watcher.report()

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Let nothing of what goes on behind the prompt be printed meanwhile."""
        with contextlib.nullcontext() if self._watcher is None else self._watcher.silence():
            yield

    @contextlib.contextmanager
    def shown_elsewhere(self) -> Iterator[None]:
        """Let nobody but the caller show what jobs print meanwhile."""
        with contextlib.nullcontext() if self._watcher is None else self._watcher.shown_elsewhere():
            yield

    def hold(self) -> None:
        """Tell nothing of what ends until `report`."""
        if self._watcher is not None:
            self._watcher.hold()

    def close(self) -> None:
        """Let go of everything: what is the prompt's own ends, programs in the background go on."""
        for job in list(self._own.values()):
            with contextlib.suppress(EmuError, OSError):  # it has been told; the others are to end, too
                job.close()
        self._own.clear()
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None


def _say(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"emu: {text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Raise _Stop on Ctrl-Z, which otherwise would stop us."""

    def stop() -> None:
        raise _Stop

    with on_signal(signal.SIGTSTP, stop):
        yield
