"""Operations that change or end what others made; `emu.netlink.operations` has those that make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..addressing import InterfaceAddress
from ..routes import Route, packed_prefix
from .messages import (
    ACK,
    ADDRESS,
    CREATE,
    DELADDR,
    DELLINK,
    DELROUTE,
    FAMILY,
    LINK,
    NEWADDR,
    NEWLINK,
    NEWROUTE,
    NEXT_HOP,
    REPLACE,
    REQUEST,
    ROUTE,
    attribute,
    link,
    message,
    number,
)  # fmt: skip
from .operations import TREE, Request
from .present import METRIC, Hop

# include/uapi/linux/rtnetlink.h, if_addr.h and if.h
_UP = 1
_DST, _OIF, _GATEWAY, _PRIORITY, _MULTIPATH = 1, 4, 5, 6, 9
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_LINKINFO, _INFO_KIND, _INFO_DATA = 18, 1, 2
_MAIN_TABLE, _BOOT, _UNIVERSE, _NOWHERE, _UNICAST, _UNREACHABLE = 254, 3, 0, 255, 1, 7


@dataclass(frozen=True, slots=True)
class _Single(Request):
    """A request that is one message."""

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        kind, flags, body = self._message()
        return message(kind, REQUEST | flags | (ACK if acknowledge else 0), sequence, body)

    def _message(self) -> tuple[int, int, bytes]:
        """Return the message's type, the flags of its own, and its body."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ReplaceRoute(_Single):
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

    def _message(self) -> tuple[int, int, bytes]:
        body = _route(self.route, _UNIVERSE, _UNICAST if self.hops else _UNREACHABLE)
        if len(self.hops) == 1:
            index, gateway, _ = self.hops[0]
            body += attribute(_GATEWAY, gateway) + number(_OIF, index)
        elif self.hops:
            body += attribute(_MULTIPATH, b"".join(map(_next_hop, self.hops)))
        return NEWROUTE, CREATE | REPLACE, body


@dataclass(frozen=True, slots=True)
class DeleteRoute(_Single):
    """Take a route away, with all of its next hops."""

    route: Route

    def commands(self) -> tuple[str, ...]:
        metric = f" metric {METRIC[6]}" if self.route.version == 6 else ""
        return (f"ip {_family_option(self.route)}-n {self.node} route del {_target(self.route)}{metric}",)

    def _message(self) -> tuple[int, int, bytes]:
        body = _route(self.route, _NOWHERE, 0)
        if self.route.version == 6:
            body += number(_PRIORITY, METRIC[6])
        return DELROUTE, 0, body


@dataclass(frozen=True, slots=True)
class ReplaceAddress(_Single):
    """Give an interface an address, whether or not it has that."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address replace {self.address} dev {self.name}")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWADDR, CREATE | REPLACE, _address(self.address, self.index)


@dataclass(frozen=True, slots=True)
class DeleteAddress(_Single):
    """Take an address away."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address del {self.address} dev {self.name}")

    def _message(self) -> tuple[int, int, bytes]:
        return DELADDR, 0, _address(self.address, self.index)


@dataclass(frozen=True, slots=True)
class DeleteLink(_Single):
    """Take an interface away, and with one end of a link the other."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link del {self.name}")

    def _message(self) -> tuple[int, int, bytes]:
        return DELLINK, 0, link(self.index)


@dataclass(frozen=True, slots=True)
class SetDown(_Single):
    """Set an interface down: what waits in its queue is dropped, and its link carries nothing."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link set {self.name} down")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWLINK, 0, LINK.pack(0, 0, self.index, 0, _UP)


@dataclass(frozen=True, slots=True)
class ChangeBridge(_Single):
    """Make a switch agree with others on the links to leave unused (IEEE 802.1D)."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        words = "".join(f" {word} {value}" for word, _, value in TREE)
        return self._ip(f"link set {self.name} type bridge{words}")

    def _message(self) -> tuple[int, int, bytes]:
        values = b"".join(number(kind, value) for _, kind, value in TREE)
        info = attribute(_INFO_KIND, b"bridge") + attribute(_INFO_DATA, values)
        return NEWLINK, 0, link(self.index) + attribute(_LINKINFO, info)


def _target(route: Route) -> str:
    return "default" if route.destination is None else str(route.destination)


def _family_option(route: Route) -> str:
    return "-6 " if route.version == 6 and route.destination is None else ""


def _route(route: Route, scope: int, kind: int) -> bytes:
    """Return struct rtmsg and the destination."""
    packed = packed_prefix(route.destination, route.version)
    address, length = packed[:-1], packed[-1]
    body = ROUTE.pack(FAMILY[route.version], length, 0, 0, _MAIN_TABLE, _BOOT, scope, kind, 0)
    return body + attribute(_DST, address) if length else body


def _next_hop(hop: Hop) -> bytes:
    index, gateway, weight = hop
    body = attribute(_GATEWAY, gateway)
    return NEXT_HOP.pack(NEXT_HOP.size + len(body), 0, weight, index) + body


def _address(address: InterfaceAddress, index: int) -> bytes:
    version, packed = address.version, address.ip.packed
    body = ADDRESS.pack(FAMILY[version], address.network.prefixlen, 0, 0, index)
    return body + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
