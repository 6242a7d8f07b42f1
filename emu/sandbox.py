"""Sandboxes: making, finding, asking and ending them.

A sandbox is a set of Linux namespaces that a keeper process holds. Its folder, `emu/NAME` below the
user's runtime folder, holds the socket that the keeper answers on. A lock on the folder tells whether
the keeper lives: the kernel drops it with the keeper, however that dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import EmuError, NotRunning, PrivilegeError, UsageError, suggestion
from .keeper.wire import Frame, Receiver, receive_frame, send_frame
from .names import network_name_fault
from .privileges import explain_refusal

#: The keeper runs without site-packages; only this package's own folder is added to what it sees.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from emu.keeper.main import main; main(*sys.argv[2:])"
_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent)
#: How long an ending network may take before it is killed, in seconds.
_END_DEADLINE = 2.0


class Sandbox:
    """A connection to one keeper. Thread-safe; `close` and `end` may be called twice."""

    def __init__(self, name: str, folder: int, sock: socket.socket, log: int | None = None) -> None:
        self.name = name
        self._folder, self._sock, self._log = folder, sock, log
        self._receiver = Receiver()
        self._lock = threading.Lock()
        self.pidfd = -1
        self.facts: dict[str, Any] = {}

    def ask(self, do: str, blob: bytes = b"", fds: tuple[int, ...] = (), **arguments: Any) -> Frame:
        """Send a request and return the answer.

        Raises:
            OSError: the kernel refused; `strerror` says what the keeper knows about it.
            NotRunning: the network has ended.
        """
        with self._lock:
            try:
                send_frame(self._sock, {"do": do, **arguments}, blob, fds)
                answer = receive_frame(self._sock, self._receiver)
            except OSError:  # the connection is broken or closed
                answer = None
        if answer is None:
            raise NotRunning(f"network {self.name} has ended" + self._last_words())
        if "errno" in answer.message:
            raise OSError(answer.message["errno"], answer.message["about"])
        return answer

    def greet(self) -> None:
        """Learn how the network is (`facts`) and get a descriptor of its keeper (`pidfd`)."""
        answer = self.ask("hello")
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.facts, self.pidfd = answer.message, answer.fds[0]

    def connect(self) -> socket.socket:
        """Open one more connection to the keeper."""
        try:
            return _connect(self._folder)
        except OSError:
            raise NotRunning(f"network {self.name} has ended" + self._last_words()) from None

    def alive(self) -> bool:
        """Tell whether the keeper still lives."""
        return self.pidfd >= 0 and not select.select([self.pidfd], [], [], 0)[0]

    def keeper_pid(self) -> int:
        """Return the keeper's process id as seen from here, or -1 when it has ended."""
        text = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pid:"))

    @property
    def owner(self) -> str:
        """The name of the user whose network it is."""
        uid = os.fstat(self._folder).st_uid
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
            return
        with contextlib.suppress(OSError), self._lock:
            send_frame(self._sock, {"do": "end"})
        if not select.select([self.pidfd], [], [], _END_DEADLINE)[0]:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            select.select([self.pidfd], [], [], _END_DEADLINE)
        self.close()

    def close(self) -> None:
        """Let go of the network; it ends unless it is detached or somebody else's."""
        self._sock.close()
        for fd in (self.pidfd, self._folder, self._log):
            if fd is not None and fd >= 0:
                os.close(fd)
        self.pidfd = self._folder = -1
        self._log = None

    def _last_words(self) -> str:
        """Return what a keeper that failed had to say."""
        if self._log is None:
            return ""
        size = os.fstat(self._log).st_size
        lines = os.pread(self._log, size, 0).decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def create_sandbox(name: str | None, default: str, detached: bool = False) -> Sandbox:
    """Start a keeper; its namespaces are empty until it is asked to fill them.

    Without a `name` the first free one of `default`, `default-2` … is taken. The sandbox ends with
    this process, unless the keeper is told to detach.

    Raises:
        UsageError: the name is no name, or taken.
        PrivilegeError: this machine does not allow it.
    """
    base = _base_folder(detached)
    name, folder = _claim(base, name, default)
    ours, theirs = socket.socketpair()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    owner = os.pidfd_open(os.getpid())
    log = os.memfd_create("keeper")
    try:
        # A path through the descriptor: a Unix socket's own may have 107 bytes only.
        listener.bind(f"/proc/self/fd/{folder}/socket")
        os.chmod(f"/proc/self/fd/{folder}/socket", 0o600)
        listener.listen(128)
        passed = (theirs.fileno(), listener.fileno(), folder, owner)
        starter = subprocess.Popen(
            [sys.executable or "/usr/bin/python3", "-I", "-S", "-X", "utf8", "-c", _BOOT, _PACKAGE_PARENT, name]
            + [str(fd) for fd in passed],
            pass_fds=passed, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    except BaseException:
        remove_folder(base / name, folder)
        raise
    finally:
        theirs.close()
        listener.close()
        os.close(owner)
    sandbox = Sandbox(name, folder, ours, log)
    try:
        sandbox.greet()
    except OSError as error:
        remove_folder(base / name, folder)
        raise PrivilegeError(explain_refusal("make namespaces", error)) from error
    except NotRunning as error:
        remove_folder(base / name, folder)
        raise PrivilegeError(f"start the keeper with {sys.executable}: {error}") from error
    finally:
        starter.wait()
    return sandbox


def find_sandbox(name: str) -> Sandbox:
    """Return a connection to the running network of that name.

    Raises:
        NotRunning: there is none; names the nearest ones that there are.
    """
    if network_name_fault(name) is None:
        for base in _base_folders():
            with contextlib.suppress(OSError, NotRunning):
                return _attach(base, name)
    names = [sandbox.name for sandbox in running_sandboxes()]
    hint = suggestion(name, names) or ("; running: " + ", ".join(names) if names else "; none is running")
    raise NotRunning(f"no network {name!r} is running{hint}")


def running_sandboxes(own: bool = False) -> Iterator[Sandbox]:
    """Yield a connection to every running network, for root everybody's unless `own`.

    Removes what killed ones of this user left.
    """
    for base in _own_folders():
        sweep(base)
    for base in _own_folders() if own else _base_folders():
        for name in sorted(_entries(base)):
            with contextlib.suppress(OSError, NotRunning):
                yield _attach(base, name)


def sweep(base: Path) -> None:
    """Remove the folders of networks whose keeper was killed."""
    for name in _entries(base):
        with contextlib.suppress(OSError):
            folder = os.open(base / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(base / name, folder)
            finally:
                os.close(folder)
    with contextlib.suppress(OSError):
        base.rmdir()


def remove_folder(path: Path, folder: int) -> None:
    """Remove a network's folder, held open and locked as `folder`."""
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            os.unlink(entry, dir_fd=folder)
        path.rmdir()


def _attach(base: Path, name: str) -> Sandbox:
    folder = os.open(base / name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        sock = _connect(folder, os.fstat(folder).st_uid)
    except OSError:
        os.close(folder)
        raise
    sock.settimeout(_END_DEADLINE)
    sandbox = Sandbox(name, folder, sock)
    sandbox.greet()
    sock.settimeout(None)
    return sandbox


def _connect(folder: int, uid: int | None = None) -> socket.socket:
    """Connect to the keeper of a folder. Root takes the owner's uid on: the keeper answers nobody else."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    me = os.geteuid()
    uid = os.fstat(folder).st_uid if uid is None else uid
    try:
        if me == 0 and uid != 0:
            os.seteuid(uid)
        sock.connect(f"/proc/self/fd/{folder}/socket")
    except OSError:
        sock.close()
        raise
    finally:
        if os.geteuid() != me:
            os.seteuid(me)
    return sock


def _claim(base: Path, name: str | None, default: str) -> tuple[str, int]:
    """Make and lock the folder of a free name."""
    if name is not None:
        if fault := network_name_fault(name):
            raise UsageError(f"name a network {name!r}: {fault}")
        for other in _own_folders():
            if other != base:
                _refuse_running(other, name)
        deadline = time.monotonic() + _END_DEADLINE
        while (folder := _try_claim(base, name)) is None:
            # Its keeper may be about to end; one that answers is not.
            _refuse_running(base, name)
            if time.monotonic() > deadline:
                raise UsageError(f"name a network {name!r}: one of that name is there and does not answer")
            time.sleep(0.02)
        return name, folder
    stem = default if network_name_fault(default) is None else "network"
    for count in range(1, 10_000):
        candidate = stem if count == 1 else f"{stem}-{count}"
        elsewhere = any((other / candidate).exists() for other in _own_folders() if other != base)
        if not elsewhere and (folder := _try_claim(base, candidate)) is not None:
            return candidate, folder
    raise UsageError(f"name a network: {stem} to {candidate} are all taken")


def _refuse_running(base: Path, name: str) -> None:
    """Raise UsageError when a network of that name is there and answers."""
    with contextlib.suppress(OSError, NotRunning):
        _attach(base, name).close()
        raise UsageError(f"name a network {name!r}: one of that name is running; 'emu stop {name}' ends it")


def _try_claim(base: Path, name: str) -> int | None:
    """Return the locked folder of a network, made if need be, or None when somebody holds it."""
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError):  # a sweep or an end came between two steps
            _make_private(base)
            with contextlib.suppress(FileExistsError):
                os.mkdir(base / name, 0o700)
            folder = os.open(base / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(folder)
                return None
            there = os.stat(base / name)
            if os.path.samestat(there, os.fstat(folder)):
                with contextlib.suppress(FileNotFoundError):  # left by a killed keeper
                    os.unlink("socket", dir_fd=folder)
                os.chmod(folder, 0o700)  # whatever the umask was
                return folder
            os.close(folder)
    raise EmuError(f"make {base / name}: it was removed again and again")


def _make_private(path: Path) -> None:
    """Make a folder that nobody else can enter, or make sure that it is one."""
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise UsageError(f"use {path}: it is not a folder of yours with mode 0700; remove it") from None


def _base_folder(detached: bool) -> Path:
    """Return the folder for a new network's folder."""
    *runtime, fallback = _own_folders()
    # A detached network outlives the login, and with it $XDG_RUNTIME_DIR.
    if runtime and not (detached and os.geteuid() != 0) and os.access(runtime[0].parent, os.W_OK | os.X_OK):
        return runtime[0]
    return fallback


def _own_folders() -> list[Path]:
    uid = os.geteuid()
    fallback = Path(f"/tmp/emu-{uid}")  # noqa: S108  # made private, or refused, by _make_private
    if uid == 0:
        return [Path("/run/emu"), fallback]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.isabs(runtime) or not os.path.isdir(runtime) or os.stat(runtime).st_uid != uid:
        return [fallback]
    return [Path(runtime, "emu"), fallback]


def _base_folders() -> list[Path]:
    """Return the folders to look for running networks in; root sees everybody's, its own first."""
    others = [*Path("/run/user").glob("*/emu"), *Path("/tmp").glob("emu-*")] if os.geteuid() == 0 else []
    return list(dict.fromkeys(_own_folders() + others))


def _entries(base: Path) -> list[str]:
    try:
        found = os.lstat(base)
        if not stat.S_ISDIR(found.st_mode) or (os.geteuid() != 0 and found.st_uid != os.geteuid()):
            return []
        return os.listdir(base)
    except OSError:
        return []
