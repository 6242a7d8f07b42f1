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
from ..node import Node
from ..process import Process
from ..terminal import shell_status

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
    waiting = deque(nodes)
    running: deque[tuple[Node, Process]] = deque()
    failed, interrupted = 0, False
    try:
        while running or waiting:
            while waiting and len(running) < _AT_ONCE:
                node = waiting.popleft()
                running.append((node, _start(node, command)))
            try:
                status = _show(*running[0], width)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                waiting.clear()
                for _, process in running:
                    process.send_signal(signal.SIGINT, group=True)
                continue
            failed = failed or status
            running.popleft()[1].close()
    finally:
        for _, process in running:
            process.send_signal(signal.SIGKILL, group=True)
            process.close()
    if interrupted:
        raise KeyboardInterrupt
    return failed


def _start(node: Node, command: str) -> Process:
    process = node.popen(
        shell_words(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    with contextlib.suppress(OSError):  # a user may have many large pipes, or none
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _AHEAD)
    return process


def _show(node: Node, process: Process, width: int) -> int:
    """Print what a program prints until it ends, whole lines at a time; return its status."""
    label = f"{node.name + ':':<{width + 1}} ".encode()
    unfinished = b""
    for data in _printed(process):
        *lines, unfinished = (unfinished + data).split(b"\n")
        _write(b"".join(label + line + b"\n" for line in lines))
    if unfinished:
        _write(label + unfinished + b"\n")
    return shell_status(process.wait())


def _printed(process: Process) -> Iterator[bytes]:
    """Yield what a program prints until it ends, whoever else still has its output open then."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    state = select.poll()
    state.register(pipe, select.POLLIN)
    state.register(process.fileno(), select.POLLIN)
    ended = False
    while not ended:
        state.poll()
        ended = process.poll() is not None
        with contextlib.suppress(BlockingIOError):
            while data := os.read(pipe, _CHUNK):
                yield data
            state.unregister(pipe)  # all of it is closed
            ended = process.wait() is not None


def _write(data: bytes) -> None:
    sys.stdout.write(data.decode(errors="replace"))
    sys.stdout.flush()
