"""Programs that a network keeps: nobody's connection stands for them. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
import time

from .programs import Program

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

#: So many bytes of what a program printed last are kept, at least; at most twice as many.
LOG_SIZE = 1 << 18
#: So many bytes are kept of a program that ended long ago.
LAST_WORDS = 4096
#: How much is read, or sent to somebody, at once.
CHUNK = 1 << 16
#: A program that has run for so long, in seconds, starts again as soon as one that never failed before.
SETTLED = 10.0


class Log:
    """The last of what a program printed. Positions count from the first byte that it ever printed."""

    def __init__(self) -> None:
        self.begin, self.data = 0, bytearray()

    @property
    def end(self) -> int:
        """The position behind the last byte."""
        return self.begin + len(self.data)

    def add(self, data: bytes) -> None:
        """Append, and forget the oldest where it becomes too long."""
        self.data += data
        if len(self.data) > 2 * LOG_SIZE:
            self.shorten(LOG_SIZE)

    def shorten(self, size: int) -> None:
        """Forget all but the last so many bytes."""
        excess = len(self.data) - size
        if excess > 0:
            del self.data[:excess]
            self.begin += excess

    def part(self, position: int) -> tuple[int, bytes]:
        """Return where a part begins, which is at `position` or later, and the part."""
        first = max(position, self.begin)
        return first, bytes(self.data[first - self.begin : first - self.begin + CHUNK])


class Kept:
    """A program of the network's own: what it is, how it is, and what it printed.

    `about` is its clients' affair. `again` says when it is started again: after `delay` seconds, twice as
    many each time up to `most`, and with `always` also when it ended without a failure; None is never.
    """

    def __init__(
        self, number: int, node: str | None, program: Program, about: Any, again: dict[str, Any] | None
    ) -> None:  # fmt: skip
        self.number, self.node, self.program, self.about = number, node, program, about
        self.again = again
        self.delay = 0.0
        self.log = Log()
        self.output = -1
        self.pid, self.starts = 0, 0
        self.started = time.time()
        self.ended: float | None = None
        self.status: int | None = None
        self.stopped = self.told = False
        #: How many processes of its node had been killed for lack of memory when it began, and at which
        #: limit, in bytes, one was meanwhile, or 0.
        self.kills = self.starved = 0

    def facts(self) -> dict[str, Any]:
        """Return what there is to know, but for the log."""
        return {
            "number": self.number, "node": self.node, "about": self.about, "pid": self.pid,
            "started": self.started, "ended": self.ended, "status": self.status, "starts": self.starts,
            "stopped": self.stopped, "told": self.told, "delay": self.delay if self.due else None,
            "log": [self.log.begin, self.log.end], "starved": self.starved,
        }  # fmt: skip

    @property
    def due(self) -> bool:
        """Whether it ended and will be started again."""
        return self.ended is not None and self.again is not None and bool(self.delay)

    @property
    def failed(self) -> bool:
        """Whether it ended by itself and badly."""
        return self.ended is not None and self.status != 0 and not self.told

    def begin(self, pid: int, output: int) -> None:
        """Take note of a start; `output` is where the program's output comes from."""
        self.pid, self.output = pid, output
        self.starts += 1
        self.started, self.ended, self.status = time.time(), None, None
        self.stopped, self.starved = False, 0

    def end(self, status: int) -> bool:
        """Take note of the end, and return whether to start again, which is after `delay` seconds."""
        self.ended, self.status = time.time(), status
        again = self.again
        if again is None or self.told or (status == 0 and not again["always"]):
            self.delay = 0.0
            return False
        settled = self.ended - self.started >= SETTLED
        self.delay = again["delay"] if settled or not self.delay else min(2 * self.delay, again["most"])
        return True

    def read(self) -> bool:
        """Add to the log what was printed; False when nothing more can come."""
        try:
            data = os.read(self.output, CHUNK)
        except BlockingIOError:
            return True
        except OSError:  # a terminal whose other end nobody has open any more
            data = b""
        self.log.add(data)
        return bool(data)

    def drain(self) -> None:
        """Add to the log what is there now, but not what others go on printing."""
        most = self.log.end + LOG_SIZE
        before = -1
        while self.output >= 0 and before < self.log.end < most:
            before = self.log.end
            self.read()

    def close(self) -> None:
        """Close the log: whoever else still prints into it is told so."""
        if self.output >= 0:
            os.close(self.output)
            self.output = -1


def open_output() -> tuple[int, int]:
    """Return our end and the program's of what its output goes through.

    A terminal, so that programs write line by line, as they do for people; a pipe where there is none.
    """
    try:
        ours, theirs = os.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST  # a new line stays one character
        settings[3] &= ~(termios.ECHO | termios.ISIG | termios.ICANON)
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
    except OSError:
        ours, theirs = os.pipe()
    for fd in (ours, theirs):
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    os.set_blocking(ours, False)
    return ours, theirs


def close_all(fds: list[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
