"""`Capture`: one that is running or has ended, its packets, and what it counted."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..commands import bare_python
from ..errors import EmuError, UsageError
from ..planning.plan import Plan
from ..sandboxes.connection import Sandbox, readable
from . import pcapng
from .filters import compile_filter
from .opening import Header, open_file, open_points, size_of_rings, write_header
from .packet import Packet
from .points import points_for

_WORKER = "from emu.capture.worker import main; main(int(sys.argv[1]))"
_READ = 1 << 20
_KILLED = {"packets": 0, "drops": 0, "error": "its process was killed", "notes": []}


class Capture:
    """A capture, which begins when it is made. It is a context manager: leaving it ends it.

    Iterating yields packets: those that were captured, then, while it goes on, those that come. Each
    packet is yielded once.
    """

    #: How many packets were captured, and how many were lost for want of room; known when it has ended.
    packets: int | None = None
    drops: int | None = None
    #: Why it ended before it was told to; None while it goes on, and when all was well.
    error: EmuError | None = None
    _process: subprocess.Popen[bytes] | None = None

    def __init__(
        self,
        sandbox: Sandbox,
        plan: Plan,
        what: str | Sequence[str],
        path: str | os.PathLike[str] | int | None = None,
        filter: str = "",  # noqa: A002  # what everybody calls it
        *,
        buffer: int | None = None,
    ) -> None:
        """Begin to capture.

        Args:
            sandbox: the running network.
            plan: what the network is.
            what: an interface, a node with all of its interfaces, `NODE:INTERFACE`, `NODE--NODE` for both
                ends of a link, `*` for everything; or several of these.
            path: a file for the packets, in the format pcapng; what it held is lost. A descriptor is
                written to, for example of a pipe. Without one, packets are kept in memory.
            filter: which packets, in the language of tcpdump (pcap-filter(7)); default all.
            buffer: bytes that packets of each node wait in; default 32 MiB, or less with several nodes.

        Raises:
            UsageError: there is no such interface or node, or a mistake in the filter.
            EmuError: the file cannot be written, or there is no libpcap for a filter.
            KernelError: the kernel refused something.
        """
        wanted = [what] if isinstance(what, str) else list(what)
        if buffer is not None and not 1 << 12 <= buffer <= 1 << 30:
            raise UsageError(f"capture with a buffer of {buffer} bytes: it has to be 4 KiB to 1 GiB")
        points = points_for(plan, wanted)
        code = compile_filter(sandbox, filter)
        self.path = None if path is None or isinstance(path, int) else Path(path)
        self._shown = (
            str(path) if self.path is not None else "standard output" if path is not None else "memory"
        )
        self._reader, self._offset, self._ready = pcapng.Reader(), 0, deque[Packet]()
        self._lock = threading.RLock()
        self._notes: list[str] = []
        self._fd = -1
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with control:
                self._process = _start_worker(control)
            header = Header(filter)
            size = buffer or size_of_rings(len(points))
            for socks, facts in open_points(sandbox, points, size, code, header):
                self._send(facts, *(sock.fileno() for sock in socks))
            self._begin_file(path, plan, header, sandbox.pidfd)
        except BaseException:
            self._let_go()
            raise

    def _begin_file(
        self, path: str | os.PathLike[str] | int | None, plan: Plan, header: Header, keeper: int
    ) -> None:
        """Open the file, only now that nothing else can be wrong, and begin it."""
        self._fd, theirs = self._open(path)
        try:
            write_header(theirs, self._shown, plan, "emu", header)
            self._send({"known": len(header.blocks)}, theirs, keeper)
        finally:
            if theirs != path:
                os.close(theirs)

    def _open(self, path: str | os.PathLike[str] | int | None) -> tuple[int, int]:
        """Return descriptors for reading and for writing packets."""
        if isinstance(path, int):
            return os.open(os.devnull, os.O_RDONLY), path
        fd = os.memfd_create("capture") if path is None else open_file(path)
        return fd, os.dup(fd)

    def _send(self, message: dict[str, Any], *fds: int) -> None:
        socket.send_fds(self._control, [json.dumps(message).encode()], list(fds))

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when there is something new, or the capture ends."""
        return self._control.fileno()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        self._listen(0)
        return self.packets is None

    def take_notes(self) -> list[str]:
        """Return what has happened since the last time and is no reason to end, in words for the user."""
        self._listen(0)
        notes, self._notes = self._notes, []
        return notes

    def stop(self) -> None:
        """End it; all that was captured is in the file then. Twice is fine.

        Raises:
            EmuError: not all could be written; the file holds what could.
        """
        self.close()
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """End it, whether or not all could be written."""
        self.begin_end()
        while self.packets is None:
            self._listen(None)

    def begin_end(self) -> None:
        """Tell it to end, and do not wait until it has."""
        if self.packets is None:
            with contextlib.suppress(OSError):  # it has just ended
                self._control.shutdown(socket.SHUT_WR)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until something happens, at most for `timeout` seconds; tell whether it goes on."""
        self._listen(timeout)
        return self.packets is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.close()

    def __del__(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Close what this side holds, which ends the worker if nothing has."""
        process, self._process = self._process, None
        if process is not None:
            self._control.close()
            process.wait()
            if self._fd >= 0:
                os.close(self._fd)

    def __iter__(self) -> Iterator[Packet]:
        while (packet := self.next()) is not None:
            yield packet

    def next(self, timeout: float | None = None) -> Packet | None:
        """Return the next packet; None when the capture has ended, or after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            running = self.packets is None
            with self._lock:
                if not self._ready:
                    self._read()
                if self._ready:
                    return self._ready.popleft()
            left = None if deadline is None else deadline - time.monotonic()
            if not running or (left is not None and left <= 0):
                return None
            self._listen(left)

    def _read(self) -> None:
        """Take in what has been written since the last time."""
        while data := os.pread(self._fd, _READ, self._offset):
            self._offset += len(data)
            for name, stamp, frame, length, flags in self._reader.feed(data):
                outgoing = flags & 3 == pcapng.OUTBOUND
                self._ready.append(Packet(name, stamp, outgoing, frame, length))

    def _listen(self, timeout: float | None) -> None:
        """Take in what the worker tells, waiting for `timeout` seconds (None: for ever) at first."""
        while self.packets is None and readable(self._control.fileno(), timeout):
            with self._lock, contextlib.suppress(BlockingIOError):  # another thread has got it
                try:
                    data = self._control.recv(1 << 16, socket.MSG_DONTWAIT)
                except ConnectionError:
                    data = b""
                message: dict[str, Any] = json.loads(data) if data else _KILLED
                if "note" in message:
                    self._notes.append(message["note"])
                elif "packets" in message and self.packets is None:
                    self._end(message)
                timeout = 0

    def _end(self, message: dict[str, Any]) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)  # another one may write the file now
        self._notes += message["notes"]
        self.packets, self.drops = message["packets"], message["drops"]
        if message["error"]:
            self.error = EmuError(f"capture to {self._shown}: {message['error']}")

    def summary(self) -> str:
        """Return what it counted, in words; empty while it goes on."""
        if self.packets is None:
            return ""
        lost = f"{self.drops:,} lost: the buffer was full" if self.drops else "none lost"
        lost = "then it could not be written any more" if self.error is not None else lost
        return f"{self.packets:,} packet{'s' * (self.packets != 1)}, {lost}"


def _start_worker(control: socket.socket) -> subprocess.Popen[bytes]:
    """Start the process that reads and writes, out of reach of the terminal's signals."""
    return subprocess.Popen(
        bare_python(_WORKER, str(control.fileno())), pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
