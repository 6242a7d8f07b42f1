"""What the kernel has: interfaces, addresses and routes of a node, read over netlink.

The only user of pyroute2, which takes the answers apart.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..planning.addressing import InterfaceAddress
from .answers import DONE, ERROR
from .messages import DUMP, GETADDR, GETLINK, GETROUTE, HEADER, MAIN_TABLE, REQUEST

# include/uapi/linux/if.h
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
#: include/uapi/linux/if_bridge.h
_PORT_STATES = {0: "disabled", 1: "listening", 2: "learning", 3: "forwarding", 4: "blocking"}
#: Types of routes, include/uapi/linux/rtnetlink.h; those from `_REFUSING` on lead nowhere.
_KINDS = {
    1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast",
    6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw",
}  # fmt: skip
_REFUSING = 6
_PROTOCOLS = {2: "kernel", 3: "boot", 4: "static", 9: "ra"}


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """An interface as the kernel has it.

    `up` is the administrator's wish, `carrier` the link's state. `port` is what a switch's bridge does
    with its port: forwarding, blocking, or on the way there (IEEE 802.1D: listening, learning).
    """

    index: int
    name: str
    altnames: tuple[str, ...]
    up: bool
    carrier: bool
    mtu: int
    mac: str
    port: str | None = None


@dataclass(frozen=True, slots=True)
class AddressState:
    """An address as the kernel has it."""

    interface: str
    address: InterfaceAddress
    scope: str


@dataclass(frozen=True, slots=True)
class RouteState:
    """A route of the main table.

    `next_hops` are pairs of interface and gateway (None: on the link). `kind` is the kernel's type, of most
    `unicast`; there are no next hops where it is `blackhole`, `unreachable`, `prohibit` or `throw`.
    """

    version: int
    destination: str
    next_hops: tuple[tuple[str, str | None], ...]
    protocol: str
    kind: str = "unicast"

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Where it leads, as tables show it: pairs of next hop, or the kind in its place, and interface."""
        told = "on the link" if self.kind == "unicast" else self.kind
        return [(gateway or told, interface) for interface, gateway in self.next_hops] or [(told, "")]


def read_interfaces(sock: socket.socket) -> list[InterfaceState]:
    """Return all interfaces of the namespace that the NETLINK_ROUTE socket lives in."""
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    return [
        InterfaceState(
            index=message["index"],
            name=message.get_attr("IFLA_IFNAME"),
            altnames=tuple(_altnames(message)),
            up=bool(message["flags"] & _IFF_UP),
            carrier=bool(message["flags"] & _IFF_LOWER_UP),
            mtu=message.get_attr("IFLA_MTU"),
            mac=message.get_attr("IFLA_ADDRESS") or "",
            port=_PORT_STATES.get(
                message.get_nested("IFLA_LINKINFO", "IFLA_INFO_SLAVE_DATA", "IFLA_BRPORT_STATE")
            ),
        )
        for message in _dump(sock, GETLINK, ifinfmsg)
    ]


def read_addresses(sock: socket.socket) -> list[AddressState]:
    """Return all addresses of the namespace."""
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    names = {one.index: one.name for one in read_interfaces(sock)}
    return [
        AddressState(
            interface=_name(names, message["index"]),
            address=ipaddress.ip_interface(
                f"{message.get_attr('IFA_LOCAL') or message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"
            ),
            scope={0: "global", 253: "link", 254: "host"}.get(message["scope"], str(message["scope"])),
        )
        for message in _dump(sock, GETADDR, ifaddrmsg)
    ]


def read_routes(sock: socket.socket) -> list[RouteState]:
    """Return the main table of the namespace, routes of all kinds; IPv4 before IPv6."""
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    names = {one.index: one.name for one in read_interfaces(sock)}
    found: list[RouteState] = []
    for message in _dump(sock, GETROUTE, rtmsg):
        if message.get_attr("RTA_TABLE") != MAIN_TABLE:
            continue
        kind = message["type"]
        version = 4 if message["family"] == socket.AF_INET else 6
        target = message.get_attr("RTA_DST")
        route = RouteState(
            version=version,
            destination=f"{target}/{message['dst_len']}" if target else "default",
            next_hops=tuple(_next_hops(message, names)) if kind < _REFUSING else (),
            protocol=_PROTOCOLS.get(message["proto"], str(message["proto"])),
            kind=_KINDS.get(kind, str(kind)),
        )
        found.append(route)
    return sorted(found, key=lambda route: route.version)


def _next_hops(message: Any, names: dict[int, str]) -> Iterator[tuple[str, str | None]]:
    several = message.get_attr("RTA_MULTIPATH")
    if several:
        for hop in several:
            yield _name(names, hop["oif"]), hop.get_attr("RTA_GATEWAY")
    else:
        yield _name(names, message.get_attr("RTA_OIF")), message.get_attr("RTA_GATEWAY")


def _name(names: dict[int, str], index: int | None) -> str:
    """Return an interface's name; one that came between two dumps has none yet."""
    return names.get(index or 0, f"#{index}")


def _altnames(message: Any) -> Iterator[str]:
    properties = message.get_attr("IFLA_PROP_LIST")
    if properties:
        yield from properties.get_attrs("IFLA_ALT_IFNAME")


def _dump(sock: socket.socket, kind: int, message_class: Any) -> list[Any]:
    """Ask for a dump and return its messages, decoded."""
    # One zeroed body serves all three requests: ifinfomsg (16 bytes) is the longest.
    sock.send(HEADER.pack(HEADER.size + 16, kind, REQUEST | DUMP, 1, 0) + bytes(16))
    found: list[Any] = []
    while True:
        data = sock.recv(1 << 20)
        offset = 0
        while offset < len(data):
            size, received, _, _, _ = HEADER.unpack_from(data, offset)
            if received == DONE:
                return found
            if received == ERROR:
                (number,) = struct.unpack_from("=i", data, offset + HEADER.size)
                raise OSError(-number, "the kernel refused to list")
            message = message_class(data[offset : offset + size])
            message.decode()
            found.append(message)
            offset += (size + 3) & ~3
