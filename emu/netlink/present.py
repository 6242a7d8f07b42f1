"""What the kernel has, read as quickly as it can be: the tables of thousands of nodes at once.

`dumps` reads the same for people, with all there is to know; here an address is bytes and an interface a
number, as in `emu.routes`. The formats are those of rtnetlink(7) and include/uapi/linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..routes import ADDRESS_SIZE

# include/uapi/linux/{netlink,rtnetlink,if_link,if}.h
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_INTERFACE, _ROUTE, _HOP = struct.Struct("=BxHiII"), struct.Struct("=BBBBBBBBI"), struct.Struct("=HBBi")
_REQUEST_DUMP, _GETLINK, _GETROUTE = 0x301, 18, 26
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _STRICT = 270, 12
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFLA_IFNAME, _IFLA_EXT_MASK, _SKIP_STATS = 3, 29, 8
_DST, _OIF, _GATEWAY, _PRIORITY, _MULTIPATH, _VIA, _NH_ID = 1, 4, 5, 6, 9, 18, 30
_MAIN_TABLE, _UNICAST, _UNREACHABLE, _KERNEL, _BOOT = 254, 1, 7, 2, 3
#: The metric that the kernel gives a route without one (IP6_RT_PRIO_USER).
METRIC = {4: 0, 6: 1024}

#: Family, address, prefix length and metric: what tells a route from all others.
Key = tuple[int, bytes, int, int]
#: The number of an interface, a gateway's address (empty: on the link), and the hop's weight less one.
Hop = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class LinkState:
    """An interface: whether somebody set it up, and whether it carries packets."""

    name: str
    up: bool
    carrier: bool


@dataclass(frozen=True, slots=True)
class Present:
    """A route of the main table. `ordinary`: as `ip route add` makes it, unicast or unreachable."""

    hops: frozenset[Hop]
    ordinary: bool
    connected: bool = False


def read_links(sock: socket.socket) -> dict[int, LinkState]:
    """Return the interfaces by number, of the namespace that the NETLINK_ROUTE socket lives in."""
    body = _INTERFACE.pack(0, 0, 0, 0, 0) + struct.pack("=HHI", 8, _IFLA_EXT_MASK, _SKIP_STATS)
    found = {}
    for data, start, end in _dump(sock, _GETLINK, body):
        _, _, index, flags, _ = _INTERFACE.unpack_from(data, start)
        name = b""
        for kind, at, to in _attributes(data, start + _INTERFACE.size, end):
            if kind == _IFLA_IFNAME:
                name = data[at:to].rstrip(b"\0")
                break
        found[index] = LinkState(name.decode(), bool(flags & _IFF_UP), bool(flags & _IFF_LOWER_UP))
    return found


def read_table(sock: socket.socket, version: int) -> dict[Key, Present]:
    """Return the main table of a family."""
    sock.setsockopt(_SOL_NETLINK, _STRICT, 1)  # or the kernel would list all tables
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    found: dict[Key, Present] = {}
    try:
        for data, start, end in _dump(sock, _GETROUTE, _ROUTE.pack(family, 0, 0, 0, _MAIN_TABLE, 0, 0, 0, 0)):
            key, route = _route(version, data, start, end)
            if key in found:  # a second one of the same metric, which emu never makes
                route = Present(found[key].hops | route.hops, ordinary=False)
            found[key] = route
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP):  # no table, no such family
            raise
    return found


def _route(version: int, data: bytes, start: int, end: int) -> tuple[Key, Present]:
    _, length, _, tos, _, protocol, _, route_type, _ = _ROUTE.unpack_from(data, start)
    address, gateway, index, metric, foreign = bytes(ADDRESS_SIZE[version]), b"", 0, 0, False
    hops: list[Hop] = []
    for kind, at, to in _attributes(data, start + _ROUTE.size, end):
        if kind == _DST:
            address = data[at:to]
        elif kind == _OIF:
            index = int.from_bytes(data[at:to], "little" if _LITTLE else "big")
        elif kind == _GATEWAY:
            gateway = data[at:to]
        elif kind == _PRIORITY:
            metric = int.from_bytes(data[at:to], "little" if _LITTLE else "big")
        elif kind == _MULTIPATH:
            hops += _hops(data, at, to)
        elif kind in (_VIA, _NH_ID):
            foreign = True
    if not hops and route_type == _UNICAST:
        hops.append((index, gateway, 0))
    ordinary = protocol == _BOOT and not tos and not foreign and route_type in (_UNICAST, _UNREACHABLE)
    return (version, address, length, metric), Present(frozenset(hops), ordinary, protocol == _KERNEL)


_LITTLE = struct.pack("=H", 1) == b"\x01\x00"


def _hops(data: bytes, at: int, end: int) -> Iterator[Hop]:
    while at < end:
        size, _, weight, index = _HOP.unpack_from(data, at)
        gateway = b""
        for kind, start, to in _attributes(data, at + _HOP.size, at + size):
            if kind == _GATEWAY:
                gateway = data[start:to]
        yield index, gateway, weight
        at += (size + 3) & ~3


def _attributes(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each attribute's kind and where its value begins and ends."""
    while at < end:
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        yield kind, at + 4, at + size
        at += (size + 3) & ~3


def _dump(sock: socket.socket, kind: int, body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Ask for a dump and yield each message: the data it is in, where its body begins, and its end."""
    sock.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_DUMP, 1, 0) + body)
    while True:
        data = sock.recv(1 << 17)
        offset = 0
        while offset < len(data):
            size, received, _, _, _ = _HEADER.unpack_from(data, offset)
            if received in (_DONE, _ERROR):
                (number,) = struct.unpack_from("=i", data, offset + _HEADER.size)
                if number:
                    raise OSError(-number, "the kernel refused to list")
                return
            yield data, offset + _HEADER.size, offset + size
            offset += (size + 3) & ~3
