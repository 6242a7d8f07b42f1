"""Netlink messages as bytes: headers, attributes, and the fixed part of each kind that emu sends.

The formats are those of netlink(7), rtnetlink(7) and include/uapi/linux/{netlink,rtnetlink,if_link,
if_addr}.h. Numbers have the machine's byte order, addresses the network's.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

# include/uapi/linux/netlink.h and rtnetlink.h
REQUEST, ACK, DUMP, REPLACE, EXCL, CREATE, APPEND = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400, 0x800
NEW = REQUEST | EXCL | CREATE
NEWLINK, DELLINK, GETLINK, NEWLINKPROP = 16, 17, 18, 108
NEWADDR, GETADDR, NEWROUTE, DELROUTE, GETROUTE = 20, 22, 24, 25, 26
NEWQDISC, DELQDISC, GETQDISC, NEWTCLASS, NEWTFILTER = 36, 37, 38, 40, 44
#: Of routes: the table that the kernel looks into, types, and who made them (`boot`: as somebody typed it).
MAIN_TABLE, UNICAST, UNREACHABLE, BY_KERNEL, BY_BOOT = 254, 1, 7, 2, 3
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH = 1, 4, 5, 6, 9
_IFLA_EXT_MASK, _SKIP_STATS = 29, 8
#: The parent of the outermost queue discipline (pkt_sched.h).
ROOT = 0xFFFFFFFF
#: Address families, include/linux/socket.h.
FAMILY = {4: 2, 6: 10}
#: The mark of an attribute that holds attributes; the kernel asks for it where a kind is newer than the mark.
NESTED = 0x8000

HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
NUMBER = struct.Struct("=HHI")
LINK = struct.Struct("=BxHiII")
ADDRESS = struct.Struct("=BBBBi")
ROUTE = struct.Struct("=BBBBBBBBI")
NEXT_HOP = struct.Struct("=HBBi")
TRAFFIC = struct.Struct("=BxxxiIII")

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return a message with its header."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute, padded to four bytes."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + _PADDING[len(value) % 4]


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds a text, which ends with a zero."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """Return an attribute that holds an unsigned 32-bit number."""
    return NUMBER.pack(NUMBER.size, kind, value)


def link(index: int, up: bool = False) -> bytes:
    """Return the fixed part of a message about an interface (ifinfomsg); `up` sets it up."""
    return LINK.pack(0, 0, index, up, up)


def link_query(index: int = 0) -> bytes:
    """Return the body of a question for an interface, or for all of them; without their statistics."""
    return link(index) + number(_IFLA_EXT_MASK, _SKIP_STATS)


def traffic(index: int, handle: int, parent: int, info: int = 0) -> bytes:
    """Return the fixed part of a message about a queue discipline, a class or a filter (tcmsg)."""
    return TRAFFIC.pack(0, index, handle, parent, info)


def next_hops(hops: Sequence[tuple[int, bytes, int]]) -> bytes:
    """Return the attributes that say where a packet goes next.

    A hop is an interface's number, a gateway's address, and its weight less one, which a single one lacks.
    """
    if len(hops) == 1:
        index, gateway, _ = hops[0]
        return attribute(RTA_GATEWAY, gateway) + number(RTA_OIF, index)
    parts = ((index, attribute(RTA_GATEWAY, gateway), weight) for index, gateway, weight in hops)
    several = b"".join(
        NEXT_HOP.pack(NEXT_HOP.size + len(via), 0, weight, index) + via for index, via, weight in parts
    )
    return attribute(RTA_MULTIPATH, several) if several else b""
