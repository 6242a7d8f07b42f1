"""Jobs: programs that a network keeps, whoever started them, with what they printed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .commands import Words, program_form, shell_words, start_refusal
from .connection import Sandbox, readable
from .errors import NotRunning, UsageError
from .inside import Command, Restart, command_text
from .keeper.wire import Frame, Receiver, receive_frame, send_frame

#: After how many seconds a program that failed is started again at first, and at most.
_DELAY, _MOST_DELAY = 1.0, 30.0
#: How long a job may take to end on SIGTERM at the end of its `with` block, in seconds.
_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class JobFacts:
    """How a job is.

    Attributes:
        number: its number, which no other job of the network has.
        node: the node that it runs in; None is none.
        command: the command, as it would be typed.
        daemon: whether the node's attribute `run` started it.
        pid: its process id inside the sandbox.
        started: when it was started last, in seconds since 1970.
        ended: when it ended, or None while it runs.
        status: its exit status, minus the signal's number when one ended it.
        starts: how often it was started.
        stopped: whether it is stopped, as by Ctrl-Z.
        told: whether somebody told it to end.
        delay: in how many seconds after its end it starts again, or None.
        log: positions of the first byte of its log that is still there, and behind the last.
    """

    number: int
    node: str | None
    command: str
    daemon: bool
    pid: int
    started: float
    ended: float | None
    status: int | None
    starts: int
    stopped: bool
    told: bool
    delay: float | None
    log: tuple[int, int]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> JobFacts:
        """Return what a keeper says of a program."""
        about, rest = facts["about"], {key: value for key, value in facts.items() if key != "about"}
        return cls(command=about["command"], daemon=about["daemon"], **{**rest, "log": tuple(facts["log"])})

    @property
    def state(self) -> str:
        """Running, stopped, or how it ended: done, or a shell's exit status."""
        if self.status is None:
            return "stopped" if self.stopped else "running"
        if self.delay is not None:
            return f"{ending(self.status)}, again in {self.delay:g} s"
        return ending(self.status)

    @property
    def over(self) -> bool:
        """Whether it ended for good."""
        return self.ended is not None and self.delay is None

    @property
    def failed(self) -> bool:
        """Whether it ended by itself and badly."""
        return bool(self.status) and not self.told

    @property
    def age(self) -> float:
        """For how long it has been running, or did, in seconds."""
        return (time.time() if self.ended is None else self.ended) - self.started

    def __str__(self) -> str:
        return f"[{self.number}] {self.state}  {self.node or '-'} {self.command}"


def ending(status: int) -> str:
    """Return how a program ended, by its exit status as a shell tells it."""
    return "done" if status == 0 else f"exit {status if status > 0 else 128 - status}"


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
            "keep", node=node, about={"command": shown, "daemon": daemon}, terminal=False,
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

    def log(self, lines: int | None = None) -> str:
        """Return what the job printed, as far as it is kept: the last 256 KiB at least.

        Args:
            lines: return the last so many lines only.
        """
        data = bytearray()
        position = 0
        while True:
            frame = self._sandbox.ask("watch", news=-1, logs={self.number: position})
            if not frame.message["logs"]:
                break
            [(_, first, size)] = frame.message["logs"]
            data += frame.blob
            position = first + size
        return last_lines(data.decode(errors="replace"), lines)

    def follow(self) -> Iterator[bytes]:
        """Yield what the job prints, from the beginning and as it comes, until it ends for good."""
        with Watch(self._sandbox) as watch:
            watch.follow(self.number)
            end = None
            while end is None or watch.position(self.number) < end:
                update = watch.wait()
                assert update is not None
                yield from (data for _, data in update.output)
                if update.jobs is not None:
                    mine = next((one for one in update.jobs if one.number == self.number), None)
                    if mine is None:
                        return
                    end = mine.log[1] if mine.over else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status, minus the signal's number when one ended it.

        Raises:
            subprocess.TimeoutExpired: after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with Watch(self._sandbox) as watch:
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                update = watch.wait(left)
                if update is None:
                    raise subprocess.TimeoutExpired(self.facts().command, timeout or 0.0)
                mine = [one for one in update.jobs or () if one.number == self.number]
                if update.jobs is not None and not mine:
                    raise UsageError(f"no job {self.number}; 'jobs' lists them")
                if mine and mine[0].over:
                    return int(mine[0].status or 0)

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


@dataclass(frozen=True, slots=True)
class Update:
    """What is new: how all jobs are, unless that is as before, and what those that are followed printed."""

    jobs: tuple[JobFacts, ...] | None
    output: tuple[tuple[int, bytes], ...]


class Watch:
    """A connection that learns of what is new about jobs. `follow` may be called from another thread."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sock: socket.socket = sandbox.connect()
        self._receiver = Receiver()
        self._news = -1
        self._positions: dict[int, int] = {}
        self._lock = threading.Lock()
        self._asked = False

    def follow(self, number: int, position: int = 0) -> None:
        """Learn from now on what a job prints, and what it printed from a position of its log on."""
        with self._lock:
            self._positions.setdefault(number, position)
            self._ask()

    def leave(self, number: int) -> None:
        """Learn no more of what a job prints."""
        with self._lock:
            self._positions.pop(number, None)

    def wait(self, timeout: float | None = None) -> Update | None:
        """Wait for something new; None after `timeout` seconds.

        Raises:
            NotRunning: the network has ended.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                if not self._asked:
                    self._ask()
            frame = self._receiver.next()
            if frame is None:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not readable(self._sock.fileno(), left):
                    return None
                frame = self._receive()
            if (update := self._taken(frame)) is not None:
                return update

    def _receive(self) -> Frame:
        try:
            frame = receive_frame(self._sock, self._receiver)
        except (OSError, ValueError):
            frame = None
        if frame is None:
            raise NotRunning("the network has ended")
        return frame

    def _ask(self) -> None:
        with contextlib.suppress(OSError):  # it has ended, which reading tells
            send_frame(self._sock, {"do": "watch", "news": self._news, "logs": self._positions})
        self._asked = True

    def _taken(self, frame: Frame) -> Update | None:
        """Return what an answer says that is new; a question that was asked twice may be answered twice."""
        with self._lock:
            self._asked = False
            jobs = None
            if frame.message["programs"] is not None and frame.message["news"] > self._news:
                jobs = tuple(JobFacts.of(facts) for facts in frame.message["programs"])
                self._news = frame.message["news"]
            output, offset = [], 0
            for number, first, size in frame.message["logs"]:
                data = frame.blob[offset : offset + size]
                offset += size
                known = self._positions.get(number)
                if known is not None and first + size > known:
                    output.append((number, data[max(0, known - first) :]))
                    self._positions[number] = first + size
            return Update(jobs, tuple(output)) if jobs is not None or output else None

    def position(self, number: int) -> int:
        """Return up to where a job's log is known."""
        return self._positions.get(number, 0)

    def close(self) -> None:
        """Close the connection; whoever waits for something new learns that there is nothing more."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
