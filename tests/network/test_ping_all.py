"""Pinging all pairs of real networks: who is reached, who is not, and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import emu
from emu.prompt.session import Session
from emu.reaching.ping import PingResults
from emu.testing import NetworkFactory
from emu.topologies.two_segment import two_segment

from .helpers import WITHIN, eventually

#: Tests that change their network have one of their own.
OWN = pytest.mark.emu("two_segment")
pytestmark = pytest.mark.emu("two_segment", scope="module")


def star(hosts: int) -> nx.Graph:
    """Return hosts on one switch."""
    graph: nx.Graph = nx.Graph(name="star")
    graph.add_node("S1", kind="switch")
    graph.add_edges_from(("S1", f"H{number}") for number in range(1, hosts + 1))
    return graph


def cut(net: emu.Network) -> None:
    """Take HOST2's link away from the router of two_segment."""
    net["ROUTER"].run(["ip", "link", "set", "ROUTER-veth1", "down"], check=True)


def lost(results: PingResults) -> set[tuple[str, str]]:
    return {(pair.source, pair.target) for pair in results.unreachable}


def test_two_segment(net: emu.Network) -> None:
    results = net.ping_all()
    assert results.ok, results.unreachable
    assert results.sent == 6
    assert set(results.graph().edges) == {(a, b) for a in results.nodes for b in results.nodes if a != b}
    # Microseconds, and more on a busy machine: far from the millions that a wrong unit would give.
    assert all(ping.rtt is not None and 0 < ping.rtt < 10 for ping in results.pings)


@OWN
def test_exactly_the_pairs_across_a_link_that_is_down_are_unreachable(net: emu.Network) -> None:
    cut(net)
    results = net.ping_all(timeout=0.3)
    assert lost(results) == {("HOST1", "HOST2"), ("HOST2", "HOST1"), ("ROUTER", "HOST2"), ("HOST2", "ROUTER")}
    reasons = {(pair.source, pair.target): pair.reason for pair in results.unreachable}
    assert reasons["ROUTER", "HOST2"] == "Network is unreachable"
    assert reasons["HOST1", "HOST2"] == "ROUTER says Destination Net Unreachable"
    assert reasons["HOST2", "HOST1"] == "no reply within 0.3 s"


@pytest.mark.emu(star(20), families=4)
def test_pairs_without_an_answer_wait_together(net: emu.Network) -> None:
    net["S1"].run(["ip", "link", "set", "bridge", "down"], check=True)
    start = time.monotonic()
    results = net.ping_all(timeout=0.5)
    took = time.monotonic() - start
    assert results.received == 0
    assert took < 0.5 * results.sent / 3


def test_routed_network_with_both_families(emu_network: NetworkFactory) -> None:
    graph = nx.petersen_graph()
    graph.add_nodes_from(graph, kind="router")
    net = emu_network(graph, families=(4, 6))
    results = net.ping_all()
    over_six = net.ping_all(family=6)
    assert results.ok, results.unreachable
    assert results.sent == 2 * 90
    assert over_six.ok
    assert over_six.families == (6,)


@pytest.mark.emu(star(40), families=(4, 6))
def test_more_neighbours_than_the_kernel_would_learn(net: emu.Network) -> None:
    results = net.ping_all()
    assert results.ok, results
    assert results.sent == 2 * 40 * 39


@OWN
def test_a_lost_request_is_sent_again(net: emu.Network) -> None:
    found: list[PingResults] = []
    forward(net, 0)
    task = threading.Thread(target=lambda: found.append(net.ping_all(timeout=9)))
    task.start()
    eventually(lambda: dropped(net))
    forward(net, 1)
    task.join()
    assert found[0].ok, found[0].unreachable


def forward(net: emu.Network, value: int) -> None:
    net["ROUTER"].run(["sh", "-c", f"echo {value} > /proc/sys/net/ipv4/ip_forward"], check=True)


def dropped(net: emu.Network) -> bool:
    """Tell whether the router has dropped what it may not forward (InAddrErrors, RFC 1213)."""
    lines = net["ROUTER"].run(["cat", "/proc/net/snmp"], capture_output=True, text=True).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("Ip:"))
    return int(dict(zip(names, values, strict=True))["InAddrErrors"]) > 0


def test_a_node_without_links_is_reported(emu_network: NetworkFactory) -> None:
    graph = two_segment()
    graph.add_node("ALONE")
    net = emu_network(graph)
    results = net.ping_all()
    reasons = {(pair.source, pair.target): pair.reason for pair in results.unreachable}
    others = ("HOST1", "ROUTER", "HOST2")
    assert set(reasons) == {(a, "ALONE") for a in others} | {("ALONE", a) for a in others}
    assert reasons["HOST1", "ALONE"] == "ALONE has no IPv4 address"
    assert reasons["ALONE", "HOST1"] == "Network is unreachable"


@pytest.mark.emu(star(10), families=4)
def test_sample_tries_so_many_pairs_and_the_same_ones_again(net: emu.Network) -> None:
    first, second = net.ping_all(sample=7), net.ping_all(sample=7)
    assert first.ok
    assert first.sent == 7
    assert [ping[:3] for ping in first.pings] == [ping[:3] for ping in second.pings]


@pytest.mark.parametrize(
    "wrong", [{"family": 6}, {"family": 5}, {"timeout": 0}, {"timeout": -1}, {"timeout": "1s"}, {"sample": 0}]
)
def test_senseless_arguments_are_refused(wrong: dict[str, Any], net: emu.Network) -> None:
    with pytest.raises(emu.UsageError, match="ping all"):
        net.ping_all(**wrong)


@pytest.mark.emu(star(20), families=4)
def test_two_threads_at_once_each_get_all_answers(net: emu.Network) -> None:
    found: list[PingResults] = []
    tasks = [threading.Thread(target=lambda: found.append(net.ping_all())) for _ in range(2)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    assert [results.ok for results in found] == [True, True]


@OWN
@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_network_that_ends_meanwhile_is_no_result(end: str, net: emu.Network) -> None:
    cut(net)
    sandbox = net.sandbox

    def finish() -> None:
        if end == "close":
            net.close()
        else:
            os.kill(sandbox.keeper_pid(), signal.SIGKILL)

    timer = threading.Timer(0.1, finish)
    timer.start()
    with pytest.raises(emu.NotRunning):
        net.ping_all(timeout=WITHIN)
    timer.join()


@pytest.mark.parametrize("hard", [64, 512])
def test_few_open_files_are_enough(hard: int) -> None:
    script = f"""
        import resource
        import emu
        from tests.network.test_ping_all import star
        with emu.Network(star(40)) as net:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
            print(net.ping_all())
            print(net["H1"].run(["true"]).returncode)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent.parent,
    )  # fmt: skip
    assert run.stderr == ""
    assert run.stdout.startswith("pingall: 3120/3120 pairs reachable, 0% loss")
    assert run.stdout.endswith("\n0\n")


def test_sockets_are_closed_afterwards(net: emu.Network) -> None:
    before = set(os.listdir("/proc/self/fd"))
    net.ping_all()
    assert set(os.listdir("/proc/self/fd")) <= before


@OWN
def test_prompt_shows_a_table_and_the_status(net: emu.Network, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(net, net.plugins)
    assert session.run_line("pingall") == 0
    whole = capsys.readouterr().out
    cut(net)
    assert session.run_line("pingall -W 0.3") == 1
    broken = capsys.readouterr().out
    titles, *rows, summary = whole.splitlines()
    assert titles.split() == ["ms", "HOST1", "ROUTER", "HOST2"]
    assert [row.split()[0] for row in rows] == ["HOST1", "ROUTER", "HOST2"]
    assert summary.startswith("pingall: 6/6 pairs reachable, 0% loss, rtt min/avg/max = ")
    assert broken.splitlines()[3].split() == ["HOST2", "X", "X", "-"]
    assert "ROUTER → HOST2: Network is unreachable" in broken


def test_prompt_gives_results_as_json(net: emu.Network, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(net, net.plugins)

    def found(line: str, status: int) -> Any:
        assert session.run_line(line) == status
        return json.loads(capsys.readouterr().out)

    assert found("path HOST1 HOST2 --json", 0)["path"] == ["HOST1", "ROUTER", "HOST2"]
    cut(net)
    pings = found("pingall --json -W 0.3", 1)["pings"]
    assert {one["target"] for one in pings if one["rtt"] is None and one["source"] == "ROUTER"} == {"HOST2"}
    assert found("pingpair --json HOST1 ROUTER", 0)["received"] == 2


@pytest.mark.emu(star(21), families=(4, 6))
def test_prompt_shows_each_family_and_only_some_of_many_pairs(
    net: emu.Network, capsys: pytest.CaptureFixture[str]
) -> None:
    net["S1"].run(["ip", "link", "set", "bridge", "down"], check=True)
    assert Session(net, net.plugins).run_line("pingall -W 0.3") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[23]] == ["IPv4", "IPv6"]
    assert sum(line.endswith("no reply within 0.3 s") for line in lines) == 40
    assert lines.count("… and 400 more pairs without an answer") == 2
    assert lines[22] == "pingall: 0/420 pairs reachable, 100% loss"


@pytest.mark.parametrize("line", ["pingall -W 0", "pingall -6", "pingall --sample 0", "pingall HOST1"])
def test_prompt_refuses_nonsense_in_one_line(
    line: str, net: emu.Network, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Session(net, net.plugins).run_line(line) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_help_does_not_leave_the_prompt(net: emu.Network, capsys: pytest.CaptureFixture[str]) -> None:
    assert Session(net, net.plugins).run_line("pingall --help") == 0
    assert "exit" in capsys.readouterr().out
