"""Whether nodes reach each other, where packets are lost, and the way they really take."""

from __future__ import annotations

import asyncio

import networkx as nx
import pytest

import emu
from emu.testing import NetworkFactory
from emu.topologies.two_segment import two_segment


def diamond() -> nx.Graph:
    """Return two hosts with two equal ways between them, each family, and one more way that is longer."""
    graph: nx.Graph = nx.Graph(name="diamond")
    graph.add_edges_from([("A", "W"), ("W", "N"), ("W", "S"), ("N", "E"), ("S", "E"), ("E", "B")])
    graph.add_edge("W", "E", weight=5)
    return graph


def switched() -> nx.Graph:
    """Return two switches with hosts at both."""
    graph: nx.Graph = nx.Graph(name="switched")
    graph.add_nodes_from(["S1", "S2"], kind="switch")
    graph.add_edges_from([("A", "S1"), ("B", "S1"), ("S1", "S2"), ("S2", "C"), ("S2", "D")])
    return graph


#: Tests that change their network have one of their own.
CHANGED = pytest.mark.emu("two_segment")
pytestmark = pytest.mark.emu("two_segment", scope="module")


@pytest.fixture(scope="module")
def lan(emu_network: NetworkFactory) -> emu.Network:
    return emu_network(switched)


def run(net: emu.Network, node: str, words: str) -> None:
    net[node].run(words.split(), check=True)


# -- that all is well -------------------------------------------------------------------------------


def test_a_node_is_reached(net: emu.Network) -> None:
    found = net["HOST1"].can_reach("HOST2")
    assert found
    assert set(found.rtts) == {4}
    assert str(found).startswith("HOST1 reaches HOST2 (IPv4 in ")


def test_nodes_and_addresses_are_reached_as_well_as_names(net: emu.Network) -> None:
    assert net["HOST1"].can_reach(net["HOST2"])
    assert net["HOST1"].can_reach("198.51.100.254")
    assert net["HOST1"].can_reach("HOST1")


def test_each_family_counts(lan: emu.Network) -> None:
    assert set(lan["A"].can_reach("C").rtts) == {4, 6}
    assert set(lan["A"].can_reach("C", family=6).rtts) == {6}


def test_the_path_is_the_one_that_packets_took(net: emu.Network) -> None:
    found = net.path("HOST1", "HOST2")
    assert found == ["HOST1", "ROUTER", "HOST2"]
    assert found.back == ["HOST2", "ROUTER", "HOST1"]
    assert net.path("HOST1", "198.51.100.254") == ["HOST1", "ROUTER"]


@pytest.mark.parametrize("family", [4, 6])
def test_switches_are_on_the_path_and_floods_are_not(lan: emu.Network, family: int) -> None:
    found = lan.path("A", "C", family=family)
    assert found == ["A", "S1", "S2", "C"]
    assert found.back == ["C", "S2", "S1", "A"]


@pytest.mark.emu(diamond, families=4)
def test_a_route_of_ones_own_and_equal_ways(net: emu.Network) -> None:
    assert net.path("A", "B") in (["A", "W", "N", "E", "B"], ["A", "W", "S", "E", "B"])
    (target,) = (str(address.ip) for address in net["B"].addresses)
    there = next(one for one in net["W"].interfaces if one.peer[0] == "E")
    via = next(str(one.addresses[0].ip) for one in net["E"].interfaces if one.name == there.peer[1])
    run(net, "W", f"ip route add {target}/32 via {via}")
    found = net.path("A", "B")
    assert found == ["A", "W", "E", "B"]
    assert found.back[1:3] != ["W", "A"]  # the way back is another


# -- that something is wrong ------------------------------------------------------------------------


@CHANGED
def test_no_way_back(net: emu.Network) -> None:
    run(net, "HOST2", "ip route delete default")
    found = net["HOST1"].can_reach("HOST2", timeout=0.2)
    assert not found
    assert found.reasons == {4: "no reply within 0.2 s; HOST2 got the request and sent no answer"}
    assert net.path("HOST1", "HOST2", timeout=0.2) == ["HOST1", "ROUTER", "HOST2"]


@CHANGED
def test_a_router_without_a_route_is_named(net: emu.Network) -> None:
    run(net, "ROUTER", "ip route delete 198.51.100.0/24")
    found = net["HOST1"].can_reach("HOST2")
    assert repr(found) == (
        "<HOST1 cannot reach HOST2 (IPv4: ROUTER says Destination Net Unreachable; "
        "the request got as far as ROUTER)>"
    )
    assert repr(net.path("HOST1", "HOST2")).startswith("['HOST1', 'ROUTER'] (ROUTER says ")


@CHANGED
def test_a_router_that_drops_in_silence_is_named(net: emu.Network) -> None:
    run(net, "ROUTER", "ip route add blackhole 198.51.100.1/32")
    found = net["HOST1"].can_reach("HOST2", timeout=0.2)
    assert found.reasons[4] == "no reply within 0.2 s; the request got as far as ROUTER"


@CHANGED
def test_what_does_not_leave(net: emu.Network) -> None:
    run(net, "HOST1", "ip route delete default")
    found = net["HOST1"].can_reach("HOST2")
    assert found.reasons[4] == "Network is unreachable; the request did not leave HOST1"


@pytest.mark.emu(switched, families=4)
def test_a_flood_hides_no_loss(net: emu.Network) -> None:
    run(net, "C", "ip link set C-veth0 down")
    found = net["A"].can_reach("C", timeout=0.2)
    assert found.reasons[4].startswith("no reply within 0.2 s; the request ")
    assert "between S2 and D" not in found.reasons[4]


def test_mistakes(lan: emu.Network) -> None:
    with pytest.raises(emu.UsageError, match="S1 is a switch, which has no addresses"):
        lan["A"].can_reach("S1")
    with pytest.raises(emu.UsageError, match="S1 is a switch"):
        lan.path("S1", "A")
    with pytest.raises(emu.UsageError, match="no node 'E'"):
        lan["A"].can_reach("E")
    with pytest.raises(emu.UsageError, match="timeout 0 is not"):
        lan["A"].can_reach("B", timeout=0)
    with pytest.raises(emu.UsageError, match="IPv5"):
        lan.path("A", "B", family=5)


# -- pairs ------------------------------------------------------------------------------------------


def test_ping_pair(net: emu.Network) -> None:
    results = net.ping_pair()
    assert results.nodes == ("HOST1", "HOST2")
    assert str(results).startswith("pingpair: 2/2 pairs reachable")
    assert net.ping_pair("ROUTER").nodes == ("ROUTER", "HOST1")
    with pytest.raises(emu.UsageError, match="no node 'X'"):
        net.ping_pair("X", "HOST1")


# -- notebooks --------------------------------------------------------------------------------------


def test_a_network_is_a_picture_of_itself() -> None:
    picture = emu.Network(two_segment())._repr_svg_()
    assert picture is not None
    assert "<svg" in picture
    assert "</svg>" in picture


def test_networks_work_in_a_thread_and_in_a_running_event_loop() -> None:
    """As in a notebook's kernel: a loop runs, and no signal handlers can be had off the main thread."""

    def work() -> list[str]:
        async def cell() -> list[str]:
            with emu.Network(two_segment()) as net:
                assert net["HOST1"].run(["true"]).returncode == 0
                assert net["HOST1"].can_reach("HOST2")
                assert net._repr_svg_()
                return net.path("HOST1", "HOST2")

        return asyncio.run(cell())

    async def kernel() -> tuple[list[str], list[str]]:
        other = await asyncio.to_thread(work)
        with emu.Network(two_segment()) as net:
            return other, net.path("HOST1", "HOST2")

    assert asyncio.run(kernel()) == (["HOST1", "ROUTER", "HOST2"],) * 2


@pytest.mark.emu(nx.path_graph(3), families=4)
def test_nodes_are_called_as_in_the_graph(net: emu.Network) -> None:
    assert net.path(0, 2) == [net[number].name for number in range(3)]  # type: ignore[arg-type]
    assert net[0].can_reach(2)  # type: ignore[arg-type]
    assert repr(net.link(0, 1)) == repr(net.link("n0", "n1"))  # type: ignore[arg-type]
