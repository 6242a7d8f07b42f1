"""The sandbox of the benchmark, and how it is known there that the kernel has freed a network.

A user namespace has a limit of its own for network namespaces, `user.max_net_namespaces`, which counts
those of all user namespaces inside of it too. The kernel gives a namespace back to that count as the last
thing it does for it, after its interfaces, routes and memory are freed (`cleanup_net` in
net/core/net_namespace.c calls `dec_net_namespaces` behind `rcu_barrier`). So with the limit set to what there
was before and one more, making a namespace is refused with ENOSPC until all others are freed. A try takes
10 µs, and needs neither root nor a tracer.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from emu.keeper.namespaces import CLONE_NEWNET, mount, setns, unshare

#: What is put before a command to run it in the sandbox.
APART = [
    "unshare", "--user", "--map-root-user", "--net", "--mount", "--propagation", "private",
    "--pid", "--fork", "--kill-child", "--mount-proc",
]  # fmt: skip
_LIMIT = Path("/proc/sys/user/max_net_namespaces")
#: How often to try, and how long at most, in seconds.
_PAUSE, _PATIENCE = 0.001, 600.0


def command(words: list[str]) -> list[str]:
    """Return the command that runs `python -m emu.bench WORDS…` in the sandbox."""
    return [*APART, sys.executable, "-P", "-m", __package__, *words]


def environment() -> dict[str, str]:
    """Return the sandbox's environment: its `/run` is its own, and the user's folder in it is not there."""
    found = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    # An emu that is not installed is found where this one was.
    here = str(Path(__file__).absolute().parent.parent.parent)
    return {**found, "PYTHONPATH": os.pathsep.join(filter(None, [here, found.get("PYTHONPATH")]))}


class Namespaces:
    """Tells when all network namespaces made since are freed."""

    def __init__(self) -> None:
        mount("tmpfs", "/run", "tmpfs", options="mode=755")
        self._usual = _LIMIT.read_text()
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._held = 1  # the sandbox's own

    def await_freed(self) -> None:
        """Wait until there are no more network namespaces than at first.

        Raises:
            TimeoutError: after ten minutes.
        """
        deadline = time.monotonic() + _PATIENCE
        _LIMIT.write_text(str(self._held + 1))
        try:
            while not self._one_more():
                if time.monotonic() > deadline:
                    raise TimeoutError("wait for the kernel to free network namespaces: something holds one")
                time.sleep(_PAUSE)
        finally:
            _LIMIT.write_text(self._usual)

    def _one_more(self) -> bool:
        """Make a namespace and leave it, if the limit allows one more."""
        try:
            unshare(CLONE_NEWNET)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False
        setns(self._home, CLONE_NEWNET)
        return True
