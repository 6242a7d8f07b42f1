"""Operations that change or end what others made: `emu.netlink.operations` has those that make it.

They are packed here as they go to the kernel: after a link has failed there may be hundreds of
thousands. The formats are those of rtnetlink(7) and include/uapi/linux/{rtnetlink,if_addr,if_link}.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ..addressing import InterfaceAddress
from ..routes import Route, packed_prefix
from .operations import Request
from .present import METRIC, Hop

_HEADER, _ATTRIBUTE, _NUMBER = struct.Struct("=IHHII"), struct.Struct("=HH"), struct.Struct("=I")
_INTERFACE, _ROUTE, _ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBBBBBI"), struct.Struct("=BBBBI")
_HOP = struct.Struct("=HBBi")
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_NEWLINK, _DELLINK, _NEWADDR, _DELADDR, _NEWROUTE, _DELROUTE = 16, 17, 20, 21, 24, 25
_DST, _OIF, _GATEWAY, _PRIORITY, _MULTIPATH = 1, 4, 5, 6, 9
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_MAIN_TABLE, _PROTO_BOOT, _UNIVERSE, _NOWHERE, _UNICAST, _UNREACHABLE = 254, 3, 0, 255, 1, 7


@dataclass(frozen=True, slots=True)
class PackedRequest(Request):
    """A request that packs its message itself."""

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        kind, flags, body = self._packed()
        flags |= _REQUEST | (_ACK if acknowledge else 0)
        return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body

    def _packed(self) -> tuple[int, int, bytes]:
        """Return the message's type, flags of its own, and its body."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ReplaceRoute(PackedRequest):
    """Make a route what it should be, whether or not there is one to its destination.

    `hops` are its next hops as the kernel numbers them.
    """

    route: Route
    hops: tuple[Hop, ...]

    def commands(self) -> tuple[str, ...]:
        if not self.hops:
            return self._ip(f"route replace unreachable {self.route.destination}")
        hops = [f"via {hop.gateway} dev {hop.interface}" for hop in self.route.next_hops]
        where = hops[0] if len(hops) == 1 else " ".join(f"nexthop {hop}" for hop in hops)
        return (f"ip {_family_option(self.route)}-n {self.node} route replace {_target(self.route)} {where}",)

    def _packed(self) -> tuple[int, int, bytes]:
        kind = _UNICAST if self.hops else _UNREACHABLE
        body = _route_start(self.route, _PROTO_BOOT, _UNIVERSE, kind)
        if len(self.hops) == 1:
            index, gateway, _ = self.hops[0]
            body += _attribute(_GATEWAY, gateway) + _attribute(_OIF, _NUMBER.pack(index))
        elif self.hops:
            body += _attribute(_MULTIPATH, b"".join(map(_packed_hop, self.hops)))
        return _NEWROUTE, _CREATE | _REPLACE, body


@dataclass(frozen=True, slots=True)
class DeleteRoute(PackedRequest):
    """Take a route away, with all of its next hops."""

    route: Route

    def commands(self) -> tuple[str, ...]:
        metric = f" metric {METRIC[6]}" if self.route.version == 6 else ""
        return (f"ip {_family_option(self.route)}-n {self.node} route del {_target(self.route)}{metric}",)

    def _packed(self) -> tuple[int, int, bytes]:
        body = _route_start(self.route, _PROTO_BOOT, _NOWHERE, 0)
        if self.route.version == 6:
            body += _attribute(_PRIORITY, _NUMBER.pack(METRIC[6]))
        return _DELROUTE, 0, body


@dataclass(frozen=True, slots=True)
class ReplaceAddress(PackedRequest):
    """Give an interface an address that it may or may not have."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address replace {self.address} dev {self.name}")

    def _packed(self) -> tuple[int, int, bytes]:
        return _NEWADDR, _CREATE | _REPLACE, _address_body(self.address, self.index)


@dataclass(frozen=True, slots=True)
class DeleteAddress(PackedRequest):
    """Take an address away."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address del {self.address} dev {self.name}")

    def _packed(self) -> tuple[int, int, bytes]:
        return _DELADDR, 0, _address_body(self.address, self.index)


@dataclass(frozen=True, slots=True)
class DeleteLink(PackedRequest):
    """Take an interface away, and with one end of a link the other."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link del {self.name}")

    def _packed(self) -> tuple[int, int, bytes]:
        return _DELLINK, 0, _INTERFACE.pack(0, 0, self.index, 0, 0)


def _target(route: Route) -> str:
    return "default" if route.destination is None else str(route.destination)


def _family_option(route: Route) -> str:
    return "-6 " if route.version == 6 and route.destination is None else ""


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _route_start(route: Route, protocol: int, scope: int, kind: int) -> bytes:
    """Return struct rtmsg and the destination."""
    packed = packed_prefix(route.destination, route.version)
    address, length = packed[:-1], packed[-1]
    body = _ROUTE.pack(_family(route.version), length, 0, 0, _MAIN_TABLE, protocol, scope, kind, 0)
    return body + _attribute(_DST, address) if length else body


def _packed_hop(hop: Hop) -> bytes:
    index, gateway, weight = hop
    attribute = _attribute(_GATEWAY, gateway)
    return _HOP.pack(_HOP.size + len(attribute), 0, weight, index) + attribute


def _address_body(address: InterfaceAddress, index: int) -> bytes:
    version, packed = address.version, address.ip.packed
    body = _ADDRESS.pack(_family(version), address.network.prefixlen, 0, 0, index)
    return body + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)


def _attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute; all values here fill words of four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
