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
# include/uapi/linux/if_ether.h and netlink.h
_ETH_P_ALL, _NLMSG_NOOP, _NLM_F_ACK = 3, 1, 4


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
        for sock in list(self._given):
            with _closing(sock.fileno(), forked):
                sock.close()
        self._given.clear()
        if self._namespaces:
            self._replace_strays(forked)
        self._namespaces.clear()

    def _replace_strays(self, forked: bool) -> None:
        """Put a dead socket in the place of each one that is left.

        Whoever holds the descriptor is to close it, and may do so at any time: were it closed here, he
        would close whatever got its number next.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            for fd in map(int, os.listdir("/proc/self/fd")):
                with contextlib.suppress(OSError):
                    if not os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                        continue
                    with socket.socket(fileno=os.dup(fd)) as copy:
                        strays = _namespace_of(copy) in self._namespaces
                    if strays:
                        with _closing(fd, forked):
                            os.dup2(dead.fileno(), fd, inheritable=False)


def _namespace_of(sock: socket.socket) -> int:
    (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))
    return int(cookie)


@contextlib.contextmanager
def _closing(fd: int, forked: bool) -> Iterator[None]:
    """Wake whoever waits for a socket before it is closed, and after it is.

    Before, as select(2) looks at a descriptor that is closed no more; after, as a thread that was woken
    by something that arrived may have begun to wait anew.
    """
    with contextlib.ExitStack() as stack:
        copies = []
        with contextlib.suppress(OSError):  # closed already, or no descriptor left for a copy
            copies += [] if forked else [stack.enter_context(socket.socket(fileno=os.dup(fd)))]
        for copy in copies:
            _wake(copy)
        yield
        for copy in copies:
            _wake(copy)


def _wake(sock: socket.socket) -> None:
    """Make every thread that waits for a socket go on: closing it would not.

    Packet and netlink sockets cannot be shut down, so that something is made to arrive at them.
    """
    with contextlib.suppress(OSError):  # not connected, which wakes all the same, or closed
        if sock.family == socket.AF_PACKET:
            sock.bind(("lo", _ETH_P_ALL))
            sock.sendto(bytes(14), ("lo", _ETH_P_ALL))
        elif sock.family == socket.AF_NETLINK:
            sock.sendto(struct.pack("=IHHII", 16, _NLMSG_NOOP, _NLM_F_ACK, 0, 0), (0, 0))
        else:
            sock.shutdown(socket.SHUT_RDWR)
