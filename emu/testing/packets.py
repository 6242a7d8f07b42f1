"""The packets that tests' networks carry, kept for the report of a failure and else never looked at.

In each node a packet socket's buffer takes them until it is full; nothing runs, and nothing is copied out of
the kernel unless a test fails. So the first few hundred packets of a test are kept, not the last.
"""

from __future__ import annotations

import errno
import socket
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..reaching.volley import arrival_time

if TYPE_CHECKING:
    from ..capture.packet import Packet
    from ..running.network import Network

_ETH_P_ALL = 0x0003  # include/uapi/linux/if_ether.h
_SO_TIMESTAMPNS = 35  # include/uapi/asm-generic/socket.h
_LOOPBACK = 772  # ARPHRD_LOOPBACK of include/uapi/linux/if_arp.h
_READ, _CONTROL = 1 << 16, 128
#: To close a packet socket takes the kernel some 10 ms, most of which it waits; so many wait together.
_CLOSERS = 64
#: For how long, in seconds, closing may take to begin.
_BEGUN = 0.2

_Sockets = list[tuple[str, socket.socket]]


class Follow:
    """The packets of all networks of one run of pytest."""

    def __init__(self, limit: int) -> None:
        """Follow networks of up to `limit` nodes."""
        self._limit = limit
        self._sockets: weakref.WeakKeyDictionary[Network, _Sockets] = weakref.WeakKeyDictionary()
        self._pool: ThreadPoolExecutor | None = None

    def begin(self, net: Network) -> None:
        """Begin to keep a network's packets."""
        if len(net) > self._limit:
            return
        sockets = self._sockets.setdefault(net, [])
        for node in net:
            sock = node.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            sock.setblocking(False)
            sockets.append((node.name, sock))

    def begin_test(self) -> None:
        """Forget what has been kept so far."""
        for sockets in self._sockets.values():
            for _, sock in sockets:
                _drain(sock)

    def packets(self, net: Network) -> list[tuple[str, Packet]] | None:
        """Return what has been kept, with the node of each packet; None where nothing is."""
        if net not in self._sockets:
            return None
        kept = [(node, packet) for node, sock in self._sockets[net] for packet in _packets(sock)]
        return sorted(kept, key=lambda one: one[1].time_ns)

    def end(self, net: Network) -> None:
        """Stop keeping a network's packets, which is about to end."""
        sockets = [sock for _, sock in self._sockets.pop(net, [])]
        if not sockets:
            return
        self._pool = self._pool or ThreadPoolExecutor(_CLOSERS, "emu closes sockets")
        for sock in sockets:
            self._pool.submit(sock.close)
        # The network closes, one after the other, what is open still when it ends.
        deadline = time.monotonic() + _BEGUN
        while any(sock.fileno() >= 0 for sock in sockets) and time.monotonic() < deadline:
            time.sleep(0)

    def close(self) -> None:
        """Wait until all is closed."""
        if self._pool is not None:
            self._pool.shutdown()


def _drain(sock: socket.socket) -> None:
    for _ in _received(sock, 1):
        pass


def _packets(sock: socket.socket) -> Iterator[Packet]:
    from ..capture.packet import Packet

    for data, control, _, (interface, _, kind, hardware, _) in _received(sock, _READ):
        if hardware != _LOOPBACK:
            yield Packet(interface, arrival_time(control), kind == socket.PACKET_OUTGOING, data, len(data))


def _received(sock: socket.socket, size: int) -> Iterator[Any]:
    """Yield what waits in a socket, as `recvmsg` returns it."""
    while True:
        try:
            yield sock.recvmsg(size, _CONTROL)
        except OSError as error:
            if error.errno != errno.ENETDOWN:  # nothing is left, or the network has ended
                return
