"""Control groups of nodes: folders below one of the network's own, see cgroups(7). Standard library only."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress

#: How the folders of nodes begin, so that none is called as one of the kernel's files.
NODE = "node-"
#: How the folders of networks begin, which tells them from other people's.
NETWORK = "emu-"
#: What kernels without swap do not have.
_OPTIONAL = ("memory.swap.max",)
#: How often to try to remove a folder whose last processes are ending, and the pause in seconds.
_ROUNDS, _PAUSE = 200, 0.005


class Groups:
    """The control groups of the nodes that have limits; false while there is none."""

    def __init__(self) -> None:
        self._folder = -1
        self._nodes: set[str] = set()

    def __bool__(self) -> bool:
        return self._folder >= 0

    def adopt(self, folder: int) -> None:
        """Use a folder for the network, unless it has one already."""
        if self._folder < 0:
            self._folder = os.dup(folder)

    def limit(self, node: str, settings: dict[str, str]) -> None:
        """Make the group of a node, and write its settings: file to content."""
        if self._folder < 0:
            raise OSError(errno.ENOENT, "the network's control group")
        with suppress(FileExistsError):
            os.mkdir(NODE + node, dir_fd=self._folder)
        self._nodes.add(node)
        for name, value in settings.items():
            try:
                self._write(node, name, value)
            except FileNotFoundError:
                if name not in _OPTIONAL:
                    raise OSError(errno.EOPNOTSUPP, f"{name} of {node}") from None

    def joining(self, node: str | None) -> Callable[[], None] | None:
        """Return what puts the process that calls it into the group of a node; None where there is none."""
        if node is None or node not in self._nodes:
            return None

        def join() -> None:
            try:
                self._write(node, "cgroup.procs", "0")
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

    def remove(self, node: str) -> None:
        """Remove the group of a node whose processes are ending."""
        if node in self._nodes:
            self._nodes.remove(node)
            remove_tree(NODE + node, self._folder)

    def close(self) -> None:
        """Remove all of them and the network's own folder, when there are no processes in them any more."""
        if self:
            with suppress(OSError):
                remove_network(self._folder)

    def _write(self, node: str, name: str, text: str) -> None:
        fd = os.open(f"{NODE}{node}/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def _read(self, node: str, name: str) -> str:
        """Return what a file of a node's group holds; nothing of one that is not there."""
        try:
            fd = os.open(f"{NODE}{node}/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return ""
        with open(fd) as file:
            return file.read()


def remove_tree(name: str, above: int, rounds: int = _ROUNDS) -> None:
    """Remove a group, with those that its processes made in it; OSError while it has processes.

    A folder of control groups is removed with the files in it. The last processes may be on their way
    out: it is tried so many times.
    """
    for left in reversed(range(rounds)):
        try:
            for _, folders, _, fd in os.fwalk(name, topdown=False, dir_fd=above):
                for folder in folders:
                    os.rmdir(folder, dir_fd=fd)
            os.rmdir(name, dir_fd=above)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or not left:
                raise
            time.sleep(_PAUSE)
        else:
            return


def remove_network(folder: int) -> None:
    """Remove the folder of a network; OSError while it has processes."""
    above = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    try:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{folder}"))
        if name.startswith(NETWORK):
            remove_tree(name, above)
    finally:
        os.close(above)


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
