"""Netlink messages as bytes: headers, attributes, and the fixed part of each kind that emu sends.

The formats are those of netlink(7), rtnetlink(7) and include/uapi/linux/{netlink,rtnetlink,if_link,
if_addr}.h. Numbers have the machine's byte order, addresses the network's.
"""

from __future__ import annotations

import struct

# include/uapi/linux/netlink.h and rtnetlink.h
REQUEST, ACK, DUMP, REPLACE, EXCL, CREATE, APPEND = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400, 0x800
NEW = REQUEST | EXCL | CREATE
NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE, NEWLINKPROP = 16, 17, 18, 20, 21, 24, 25, 108
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
