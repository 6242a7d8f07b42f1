"""A connection to one keeper: asking it, and ending what it holds."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from ..errors import NotRunning, UsageError, suggestion
from ..keeper.wire import LANGUAGE, Frame, Receiver, receive_frame, send_frame
from .folders import Folder, remove_dead

#: How long an ending network may take before it is killed, in seconds.
_END_DEADLINE = 1.5


class Facts(TypedDict):
    """What a keeper says of its network."""

    started: float
    detached: bool
    nodes: int
    programs: int
    failed: int
    language: int


class Sandbox:
    """A connection to one keeper. Thread-safe; `close` and `end` may be called twice.

    A forked copy of the process gets a connection of its own at its first request, and does not end
    the sandbox when it lets go of it.
    """

    pidfd = _log = -1

    def __init__(self, folder: Folder, sock: socket.socket, log: int = -1) -> None:
        self.name = folder.name
        self._folder, self._sock, self._log = folder, sock, log
        self._receiver = Receiver()
        self._lock = threading.Lock()
        #: How many answers are to come.
        self._owed = 0
        self._process = os.getpid()
        #: None while the keeper has not answered, because it is stopped or hangs.
        self.facts: Facts | None = None

    def ask(self, do: str, blob: bytes = b"", fds: tuple[int, ...] = (), **arguments: Any) -> Frame:
        """Send a request and return the answer.

        Raises:
            OSError: the kernel refused; `strerror` says what the keeper knows about it.
            NotRunning: the network has ended.
        """
        if not self.ours():
            self._reconnect()
        with self._lock:
            self._settle()
            self._send({"do": do, **arguments}, blob, fds)
            return self._answer()

    def ask_all(self, do: str, requests: Iterable[tuple[dict[str, Any], bytes]]) -> Iterator[Frame]:
        """Send requests of one kind, each with its arguments and its blob, and yield the answers in order.

        One is sent ahead of the answers: while the keeper works on it, the next is made. Errors are those
        of `ask`; what was sent until then is done. No other request may be made meanwhile.
        """
        if not self.ours():
            self._reconnect()
        with self._lock:
            self._settle()
            for arguments, blob in requests:
                self._send({"do": do, **arguments}, blob)
                if self._owed > 1:
                    yield self._answer()
            while self._owed:
                yield self._answer()

    def _settle(self) -> None:
        """Take the answers that nobody waited for: a Ctrl-C may come between a request and its answer."""
        while self._owed:
            with contextlib.suppress(OSError):
                for fd in self._answer().fds:
                    os.close(fd)

    def _send(self, message: dict[str, Any], blob: bytes, fds: tuple[int, ...] = ()) -> None:
        self._owed += 1
        try:
            with contextlib.suppress(BrokenPipeError):  # a keeper that failed left word of why
                send_frame(self._sock, message, blob, fds)
        except OSError:  # the connection is broken or closed
            raise NotRunning(f"network {self.name} has ended" + self._last_words()) from None
        except Exception:  # it was not sent
            self._owed -= 1
            raise

    def _answer(self) -> Frame:
        """Return the next answer; the errors are those of `ask`."""
        try:
            answer = receive_frame(self._sock, self._receiver)
        except (OSError, ValueError):  # the connection is broken or closed
            answer = None
        if answer is None:
            raise NotRunning(f"network {self.name} has ended" + self._last_words())
        self._owed -= 1
        if "errno" in answer.message:
            raise OSError(answer.message["errno"], answer.message["about"])
        return answer

    def ours(self) -> bool:
        """Tell whether this process made the connection, and is no forked copy of the one that did."""
        return self._process == os.getpid()

    def _reconnect(self) -> None:
        sock = self.connect()
        self._sock.close()
        self._sock, self._receiver, self._lock, self._owed = sock, Receiver(), threading.Lock(), 0
        self._process = os.getpid()

    def greet(self) -> None:
        """Learn how the network is (`facts`) and which process its keeper is (`pidfd`)."""
        self.facts = _facts_in(self.ask("hello").message)
        with self.connect() as sock:
            self.find_keeper(sock)

    def send_greeting(self) -> None:
        """Ask how the network is; `await_greeting` takes the answer."""
        with contextlib.suppress(OSError):
            send_frame(self._sock, {"do": "hello"})

    def await_greeting(self, deadline: float) -> None:
        """Learn how the network is (`facts`), if it answers before `deadline` (of `time.monotonic`).

        Raises NotRunning when what answers is no keeper.
        """
        try:
            while (frame := self._receiver.next()) is None:
                if not readable(self._sock.fileno(), max(0.0, deadline - time.monotonic())):
                    return
                if not self._receiver.feed(self._sock):
                    raise NotRunning(f"network {self.name} has ended")
            self.facts = _facts_in(frame.message)
        except (OSError, ValueError) as error:
            raise NotRunning(f"network {self.name}: {error}") from error
        finally:
            self._receiver.close()  # a keeper sends no descriptors along

    @property
    def same_language(self) -> bool:
        """Whether the keeper speaks ours, as far as it has answered: emu may have been replaced meanwhile."""
        return self.facts is None or self.facts["language"] == LANGUAGE

    def connect(self) -> socket.socket:
        """Open one more connection to the keeper."""
        try:
            return connect(self._folder, patient=True)
        except OSError:
            raise NotRunning(f"network {self.name} has ended" + self._last_words()) from None

    def find_keeper(self, sock: socket.socket) -> None:
        """Get a descriptor of the process behind a connection to the folder's socket: `pidfd`.

        The kernel tells which it is, so that nobody who plays a keeper can name somebody else's
        process. OSError unless it is one of the folder's owner.
        """
        pid, uid, _ = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != self._folder.uid:
            raise PermissionError(errno.EPERM, "somebody else's socket", self._folder.name)
        self.pidfd = os.pidfd_open(pid)
        # While the connection stands, nobody else can have got that process's number.
        state = select.poll()
        state.register(sock, 0)
        if state.poll(0):
            raise ConnectionResetError(errno.ECONNRESET, "the keeper has ended")

    def alive(self) -> bool:
        """Tell whether the keeper still lives."""
        return self.pidfd >= 0 and not readable(self.pidfd, 0)

    def keeper_pid(self) -> int:
        """Return the keeper's process id as seen from here, or -1 when it has ended."""
        text = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pid:"))

    @property
    def groups(self) -> Path | None:
        """The folder of the network's control groups, if it has any."""
        return self._folder.groups

    def record_groups(self, path: Path) -> None:
        """Leave word of where the network's control groups are, for whoever sweeps up."""
        self._folder.record_groups(path)

    def forget_groups(self) -> None:
        """Take that back; they were not made."""
        self._folder.forget_groups()

    @property
    def owner(self) -> str:
        """The name of the user whose network it is."""
        uid = self._folder.uid
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def check_node(self, name: str) -> None:
        """Raise UsageError unless there is a node of that name."""
        names = self.ask("names").message["names"]
        if name not in names:
            known = f"; the nodes are {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
            raise UsageError(f"no node {name!r} in network {self.name}{suggestion(name, names) or known}")

    def end(self) -> None:
        """End the network and wait until its processes are gone; a keeper that hangs is killed."""
        if self.pidfd < 0:
            self.close()
            return
        try:
            asked = self.facts is not None and self._send_end()
            if not asked or not readable(self.pidfd, _END_DEADLINE):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
                readable(self.pidfd, _END_DEADLINE)
        finally:
            self.close()
            remove_dead(self._folder)  # one that was killed could not

    def _send_end(self) -> bool:
        """Ask the keeper to end; False when it takes no requests."""
        try:
            if self.ours() and self._lock.acquire(timeout=0.1):
                try:
                    send_frame(self._sock, {"do": "end"})
                finally:
                    self._lock.release()
            else:  # another thread waits for an answer, maybe for ever
                with connect(self._folder, patient=False) as sock:
                    send_frame(sock, {"do": "end"})
        except BlockingIOError:
            return False
        except OSError:  # it is ending, or has ended
            return True
        return True

    def close(self) -> None:
        """Let go of the network; it ends unless it is detached or somebody else's."""
        if self.ours():
            with contextlib.suppress(OSError):  # wakes whoever waits for an answer in another thread
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._receiver.close()
        self._folder.close()
        pidfd, log = self.pidfd, self._log
        self.pidfd = self._log = -1
        for fd in (pidfd, log):
            if fd >= 0:
                os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # its making was interrupted
            self.close()

    def _last_words(self) -> str:
        """Return what a keeper that failed had to say."""
        try:
            size = os.fstat(self._log).st_size
            lines = os.pread(self._log, size, 0).decode(errors="replace").strip().splitlines()
        except OSError:  # not ours to know, or closed
            return ""
        return f": {lines[-1]}" if lines else ""


def connect(folder: Folder, patient: bool) -> socket.socket:
    """Connect to the keeper of a folder. Root takes the owner's uid on: the keeper answers nobody else.

    A keeper with too many callers makes us wait, or, unless we are `patient`, raises BlockingIOError.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    me, uid = os.geteuid(), folder.uid
    try:
        if patient:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 10, 0))
        else:
            sock.setblocking(False)
        if me == 0 and uid != 0:
            os.seteuid(uid)
        sock.connect(folder.socket_path)
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 0))
    except BaseException:
        sock.close()
        raise
    finally:
        if os.geteuid() != me:
            os.seteuid(me)
    return sock


def hold_standard_descriptors() -> None:
    """Open `/dev/null` where standard input, output or error is closed.

    A descriptor of ours that got one of their numbers would be taken for what it is not.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            os.set_inheritable(fd, True)


def readable(fd: int, timeout: float | None) -> bool:
    """Wait up to `timeout` seconds (None: for ever) for a descriptor; tell whether it is readable.

    Unlike `select.select` it takes a descriptor of any number.
    """
    state = select.poll()
    state.register(fd, select.POLLIN)
    return bool(state.poll(None if timeout is None else timeout * 1000))


def _facts_in(message: dict[str, Any]) -> Facts:
    """Return what a keeper said of its network; ValueError when no keeper says such a thing."""
    message = {"language": 0, **message}  # the first keepers told none
    facts = {key: message.get(key) for key in Facts.__annotations__}
    if not all(isinstance(value, bool | int | float) and 0 <= value < 1 << 40 for value in facts.values()):
        raise ValueError("no keeper answers like this")
    return Facts(
        started=float(message["started"]), detached=bool(message["detached"]),
        nodes=int(message["nodes"]), programs=int(message["programs"]), failed=int(message["failed"]),
        language=int(message["language"]),
    )  # fmt: skip
