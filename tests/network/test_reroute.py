"""Routes after links have failed and come back: what packets do, and what the kernel has."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest

import emu
from emu.graph.attributes import Kind
from emu.prompt.session import Session
from emu.testing import NetworkFactory


def kernel_routes(net: emu.Network, name: str) -> set[tuple[object, ...]]:
    """Return a node's own routes, without those that the kernel makes."""
    return {
        (one.version, one.destination, frozenset(one.next_hops))
        for one in net[name].read_routes()
        if one.protocol == "boot"
    }


def planned_routes(net: emu.Network, name: str) -> set[tuple[object, ...]]:
    return {
        (
            one.version,
            str(one.destination or "default"),
            frozenset((hop.interface, str(hop.gateway)) for hop in one.next_hops),
        )
        for one in net.plan.node(name).routes
    }


def working(net: emu.Network) -> nx.Graph:
    """Return the nodes and the links of which the kernel says that both ends carry packets."""
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(node.name for node in net)
    states = {(node.name, one.name): one.up and one.carrier for node in net for one in node.read_interfaces()}
    graph.add_edges_from(
        (a[0], b[0]) for a, b in (link.ends for link in net.plan.links) if states[a] and states[b]
    )
    return graph


def assert_routed(net: emu.Network) -> None:
    """Check that whoever is connected is reached, nobody else, and that the kernel has what the plan says."""
    routers = {node.name for node in net if node.kind is not Kind.HOST}
    graph = working(net)

    def connected(a: str, b: str) -> bool:
        return nx.has_path(graph.subgraph(routers | {a, b}), a, b)

    results = net.ping_all(timeout=0.5)
    wrong = [one for one in results.pings if (one.rtt is not None) != connected(one.source, one.target)]
    assert not wrong, wrong[:5]
    for node in net:
        assert kernel_routes(net, node.name) == planned_routes(net, node.name)


def set_link(net: emu.Network, node: str, neighbour: str, state: str) -> None:
    name = next(one.name for one in net[node].interfaces if one.peer[0] == neighbour)
    net[node].run(["ip", "link", "set", name, state], check=True)


@pytest.fixture(scope="module")
def ring(emu_network: NetworkFactory) -> emu.Network:
    """Return a ring of six routers with a host each, over both families."""
    return emu_network(emu.with_hosts(nx.relabel_nodes(nx.cycle_graph(6), lambda n: f"R{n}")))


@contextlib.contextmanager
def restored(net: emu.Network) -> Iterator[None]:
    """Set all interfaces up again afterwards."""
    yield
    for node in net:
        for one in node.interfaces:
            node.run(["ip", "link", "set", one.name, "up"], check=True)
    net.reroute()


def test_a_ring_heals_and_gets_back_what_it_had(ring: emu.Network) -> None:
    before = {node.name: kernel_routes(ring, node.name) for node in ring}
    with restored(ring):
        set_link(ring, "R0", "R1", "down")
        assert not ring.ping_all(timeout=0.3).ok
        done = ring.reroute()
        assert done.routes
        assert done.nodes == 6
        assert set(done.down) == {("R0", "R0-veth0"), ("R1", "R1-veth0")}
        assert_routed(ring)
        assert not ring.reroute().operations
    assert {node.name: kernel_routes(ring, node.name) for node in ring} == before
    assert_routed(ring)


def test_a_node_whose_interfaces_are_all_down_is_alone(ring: emu.Network) -> None:
    with restored(ring):
        for neighbour in ("R2", "R4", "H-R3"):
            set_link(ring, "R3", neighbour, "down")
        ring.reroute()
        assert_routed(ring)


def test_a_link_that_flapped_between_has_its_routes_again(ring: emu.Network) -> None:
    set_link(ring, "R2", "R3", "down")
    set_link(ring, "R2", "R3", "up")
    assert kernel_routes(ring, "R2") != planned_routes(ring, "R2")
    assert ring.reroute().routes
    assert_routed(ring)


def test_what_is_out_of_use_is_told_with_the_reason(ring: emu.Network) -> None:
    assert str(ring.reroute()) == "no route has to change; all links work"
    with restored(ring):
        ring.link("R4", "R5").down()
        ends = " and ".join(f"{one} is down" for _, one in ring.link("R4", "R5").ends)
        found = f"out of use: R4--R5: {ends}"
        assert re.fullmatch(rf"\d+ routes would change in \d nodes; {found}", str(ring.reroute(dry_run=True)))
        assert re.fullmatch(rf"\d+ routes changed in \d nodes; {found}", str(ring.reroute()))
        assert str(ring.reroute()) == f"no route has to change; {found}"


def test_a_dry_run_shows_commands_that_do_the_same(ring: emu.Network) -> None:
    with restored(ring):
        set_link(ring, "R4", "R5", "down")
        before = kernel_routes(ring, "R0")
        found = ring.reroute(dry_run=True)
        assert kernel_routes(ring, "R0") == before
        script = "\n".join(f"{command} || exit 1" for command in found.commands())
        with ring.popen(["sh", "-c", script], stderr=subprocess.PIPE, text=True) as process:
            assert process.communicate()[1] == ""
        assert not ring.reroute().operations
        assert_routed(ring)


def test_what_somebody_added_by_hand_stays(ring: emu.Network) -> None:
    gateway = next(one for one in ring["R1"].interfaces if one.peer[0] == "R0").addresses
    mine = [["ip", "route", "add", "203.0.113.0/24", "via", str(gateway[0].ip)]]
    mine += [["ip", "-6", "route", "add", "2001:db8::/32", "via", str(gateway[1].ip)]]
    default = ring.plan.node("H-R0").addresses[0].network.broadcast_address - 3
    mine += [["ip", "route", "add", "10.0.0.0/16", "via", str(gateway[0].ip), "metric", "7"]]
    for words in mine:
        ring["R0"].run(words, check=True)
    ring["H-R0"].run(["ip", "route", "replace", "default", "via", str(default)], check=True)
    added = kernel_routes(ring, "R0") - planned_routes(ring, "R0")
    assert len(added) == 3
    try:
        with restored(ring):
            set_link(ring, "R3", "R4", "down")
            ring.reroute()
            assert kernel_routes(ring, "R0") - planned_routes(ring, "R0") == added
            assert (4, "default", frozenset([("H-R0-veth0", str(default))])) in kernel_routes(ring, "H-R0")
    finally:
        for words in mine:
            ring["R0"].run([word if word != "add" else "del" for word in words], check=True)
        ring["H-R0"].run(["ip", "route", "del", "default"], check=True)
        ring.reroute()
    assert_routed(ring)


def test_names_stand_for_addresses_that_work(ring: emu.Network) -> None:
    with restored(ring):
        set_link(ring, "R1", "R2", "down")
        ring.reroute()
        for family in ("-4", "-6"):
            done = ring["H-R4"].run(
                ["ping", family, "-c", "1", "-W", "2", "R2"], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout


def test_other_prompts_agree(ring: emu.Network, capsys: pytest.CaptureFixture[str]) -> None:
    with emu.Network.attach(ring.name) as other, restored(ring):
        session = Session(other, other.plugins)
        set_link(ring, "R5", "R0", "down")
        assert session.run_line("reroute") == 0
        assert "routes changed in 6 nodes" in capsys.readouterr().out
        assert not ring.reroute().operations
        assert ring.plan == other.plan


@pytest.mark.emu("leaf_spine")
def test_equal_cost_paths_shrink(net: emu.Network) -> None:
    leaf = next(node for node in net if node.name.startswith("LEAF"))
    spine = next(one.peer[0] for one in leaf.interfaces if one.peer[0].startswith("SPINE"))
    assert any(len(one.next_hops) > 1 for one in leaf.read_routes())
    set_link(net, leaf.name, spine, "down")
    net.reroute()
    assert all(len(one.next_hops) <= 1 for one in leaf.read_routes())
    assert_routed(net)


def test_switches(emu_network: NetworkFactory) -> None:
    graph: Any = nx.Graph(families=(4, 6))
    graph.add_nodes_from(["S1", "S2", "S3"], kind="switch")
    graph.add_nodes_from(["R1", "R2", "R3"], kind="router")
    graph.add_edges_from([("S1", "S2"), ("S1", "H1"), ("S1", "R1"), ("S1", "R2"), ("S2", "H2"), ("S3", "H3")])
    graph.add_edges_from([("R1", "S3"), ("R2", "R3"), ("R3", "S3")])
    net = emu_network(graph)
    assert len(next(one for one in net["H1"].read_routes() if one.destination == "default").next_hops) == 2
    set_link(net, "R1", "S3", "down")
    net.reroute()
    assert_routed(net)
    set_link(net, "S1", "S2", "down")
    net.reroute()
    results = net.ping_all(timeout=0.5)
    assert {pair.source for pair in results.unreachable if pair.target != "H2"} == {"H2"}
    net["S3"].run(["ip", "link", "set", "bridge", "down"], check=True)
    net.reroute()
    results = net.ping_all(timeout=0.5)
    alone = {"H2", "H3"}
    assert all(alone & {pair.source, pair.target} for pair in results.unreachable), results.unreachable
