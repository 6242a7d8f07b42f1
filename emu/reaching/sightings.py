"""Where echo messages were seen: a packet socket in every node that lets only one volley's through.

A packet socket sees what an interface takes in before any filter does, and what it sends after its queue;
a bridge's ports count as well. So the way of a message shows itself, whatever routers answer or hide.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .. import icmp
from .volley import TAIL, arrival_time

if TYPE_CHECKING:
    from ..running.network import Network

# include/uapi/linux/if_ether.h, asm-generic/socket.h
_ETH_P = {4: 0x0800, 6: 0x86DD}
_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_READ, _CONTROL = 256, 128
_IPV6_HEADER = 40
#: To close a packet socket takes the kernel some 10 ms, most of which it waits; so many wait together.
_CLOSERS = 32


class Way(Enum):
    """What an interface did with a packet: took it in, saw that it was for others, or sent it."""

    IN = socket.PACKET_HOST
    PASSING = socket.PACKET_OTHERHOST
    OUT = socket.PACKET_OUTGOING


class Sighting(NamedTuple):
    """A message at an interface: when, in ns since 1970, and which: the attempt, request or reply."""

    time: int
    node: str
    interface: str
    way: Way
    attempt: int
    is_reply: bool


class Watch:
    """Sockets that see every message of one volley, in every node; a context manager."""

    def __init__(self, network: Network, family: int, mark: bytes) -> None:
        """Begin to watch.

        Args:
            network: a running network.
            family: 4 or 6.
            mark: what the volley's messages begin with, after the ICMP header.

        Raises:
            KernelError: there are more nodes than this process may have open files.
        """
        self._family, self._mark = family, mark
        self._sockets: list[tuple[str, socket.socket]] = []
        try:
            for node in network:
                # Without the link layer's header, which is not the same everywhere.
                sock = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
                self._sockets.append((node.name, sock))
                _let_through(sock, family, mark)
                sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                sock.setblocking(False)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching."""
        close_together([sock for _, sock in self._sockets])
        self._sockets.clear()

    def sightings(self) -> list[Sighting]:
        """Return what has been seen, in the order of time."""
        return sorted(
            seen for node, sock in self._sockets for seen in self._read(node, sock)
        )  # fmt: skip

    def _read(self, node: str, sock: socket.socket) -> Iterator[Sighting]:
        while True:
            try:
                data, control, _, (interface, protocol, kind, *_) = sock.recvmsg(_READ, _CONTROL)
            except OSError as error:
                if error.errno == errno.ENETDOWN:  # an interface was set down meanwhile
                    continue
                return
            if protocol != _ETH_P[self._family] or kind not in _WAYS:
                continue
            start = data.find(self._mark)
            if start < 0 or len(data) < start + len(self._mark) + TAIL.size:
                continue
            _, attempt = TAIL.unpack_from(data, start + len(self._mark))
            header = (data[0] & 0x0F) * 4 if self._family == 4 else _IPV6_HEADER
            is_reply = data[header] == icmp.ECHO_REPLY[self._family]
            yield Sighting(arrival_time(control), node, interface, Way(kind), attempt, is_reply)


_WAYS = frozenset(way.value for way in Way)


def close_together(sockets: Sequence[socket.socket]) -> None:
    """Close packet sockets, at the same time: each one's closing waits for the kernel."""
    if not sockets:
        return
    with ThreadPoolExecutor(min(_CLOSERS, len(sockets))) as pool:
        for done in [pool.submit(sock.close) for sock in sockets]:
            with contextlib.suppress(OSError):
                done.result()


def _let_through(sock: socket.socket, family: int, mark: bytes) -> None:
    """Attach a filter that passes only what has the mark behind the ICMP header (packet(7), socket(7))."""
    first, second = struct.unpack("!II", mark)
    if family == 4:  # X is the length of the IP header
        load_x, word, start = [(0xB1, 0, 0, 0)], 0x40, 8
    else:
        load_x, word, start = [], 0x20, _IPV6_HEADER + 8
    program = [
        *load_x,
        (word, 0, 0, start), (0x15, 0, 3, first),
        (word, 0, 0, start + 4), (0x15, 0, 1, second),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    with_address = struct.pack("@HP", len(program), ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, with_address)
