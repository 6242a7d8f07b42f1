"""One command line in several nodes at once, each line of output behind its node's name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence

from ..commands import shell_words
from ..processes.terminal import await_status
from ..running.node import Node

#: How many programs run at once.
_AT_ONCE = 64
#: How much a program may print before its turn to be shown, in bytes; with more it waits.
_AHEAD = 1 << 20
_CHUNK = 1 << 16


def run_in_several(nodes: Sequence[Node], command: str) -> int:
    """Run a shell command line in nodes, all at once, and print what it prints in the nodes' order.

    What the first one prints is shown as it comes; the others wait for their turn. Standard error is
    among the output, standard input is empty.

    Returns:
        The status of the first node, in that order, in which it failed; else 0.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the programs, and what they said then was shown.
    """
    width = max(len(node.name) for node in nodes)
    queue = _Queue(nodes, command)
    failed, interrupted = 0, False
    try:
        while (part := queue.first()) is not None:
            try:
                status = part.show(width)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                queue.interrupt()
            else:
                failed = failed or status
                queue.drop_first()
    finally:
        queue.close()
    if interrupted:
        raise KeyboardInterrupt
    return failed


class _Queue:
    """The programs of nodes in their order: those that run, and the nodes that come after them."""

    def __init__(self, nodes: Sequence[Node], command: str) -> None:
        self._waiting, self._command = deque(nodes), command
        self._running: deque[_Part] = deque()

    def first(self) -> _Part | None:
        """Return the first program, having started as many as may run; None after the last."""
        while self._waiting and len(self._running) < _AT_ONCE:
            self._running.append(_Part(self._waiting.popleft(), self._command))
        return self._running[0] if self._running else None

    def drop_first(self) -> None:
        self._running.popleft().process.close()

    def interrupt(self) -> None:
        """Send what Ctrl-C sends to those that run; the others do not start."""
        self._waiting.clear()
        for part in self._running:
            part.process.send_signal(signal.SIGINT, group=True)

    def close(self) -> None:
        """End what still runs."""
        for part in self._running:
            part.process.send_signal(signal.SIGKILL, group=True)
            part.process.close()


class _Part:
    """The program of one node, whose output is printed line by line."""

    def __init__(self, node: Node, command: str) -> None:
        self.node = node
        self.process = node.popen(
            shell_words(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        self._pipe = self.process.stdout.fileno()
        self._unfinished = b""
        os.set_blocking(self._pipe, False)
        with contextlib.suppress(OSError):  # a user may have many large pipes, or none
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _AHEAD)

    def show(self, width: int) -> int:
        """Print what it prints until it ends; return its status. It can be called again."""
        label = f"{self.node.name + ':':<{width + 1}} ".encode()
        for data in self._printed():
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            _write(b"".join(label + line + b"\n" for line in lines))
        if self._unfinished:
            _write(label + self._unfinished + b"\n")
        return await_status(self.process)

    def _printed(self) -> Iterator[bytes]:
        """Yield its output until it ends, whoever else still has it open then."""
        state = select.poll()
        state.register(self._pipe, select.POLLIN)
        if self.process.poll() is None:
            state.register(self.process.fileno(), select.POLLIN)
        ended = False
        while not ended:
            if self.process.returncode is None:
                state.poll()
            ended = self.process.poll() is not None
            with contextlib.suppress(BlockingIOError):
                while data := os.read(self._pipe, _CHUNK):
                    yield data
                self.process.wait()  # all of it is closed
                ended = True


def _write(data: bytes) -> None:
    sys.stdout.write(data.decode(errors="replace"))
    sys.stdout.flush()
