"""The folders of running networks: claiming a name, finding the others, sweeping up.

A network's folder is `emu/NAME` below the user's runtime folder and holds the socket that its keeper
answers on. A lock on the folder tells whether the keeper lives: the kernel drops it with the keeper,
however that dies.

Root looks into folders that belong to others, who may put there what they like, and change it at any
moment: every step goes through the descriptor of the step before, and symbolic links are not followed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import EmuError, UsageError
from ..graph.names import network_name_fault
from ..keeper.groups import sweep_network

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
#: A symbolic link in a network's folder: where its control groups are.
_GROUPS = "cgroup"
#: How many folders of another user root looks into.
_FOREIGN_LIMIT = 1000


class Base(NamedTuple):
    """A folder in which the folders of one user's networks are."""

    path: Path
    uid: int


class Folder:
    """The folder of a network, held open. Unlocked, its descriptor serves as a path only."""

    fd = -1  # also for one whose making was interrupted

    def __init__(self, base: Base, name: str, fd: int) -> None:
        self.base, self.name, self.fd = base, name, fd

    @property
    def socket_path(self) -> str:
        """The socket's path, short enough for the 107 bytes of a Unix socket's address (unix(7))."""
        return f"/proc/self/fd/{self.fd}/socket"

    @property
    def uid(self) -> int:
        """Whose folder it is."""
        return os.fstat(self.fd).st_uid

    @property
    def groups(self) -> Path | None:
        """The folder of the network's control groups, if it has any."""
        with contextlib.suppress(OSError):
            return Path(os.readlink(_GROUPS, dir_fd=self.fd))
        return None

    def record_groups(self, path: Path) -> None:
        """Leave word of where the control groups are, for whoever sweeps up."""
        os.symlink(path, _GROUPS, dir_fd=self.fd)

    def forget_groups(self) -> None:
        """Take that back; they were not made."""
        os.unlink(_GROUPS, dir_fd=self.fd)

    def empty(self) -> None:
        """Remove what is in it, and the control groups first; OSError while those have processes."""
        if (groups := self.groups) is not None:
            if self.uid != os.geteuid():  # others may have written anything there
                raise PermissionError(errno.EPERM, "somebody else's control groups", str(groups))
            sweep_network(str(groups))
        for entry in os.listdir(self.fd):
            os.unlink(entry, dir_fd=self.fd)

    def unlock(self) -> None:
        """Leave the lock to whoever inherited the descriptor."""
        locked, self.fd = self.fd, os.open(f"/proc/self/fd/{self.fd}", os.O_PATH | os.O_DIRECTORY)
        os.close(locked)

    def close(self) -> None:
        """Close the descriptor; twice is fine."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def claim(detached: bool, name: str | None, default: str, wait: Callable[[Base, str], None]) -> Folder:
    """Return the locked, empty folder of a free name.

    Without a `name` that is the first free one of `default`, `default-2` … `wait` is called while
    somebody holds `name`, and raises UsageError when that will not end.

    Raises:
        UsageError: the name is no name or taken, or the runtime folder is not safe to use.
        EmuError: the folder cannot be made.
    """
    base = base_for(detached)
    elsewhere = [other for other in own_bases() if other != base]
    try:
        if name is not None:
            return _claim_named(base, name, elsewhere, wait)
        stem = default if network_name_fault(default) is None else "network"
        candidates = itertools.chain([stem], (f"{stem}-{count}" for count in range(2, 10_000)))
        for candidate in candidates:
            if not any(os.path.exists(other.path / candidate) for other in elsewhere):
                folder = _try_claim(base, candidate)
                if folder is not None:
                    return folder
    except OSError as error:
        path = f"{base.path}{os.sep}{name or default}"
        raise EmuError(f"make {path}: {error.strerror}; $XDG_RUNTIME_DIR may name another folder") from error
    raise UsageError(f"name a network: {stem} to {candidate} are all taken; 'emu stop --all' ends yours")


def _claim_named(base: Base, name: str, elsewhere: list[Base], wait: Callable[[Base, str], None]) -> Folder:
    if fault := network_name_fault(name):
        raise UsageError(f"name a network {name!r}: {fault}")
    for other in elsewhere:
        while is_locked(other, name):
            wait(other, name)
    while (folder := _try_claim(base, name)) is None:
        wait(base, name)
    return folder


def _try_claim(base: Base, name: str) -> Folder | None:
    """Return the locked folder of a network, made if need be, or None when somebody holds it."""
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError):  # a sweep or an end came between two steps
            _make_private(base)
            with contextlib.suppress(FileExistsError):
                os.mkdir(base.path / name, 0o700)
            os.chmod(base.path / name, 0o700)  # whatever the umask was
            folder = Folder(base, name, os.open(base.path / name, _DIRECTORY))
            if not _lock(folder.fd):
                folder.close()
                return None
            if os.path.samestat(os.stat(base.path / name), os.fstat(folder.fd)):
                try:
                    folder.empty()  # of what a killed keeper left
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    folder.close()
                    return None
                return folder
    raise EmuError(f"make {base.path / name}: it was removed again and again")


def _make_private(base: Base) -> None:
    """Make a folder that nobody else can enter, or make sure that it is one."""
    try:
        os.mkdir(base.path, 0o700)
        os.chmod(base.path, 0o700)
    except FileExistsError:
        found = os.lstat(base.path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != base.uid or found.st_mode & 0o077:
            reason = "it is not a folder of yours with mode 0700"
            raise UsageError(f"use {base.path}: {reason}; remove it, or set XDG_RUNTIME_DIR") from None


def open_folders(base: Base) -> Iterator[Folder]:
    """Yield the folders that stand in a base, in the order of their names, each open as a path."""
    with contextlib.suppress(OSError), _opened(base) as fd:
        with os.scandir(fd) as found:
            limit = _FOREIGN_LIMIT if base.uid != os.geteuid() else None
            names = sorted(entry.name for entry in itertools.islice(found, limit))
        for name in names:
            with contextlib.suppress(OSError):
                yield open_folder(base, name, fd)


def open_folder(base: Base, name: str, base_fd: int | None = None) -> Folder:
    """Return the folder of a network, open as a path; OSError unless it is the base's owner's."""
    if base_fd is None:
        with _opened(base) as fd:
            return open_folder(base, name, fd)
    if network_name_fault(name) is not None:
        raise OSError(errno.EINVAL, "no network's name", name)
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    folder = Folder(base, name, os.open(name, flags, dir_fd=base_fd))
    if folder.uid != base.uid:
        raise OSError(errno.EPERM, "somebody else's folder", name)
    return folder


def is_locked(base: Base, name: str) -> bool:
    """Tell whether a network of that name is there, or about to be."""
    try:
        with _opened(base) as base_fd:
            folder = Folder(base, name, os.open(name, _DIRECTORY, dir_fd=base_fd))
            return not _lock(folder.fd)
    except OSError:
        return False


def sweep(base: Base) -> None:
    """Remove the folders of networks whose keeper was killed, and the base once it is empty."""
    for folder in open_folders(base):
        remove_dead(folder)
    with contextlib.suppress(OSError):
        os.rmdir(base.path)


def remove_dead(folder: Folder) -> None:
    """Remove a network's folder, unless a keeper lives that holds it."""
    with contextlib.suppress(OSError), _opened(folder.base) as base_fd:
        mine = Folder(folder.base, folder.name, os.open(folder.name, _DIRECTORY, dir_fd=base_fd))
        if mine.uid != folder.base.uid or not _lock(mine.fd):
            return
        if os.path.samestat(os.stat(folder.name, dir_fd=base_fd, follow_symlinks=False), os.fstat(mine.fd)):
            mine.empty()
            os.rmdir(folder.name, dir_fd=base_fd)


def base_for(detached: bool) -> Base:
    """Return the base for a new network's folder."""
    *runtime, fallback = own_bases()
    # A detached network outlives the login, and with it $XDG_RUNTIME_DIR.
    if runtime and not (detached and os.geteuid() != 0) and _may_be_used(runtime[0]):
        return runtime[0]
    return fallback


def own_bases() -> list[Base]:
    """Return where this user's networks may be."""
    uid = os.geteuid()
    fallback = Base(Path(f"/tmp/emu-{uid}"), uid)  # noqa: S108  # made private, or refused, by _make_private
    if uid == 0:
        return [Base(Path("/run/emu"), 0), fallback]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    try:
        fit = os.path.isabs(runtime) and os.path.isdir(runtime) and os.stat(runtime).st_uid == uid
    except (OSError, ValueError):
        fit = False
    return [Base(Path(runtime, "emu"), uid), fallback] if fit else [fallback]


def all_bases() -> list[Base]:
    """Return where running networks may be: for root everybody's, its own first."""
    found = own_bases()
    if os.geteuid() == 0:
        for folder, pattern in (("/run/user", r"(\d+)"), ("/tmp", r"emu-(\d+)")):  # noqa: S108  # looked at
            with contextlib.suppress(OSError):
                named = [(re.fullmatch(pattern, name, re.ASCII), name) for name in sorted(os.listdir(folder))]
                below = "emu" if folder == "/run/user" else ""
                found += [Base(Path(folder, name, below), int(match[1])) for match, name in named if match]
    return list(dict.fromkeys(found))


def _may_be_used(base: Base) -> bool:
    """Tell whether a base is there and writable, or can be made."""
    there = base.path if os.path.isdir(base.path) else base.path.parent
    return os.access(there, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _opened(base: Base) -> Iterator[int]:
    """Give a base's descriptor; OSError unless it is a folder of the user it should be of."""
    fd = os.open(base.path, _DIRECTORY)
    try:
        if os.fstat(fd).st_uid != base.uid:
            raise OSError(errno.EPERM, "somebody else's folder", str(base.path))
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    """Lock a folder; False when somebody else has."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
