"""What the kernel has is what the plan says, to the last setting; what it refuses leaves nothing."""

from __future__ import annotations

import dataclasses
import errno
import ipaddress
import subprocess
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest

import emu
from emu import Node
from emu.errors import KernelError, NotRunning
from emu.graph.attributes import Kind
from emu.netlink.operations import BRIDGE
from emu.netlink.readiness import await_addresses
from emu.planning.plan import NodePlan, Plan
from emu.planning.routes import NextHop, Route
from emu.testing import NetworkFactory
from emu.topologies.two_segment import two_segment

from .helpers import WITHIN, eventually, fresh_name


def routed_ring() -> nx.Graph:
    """Four routers in a ring, each with a host: two equal paths to the router opposite, both families."""
    graph: nx.Graph = nx.Graph(name="ring", families=(4, 6))
    nx.add_cycle(graph, [f"R{number}" for number in range(4)])
    graph.add_edges_from((f"R{number}", f"H{number}") for number in range(4))
    return graph


def lan() -> nx.Graph:
    """A switch with three hosts and two routers, of which one leads to a fourth host."""
    graph: nx.Graph = nx.Graph(name="lan", families=(4, 6))
    graph.add_node("S", kind="switch", prefix="192.0.2.0/24 2001:db8::/64")
    graph.add_edges_from(("S", f"H{number}") for number in range(3))
    graph.add_nodes_from(["R1", "R2"], kind="router")
    graph.add_edges_from([("S", "R1"), ("S", "R2"), ("R1", "H3")])
    return graph


def ring_of_switches() -> nx.Graph:
    """Three switches in a ring, each with a host."""
    graph: nx.Graph = nx.Graph(name="switches", families=4)
    nx.add_cycle(graph, ["S0", "S1", "S2"])
    nx.set_node_attributes(graph, dict.fromkeys(graph, "switch"), "kind")
    graph.add_edges_from((f"S{number}", f"H{number}") for number in range(3))
    return graph


GRAPHS = [two_segment, routed_ring, lan, ring_of_switches]


@pytest.fixture(scope="module", params=GRAPHS, ids=lambda make: make.__name__)
def network(request: pytest.FixtureRequest, emu_network: NetworkFactory) -> emu.Network:
    return emu_network(request.param)


def output(node: Node, *words: str, **options: Any) -> str:
    return str(node.run(words, capture_output=True, text=True, check=True, **options).stdout)


def test_interfaces_are_those_of_the_plan_and_up(network: emu.Network) -> None:
    for node in network:
        found = {one.name: one for one in node.read_interfaces()}
        assert set(found) == {"lo", *(one.name for one in node.interfaces)} | (
            {BRIDGE} if node.kind is Kind.SWITCH else set()
        )
        assert all(one.up for one in found.values())
        for one in node.interfaces:
            assert (found[one.name].index, found[one.name].carrier) == (one.index, True)


def test_addresses_are_those_of_the_plan(network: emu.Network) -> None:
    for node in network:
        found = {(one.interface, one.address) for one in node.read_addresses() if one.scope == "global"}
        assert found == {(one.name, address) for one in node.interfaces for address in one.addresses}


def test_ipv6_works_at_once_where_it_is_wanted_and_is_off_elsewhere(network: emu.Network) -> None:
    for node in network:
        lines = output(node, "cat", "/proc/net/if_inet6").splitlines()
        wanted = 6 in network.plan.families and node.kind is not Kind.SWITCH
        assert bool(lines) == wanted
        # The fifth column holds flags: neither tentative (0x40) nor failed (0x08), see linux/if_addr.h.
        assert not [line for line in lines if int(line.split()[4], 16) & 0x48]


def test_routes_are_those_of_the_plan(network: emu.Network) -> None:
    for node in network:
        found = {
            (route.version, route.destination): set(route.next_hops)
            for route in node.read_routes() if route.protocol != "kernel"
        }  # fmt: skip
        assert found == {
            (route.version, str(route.destination or "default")): {
                (hop.interface, str(hop.gateway)) for hop in route.next_hops
            }
            for route in node.plan.routes
        }


def test_settings_are_those_of_the_plan(network: emu.Network) -> None:
    for node in network:
        for key, value in node.plan.settings:
            assert output(node, "cat", f"/proc/sys/{key}").strip() == value, (node.name, key)


def test_new_interfaces_take_the_settings_over(network: emu.Network) -> None:
    for node in network:
        for interface in (one.name for one in node.interfaces):
            assert output(node, "cat", f"/proc/sys/net/ipv4/conf/{interface}/rp_filter").strip() == "0"


def test_every_node_reaches_every_address(network: emu.Network) -> None:
    eventually(lambda: network.ping_all().ok)  # once the spanning tree has settled


def test_names_resolve_in_every_node(network: emu.Network) -> None:
    hosts = [node for node in network if node.kind is not Kind.SWITCH]
    for other in hosts:
        lines = output(hosts[0], "getent", "ahosts", other.name).splitlines()
        assert {line.split()[0] for line in lines} == {str(one.ip) for one in other.plan.addresses}


# -- names ------------------------------------------------------------------------------------------


def test_long_names_are_second_names_of_interfaces(emu_network: NetworkFactory) -> None:
    a, b = "a" * 40, "b" * 63
    net = emu_network(nx.Graph([(a, b), (b, "c")]))
    (one,) = net[a].interfaces
    assert (one.name, one.altname) == ("veth0", f"{a}-veth0")
    assert output(net[a], "ip", "-o", "link", "show", f"{a}-veth0").split()[1].startswith("veth0@")
    found = {one.name: one.altnames for one in net[b].read_interfaces()}
    assert found == {"lo": (), "veth0": (f"{b}-veth0",), "veth1": (f"{b}-veth1",)}


LABELS = ["北京", "São Paulo", "ΟΔΟΣ", "Straße", "Łódź", "Ђорђе"]


def labelled() -> nx.Graph:
    """A node with a neighbour of each label."""
    graph: nx.Graph = nx.Graph(families=4)
    graph.add_edges_from(("here", label) for label in LABELS)
    return graph


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.emu(labelled, scope="module")
def test_names_of_all_scripts_resolve(label: str, locale: str, net: emu.Network) -> None:
    environment = {"LC_ALL": locale, "PATH": "/usr/bin:/bin"}
    here, there = net["here"], net[label]
    (address,) = there.addresses
    assert address == there.plan.addresses[0]
    answer = output(here, "getent", "hosts", there.name, env=environment)
    assert answer.split()[0] == str(address.ip)
    if locale == "C.UTF-8":  # the C library converts names by the locale's letters
        ahosts = output(here, "getent", "ahosts", there.name, env=environment)
        assert ahosts.split()[0] == str(address.ip)
        lookup = f"import socket; print(socket.getaddrinfo({there.name!r}, None)[0][4][0])"
        found = output(here, "/usr/bin/python3", "-c", lookup, env=environment)
        assert found.strip() == str(address.ip)


# -- what the kernel refuses ------------------------------------------------------------------------


def changed(change: Callable[[NodePlan], dict[str, Any]], name: str = "ROUTER") -> Plan:
    """Return the plan of two_segment with one node changed."""
    plan = emu.plan_for(two_segment())
    nodes = tuple(dataclasses.replace(one, **change(one)) if one.name == name else one for one in plan.nodes)
    return dataclasses.replace(plan, nodes=nodes)


def strange_route(node: NodePlan) -> dict[str, Any]:
    hop = NextHop(node.interfaces[0].name, ipaddress.ip_address("203.0.113.1"))
    return {"routes": (Route(ipaddress.ip_network("10.0.0.0/8"), (hop,)),)}


def twice_the_same_address(node: NodePlan) -> dict[str, Any]:
    first = node.interfaces[0]
    twice = dataclasses.replace(first, addresses=first.addresses * 2)
    return {"interfaces": (twice, *node.interfaces[1:])}


def long_altname(node: NodePlan) -> dict[str, Any]:
    first = dataclasses.replace(node.interfaces[0], altname="x" * 128)
    return {"interfaces": (first, *node.interfaces[1:])}


def strange_setting(node: NodePlan) -> dict[str, Any]:
    return {"settings": (*node.settings, ("net/ipv4/ip_default_ttl", "0"))}


@pytest.mark.parametrize(
    ("change", "operation", "number", "reason"),
    [
        (
            strange_route,
            "ip -n ROUTER route add 10.0.0.0/8 via 203.0.113.1 dev ROUTER-veth0",
            errno.ENETUNREACH,
            "Nexthop has invalid gateway",
        ),
        (
            twice_the_same_address,
            "ip -n ROUTER address add 192.0.2.254/24 dev ROUTER-veth0",
            errno.EEXIST,
            "",
        ),
        (
            long_altname,
            f"ip -n ROUTER link property add dev ROUTER-veth0 altname {'x' * 128}",
            errno.ERANGE,
            "",
        ),
        (strange_setting, "ip netns exec ROUTER sysctl -w net.ipv4.ip_default_ttl=0", errno.EINVAL, ""),
    ],
    ids=["route", "address", "altname", "setting"],
)
def test_what_the_kernel_refuses_is_told_with_all_there_is_to_know_and_leaves_nothing(
    change: Callable[[NodePlan], dict[str, Any]], operation: str, number: int, reason: str
) -> None:
    name = fresh_name()
    network = emu.Network(changed(change), name)
    with pytest.raises(KernelError) as caught:
        network.start()
    error = caught.value
    assert (error.operation, error.node, error.errno) == (operation, "ROUTER", number)
    assert reason in error.reason
    for text in (operation, "ROUTER", error.reason):
        assert text in str(error)
    with pytest.raises(NotRunning):
        emu.Network.attach(name)
    with pytest.raises(NotRunning):
        network["HOST1"].run(["true"])
    with emu.Network(two_segment(), name) as again:  # the name is free at once
        assert output(again["HOST1"], "hostname").strip() == "HOST1"


@pytest.mark.emu("two_segment")
def test_a_program_with_a_zero_byte_is_refused_and_the_network_goes_on(net: emu.Network) -> None:
    with pytest.raises(emu.UsageError, match="zero byte"):
        net["HOST1"].run(["echo", "a\0b"])
    assert net["HOST1"].run(["true"], stdin=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit", "throw"])
@pytest.mark.parametrize("destination", ["203.0.113.0/24", "2001:db8:99::/64"])
def test_routes_that_lead_nowhere_are_told(emu_network: NetworkFactory, kind: str, destination: str) -> None:
    router = emu_network("two_segment", families=(4, 6))["ROUTER"]
    router.run(["ip", "route", "add", kind, destination], check=True)
    found = next(one for one in router.read_routes() if one.destination == destination)
    assert (found.kind, found.next_hops, found.ways) == (kind, (), [(kind, "")])
    assert {one.kind for one in router.read_routes()} == {"unicast", kind}


@pytest.mark.emu("two_segment", families=(4, 6))
def test_addresses_that_nobody_could_reach_yet_are_waited_for(net: emu.Network) -> None:
    node = net["HOST1"]
    for key in ("accept_dad", "dad_transmits"):  # whether somebody has the address is asked for a second
        node.run(["sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/HOST1-veth0/{key}"], check=True)
    node.run(["ip", "address", "add", "2001:db8::99/64", "dev", "HOST1-veth0"], check=True)
    assert not await_addresses(net.sandbox, ["HOST1", "HOST2"], timeout=0.01)
    assert await_addresses(net.sandbox, ["HOST1", "HOST2"], timeout=WITHIN)
    words = ["ip", "-6", "address", "show", "tentative"]
    assert node.run(words, capture_output=True, check=True).stdout == b""
