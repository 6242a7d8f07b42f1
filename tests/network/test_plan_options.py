"""What a graph says of loopbacks, MAC addresses, routes and far-away nodes, in running networks."""

from __future__ import annotations

import networkx as nx
import pytest

import emu


def lab() -> nx.Graph:
    """Return two hosts, and between them two routers with loopbacks, one of them pinned."""
    graph: nx.Graph = nx.path_graph(["H1", "R1", "R2", "H2"])
    graph.graph["loopbacks"] = True
    graph.nodes["R1"]["loopback"] = "192.0.2.11"
    graph.nodes["R1"]["routes"] = {"203.0.113.0/24": "10.0.1.253", "198.18.0.0/15": "unreachable"}
    graph.nodes["H2"]["routes"] = "203.0.113.0/24=unreachable"
    graph.edges["H1", "R1"]["macs"] = {"H1": "02:00:00:00:00:aa"}
    return graph


pytestmark = pytest.mark.emu(lab, scope="module")


def ping(net: emu.Network, node: str, target: str) -> str:
    return str(net[node].run(["ping", "-c", "1", target], capture_output=True, text=True).stdout)


def test_loopbacks_answer_from_everywhere(net: emu.Network) -> None:
    for target in ("192.0.2.11", "10.255.0.1", "fd00:ff00::1", "fd00:ff00::2"):
        for node in net:
            assert node.can_reach(target)


def test_a_routers_name_stands_for_its_loopback_first(net: emu.Network) -> None:
    hosts = str(net["H1"].run(["cat", "/etc/hosts"], capture_output=True, text=True).stdout).splitlines()
    assert next(line for line in hosts if line.split()[1] == "R1") == "192.0.2.11 R1"
    assert net.ping_all().loss == 0


def test_macs_are_those_of_the_plan(net: emu.Network) -> None:
    for node in net:
        found = {one.name: one.mac for one in node.read_interfaces()}
        assert {one.name: one.mac for one in node.interfaces} == {
            name: mac for name, mac in found.items() if name != "lo"
        }
    assert next(one.mac for one in net["H1"].interfaces) == "02:00:00:00:00:aa"


def test_routes_of_ones_own_are_followed(net: emu.Network) -> None:
    assert "From 10.0.1.253" in ping(net, "H1", "203.0.113.9")  # R2 has no route, and says so
    assert "From 10.0.0.254" in ping(net, "H1", "198.18.0.1")


@pytest.mark.emu(nx.path_graph(70), scope="function")
def test_packets_get_to_the_end_of_a_long_line(net: emu.Network) -> None:
    for family in ("-4", "-6"):
        done = net["n0"].run(["ping", family, "-c", "1", "n69"], capture_output=True, text=True)
        assert "ttl=1 " in done.stdout
