"""Waiting until something is so in a node: an open port, a file, a line of a log, a command, anything."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..commands import CommandNotFound, shell_words
from ..errors import TimedOut, UsageError
from ..graph.inside import PATIENCE, Conditions, parse_conditions
from .jobs import read_jobs
from .process import Process

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox

#: How often to look, in seconds: at first, and at most.
_PAUSE, _MOST_PAUSE = 0.005, 0.1
#: States of a socket in /proc/net/tcp (include/net/tcp_states.h); a UDP socket that is bound has the other.
_LISTEN, _BOUND = "0A", "07"
#: How much of a log is searched at once, beyond what came since the last look, in characters.
_SEARCHED = 1 << 16


def conditions_of(given: dict[str, Any], timeout: float) -> Conditions:
    """Return conditions from the keyword arguments of `wait_for`.

    Raises:
        UsageError: there is no such condition, or it cannot be met.
    """
    try:
        return parse_conditions({**given, "timeout": timeout})
    except ValueError as error:
        raise UsageError(f"wait for a condition: {error}") from error


def wait_for(met: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
    """Wait until `met()` is true; `what` is what is waited for, in errors.

    Raises:
        TimedOut: after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    for pause in pauses():
        if met():
            return
        if time.monotonic() >= deadline:
            raise TimedOut(f"wait for {what}: not within {timeout:g} s")
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))


def pauses() -> Iterator[float]:
    """Yield how long to wait before looking again, in seconds: longer and longer, up to a tenth of one."""
    pause = _PAUSE
    while True:
        yield pause
        pause = min(1.5 * pause, _MOST_PAUSE)


class Check:
    """Tells whether conditions are met in a node; `number` is the job whose log counts, None is all there."""

    def __init__(
        self, sandbox: Sandbox, node: str, conditions: Conditions, number: int | None = None
    ) -> None:  # fmt: skip
        self._sandbox, self._node, self._conditions, self._number = sandbox, node, conditions, number
        self._pattern = None if conditions.log is None else re.compile(conditions.log, re.MULTILINE)
        self._logs: dict[int, tuple[int, str]] = {}

    def __call__(self) -> bool:
        """Tell whether all of them are met now; a line of a log stays printed."""
        wanted = self._conditions
        ports = [
            (name, port) for name, port in (("tcp", wanted.tcp), ("udp", wanted.udp)) if port is not None
        ]
        return (
            all(port in open_ports(self._sandbox, self._node, name) for name, port in ports)
            and (self._pattern is None or self._printed(self._pattern))
            and (wanted.file is None or self._succeeds(("test", "-e", wanted.file)))
            and (wanted.command is None or self._succeeds(wanted.command))
        )

    def _succeeds(self, command: str | tuple[str, ...]) -> bool:
        words = shell_words(command) if isinstance(command, str) else command
        null = subprocess.DEVNULL
        try:
            with Process(self._sandbox, self._node, words, stdin=null, stdout=null, stderr=null) as process:
                return process.wait() == 0
        except CommandNotFound:
            return False

    def _printed(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether the pattern was found in what was printed so far."""
        numbers = [self._number] if self._number is not None else self._numbers()
        for number in numbers:
            position, before = self._logs.get(number, (0, ""))
            frame = self._sandbox.ask("watch", news=-1, logs={number: position})
            for _, first, size in frame.message["logs"]:
                text = before[-_SEARCHED:] + frame.blob.decode(errors="replace")
                self._logs[number] = first + size, text
                if pattern.search(text):
                    self._pattern = None
                    return True
        return False

    def _numbers(self) -> list[int]:
        return [job.number for job in read_jobs(self._sandbox) if job.node == self._node]


def open_ports(sandbox: Sandbox, node: str, protocol: str) -> set[int]:
    """Return the ports of a node on which somebody listens (`tcp`), or which somebody has (`udp`).

    Nothing is sent to them: a server is not told of it. See proc_pid_net(5) for the tables.
    """
    frame = sandbox.ask("read_net", node=node, names=[protocol, f"{protocol}6"])
    state = _LISTEN if protocol == "tcp" else _BOUND
    rows = (line.split() for line in frame.blob.decode().splitlines())
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[:1] != ["sl"] and row[3] == state}
