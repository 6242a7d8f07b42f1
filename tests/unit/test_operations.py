"""What is sent to the kernel is what the `ip` command sends for the commands that are printed for it."""

from __future__ import annotations

import ipaddress
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.netlink.lowering import operations_for
from emu.netlink.operations import (
    AddAddress,
    AddAltname,
    AddRoutes,
    CreateBridge,
    CreateNamespace,
    CreateVeth,
    Enslave,
    Operation,
    Request,
    SetUp,
    WriteSetting,
)
from emu.planning.routes import NextHop, RouteGroup

from .graphs import GRAPHS, networks

#: What iproute2 6.1.0 sent on x86-64, with its sequence number set to zero. Captured by
#:     strace -e trace=sendmsg -e write=all COMMAND
#: in a sandbox of the namespaces A and B, whose interfaces get the numbers 2 (veth) and 3 (bridge).
CAPTURED = {
    "ip link add A-veth0 index 2 netns A type veth peer name B-veth0 index 7 netns B": (
        "6c0000001000050600000000000000000000000002000000000000000000000008001c00040000000c000300412d7665"
        "746830003800120008000100766574682c00020028000100000000000700000000000000000000000800 1c0005000000"
        "0c000300422d76657468300 0"
    ).replace(" ", ""),
    "ip link add A-veth1 address 02:00:00:00:00:01 netns A type veth peer name B-veth1 "
    "address 02:00:00:00:00:02 netns B": (
        "84000000100005060000000000000000000000000000000000000000000000000a000100020000000001000008001c00"
        "040000000c000300412d76657468310044001200080001007665746838000200340001000000000000000000000000000"
        "00000000a000100020000000002000008001c00050000000c000300422d766574683100"
    ),
    "ip -n A link add bridge type bridge forward_delay 200 hello_time 100 max_age 600 stp_state 1": (
        "60000000100005060000000000000000000000000000000000000000000000000b000300627269646765000034001200"
        "0a00010062726964676500002400020008000100c8000000080002006400000008000300580200000800050001000000"
    ),
    "ip -n A link property add dev A-veth0 altname a-long-name-veth0": (
        "3c0000006c00050e0000000000000000000000000200000000000000000000001c00348016003500612d6c6f6e672d6e"
        "616d652d7665746830000000"
    ),
    "ip -n A link set A-veth0 master bridge": (
        "280000001000050000000000000000000000000002000000000000000000000008000a0003000000"
    ),
    "ip -n A link set A-veth0 up": ("2000000010000500000000000000000000000000020000000100000001000000"),
    "ip -n B address add 192.0.2.1/24 dev B-veth0": (
        "28000000140005060000000000000000021800000200000008000200c000020108000100c0000201"
    ),
    "ip -n B address add fd00::1/64 dev B-veth0": (
        "400000001400050600000000000000000a4000000200000014000200fd00000000000000000000000000000114000100"
        "fd000000000000000000000000000001"
    ),
    "ip -n B route add default via 192.0.2.254 dev B-veth0": (
        "2c00000018000506000000000000000002000000fe0300010000000008000500c00002fe0800040002000000"
    ),
    "ip -n B route add 10.0.0.0/24 via 192.0.2.254 dev B-veth0": (
        "3400000018000506000000000000000002180000fe03000100000000080001000a00000008000500c00002fe08000400"
        "02000000"
    ),
    "ip -n B route add 10.0.1.0/24 nexthop via 192.0.2.254 dev B-veth0 nexthop via 192.0.2.253 dev B-veth0": (
        "4800000018000506000000000000000002180000fe03000100000000080001000a000100240009001000000002000000"
        "08000500c00002fe100000000200000008000500c00002fd"
    ),
    "ip -6 -n B route add default via fd00::fe dev B-veth0": (
        "4c0000001800050600000000000000000a000000fe030001000000001400010000000000000000000000000000000000"
        "14000500fd0000000000000000000000000000fe0800040002000000"
    ),
    "ip -n B route add fd00:1::/64 via fd00::fe dev B-veth0": (
        "4c0000001800050600000000000000000a400000fe0300010000000014000100fd000001000000000000000000000000"
        "14000500fd0000000000000000000000000000fe0800040002000000"
    ),
    "ip -n B route add fd00:2::/64 nexthop via fd00::fe dev B-veth0 nexthop via fd00::fd dev B-veth0": (
        "6c0000001800050600000000000000000a400000fe0300010000000014000100fd000002000000000000000000000000"
        "3c0009001c0000000200000014000500fd0000000000000000000000000000fe1c0000000200000014000500fd000000"
        "0000000000000000000000fd"
    ),
    "ip -n B route add unreachable 10.9.0.0/16": (
        "2400000018000506000000000000000002100000fe03000700000000080001000a090000"
    ),
    "ip -n B route add unreachable fd00:9::/32": (
        "300000001800050600000000000000000a200000fe0300070000000014000100fd000009000000000000000000000000"
    ),
}


def route(destination: str, *gateways: str) -> AddRoutes:
    """Return the operation for a route of B through B-veth0."""
    hops = tuple(NextHop("B-veth0", ipaddress.ip_address(gateway)) for gateway in gateways)
    return AddRoutes("B", RouteGroup.of(hops, [destination]), (2,) * len(hops))


SAME: list[Request] = [
    AddAltname("A", "A-veth0", 2, "a-long-name-veth0"),
    Enslave("A", "A-veth0", 2, "bridge", 3),
    SetUp("A", "A-veth0", 2),
    AddAddress("B", "B-veth0", 2, ipaddress.ip_interface("192.0.2.1/24")),
    AddAddress("B", "B-veth0", 2, ipaddress.ip_interface("fd00::1/64")),
    route("::/0", "fd00::fe"),
    route("10.0.0.0/24", "192.0.2.254"),
    route("10.0.1.0/24", "192.0.2.254", "192.0.2.253"),
    route("fd00:1::/64", "fd00::fe"),
    route("fd00:2::/64", "fd00::fe", "fd00::fd"),
    route("10.9.0.0/16"),
    route("fd00:9::/32"),
]


def command(operation: Operation) -> str:
    (line,) = operation.commands()
    return line


def decoded(message: bytes) -> dict[str, Any]:
    """Return a link or route message as pyroute2 reads it, its attributes in no order."""
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    kind = {16: ifinfmsg, 24: rtmsg}[int.from_bytes(message[4:6], "little")]
    read = kind(message)
    read.decode()
    found = plain(read)
    found["flags of the request"] = read["header"]["flags"]
    return found


def plain(message: Any) -> dict[str, Any]:
    """Return a message, or what is nested in one, as a dictionary; fields that are zero are left out."""
    if not isinstance(message, dict):
        return {"value": message}
    found = {
        key: value for key, value in message.items()
        if key not in ("attrs", "header", "value", "event", "__align") and value
    }  # fmt: skip
    for name, value in message.get("attrs", ()):
        found[name] = plain(value) if isinstance(value, dict) else value
    return found


@pytest.mark.parametrize("operation", SAME, ids=command)
def test_messages_are_those_of_the_ip_command_to_the_byte(operation: Request) -> None:
    assert operation.encode(0, {}, acknowledge=True).hex() == CAPTURED[command(operation)]


@pytest.mark.parametrize(
    ("operation", "captured"),
    [
        (
            CreateVeth("A", "A-veth0", 2, "B", "B-veth0", 7),
            "ip link add A-veth0 index 2 netns A type veth peer name B-veth0 index 7 netns B",
        ),
        (
            CreateVeth("A", "A-veth1", 0, "B", "B-veth1", 0, "02:00:00:00:00:01", "02:00:00:00:00:02"),
            "ip link add A-veth1 address 02:00:00:00:00:01 netns A type veth peer name B-veth1 "
            "address 02:00:00:00:00:02 netns B",
        ),
    ],
)
def test_a_link_is_that_of_the_ip_command_to_the_byte(operation: CreateVeth, captured: str) -> None:
    # 4 and 5 are the `ip` process's descriptors of the two namespaces.
    assert operation.encode(0, {"A": 4, "B": 5}, acknowledge=True).hex() == CAPTURED[captured]


def test_a_link_in_one_command_where_both_ends_have_one_name() -> None:
    names = "A" * 20, "B" * 20
    operation = CreateVeth(names[0], "veth0", 2, names[1], "veth0", 2)
    assert operation.commands() == (
        f"ip link add veth0 netns {names[0]} type veth peer name veth0 netns {names[1]}",
    )


def test_a_bridge_is_that_of_the_ip_command_but_for_its_number() -> None:
    operation = CreateBridge("A", "bridge", 3, spanning_tree=True)
    ours = decoded(operation.encode(0, {}, acknowledge=True))
    theirs = decoded(bytes.fromhex(CAPTURED[command(operation)]))
    assert ours.pop("index") == 3
    assert ours == theirs


@given(
    st.sampled_from(["10.0.0.0/24", "0.0.0.0/0", "10.9.0.0/16"]).map(lambda first: [first, "10.7.0.0/30"])
    | st.lists(st.ip_addresses(network="fd00::/16").map(lambda one: f"{one}/128"), min_size=1, unique=True),
    st.integers(0, 3),
)
def test_routes_are_as_many_messages_as_commands_and_those_of_pyroute2(
    targets: list[str], count: int
) -> None:  # fmt: skip
    version = 6 if ":" in targets[0] else 4
    gateways = [ipaddress.ip_address("fd00::fe" if version == 6 else "192.0.2.254") + n for n in range(count)]
    group = RouteGroup.of(tuple(NextHop("B-veth0", gateway) for gateway in gateways), targets)
    operation = AddRoutes("B", group, (2,) * count)
    data = operation.encode(5, {}, acknowledge=True)
    assert len(operation.commands()) == operation.count == len(targets)
    for number, target in enumerate(targets):
        size = int.from_bytes(data[:4], "little")
        assert data[:size] == by_pyroute2(target, gateways, 5 + number, last=number == len(targets) - 1)
        data = data[size:]
    assert not data


def by_pyroute2(target: str, gateways: list[Any], sequence: int, last: bool) -> bytes:
    """Return the message for a route as pyroute2 encodes it."""
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    made = rtmsg()
    made["header"].update(type=24, flags=0x605 if last else 0x601, sequence_number=sequence)
    network = ipaddress.ip_network(target)
    made.update(family=2 if network.version == 4 else 10, dst_len=network.prefixlen, table=254, proto=3)
    made["type"] = 1 if gateways else 7
    attributes: list[tuple[str, Any]] = [("RTA_DST", str(network.network_address))]
    if len(gateways) == 1:
        attributes += [("RTA_GATEWAY", str(gateways[0])), ("RTA_OIF", 2)]
    elif gateways:
        hops = [{"oif": 2, "attrs": [("RTA_GATEWAY", str(gateway))]} for gateway in gateways]
        attributes.append(("RTA_MULTIPATH", hops))
    made["attrs"] = attributes
    made.encode()
    return bytes(made.data)


def test_the_ipv4_default_route_is_that_of_the_ip_command_but_written_out() -> None:
    operation = route("0.0.0.0/0", "192.0.2.254")
    ours = decoded(operation.encode(0, {}, acknowledge=True))
    theirs = decoded(bytes.fromhex(CAPTURED[command(operation)]))
    assert ours.pop("RTA_DST") == "0.0.0.0"
    assert ours == theirs


def test_only_what_is_asked_for_is_acknowledged_and_numbered() -> None:
    message = SetUp("A", "A-veth0", 2).encode(7, {}, acknowledge=False)
    assert int.from_bytes(message[6:8], "little") & 0x4 == 0
    assert int.from_bytes(message[8:12], "little") == 7


@given(networks())
def test_every_message_of_every_plan_is_well_formed(graph: nx.MultiDiGraph) -> None:
    plan = emu.plan_for(graph)
    namespaces = {node.name: number for number, node in enumerate(plan.nodes, start=10)}
    for operation in operations_for(plan):
        assert operation.commands()
        if isinstance(operation, Request):
            data = operation.encode(1, namespaces, acknowledge=True)
            count = 0
            while data:
                size = int.from_bytes(data[:4], "little")
                assert 16 <= size <= len(data)
                data = data[size:]
                count += 1
            assert count == operation.count


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_namespaces_come_first_then_settings_then_links(graph: nx.Graph) -> None:
    kinds = [type(operation) for operation in operations_for(emu.plan_for(graph))]
    first = {kind: kinds.index(kind) for kind in (CreateNamespace, WriteSetting)}
    last = {kind: len(kinds) - 1 - kinds[::-1].index(kind) for kind in (CreateNamespace, WriteSetting)}
    assert first[CreateNamespace] == 0
    assert last[CreateNamespace] < first[WriteSetting]
    assert last[WriteSetting] < min(kinds.index(kind) for kind in (CreateVeth, SetUp) if kind in kinds)


def test_ports_come_up_before_the_bridge_and_after_its_spanning_tree_is_on() -> None:
    graph: nx.Graph = nx.cycle_graph(3)
    nx.set_node_attributes(graph, dict.fromkeys(graph, "switch"), "kind")
    for node in emu.plan_for(graph).nodes:
        mine = [one for one in operations_for(emu.plan_for(graph)) if one.node == node.name]
        bridge = next(index for index, one in enumerate(mine) if isinstance(one, CreateBridge))
        ups = [index for index, one in enumerate(mine) if isinstance(one, SetUp) and one.name != "lo"]
        assert bridge < min(ups)
