"""Taking the kernel's netlink answers apart: messages, and the attributes in them. See netlink(7)."""

from __future__ import annotations

from collections.abc import Iterator

from .messages import ATTRIBUTE, HEADER

# include/uapi/linux/netlink.h
ERROR, DONE = 2, 3
#: An attribute's kind without the marks NLA_F_NESTED and NLA_F_NET_BYTEORDER.
_KIND = 0x3FFF


def messages_in(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each message of a list, and where its body begins and ends.

    What ends a list, and what says that there is none, are left out.
    """
    offset = 0
    while offset + HEADER.size <= len(data):
        size, kind, *_ = HEADER.unpack_from(data, offset)
        if size < HEADER.size:
            return
        if kind not in (ERROR, DONE):
            yield kind, offset + HEADER.size, offset + size
        offset += (size + 3) & ~3


def attributes_in(data: bytes, start: int, end: int) -> dict[int, tuple[int, int]]:
    """Return where the value of each attribute between two offsets begins and ends, by kind."""
    found = {}
    while start + ATTRIBUTE.size <= end:
        size, kind = ATTRIBUTE.unpack_from(data, start)
        if size < ATTRIBUTE.size:
            break
        found[kind & _KIND] = start + ATTRIBUTE.size, start + size
        start += (size + 3) & ~3
    return found
