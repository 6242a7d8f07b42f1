"""Operations that change or end what others made; `emu.netlink.operations` has those that make it."""

from __future__ import annotations

from dataclasses import dataclass

from ..planning.addressing import InterfaceAddress
from ..planning.routes import Route, packed_prefix
from .messages import (
    BY_BOOT,
    CREATE,
    DELLINK,
    DELROUTE,
    FAMILY,
    LINK,
    MAIN_TABLE,
    NEWADDR,
    NEWLINK,
    NEWROUTE,
    REPLACE,
    ROUTE,
    RTA_DST,
    RTA_PRIORITY,
    UNICAST,
    UNREACHABLE,
    attribute,
    link,
    next_hops,
    number,
)
from .operations import TREE, Single, address_body, link_info, tree_options
from .present import METRIC, Hop

# include/uapi/linux/rtnetlink.h and if.h
_UP = 1
_UNIVERSE, _NOWHERE = 0, 255


@dataclass(frozen=True, slots=True)
class ReplaceRoute(Single):
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
        body = _route(self.route, _UNIVERSE, UNICAST if self.hops else UNREACHABLE)
        return NEWROUTE, CREATE | REPLACE, body + next_hops(self.hops)


@dataclass(frozen=True, slots=True)
class DeleteRoute(Single):
    """Take a route away, with all of its next hops."""

    route: Route

    def commands(self) -> tuple[str, ...]:
        metric = f" metric {METRIC[6]}" if self.route.version == 6 else ""
        return (f"ip {_family_option(self.route)}-n {self.node} route del {_target(self.route)}{metric}",)

    def _message(self) -> tuple[int, int, bytes]:
        body = _route(self.route, _NOWHERE, 0)
        if self.route.version == 6:
            body += number(RTA_PRIORITY, METRIC[6])
        return DELROUTE, 0, body


@dataclass(frozen=True, slots=True)
class ReplaceAddress(Single):
    """Give an interface an address, whether or not it has that."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address replace {self.address} dev {self.name}")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWADDR, CREATE | REPLACE, address_body(self.address, self.index)


@dataclass(frozen=True, slots=True)
class DeleteLink(Single):
    """Take an interface away, and with one end of a link the other."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link del {self.name}")

    def _message(self) -> tuple[int, int, bytes]:
        return DELLINK, 0, link(self.index)


@dataclass(frozen=True, slots=True)
class SetDown(Single):
    """Set an interface down: what waits in its queue is dropped, and its link carries nothing."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link set {self.name} down")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWLINK, 0, LINK.pack(0, 0, self.index, 0, _UP)


@dataclass(frozen=True, slots=True)
class ChangeBridge(Single):
    """Make a switch agree with others on the links to leave unused (IEEE 802.1D)."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        words = "".join(f" {word} {value}" for word, _, value in TREE)
        return self._ip(f"link set {self.name} type bridge{words}")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWLINK, 0, link(self.index) + link_info("bridge", tree_options())


def _target(route: Route) -> str:
    return "default" if route.destination is None else str(route.destination)


def _family_option(route: Route) -> str:
    return "-6 " if route.version == 6 and route.destination is None else ""


def _route(route: Route, scope: int, kind: int) -> bytes:
    """Return struct rtmsg and the destination."""
    packed = packed_prefix(route.destination, route.version)
    address, length = packed[:-1], packed[-1]
    body = ROUTE.pack(FAMILY[route.version], length, 0, 0, MAIN_TABLE, BY_BOOT, scope, kind, 0)
    return body + attribute(RTA_DST, address) if length else body
