"""Packet sockets whose packets the kernel writes into a ring of memory. Standard library only.

The ring is TPACKET_V3 (packet_mmap in the kernel's documentation, include/uapi/linux/if_packet.h): blocks of
many packets each, which the kernel hands over when they are full or a while has passed. Unlike the buffer of
a plain socket, its size needs no rights; reading it takes no system call per packet.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import socket
import struct
from collections.abc import Callable

_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V3 = 2
_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPNS = 64  # SO_TIMESTAMPNS_NEW: stamps are taken where a packet arrives, not where it is copied
_SIOCGIFNAME, _SIOCGIFINDEX = 0x8910, 0x8933
_ETH_P_ALL = 3
_USER = 1  # TP_STATUS_USER: the block is ours
_VLAN_VALID, _VLAN_TPID_VALID = 1 << 4, 1 << 6
_VLAN = 0x8100
#: tpacket3_hdr, then sockaddr_ll at the next multiple of 16.
_PACKET = struct.Struct("=6I2H2I2H8xHHiHB")
#: tpacket_block_desc: version, offset to private data, status, number of packets, offset to the first.
_BLOCK = struct.Struct("=5I")
#: How large a block may be: it has to hold the largest packet, which a kernel that cuts later makes 64 KiB.
_LARGEST_BLOCK = 1 << 18
_SMALLEST_BLOCK = 1 << 12
_FRAME = 1 << 11
#: How long the kernel keeps a block that is not full, in milliseconds; it may be twice as long.
RETIRE = 20

_libc = ctypes.CDLL(None, use_errno=True)

#: Takes a packet: stamp in ns, interface's index, sll_pkttype, ARP hardware type, data, length.
Taker = Callable[[int, int, int, int, bytes, int], object]


def prepare(sock: socket.socket, size: int, code: bytes) -> None:
    """Give a packet socket of protocol 0 its ring and its filter; nothing arrives before `begin`.

    Args:
        sock: the socket.
        size: of the ring, in bytes; rounded to whole blocks.
        code: the filter's instructions, or nothing for all packets.

    Raises:
        OSError: no memory for the ring, or the filter is refused.
    """
    if code:
        attach_filter(sock, code)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
    block, count = _shape(size)
    request = (block, count, _FRAME, block * count // _FRAME, RETIRE, 0, 0)
    form = struct.pack("=7I", *request)
    # Unlike Python's own, this lets other threads go on while the kernel waits for its readers.
    _checked(_libc.setsockopt(sock.fileno(), _SOL_PACKET, _PACKET_RX_RING, form, len(form)))


def _shape(size: int) -> tuple[int, int]:
    """Return the size of the blocks of a ring, a power of two, and their number."""
    block = _LARGEST_BLOCK
    while block > _SMALLEST_BLOCK and block * 4 > size:
        block //= 2
    return block, max(2, size // block)


def begin(sock: socket.socket, index: int) -> None:
    """Let packets of an interface, or with index 0 of all of the node, arrive."""
    # Python's own `bind` takes an interface's name, and 0 has none. This is a struct sockaddr_ll.
    address = struct.pack("=H2si12x", socket.AF_PACKET, struct.pack("!H", _ETH_P_ALL), index)
    _checked(_libc.bind(sock.fileno(), address, len(address)))


def _checked(status: int) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def attach_filter(sock: socket.socket, code: bytes) -> None:
    """Attach a classic BPF program; a socket has one at most."""
    memory = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def refuse_all(sock: socket.socket) -> None:
    """Let no more packets arrive."""
    attach_filter(sock, struct.pack("=HBBI", 6, 0, 0, 0))  # ret 0


def index_of(sock: socket.socket, interface: str) -> int:
    """Return the index of an interface in a socket's namespace; OSError when there is none."""
    answer = fcntl.ioctl(sock, _SIOCGIFINDEX, struct.pack("=16si20x", interface.encode(), 0))
    return int(struct.unpack("=16xi20x", answer)[0])


def name_of(sock: socket.socket, index: int) -> str:
    """Return the name of an interface in a socket's namespace, or an empty text when it is gone."""
    with contextlib.suppress(OSError):
        answer = fcntl.ioctl(sock, _SIOCGIFNAME, struct.pack("=16si20x", b"", index))
        return bytes(answer[:16]).split(b"\0", 1)[0].decode(errors="replace")
    return ""


class Ring:
    """The ring of one packet socket."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        self.sock = sock
        self._block, self._count = _shape(size)
        self._memory = mmap.mmap(sock.fileno(), self._block * self._count)
        self._next = 0

    def take(self, taker: Taker) -> None:
        """Hand over all packets of the blocks that the kernel has finished."""
        for _ in range(self._count):  # no more than once around: others wait, too
            offset = self._next * self._block
            _, _, status, packets, first = _BLOCK.unpack_from(self._memory, offset)
            if not status & _USER:
                return
            self._take_block(offset + first, packets, taker)
            # No packets, as `take_rest` may look at it before the kernel opens it again; back to the kernel.
            struct.pack_into("=I", self._memory, offset + 12, 0)
            struct.pack_into("=I", self._memory, offset + 8, 0)
            self._next = (self._next + 1) % self._count

    def take_rest(self, taker: Taker) -> None:
        """Hand over what is in the ring, after `refuse_all`; also that of a block that is not finished."""
        self.take(taker)
        offset = self._next * self._block
        _, _, _, packets, first = _BLOCK.unpack_from(self._memory, offset)
        self._take_block(offset + first, packets, taker)

    def _take_block(self, offset: int, packets: int, taker: Taker) -> None:
        memory = self._memory
        for _ in range(packets):
            (
                step, seconds, fraction, captured, length, status, mac, net, _, tag, tpid, _,
                _, _, index, hardware, kind,
            ) = _PACKET.unpack_from(memory, offset)  # fmt: skip
            if hardware in _ETHERNET_LIKE:
                data = memory[offset + mac : offset + mac + captured]
                if status & _VLAN_VALID:  # which the kernel has taken out
                    tpid = tpid if status & _VLAN_TPID_VALID else _VLAN
                    data = b"".join((data[:12], struct.pack("!HH", tpid, tag & 0xFFFF), data[12:]))
                    length += 4
            else:  # no header, or one that nobody reads
                data = memory[offset + net : offset + mac + captured]
                length -= net - mac
            taker(seconds * 1_000_000_000 + fraction, index, kind, hardware, data, length)
            offset += step

    def drops(self) -> int:
        """Return how many packets found no room since the last time."""
        _, drops, _ = struct.unpack("=3I", self.sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12))
        return int(drops)


#: ARP hardware types (include/uapi/linux/if_arp.h) of interfaces whose frames begin as Ethernet's: those of
#: Ethernet, and loopback.
_ETHERNET_LIKE = frozenset({1, 772})


def is_ethernet(hardware: int) -> bool:
    """Tell whether packets of an interface of that ARP hardware type begin with an Ethernet header."""
    return hardware in _ETHERNET_LIKE
