"""Adding and removing nodes and links while a network runs, and saving what it has become."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

import emu
from emu.errors import KernelError
from emu.prompt.session import Session
from emu.reading.sources import graph_from
from emu.testing import NetworkFactory

from .helpers import WITHIN

pytestmark = pytest.mark.emu("two_segment", families=(4, 6))


def state(net: emu.Network, *names: str) -> list[object]:
    """Return the interfaces and addresses that the kernel has of nodes."""
    return [part for name in names for part in (net[name].read_interfaces(), net[name].read_addresses())]


def assert_all_reached(net: emu.Network) -> None:
    results = net.ping_all(timeout=10)  # a first packet may wait for a neighbour
    assert results.ok, results.unreachable


def test_what_is_added_is_reached_and_nothing_else_changes(net: emu.Network) -> None:
    before = state(net, "HOST1", "HOST2")
    command = "import time; print('up', flush=True); time.sleep(60)"
    with net["HOST1"].popen([sys.executable, "-c", command], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"up\n"
        host = net.add_node("HOST3")
        assert host.kind == "host"
        net.add_link("HOST3", "ROUTER")
        assert_all_reached(net)
        assert state(net, "HOST1", "HOST2") == before
        assert program.poll() is None
        program.kill()


def test_switches_and_their_ports(net: emu.Network) -> None:
    net.add_node("S1", kind="switch")
    for name in ("A", "B"):
        net.add_node(name)
        net.add_link("S1", name)
    net.add_link("S1", "ROUTER")
    assert len(net["A"].plan.addresses) == 2
    assert_all_reached(net)
    net.add_node("C")
    net.add_link("C", "S1")
    assert_all_reached(net)


def test_removing(net: emu.Network) -> None:
    before = state(net, "HOST1")
    with net["HOST2"].popen(["sleep", "60"]) as program:
        net.remove_node("HOST2")
        assert program.wait(timeout=WITHIN) == -9
    assert "HOST2" not in net
    assert [one.name for one in net["ROUTER"].read_interfaces()] == ["lo", "ROUTER-veth0"]
    assert state(net, "HOST1") == before
    assert_all_reached(net)
    with net.popen(["ip", "netns", "list"], stdout=subprocess.PIPE, text=True) as listing:
        assert set(listing.communicate()[0].split()) == {"HOST1", "ROUTER"}
    net.add_node("HOST2")
    net.add_link("HOST2", "ROUTER")
    assert_all_reached(net)
    net.remove_link("HOST1", "ROUTER")
    assert not any(one.protocol == "boot" for one in net["HOST1"].read_routes())


def test_what_the_kernel_refuses_is_undone(net: emu.Network) -> None:
    before, plan = state(net, "ROUTER", "HOST1"), net.plan
    add = ["ip", "link", "add", "HOST1-veth1", "index", "77", "type", "veth", "peer", "name", "x"]
    net["HOST1"].run(add, check=True)
    other = state(net, "ROUTER", "HOST1")
    with pytest.raises(KernelError, match="File exists"):
        net.add_link("HOST1", "HOST2", interfaces={"HOST1": 1}, prefix="10.9.0.0/24")
    assert net.plan == plan
    assert state(net, "ROUTER", "HOST1") == other
    net["HOST1"].run(["ip", "link", "del", "HOST1-veth1"], check=True)
    assert state(net, "ROUTER", "HOST1") == before
    assert_all_reached(net)


def test_a_ring_of_switches_that_a_new_link_closes(emu_network: NetworkFactory) -> None:
    graph: nx.Graph = nx.Graph(families=4)
    graph.add_nodes_from(["S1", "S2", "S3"], kind="switch")
    graph.add_edges_from([("S1", "S2"), ("S2", "S3"), ("S1", "A"), ("S3", "B")])
    net = emu_network(graph)
    net.add_link("S3", "S1")
    ports = {one.port for name in ("S1", "S2", "S3") for one in net[name].read_interfaces() if one.port}
    assert ports == {"forwarding", "blocking"}
    assert_all_reached(net)
    net.remove_link("S3", "S1")
    assert_all_reached(net)


def test_the_prompt_and_others_that_are_attached(
    net: emu.Network, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with emu.Network.attach(net.name) as other:
        ours, theirs = Session(net, net.plugins), Session(other, other.plugins)
        assert ours.run_line("add node HOST3") == 0
        assert ours.run_line("add link HOST3 ROUTER prefix=203.0.113.0/24 weight=2") == 0
        assert theirs.run_line("HOST3 ip address") == 0
        assert theirs.run_line("pingall") == 0
        path = tmp_path / "lab.yaml"
        assert theirs.run_line(f"save {path}") == 0
        again = emu.plan_for(graph_from(str(path)))
        assert (again.nodes, again.links) == (net.plan.nodes, net.plan.links)
        assert "out of use" not in capsys.readouterr().out
        assert ours.run_line("link HOST3 ROUTER down") == 0
        assert theirs.run_line(f"save {path}") == 0
        assert "out of use here, but not in it: ROUTER--HOST3: " in capsys.readouterr().out
        assert theirs.run_line("remove node HOST3") == 0
        assert ours.run_line("HOST3 true") == 127
        capsys.readouterr()
        for line in ("add node HOST1", "add link HOST1 HOST9", "add link HOST1 HOST2 wieght=2",
                     "remove link HOST1 HOST2", "remove node X", "add node X kind=hots", "save x.png",
                     "add link HOST1 HOST2 weight", "add node ROUTER-veth0"):  # fmt: skip
            assert ours.run_line(line) != 0
            err = capsys.readouterr().err
            assert err.startswith("emu: ") and err.count("\n") == 1, err  # noqa: PT018  # the line is shown


def test_whoever_is_attached_sees_what_others_have_changed(net: emu.Network) -> None:
    with emu.Network.attach(net.name) as other:
        router = other["ROUTER"]
        net.add_node("HOST3")
        net.add_link("HOST3", "ROUTER")
        assert "HOST3" in other
        assert [node.name for node in other] == ["HOST1", "ROUTER", "HOST2", "HOST3"]
        assert router.interfaces[-1].peer[0] == "HOST3"
        assert other.path("HOST3", "HOST1") == ["HOST3", "ROUTER", "HOST1"]
        net.remove_node("HOST2")
        assert {one.source for one in other.counters()} == {"HOST1", "ROUTER", "HOST3"}
        assert {one.target for one in other.ping_all().pings} == {"HOST1", "ROUTER", "HOST3"}


def test_a_node_that_somebody_else_has_removed(net: emu.Network) -> None:
    net.add_node("HOST3")
    with emu.Network.attach(net.name) as other:
        gone = other["HOST3"]
        net.remove_node("HOST3")
        for use in (lambda: gone.run(["true"]), gone.socket):
            with pytest.raises(emu.EmuError, match=r"in HOST3: .*no such node"):
                use()
        with pytest.raises(emu.UsageError, match="no node 'HOST3'"):
            other.ping_pair("HOST1", "HOST3")


@pytest.mark.emu(emu.with_hosts(nx.cycle_graph(4)))
def test_changes_and_reroute_go_together(net: emu.Network) -> None:
    net["n0"].run(["ip", "link", "set", "n0-veth0", "down"], check=True)
    net.reroute()
    net.add_link("n0", "n2")
    assert_all_reached(net)
    net["n0"].run(["ip", "link", "set", "n0-veth0", "up"], check=True)
    net.reroute()
    assert_all_reached(net)
    net.remove_node("n1")
    results = net.ping_all(timeout=0.3)
    assert all("H-n1" in (one.source, one.target) for one in results.unreachable)


def test_a_link_is_shaped_from_the_beginning(net: emu.Network) -> None:
    link = net.add_link(net.add_node("HOST3"), net["ROUTER"], rate="10mbit")
    assert dict(link.ends).keys() == {"HOST3", "ROUTER"}
    shaping = link.shaping["HOST3"]
    assert shaping is not None
    assert shaping.rate == 10_000_000
    net.remove_node("HOST3")
