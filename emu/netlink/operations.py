"""What the kernel is asked to do: each operation knows its netlink message and its `ip` command.

`emu run` sends the messages and `emu plan --as ip` prints the commands of one and the same list. The
message formats are those of rtnetlink(7) and include/uapi/linux/{if_link,if_addr,rtnetlink,veth}.h.
Together with `dumps`, the only user of pyroute2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..addressing import InterfaceAddress
from ..attributes import Kind
from ..plan import NodePlan, Plan
from ..routes import Route

# include/uapi/linux/netlink.h and rtnetlink.h
_REQUEST, _ACK, _EXCL, _CREATE, _APPEND = 0x1, 0x4, 0x200, 0x400, 0x800
_NEWLINK, _NEWADDR, _NEWROUTE, _NEWLINKPROP = 16, 20, 24, 108
_NEW = _REQUEST | _EXCL | _CREATE
_IFF_UP = 1
#: The least, in hundredths of a second, that the kernel acts on; a ring heals in 4 to 10 s.
_TREE = (
    ("forward_delay", "IFLA_BR_FORWARD_DELAY", 200),
    ("hello_time", "IFLA_BR_HELLO_TIME", 100),
    ("max_age", "IFLA_BR_MAX_AGE", 600),
    ("stp_state", "IFLA_BR_STP_STATE", 1),
)
#: The name of a switch's bridge interface.
BRIDGE = "bridge"
#: As the `ip` command has it: a route that somebody typed.
_PROTO_BOOT = 3
_TABLE_MAIN, _SCOPE_UNIVERSE, _TYPE_UNICAST, _TYPE_UNREACHABLE = 254, 0, 1, 7


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do in a node."""

    node: str

    def commands(self) -> tuple[str, ...]:
        """Return the shell commands that do the same, for a root shell on the outer host."""
        raise NotImplementedError

    def _inside(self, command: str) -> tuple[str, ...]:
        return (f"ip netns exec {self.node} {command}",)

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
        return self._inside(f"sysctl -w {self.key.replace('/', '.')}={self.value}")


@dataclass(frozen=True, slots=True)
class Request(Operation):
    """An operation that is one netlink message."""

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:
        """Return the message.

        `namespaces` are the keeper's descriptors per node; `acknowledge` asks for an answer also
        when nothing went wrong.
        """
        message = self._message(namespaces)
        message["header"]["sequence_number"] = sequence
        message["header"]["flags"] |= _ACK if acknowledge else 0
        message.encode()
        return bytes(message.data)

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CreateVeth(Request):
    """Make a link: a pair of veth interfaces, both in their nodes from the start."""

    name: str
    index: int
    peer_node: str
    peer_name: str
    peer_index: int

    def commands(self) -> tuple[str, ...]:
        ends = (self.name, self.node), (self.peer_name, self.peer_node)
        if not all(name.startswith(node) for name, node in ends):  # two of one name cannot be side by side
            return self._ip(
                f"link add {self.name} type veth peer name {self.peer_name} netns {self.peer_node}"
            )
        return (
            f"ip link add {self.name} type veth peer name {self.peer_name}",
            f"ip link set {self.name} netns {self.node}",
            f"ip link set {self.peer_name} netns {self.peer_node}",
        )

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        peer = {
            "index": self.peer_index,
            "attrs": [("IFLA_IFNAME", self.peer_name), ("IFLA_NET_NS_FD", namespaces[self.peer_node])],
        }
        return _link_message(_NEW, self.index, [
            ("IFLA_IFNAME", self.name),
            ("IFLA_LINKINFO", {"attrs": [
                ("IFLA_INFO_KIND", "veth"),
                ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]}),
            ]}),
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class CreateBridge(Request):
    """Make the bridge that a switch is, before any of its ports is up."""

    name: str
    index: int
    spanning_tree: bool

    def commands(self) -> tuple[str, ...]:
        words = "".join(f" {word} {value}" for word, _, value in _TREE) if self.spanning_tree else ""
        return self._ip(f"link add {self.name} type bridge{words}")

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        tree = [(attribute, value) for _, attribute, value in _TREE] if self.spanning_tree else []
        info = [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", {"attrs": tree})]
        return _link_message(_NEW, self.index, [
            ("IFLA_IFNAME", self.name), ("IFLA_LINKINFO", {"attrs": info}),
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class AddAltname(Request):
    """Give an interface a second, longer name."""

    name: str
    index: int
    altname: str

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link property add dev {self.name} altname {self.altname}")

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        names = {"attrs": [("IFLA_ALT_IFNAME", self.altname)]}
        flags = _NEW | _APPEND
        return _link_message(flags, self.index, [("IFLA_PROP_LIST", names)], kind=_NEWLINKPROP)


@dataclass(frozen=True, slots=True)
class Enslave(Request):
    """Make an interface a port of its node's bridge."""

    name: str
    index: int
    bridge: str
    bridge_index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link set {self.name} master {self.bridge}")

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        return _link_message(_REQUEST, self.index, [("IFLA_MASTER", self.bridge_index)])


@dataclass(frozen=True, slots=True)
class SetUp(Request):
    """Set an interface up."""

    name: str
    index: int

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"link set {self.name} up")

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        message = _link_message(_REQUEST, self.index, [])
        message["flags"] = message["change"] = _IFF_UP
        return message


@dataclass(frozen=True, slots=True)
class AddAddress(Request):
    """Add an address to an interface."""

    name: str
    index: int
    address: InterfaceAddress

    def commands(self) -> tuple[str, ...]:
        return self._ip(f"address add {self.address} dev {self.name}")

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

        message = ifaddrmsg()
        message["header"]["type"], message["header"]["flags"] = _NEWADDR, _NEW
        message["family"] = _family(self.address.version)
        message["prefixlen"], message["index"] = self.address.network.prefixlen, self.index
        address = str(self.address.ip)
        message["attrs"] = [("IFA_LOCAL", address), ("IFA_ADDRESS", address)]
        return message


@dataclass(frozen=True, slots=True)
class AddRoute(Request):
    """Add a route; `hops` are its next hops with the index of the interface each leaves through."""

    route: Route
    hops: tuple[tuple[int, str], ...]

    def commands(self) -> tuple[str, ...]:
        if not self.hops:
            return self._ip(f"route add unreachable {self.route.destination}")
        destination = self.route.destination or "default"
        family = "-6 " if self.route.version == 6 and self.route.destination is None else ""
        hops = [f"via {hop.gateway} dev {hop.interface}" for hop in self.route.next_hops]
        where = hops[0] if len(hops) == 1 else " ".join(f"nexthop {hop}" for hop in hops)
        return (f"ip {family}-n {self.node} route add {destination} {where}",)

    def _message(self, namespaces: Mapping[str, int]) -> Any:
        from pyroute2.netlink.rtnl.rtmsg import rtmsg

        message = rtmsg()
        message["header"]["type"], message["header"]["flags"] = _NEWROUTE, _NEW
        message["family"] = _family(self.route.version)
        message["table"], message["proto"], message["scope"] = _TABLE_MAIN, _PROTO_BOOT, _SCOPE_UNIVERSE
        message["type"] = _TYPE_UNICAST if self.hops else _TYPE_UNREACHABLE
        attributes: list[tuple[str, Any]] = []
        if self.route.destination is not None:
            message["dst_len"] = self.route.destination.prefixlen
            attributes.append(("RTA_DST", str(self.route.destination.network_address)))
        if not self.hops:
            pass
        elif len(self.hops) == 1:
            attributes += [("RTA_GATEWAY", self.hops[0][1]), ("RTA_OIF", self.hops[0][0])]
        else:
            hops = [{"oif": index, "attrs": [("RTA_GATEWAY", gateway)]} for index, gateway in self.hops]
            attributes.append(("RTA_MULTIPATH", hops))
        message["attrs"] = attributes
        return message


def load_messages() -> None:
    """Load what encodes messages, which takes longer than most networks need to be built."""
    import pyroute2.netlink.rtnl.ifaddrmsg
    import pyroute2.netlink.rtnl.ifinfmsg
    import pyroute2.netlink.rtnl.rtmsg  # noqa: F401  # loading is all


def operations_for(plan: Plan) -> list[Operation]:
    """Return everything that builds the plan, in an order in which it works.

    First every namespace with its settings (an interface takes them over when it is made), then all
    links, then node by node what needs only its own interfaces.
    """
    operations: list[Operation] = [CreateNamespace(node.name) for node in plan.nodes]
    operations += [WriteSetting(node.name, key, value) for node in plan.nodes for key, value in node.settings]
    indices = {(node.name, one.name): one.index for node in plan.nodes for one in node.interfaces}
    for (node, name), (peer_node, peer_name) in (link.ends for link in plan.links):
        index, peer_index = indices[node, name], indices[peer_node, peer_name]
        operations.append(CreateVeth(node, name, index, peer_node, peer_name, peer_index))
    for one in plan.nodes:
        operations += _switch_operations(one) if one.kind is Kind.SWITCH else _node_operations(one)
    return operations


def _node_operations(node: NodePlan) -> list[Operation]:
    indices = {one.name: one.index for one in node.interfaces}
    return [
        SetUp(node.name, "lo", 1),
        *_altnames(node),
        *(SetUp(node.name, one.name, one.index) for one in node.interfaces),
        # After the interface is up: an IPv6 address is then usable at once.
        *(
            AddAddress(node.name, one.name, one.index, address)
            for one in node.interfaces for address in one.addresses
        ),
        *(
            AddRoute(
                node.name, route, tuple((indices[hop.interface], str(hop.gateway)) for hop in route.next_hops)
            )
            for route in node.routes
        ),
    ]  # fmt: skip


def _switch_operations(node: NodePlan) -> list[Operation]:
    name, index = BRIDGE, len(node.interfaces) + 2
    return [
        SetUp(node.name, "lo", 1),
        CreateBridge(node.name, name, index, node.spanning_tree),
        *_altnames(node),
        *(Enslave(node.name, one.name, one.index, name, index) for one in node.interfaces),
        *(SetUp(node.name, one.name, one.index) for one in node.interfaces),
        SetUp(node.name, name, index),
    ]


def _altnames(node: NodePlan) -> list[Operation]:
    return [AddAltname(node.name, one.name, one.index, one.altname) for one in node.interfaces if one.altname]


def _link_message(flags: int, index: int, attributes: list[tuple[str, Any]], kind: int = _NEWLINK) -> Any:
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    message = ifinfmsg()
    message["header"]["type"], message["header"]["flags"] = kind, flags
    message["index"], message["attrs"] = index, attributes
    return message


def _family(version: int) -> int:
    """Return AF_INET or AF_INET6 (include/linux/socket.h)."""
    return 2 if version == 4 else 10
