"""Waiting until links that were set up carry packets.

Of a veth pair, the end that is set up first has no carrier until the other end follows. The kernel then
brings it into service later, in a work queue (net/core/link_watch.c), and drops what is sent through it
until then: a lost ARP request is repeated only after a second. When that has happened, the interface's
operational state (RFC 2863) is "up". From Linux 6.13 on, asking for it makes it happen.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable

# include/uapi/linux/{netlink,rtnetlink,if_link,if}.h
_HEADER, _INTERFACE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxHiII"), struct.Struct("=HH")
_REQUEST, _GETLINK, _NEWLINK = 1, 18, 16
_IFLA_OPERSTATE, _IFLA_EXT_MASK, _SKIP_STATS = 16, 29, 8
_IF_OPER_UP = 6
#: How often to look, in seconds.
_PAUSE = 0.001


def await_interfaces(sock: socket.socket, indices: Iterable[int], deadline: float) -> bool:
    """Wait until interfaces are in service.

    Args:
        sock: a NETLINK_ROUTE socket in their namespace.
        indices: the interfaces' numbers.
        deadline: when to give up, by `time.monotonic()`.

    Returns:
        Whether all are.
    """
    for index in indices:
        while not _in_service(sock, index):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
    return True


def _in_service(sock: socket.socket, index: int) -> bool:
    body = _INTERFACE.pack(0, 0, index, 0, 0)
    body += _ATTRIBUTE.pack(8, _IFLA_EXT_MASK) + struct.pack("=I", _SKIP_STATS)
    sock.send(_HEADER.pack(_HEADER.size + len(body), _GETLINK, _REQUEST, 0, 0) + body)
    answer = sock.recv(1 << 16)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    offset = _HEADER.size + _INTERFACE.size
    while kind == _NEWLINK and offset < len(answer):
        size, attribute = _ATTRIBUTE.unpack_from(answer, offset)
        if attribute == _IFLA_OPERSTATE:
            return answer[offset + _ATTRIBUTE.size] == _IF_OPER_UP
        offset += (size + 3) & ~3
    return True  # gone, or without such a state: nothing to wait for
