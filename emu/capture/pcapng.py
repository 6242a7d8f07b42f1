"""Blocks of pcapng files: making them, and reading ours back. Standard library only.

The format is that of draft-ietf-opsawg-pcapng. Stamps are in nanoseconds, the byte order is the machine's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

TYPE_CHECKING = False  # typing itself takes longer to load than all the rest
if TYPE_CHECKING:
    from typing import Any

# Block types (section 4 of the draft).
SECTION, INTERFACE, NAMES, STATISTICS, PACKET = 0x0A0D0D0A, 1, 4, 5, 6
#: LINKTYPE_ETHERNET and LINKTYPE_RAW: frames with an Ethernet header, and bare IP packets.
ETHERNET, RAW = 1, 101
# Directions, as in the lowest bits of a packet's flags.
INBOUND, OUTBOUND = 1, 2

_BYTE_ORDER_MAGIC = 0x1A2B3C4D
# Options: of all blocks, of sections, of interfaces, of packets, of statistics.
_END, _COMMENT = 0, 1
_OS, _APPLICATION = 3, 4
IF_NAME, IF_DESCRIPTION, _IF_TSRESOL, IF_FILTER = 2, 3, 9, 11
_EPB_FLAGS = 2
_ISB_START, _ISB_END, _ISB_RECEIVED, _ISB_OS_DROPS = 2, 3, 4, 7
#: The type, the length twice, the interface, the stamp's halves, the lengths captured and as sent.
_HEAD = struct.Struct("=7I")
#: The option of a packet's flags, the end of options, and the block's length once more.
_TAIL = struct.Struct("=HHIII")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def section(application: str, system: str, comment: str) -> bytes:
    """Return the block that a file begins with."""
    body = struct.pack("=IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1)
    texts = ((_COMMENT, comment), (_OS, system), (_APPLICATION, application))
    return _block(SECTION, body + _options((code, text.encode()) for code, text in texts))


def interface(link_type: int, name: str, description: str = "", capture_filter: str = "") -> bytes:
    """Return the block of an interface; packets refer to it by how many came before it."""
    options = [(IF_NAME, name.encode()), (_IF_TSRESOL, b"\x09")]
    if description:
        options.append((IF_DESCRIPTION, description.encode()))
    if capture_filter:
        options.append((IF_FILTER, b"\0" + capture_filter.encode()))  # 0: the text of a filter
    return _block(INTERFACE, struct.pack("=HHI", link_type, 0, 0) + _options(options))


def names(known: Iterable[tuple[bytes, str]]) -> bytes:
    """Return the block that gives packed addresses names."""
    records = b"".join(
        _option(1 if len(address) == 4 else 2, address + name.encode() + b"\0") for address, name in known
    )
    return _block(NAMES, records + bytes(4))


def packet(number: int, time: int, data: bytes, length: int, flags: int) -> bytes:
    """Return the block of a packet.

    Args:
        number: its interface.
        time: nanoseconds since the epoch.
        data: what was captured of it.
        length: how long it was.
        flags: its direction, and how it was received (section 4.3.1 of the draft).
    """
    size = len(data)
    padding = _PADDING[size & 3]
    total = size + len(padding) + _HEAD.size + _TAIL.size
    head = _HEAD.pack(PACKET, total, number, time >> 32, time & 0xFFFFFFFF, size, length)
    return b"".join((head, data, padding, _TAIL.pack(_EPB_FLAGS, 4, flags, 0, total)))


def statistics(number: int, started: int, ended: int, packets: int, drops: int | None, comment: str) -> bytes:
    """Return the block that tells what became of an interface; times in nanoseconds since the epoch."""
    options = [
        (_ISB_START, struct.pack("=II", started >> 32, started & 0xFFFFFFFF)),
        (_ISB_END, struct.pack("=II", ended >> 32, ended & 0xFFFFFFFF)),
        (_ISB_RECEIVED, struct.pack("=Q", packets)),
    ]
    if drops is not None:
        options.append((_ISB_OS_DROPS, struct.pack("=Q", drops)))
    if comment:
        options.append((_COMMENT, comment.encode()))
    body = struct.pack("=III", number, ended >> 32, ended & 0xFFFFFFFF)
    return _block(STATISTICS, body + _options(options))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + value + _PADDING[len(value) & 3]


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(_option(code, value) for code, value in options) + bytes(4)


class Reader:
    """Reads a file of ours while it grows: packets, each with its interface's name."""

    def __init__(self) -> None:
        self._rest = b""
        self.interfaces: list[str] = []

    def feed(self, data: bytes) -> list[tuple[str, int, bytes, int, int]]:
        """Take more of the file, and return the packets that are complete.

        Each is the interface's name, and what `packet` was given.
        """
        data = self._rest + data
        found: list[Any] = []
        offset = 0
        while offset + 8 <= len(data):
            kind, size = struct.unpack_from("=II", data, offset)
            if offset + size > len(data):
                break
            if kind == PACKET:
                found.append(self._packet(data, offset))
            elif kind == INTERFACE:
                self.interfaces.append(_first_option(data[offset + 16 : offset + size - 4], IF_NAME).decode())
            offset += size
        self._rest = data[offset:]
        return found

    def _packet(self, data: bytes, offset: int) -> tuple[str, int, bytes, int, int]:
        _, _, number, high, low, size, length = _HEAD.unpack_from(data, offset)
        begin = offset + _HEAD.size
        _, _, flags, _, _ = _TAIL.unpack_from(data, begin + size + len(_PADDING[size & 3]))
        return self.interfaces[number], high << 32 | low, data[begin : begin + size], length, flags


def _first_option(data: bytes, wanted: int) -> bytes:
    offset = 0
    while offset + 4 <= len(data):
        code, size = struct.unpack_from("=HH", data, offset)
        if code in {wanted, _END}:
            return data[offset + 4 : offset + 4 + size] if code == wanted else b""
        offset += 4 + size + len(_PADDING[size & 3])
    return b""
