"""What the kernel is asked to do: each operation knows its netlink message and its `ip` command.

`emu run` sends the messages and `emu plan --as ip` prints the commands of one and the same list.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ..planning.addressing import InterfaceAddress
from ..planning.routes import ADDRESS_SIZE, RouteGroup
from .messages import (
    ACK,
    ADDRESS,
    APPEND,
    ATTRIBUTE,
    BY_BOOT,
    FAMILY,
    MAIN_TABLE,
    NESTED,
    NEW,
    NEWADDR,
    NEWLINK,
    NEWLINKPROP,
    NEWROUTE,
    NEXT_HOP,
    REQUEST,
    RTA_DST,
    UNICAST,
    UNREACHABLE,
    attribute,
    link,
    message,
    next_hops,
    number,
    text,
)  # fmt: skip

# include/uapi/linux/if_link.h, veth.h and if_addr.h
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_IFLA_PROP_LIST, _IFLA_ALT_IFNAME, _INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 52, 53, 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
#: A ring of switches: the least times, in hundredths of a second, that the kernel acts on; it heals in 4
#: to 10 s. With the numbers of the attributes, IFLA_BR_FORWARD_DELAY and so on.
TREE = (
    ("forward_delay", 1, 200),
    ("hello_time", 2, 100),
    ("max_age", 3, 600),
    ("stp_state", 5, 1),
)
#: A route's message up to its destination: header, rtmsg, and the first attribute.
_TARGETS = {4: struct.Struct("=IHHII8BIHH4s"), 6: struct.Struct("=IHHII8BIHH16s")}
#: A batch is about as long, in bytes: also one that is twice over that, as the last request may be as long
#: itself, fits a netlink socket's usual buffer.
BATCH = 1 << 16
#: The name of a switch's bridge interface.
BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do in a node."""

    node: str

    def commands(self) -> tuple[str, ...]:
        """Return the shell commands that do the same, for a root shell on the outer host."""
        raise NotImplementedError

    def _ip(self, arguments: str) -> tuple[str, ...]:
        return (f"ip -n {self.node} {arguments}",)


@dataclass(frozen=True, slots=True)
class CreateNamespace(Operation):
    """Make the node's network namespace; the keeper's task, not netlink's."""

    def commands(self) -> tuple[str, ...]:
        return (f"ip netns add {self.node}",)


@dataclass(frozen=True, slots=True)
class WriteSetting(Operation):
    """Write one sysctl, `key` as a path below /proc/sys; the keeper's task, not netlink's."""

    key: str
    value: str

    def commands(self) -> tuple[str, ...]:
        return (f"ip netns exec {self.node} sysctl -w {self.key.replace('/', '.')}={self.value}",)


@dataclass(frozen=True, slots=True)
class Request(Operation):
    """An operation that is one netlink message, or several alike."""

    @property
    def place(self) -> str | None:
        """The node in whose namespace it is sent; None is the sandbox's own."""
        return self.node

    @property
    def protocol(self) -> int:
        """The netlink protocol that it speaks, NETLINK_ROUTE unless told otherwise."""
        return 0

    @property
    def count(self) -> int:
        """How many messages it is; where there are several, each has a command."""
        return 1

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        """Return its messages, numbered from `sequence`.

        `namespaces` are the keeper's descriptors per node; `acknowledge` asks for an answer to the last
        one also when nothing went wrong.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Single(Request):
    """A request that is one message, and the same wherever nodes are."""

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        """Return the message."""
        kind, flags, body = self._message()
        return message(kind, REQUEST | flags | (ACK if acknowledge else 0), sequence, body)

    def _message(self) -> tuple[int, int, bytes]:
        """Return the message's type, the flags of its own, and its body."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CreateVeth(Request):
    """Make a link: a pair of veth interfaces, both in their nodes from the start."""

    name: str
    index: int
    peer_node: str
    peer_name: str
    peer_index: int
    #: Link-layer addresses; None leaves the choice to the kernel.
    mac: str | None = None
    peer_mac: str | None = None

    @property
    def place(self) -> str | None:
        return None

    def commands(self) -> tuple[str, ...]:
        macs = (self.node, self.name, self.mac), (self.peer_node, self.peer_name, self.peer_mac)
        return (
            *self._creation(),
            *(f"ip -n {node} link set {name} address {mac}" for node, name, mac in macs if mac),
        )

    def _creation(self) -> tuple[str, ...]:
        ends = (self.name, self.node), (self.peer_name, self.peer_node)
        if not all(name.startswith(node) for name, node in ends):  # two of one name cannot be side by side
            peer = f"peer name {self.peer_name} netns {self.peer_node}"
            return (f"ip link add {self.name} netns {self.node} type veth {peer}",)
        return (
            f"ip link add {self.name} type veth peer name {self.peer_name}",
            f"ip link set {self.name} netns {self.node}",
            f"ip link set {self.peer_name} netns {self.peer_node}",
        )

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        peer = link(self.peer_index) + _end(self.peer_name, namespaces[self.peer_node], self.peer_mac)
        info = link_info("veth", attribute(_VETH_INFO_PEER, peer))
        body = link(self.index) + _end(self.name, namespaces[self.node], self.mac) + info
        return message(NEWLINK, NEW | ACK if acknowledge else NEW, sequence, body)


def _end(name: str, namespace: int, mac: str | None) -> bytes:
    """Return the attributes of one end of a link."""
    address = attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""
    return address + number(_IFLA_NET_NS_FD, namespace) + text(_IFLA_IFNAME, name)


def link_info(kind: str, data: bytes) -> bytes:
    """Return the attribute that says of what kind an interface is."""
    return attribute(
        _IFLA_LINKINFO, attribute(_INFO_KIND, kind.encode()) + (attribute(_INFO_DATA, data) if data else b"")
    )


def tree_options() -> bytes:
    """Return the options of a bridge that make it agree with others on the links to leave unused."""
    return b"".join(number(kind, value) for _, kind, value in TREE)


@dataclass(frozen=True, slots=True)
class CreateBridge(Single):
    """Make the bridge that a switch is, before any of its ports is up."""

    name: str
    index: int
    spanning_tree: bool

    def commands(self) -> tuple[str, ...]:
        words = "".join(f" {word} {value}" for word, _, value in TREE) if self.spanning_tree else ""
        return self._ip(f"link add {self.name} type bridge{words}")

    def _message(self) -> tuple[int, int, bytes]:
        info = link_info("bridge", tree_options() if self.spanning_tree else b"")
        return NEWLINK, NEW, link(self.index) + text(_IFLA_IFNAME, self.name) + info


@dataclass(frozen=True, slots=True)
class AddAltname(Single):
    """Give an interface a second, longer name."""

    name: str
    index: int
    altname: str

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link property add dev {self.name} altname {self.altname}")

    def _message(self) -> tuple[int, int, bytes]:
        names = attribute(NESTED | _IFLA_PROP_LIST, text(_IFLA_ALT_IFNAME, self.altname))
        return NEWLINKPROP, NEW | APPEND, link(self.index) + names


@dataclass(frozen=True, slots=True)
class Enslave(Single):
    """Make an interface a port of its node's bridge."""

    name: str
    index: int
    bridge: str
    bridge_index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link set {self.name} master {self.bridge}")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWLINK, 0, link(self.index) + number(_IFLA_MASTER, self.bridge_index)


@dataclass(frozen=True, slots=True)
class SetUp(Single):
    """Set an interface up."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link set {self.name} up")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWLINK, 0, link(self.index, up=True)


@dataclass(frozen=True, slots=True)
class AddAddress(Single):
    """Add an address to an interface."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address add {self.address} dev {self.name}")

    def _message(self) -> tuple[int, int, bytes]:
        return NEWADDR, NEW, address_body(self.address, self.index)


def address_body(address: InterfaceAddress, index: int) -> bytes:
    """Return the body of a message about an interface's address."""
    body = ADDRESS.pack(FAMILY[address.version], address.network.prefixlen, 0, 0, index)
    return body + attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)


@dataclass(frozen=True, slots=True)
class AddRoutes(Request):
    """Add routes that share their next hops; `indices` are those of the interfaces they leave through."""

    group: RouteGroup
    indices: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.group)

    def commands(self) -> tuple[str, ...]:
        hops = [f"via {hop.gateway} dev {hop.interface}" for hop in self.group.next_hops]
        where = f" {hops[0]}" if len(hops) == 1 else "".join(f" nexthop {hop}" for hop in hops)
        return tuple(self._command(destination, where) for destination in self.group.texts())

    def _command(self, destination: str, where: str) -> str:
        if not where:
            return f"ip -n {self.node} route add unreachable {destination}"
        if not destination.endswith("/0"):
            return f"ip -n {self.node} route add {destination}{where}"
        family = "-6 " if self.group.version == 6 else ""
        return f"ip {family}-n {self.node} route add default{where}"

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        version, hops = self.group.version, self._hops()
        family, target = FAMILY[version], _TARGETS[version]
        kind = UNICAST if self.indices else UNREACHABLE
        size, address_size = target.size + len(hops), ATTRIBUTE.size + ADDRESS_SIZE[version]
        last = sequence + self.count - 1 if acknowledge else None
        # One call for all that comes before the next hops: there may be a hundred thousand of these.
        return b"".join(
            target.pack(
                size, NEWROUTE, NEW | ACK if number == last else NEW, number, 0,
                family, length, 0, 0, MAIN_TABLE, BY_BOOT, 0, kind, 0,
                address_size, RTA_DST, address,
            ) + hops
            for number, (address, length) in enumerate(self.group.packed(), start=sequence)
        )  # fmt: skip

    def _hops(self) -> bytes:
        """Return the attributes that say where a packet goes next."""
        hops = zip(self.indices, self.group.next_hops, strict=True)
        return next_hops([(index, hop.gateway.packed, 0) for index, hop in hops])


def route_size(hops: int) -> int:
    """Return about how many bytes the message of a route has."""
    return _TARGETS[6].size + hops * (NEXT_HOP.size + ATTRIBUTE.size + ADDRESS_SIZE[6])
