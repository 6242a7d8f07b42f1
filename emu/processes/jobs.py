"""Jobs: programs that a network keeps, whoever started them, with what they printed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping

from ..commands import Words, program_form, shell_words, start_refusal
from ..errors import NotRunning, UsageError
from ..graph.inside import Command, Restart, command_text
from ..sandboxes.connection import Sandbox
from .watching import JobFacts, Watch

__all__ = ["Job", "JobFacts", "follow_jobs", "last_lines", "read_jobs", "start_job"]

#: After how many seconds a program that failed is started again at first, and at most.
_DELAY, _MOST_DELAY = 1.0, 30.0
#: How long a job may take to end on SIGTERM at the end of its `with` block, in seconds.
_GRACE = 1.0
#: How often those who follow jobs that say nothing look whether to go on, in seconds.
_LOOK = 0.5


def start_job(
    sandbox: Sandbox,
    node: str | None,
    command: Command | Words,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    more_env: Mapping[str, str] | None = None,
    restart: Restart = Restart.NEVER,
    daemon: bool = False,
    title: str | None = None,
    stdin: int | None = None,
) -> Job:
    """Start a program that belongs to the network, in a node or (None) outside of any.

    Args:
        sandbox: the network's.
        node: where.
        command: a command line for the shell, or words.
        env: the environment; by default ours and what the node adds.
        cwd: the folder in which it begins; by default the node's, or ours.
        more_env: variables besides.
        restart: when it is started again.
        daemon: whether the node's attribute `run` says it.
        title: what lists show instead of the command.
        stdin: a descriptor for its standard input, which otherwise is empty.

    Raises:
        CommandNotFound: there is no such program.
    """
    words: Words = shell_words(command) if isinstance(command, str) else command
    if not words:
        raise UsageError("run nothing: a command is a line for the shell, or a list of words")
    form = program_form(words, env, cwd)
    shown = command if isinstance(command, str) else command_text(tuple(os.fsdecode(one) for one in command))
    again = {"always": restart is Restart.ALWAYS, "delay": _DELAY, "most": _MOST_DELAY}
    try:
        answer = sandbox.ask(
            "keep", fds=() if stdin is None else (stdin,), node=node, terminal=False,
            about={"command": title or shown, "daemon": daemon},
            again=None if restart is Restart.NEVER else again,
            # What it prints goes through a terminal, for the sake of whole lines; but no person looks at it.
            extra={"TERM": "dumb", **(more_env or {})}, **form,
        )  # fmt: skip
    except OSError as error:
        raise start_refusal(error, os.fsdecode(words[0]), f" in {node}" if node else "") from error
    return Job(sandbox, answer.message["number"])


def read_jobs(sandbox: Sandbox) -> list[JobFacts]:
    """Return how all jobs of a network are, in the order in which they were first started."""
    programs = sandbox.ask("watch", news=-1, logs={}).message["programs"]
    return [JobFacts.of(facts) for facts in programs]


def follow_jobs(
    sandbox: Sandbox, positions: Mapping[int, int], look: Callable[[], object] = lambda: None
) -> Iterator[tuple[int, bytes]]:
    """Yield what jobs print as it comes, each with its job's number, until all have ended for good.

    Args:
        sandbox: the network's.
        positions: the jobs by their numbers, and from where on in their logs.
        look: is called every now and then while there is nothing new; it may raise something to end this.

    Yields:
        A number and what that job printed; nothing but the number when it has ended.
    """
    ends: dict[int, int | None] = dict.fromkeys(positions)
    with Watch(sandbox) as watch:
        for number, position in positions.items():
            watch.follow(number, position)
        while ends:
            if (update := watch.wait(_LOOK)) is None:
                look()
                continue
            yield from update.output
            if update.jobs is not None:
                known = {one.number: (one.log[1] if one.over else None) for one in update.jobs}
                ends = {number: known.get(number, 0) for number in ends}  # one that is forgotten is over
            for number, end in list(ends.items()):
                if end is not None and watch.position(number) >= end:
                    del ends[number]
                    yield number, b""


class Job:
    """A program that belongs to the network: it goes on when whoever started it leaves."""

    def __init__(self, sandbox: Sandbox, number: int) -> None:
        self._sandbox = sandbox
        #: Its number, which no other job of the network has.
        self.number = number

    def __repr__(self) -> str:
        return f"<Job {self.number}>"

    def facts(self) -> JobFacts:
        """Return how the job is.

        Raises:
            UsageError: it ended so long ago that the network has forgotten it.
        """
        for facts in read_jobs(self._sandbox):
            if facts.number == self.number:
                return facts
        raise UsageError(f"no job {self.number}; 'jobs' lists them")

    def log(self, lines: int | None = None, position: int = 0, end: int | None = None) -> str:
        """Return what the job printed, as far as it is kept: the last 256 KiB at least.

        Args:
            lines: return the last so many lines only.
            position: begin with this byte of all that it ever printed.
            end: end before this byte.
        """
        data = bytearray()
        while True:
            frame = self._sandbox.ask("watch", news=-1, logs={self.number: position})
            if not frame.message["logs"]:
                break
            [(_, first, size)] = frame.message["logs"]
            position = first + size
            data += frame.blob
            if end is not None and position >= end:
                del data[len(data) - (position - end) :]
                break
        return last_lines(data.decode(errors="replace"), lines)

    def follow(self, position: int = 0) -> Iterator[bytes]:
        """Yield what the job prints, from a position of its log on, as it comes, until it ends for good."""
        return (data for _, data in follow_jobs(self._sandbox, {self.number: position}) if data)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status, minus the signal's number when one ended it.

        Raises:
            subprocess.TimeoutExpired: after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with Watch(self._sandbox) as watch:
            update = watch.wait()  # how it is now, which is told at once
            while True:
                if update is None:
                    raise subprocess.TimeoutExpired(self.facts().command, timeout or 0.0)
                mine = [one for one in update.jobs or () if one.number == self.number]
                if update.jobs is not None and not mine:
                    raise UsageError(f"no job {self.number}; 'jobs' lists them")
                if mine and mine[0].over:
                    return int(mine[0].status or 0)
                update = watch.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def send_signal(self, number: int, *, end: bool = False) -> None:
        """Send a signal to the job and what it started; to `end` it, it is not started again."""
        try:
            self._sandbox.ask("signal_kept", number=self.number, signal_number=int(number), end=end)
        except OSError as error:
            raise UsageError(f"signal job {self.number}: {error.strerror}; 'jobs' lists them") from error

    def terminate(self) -> None:
        """Ask the job to end (SIGTERM), for good."""
        self.send_signal(signal.SIGTERM, end=True)

    def kill(self) -> None:
        """End the job (SIGKILL), for good."""
        self.send_signal(signal.SIGKILL, end=True)

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(NotRunning, UsageError):
            self.terminate()
            try:
                self.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self.kill()
                self.wait()


def last_lines(text: str, lines: int | None) -> str:
    """Return the last lines of a text; all without a number."""
    if lines is None:
        return text
    return "".join(text.splitlines(keepends=True)[-lines:]) if lines > 0 else ""
