"""Routes, one by one and as tables.

A table groups its routes by their next hops, and keeps each group's destinations as packed bytes: the
networks of thousands of routers have hundreds of thousands of routes, which would not fit as objects.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from ..graph.attributes import Address, Prefix

#: Bytes of an address, per family.
ADDRESS_SIZE = {4: 4, 6: 16}


@dataclass(frozen=True, slots=True, order=True)
class NextHop:
    """Where a packet goes next: the neighbour's address, through which of the node's interfaces."""

    interface: str
    gateway: Address


@dataclass(frozen=True, slots=True)
class Route:
    """A destination and its equal-cost next hops.

    None as destination is the default route. No next hops say that the destination is unreachable: a
    hole in what a shorter prefix covers.
    """

    destination: Prefix | None
    next_hops: tuple[NextHop, ...]

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.next_hops[0].gateway.version if self.destination is None else self.destination.version


@dataclass(frozen=True, slots=True)
class RouteGroup:
    """The destinations of one family that share their next hops.

    `destinations` holds for each the address, in network byte order, and a byte with the prefix length;
    the default route has length 0.
    """

    version: int
    next_hops: tuple[NextHop, ...]
    destinations: bytes

    @classmethod
    def of(cls, next_hops: tuple[NextHop, ...], texts: Sequence[str]) -> RouteGroup:
        """Return the group that `texts` writes out."""
        family = socket.AF_INET6 if ":" in texts[0] else socket.AF_INET
        pairs = (text.split("/") for text in texts)
        packed = b"".join(
            socket.inet_pton(family, address) + bytes([int(length)]) for address, length in pairs
        )
        return cls(6 if family == socket.AF_INET6 else 4, next_hops, packed)

    def texts(self) -> list[str]:
        """Return the destinations as they are written, the default route as `0.0.0.0/0` or `::/0`."""
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        return [f"{socket.inet_ntop(family, address)}/{length}" for address, length in self.packed()]

    def __len__(self) -> int:
        return len(self.destinations) // (ADDRESS_SIZE[self.version] + 1)

    def parts(self, count: int) -> Iterator[RouteGroup]:
        """Yield the group in groups of at most `count` destinations."""
        size = count * (ADDRESS_SIZE[self.version] + 1)
        for offset in range(0, len(self.destinations), size):
            yield RouteGroup(self.version, self.next_hops, self.destinations[offset : offset + size])

    def packed(self) -> Iterator[tuple[bytes, int]]:
        """Yield each destination's address as bytes, and its prefix length."""
        size = ADDRESS_SIZE[self.version]
        data = self.destinations
        for offset in range(0, len(data), size + 1):
            yield data[offset : offset + size], data[offset + size]


class RouteTable(Sequence[Route]):
    """A node's routes, ordered by family, then by destination."""

    __slots__ = ("groups",)

    def __init__(self, groups: Iterable[RouteGroup] = ()) -> None:
        self.groups = tuple(groups)

    @classmethod
    def of(cls, routes: Iterable[Route]) -> RouteTable:
        """Return the table of some routes."""
        if isinstance(routes, RouteTable):
            return routes
        found: dict[tuple[int, tuple[NextHop, ...]], list[bytes]] = {}
        for route in routes:
            key = packed_prefix(route.destination, route.version)
            found.setdefault((route.version, route.next_hops), []).append(key)
        return cls(RouteGroup(*pair, b"".join(sorted(keys))) for pair, keys in found.items())

    def __add__(self, other: RouteTable) -> RouteTable:
        if self.groups and other.groups:
            return RouteTable.of([*self, *other])
        return self if self.groups else other

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def __iter__(self) -> Iterator[Route]:
        keyed = (
            (group.version, destination, number)
            for number, group in enumerate(self.groups) for destination in group.packed()
        )  # fmt: skip
        for version, (address, length), number in sorted(keyed):
            hops = self.groups[number].next_hops
            kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
            yield Route(kind((address, length)) if length or not hops else None, hops)

    @overload
    def __getitem__(self, index: int) -> Route: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Route]: ...
    def __getitem__(self, index: int | slice) -> Route | Sequence[Route]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RouteTable) and self.groups == other.groups:
            return True
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(len(self))

    def __repr__(self) -> str:
        return f"<{len(self)} routes>"


def packed_prefix(prefix: Prefix | None, version: int) -> bytes:
    """Return a destination as `RouteGroup` holds it."""
    if prefix is None:
        return bytes(ADDRESS_SIZE[version] + 1)
    return prefix.network_address.packed + bytes([prefix.prefixlen])
