"""The shell script that `emu plan --as ip` prints builds the very network that `emu run` builds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from click.testing import CliRunner

import emu
from emu.planning.plan import Plan
from emu.plugins.plan import plan
from emu.script import script_for
from emu.testing import NetworkFactory
from emu.topologies.two_segment import two_segment

#: What of an interface is not the same by chance: no numbers, addresses made up by the kernel, or moments.
LINK = ("ifname", "altnames", "mtu", "link_type", "master", "inet6_addr_gen_mode", "num_tx_queues")
BRIDGE = ("stp_state", "forward_delay", "hello_time", "max_age", "mcast_snooping")


@pytest.fixture
def sandbox(emu_network: NetworkFactory) -> emu.Network:
    """Return a network with next to nothing in it, for its root shell."""
    return emu_network(nx.Graph([("spare", "other")]))


def shell(network: emu.Network, *words: str) -> str:
    """Return what a command prints in a network's sandbox, outside of its nodes."""
    with network.popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        out, err = process.communicate()
    assert process.wait() == 0, err
    return str(out)


def state(network: emu.Network, plan: Plan) -> dict[tuple[str, str], Any]:
    """Return what the kernel has in each of the plan's nodes."""
    found: dict[tuple[str, str], Any] = {}
    for node in plan.nodes:
        ip = ("ip", "-j", "-d", "-n", node.name)
        found[node.name, "links"] = sorted(interface(link) for link in read(network, *ip, "link"))
        found[node.name, "addresses"] = sorted(
            f"{link['ifname']} {address['local']}/{address['prefixlen']} {address['scope']}"
            for link in read(network, *ip, "address") for address in link["addr_info"]
            if address["scope"] != "link"
        )  # fmt: skip
        for version in "46":
            routes = read(network, *ip, f"-{version}", "route")
            found[node.name, version] = sorted(
                json.dumps(route, sort_keys=True) for route in routes if not route["dst"].startswith("fe80")
            )
        paths = [f"/proc/sys/{key}" for key, _ in node.settings]
        found[node.name, "settings"] = shell(network, "ip", "netns", "exec", node.name, "grep", "", *paths)
    return found


def read(network: emu.Network, *words: str) -> list[dict[str, Any]]:
    """Return what an `ip -j` command prints, without its empty entries."""
    return [item for item in json.loads(shell(network, *words) or "[]") if item]


def interface(link: dict[str, Any]) -> str:
    """Return what there is to know of an interface, as text that can be sorted."""
    info = link.get("linkinfo", {})
    known = {key: link.get(key) for key in LINK}
    known |= {"up": "UP" in link["flags"], "kind": info.get("info_kind")}
    known |= {key: info.get("info_data", {}).get(key) for key in BRIDGE}
    return json.dumps(known, sort_keys=True)


def mixed() -> nx.Graph:
    """Return a graph with much that there is: both families, switches in a ring, equal paths, long names."""
    graph: nx.Graph = nx.Graph(name="mixed")
    nx.add_cycle(graph, ["r1", "r2", "r3", "r4"])
    nx.add_cycle(graph, ["s1", "s2", "s3"])
    nx.set_node_attributes(graph, {name: "switch" if name[0] == "s" else "router" for name in graph}, "kind")
    graph.add_edges_from([("r1", "s1"), ("s2", "h1"), ("s3", "h2"), ("s3", "r3")])
    graph.add_edge("r2", "a-host-of-a-long-name")
    graph.add_edge("a-host-of-a-long-name", "another-host-of-a-long-name")
    graph.nodes["another-host-of-a-long-name"]["kind"] = graph.nodes["a-host-of-a-long-name"]["kind"] = "host"
    graph.add_edges_from([("far", "away"), ("away", "away-2")])
    return graph


def routers() -> nx.Graph:
    """Return a graph in which a router has a route that says that something is unreachable."""
    edges = [(0, 1), (0, 2), (0, 4), (1, 5), (2, 4), (3, 4), (5, 7)]
    graph: nx.Graph = nx.Graph(edges, name="routers", families=4)
    nx.set_node_attributes(graph, dict.fromkeys(graph, "router"), "kind")
    return graph


@pytest.mark.parametrize(
    ("graph", "next_hops"), [(two_segment(), {1}), (mixed(), {1, 2}), (routers(), {0, 1, 2})], ids=str
)
def test_the_script_builds_what_emu_builds(
    sandbox: emu.Network, emu_network: NetworkFactory, graph: nx.Graph, next_hops: set[int], tmp_path: Path
) -> None:
    plan = emu.plan_for(graph)
    assert {len(route.next_hops) for node in plan.nodes for route in node.routes} == next_hops
    script = tmp_path / "script.sh"
    script.write_text("set -e\n" + "\n".join(script_for(plan)))
    shell(sandbox, "sh", str(script))
    by_hand = state(sandbox, plan)
    assert state(emu_network(plan), plan) == by_hand


def test_the_script_works_without_a_shell_for_each_line(sandbox: emu.Network) -> None:
    """A learner types one line after the other: each is a command of its own, and all work."""
    plan = emu.plan_for(two_segment())
    for line in script_for(plan):
        if line and not line.startswith("#"):
            shell(sandbox, "sh", "-c", line)
    try_it = next(line for line in script_for(plan) if "ping" in line)
    assert try_it.startswith("# ip netns exec HOST1 ping -c 1 ")
    undo = [line.removeprefix("# ") for line in script_for(plan) if "netns delete" in line]
    for line in undo:
        shell(sandbox, "sh", "-c", line)
    assert sorted(shell(sandbox, "ip", "netns", "list").split()) == ["other", "spare"]


@pytest.mark.parametrize(("there", "note"), [({"tbf"}, True), ({"tbf", "netem"}, False)])
def test_a_script_for_another_kernel_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: set[str], note: bool
) -> None:
    monkeypatch.setattr("emu.netlink.features.find_features", lambda *_: frozenset(there))
    path = tmp_path / "lab.yaml"
    path.write_text("links: [{ends: [A, B], delay: 5ms}]")
    done = CliRunner().invoke(plan, [str(path), "--as", "ip"], standalone_mode=False)
    assert "netem limit 1000000 delay 5ms" in done.stdout
    assert ("the script is for another kernel: delay on A-veth0" in done.stderr) is note
