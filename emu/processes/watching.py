"""Jobs as a keeper tells of them: how they are, and what is new."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import NotRunning
from ..keeper.wire import Frame, Receiver, receive_frame, send_frame
from ..sandboxes.connection import Sandbox, readable


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
        starved: at which limit of its node's memory, in bytes, the kernel killed it, or a shell's last
            command; 0 is none.
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
    starved: int = 0

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
        parts = [ending(self.status)]
        if self.starved:
            parts.append("out of memory")
        if self.delay is not None:
            parts.append(f"again in {self.delay:g} s")
        return ", ".join(parts)

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
