"""What a kernel with nearly everything can do for links, and what its queues count."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest

import emu
from emu.netlink.counters import QueueCount, encode_queue_query, read_queue_counts
from emu.netlink.delivery import Batch, exchange
from emu.netlink.features import find_features

from ..network.helpers import eventually
from .machine import load_modules

#: Queue disciplines that mark instead of drop, with options of tc(8) that make them do so soon, and what tc
#: calls the count.
MARKING = {
    "red": ("limit 90000 min 2000 max 6000 avpkt 1000 burst 4 probability 1 ecn", ["marked"]),
    "fq_codel": ("ce_threshold 1ms", ["ecn_mark", "ce_mark"]),
    "codel": ("ecn ce_threshold 1ms", ["ecn_mark", "ce_mark"]),
    "fq": ("ce_threshold 1ms", ["ce_mark"]),
}


@pytest.fixture(scope="module")
def network() -> Iterator[emu.Network]:
    with emu.Network(nx.path_graph(["A", "B"]), families=(4,)) as running:
        yield running


def test_a_feature_is_there_when_its_module_is_loaded(network: emu.Network) -> None:
    before = find_features(network.sandbox)
    assert before >= {"veth", "bridge", "vrf", "vlan", "vxlan", "macvlan", "netem", "tbf", "htb", "ingress"}
    assert not before & {"sfq", "cake"}
    load_modules(("sch_sfq", "sch_cake"))
    assert find_features(network.sandbox) >= before | {"sfq", "cake"}


def test_a_seed_that_this_kernel_would_pass_over_is_refused(network: emu.Network) -> None:
    assert find_features(network.sandbox, ["netem", "netem seed"]) == {"netem"}
    with pytest.raises(emu.PrivilegeError, match=r"seed on .* and 1 more: .*boot Linux 6\.6 or newer"):
        network.link("A", "B").set(loss="1%", seed=3)
    graph: nx.Graph = nx.Graph(families=(4,))
    graph.add_edge("A", "B", loss="1%", seed=3)
    with emu.Network(graph, ignore_unsupported=True) as without:
        assert [line.partition(" on ")[0] for line in without.unsupported] == ["seed"]


def test_redirecting_needs_the_classifier(network: emu.Network) -> None:
    assert {"ingress", "redirect"} <= find_features(network.sandbox, ["ingress", "redirect"])


def test_nftables_without_chains_on_interfaces_is_no_way_to_lose_packets(network: emu.Network) -> None:
    """This kernel was made without CONFIG_NF_TABLES_NETDEV; counting goes on without filters."""
    load_modules(("nft_numgen", "nft_objref"))
    assert find_features(network.sandbox, ["numgen"]) == set()
    assert len(network.counters()) == 2


def tc(network: emu.Network, words: str) -> str:
    done = network["A"].run(["tc", *words.split()], capture_output=True, text=True)
    assert done.returncode == 0, f"tc {words}: {done.stderr}"
    return str(done.stdout)


def counted(network: emu.Network) -> list[QueueCount]:
    query = Batch("A", encode_queue_query(1), 1)
    (answer,) = exchange(network.sandbox, [query], lambda _: None)
    return read_queue_counts(answer.data)[network["A"].interfaces[0].index]


def send_packets(network: emu.Network, count: int) -> None:
    """Send UDP packets of 1,000 bytes that ask to be marked rather than dropped (ECT(0), RFC 3168)."""
    with network["A"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 2)
        for _ in range(count):
            sock.sendto(bytes(1000), (str(network["B"].addresses[0].ip), 9))


@pytest.mark.skipif(shutil.which("tc") is None, reason="tc is missing")
@pytest.mark.parametrize("kind", [*MARKING, "pie", "cake", "netem"])
def test_counters_are_those_of_tc(network: emu.Network, kind: str) -> None:
    load_modules((f"sch_{kind}",))
    name = network["A"].interfaces[0].name
    options, _ = MARKING.get(kind, ({"netem": "loss 50%", "pie": "ecn"}.get(kind, ""), []))
    inner = f"dev {name} parent 1:1 handle 2: {kind} {options}"
    if kind == "cake":
        tc(network, f"qdisc replace dev {name} root handle 2: cake bandwidth 500kbit rtt 1ms")
    else:
        tc(network, f"qdisc replace dev {name} root handle 1: tbf rate 500kbit burst 2000 limit 90000")
        tc(network, f"qdisc replace {inner}")
    try:
        send_packets(network, 40)
        eventually(lambda: all(one.waiting == 0 for one in counted(network)))
        shown = {entry["handle"]: entry for entry in json.loads(tc(network, f"-s -j qdisc show dev {name}"))}
        for one in counted(network):
            check(one, shown[f"{one.handle >> 16:x}:"])
        (leaf,) = (one for one in counted(network) if one.kind == kind)
        assert leaf.packets > 0
        if kind in MARKING:
            assert leaf.marks
        if kind == "netem":
            root = next(one for one in counted(network) if one.is_root)
            assert 5 <= root.drops <= 35
            assert leaf.marks is None
    finally:
        tc(network, f"qdisc del dev {name} root")


def check(count: QueueCount, shown: dict[str, Any]) -> None:
    """Compare what we read with what tc shows."""
    names = {"packets": "packets", "bytes": "bytes", "drops": "drops", "requeues": "requeues"}
    for ours, theirs in {**names, "overlimits": "overlimits", "waiting_bytes": "backlog"}.items():
        assert getattr(count, ours) == shown[theirs], (count.kind, ours)
    if count.kind == "cake":
        assert count.marks == sum(tin["ecn_mark"] for tin in shown["tins"])
    elif count.kind in MARKING:
        assert count.marks == sum(shown.get(key, 0) for key in MARKING[count.kind][1])
    elif count.kind == "pie":
        assert count.marks == shown["ecn_mark"]


def test_what_waits_is_told_from_what_is_on_its_way() -> None:
    """Of a link with a delay, a rate and loss: packets are under way, wait, and are lost by chance."""
    graph: nx.Graph = nx.Graph(families=(4,))
    graph.add_edge("A", "B", rate="60kbit", delay="2s", loss="50%", limit="40p")
    with emu.Network(graph) as network:
        neighbour = f"neigh replace {network['B'].addresses[0].ip} lladdr 02:00:00:00:00:01 dev A-veth0"
        network["A"].run(["ip", *neighbour.split()], check=True)
        send_packets(network, 80)
        eventually(lambda: network.counters()[0].delayed_packets > 0)
        # Each takes 0.14 s to send.
        eventually(lambda: network.counters()[0].queue_packets > 0)
        eventually(lambda: network.counters()[0].delayed_packets == 0)
        found = network.counters()[0]
        assert found.queue_drops >= 10
        assert 0 < found.queue_packets <= 40
        eventually(lambda: network.counters()[0].queue_packets == 0)
        found = network.counters()[0]
        sent = 80 - found.queue_drops
        assert 0.1 * sent < found.loss_drops < 0.9 * sent
        assert found.loss_drops + found.packets == sent
