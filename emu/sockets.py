"""The sockets that a network handed out to this process: following them, and closing all of them."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import weakref
from collections.abc import Iterator

#: The number of a socket's network namespace, which is never used again (Linux 5.14,
#: include/uapi/asm-generic/socket.h).
_SO_NETNS_COOKIE = 71


class Sockets:
    """Sockets that live in the nodes of one network, those that came from them included.

    An open socket keeps its namespace, and with it the node's links. Beside the sockets that were
    handed out there are those that `accept` and `dup` made of them, and those that another object took
    over, as `ssl` does: the kernel tells each one's namespace.
    """

    def __init__(self) -> None:
        self._given: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._namespaces: set[int] = set()

    def add(self, sock: socket.socket) -> None:
        """Follow a socket, and whatever comes from it."""
        self._given.add(sock)
        with contextlib.suppress(OSError):  # an older kernel
            self._namespaces.add(_namespace_of(sock))

    def close(self, forked: bool) -> None:
        """Close all of them, and wake the threads that wait for one.

        `forked`: this process is a copy of the one that they were handed out to, which goes on using
        the connections behind them.
        """
        if not forked:
            for sock in [*self._given, *self._strays()]:
                _wake(sock)
        for sock in list(self._given):
            sock.close()
        self._given.clear()
        self._replace_strays()
        self._namespaces.clear()

    def _replace_strays(self) -> None:
        """Put a dead socket in the place of each one that is left.

        Whoever holds the descriptor is to close it, and may do so at any time: were it closed here, he
        would close whatever got its number next.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            for sock in self._strays():
                os.dup2(dead.fileno(), sock.stray, inheritable=False)

    def _strays(self) -> Iterator[_Stray]:
        """Yield a copy of each socket of this process that lives in the network."""
        for name in os.listdir("/proc/self/fd") if self._namespaces else ():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    with _Stray(int(name)) as sock:
                        if _namespace_of(sock) in self._namespaces:
                            yield sock


class _Stray(socket.socket):
    """A copy of the socket behind the descriptor `stray`."""

    def __init__(self, stray: int) -> None:
        self.stray = stray
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=os.dup(stray))


def _namespace_of(sock: socket.socket) -> int:
    (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))
    return int(cookie)


def _wake(sock: socket.socket) -> None:
    """Make every thread that waits for a socket go on: closing it would not."""
    with contextlib.suppress(OSError):  # not connected, which wakes all the same, or closed
        sock.shutdown(socket.SHUT_RDWR)
