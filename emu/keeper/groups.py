"""Control groups of nodes: folders below one of the network's own, see cgroups(7). Standard library only."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

#: How the folders of nodes begin, so that none is called as one of the kernel's files.
NODE = "node-"
#: How the folders of networks begin, which tells them from other people's.
NETWORK = "emu-"
#: What kernels without swap do not have.
_OPTIONAL = ("memory.swap.max",)
#: How a program that SIGKILL ended does, and a shell that runs one.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
#: How often to try to remove a folder whose last processes are ending, and the pause in seconds.
_ROUNDS, _PAUSE = 200, 0.005


class Groups:
    """The control groups of the nodes that have limits; false while there is none."""

    def __init__(self) -> None:
        self._above = self._folder = -1
        self._name = ""
        self._nodes: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._name)

    def make(self, above: int, name: str, controllers: list[str]) -> None:
        """Make the network's own folder in the one that `above` stands for; it hands on some controllers.

        One that is there hands them on, too. After an OSError all is as before.
        """
        if not name.startswith(NETWORK) or "/" in name or self._name not in ("", name):
            raise OSError(errno.EINVAL, "the network's control group")
        with ExitStack() as undo:
            if not self:
                os.mkdir(name, dir_fd=above)
                undo.callback(os.rmdir, name, dir_fd=above)
                self._folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=above)
                undo.callback(self._let_go)
            write_at(self._folder, "cgroup.subtree_control", " ".join(f"+{one}" for one in controllers))
            if not self:
                self._above, self._name = os.dup(above), name
            undo.pop_all()

    def _let_go(self) -> None:
        os.close(self._folder)
        self._folder = -1

    def limit(self, node: str, settings: dict[str, str]) -> None:
        """Make the group of a node, and write its settings: file to content."""
        if self._folder < 0:
            raise OSError(errno.ENOENT, "the network's control group")
        with suppress(FileExistsError):
            os.mkdir(NODE + node, dir_fd=self._folder)
        self._nodes.add(node)
        for name, value in settings.items():
            try:
                write_at(self._folder, f"{NODE}{node}/{name}", value)
            except FileNotFoundError:
                if name not in _OPTIONAL:
                    raise OSError(errno.EOPNOTSUPP, f"{name} of {node}") from None

    def joining(self, node: str | None) -> Callable[[], None] | None:
        """Return what puts the process that calls it into the group of a node; None where there is none."""
        if node is None or node not in self._nodes:
            return None

        def join() -> None:
            try:
                write_at(self._folder, f"{NODE}{node}/cgroup.procs", "0")
            except OSError as error:  # not to be taken for one about the program
                raise OSError(errno.EIO, str(error.strerror), "joining the node's control group") from error
            # Who moves is not refused, unlike who is born.
            count, most = (self._read(node, f"pids.{name}").strip() for name in ("current", "max"))
            if count.isdigit() and most.isdigit() and int(count) > int(most):
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), f"{most} processes at most")

        return join

    def kills(self, node: str | None) -> int:
        """Return how many processes of a node the kernel has killed for lack of memory within the limit."""
        if node is None or node not in self._nodes:
            return 0
        words = self._read(node, "memory.events").split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def starved(self, node: str | None, before: int, status: int) -> int:
        """Return the limit of a node's memory, in bytes, if a program seems to have ended for it, or 0.

        That is one that SIGKILL ended, or whose last command as a shell it did, when the kernel has killed
        some process of the node since there were `before`. Other programs fail for reasons of their own.
        """
        if os.waitstatus_to_exitcode(status) not in _KILLED or self.kills(node) <= before:
            return 0
        most = self._read(str(node), "memory.max").strip()
        return int(most) if most.isdigit() else 0

    def remove(self, node: str) -> None:
        """Remove the group of a node whose processes are ending."""
        if node in self._nodes:
            self._nodes.remove(node)
            remove_tree(NODE + node, self._folder)

    def close(self) -> None:
        """Remove the network's folder, and all in it; OSError while there are processes."""
        if self:
            remove_tree(self._name, self._above)

    def _read(self, node: str, name: str) -> str:
        """Return what a file of a node's group holds; nothing of one that is not there."""
        try:
            fd = os.open(f"{NODE}{node}/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
            with open(fd) as file:
                return file.read()
        except OSError:
            return ""


def write_at(folder: int, path: str, text: str) -> None:
    """Write a file below a folder."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def remove_tree(name: str, above: int, rounds: int = _ROUNDS) -> None:
    """Remove a group, with those that its processes made in it; OSError while it has processes.

    A folder of control groups is removed with the files in it. The last processes may be on their way
    out, or remove what they made: it is tried so many times.
    """
    for left in reversed(range(rounds)):
        try:
            for _, folders, _, fd in os.fwalk(name, topdown=False, dir_fd=above):
                for folder in folders:
                    os.rmdir(folder, dir_fd=fd)
            os.rmdir(name, dir_fd=above)
        except OSError as error:
            if not os.access(name, os.F_OK, dir_fd=above):
                return
            if error.errno not in (errno.EBUSY, errno.ENOENT) or not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def sweep_network(path: str) -> None:
    """Remove the folder of a network whose keeper was killed; OSError while it has processes.

    What is no control group, or not called as one of ours, is left alone.
    """
    above, name = os.path.split(path)
    if name.startswith(NETWORK) and os.path.exists(os.path.join(path, "cgroup.procs")):
        fd = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
        try:
            remove_tree(name, fd, rounds=1)
        finally:
            os.close(fd)
