"""What Tab offers at the prompt."""

from __future__ import annotations

import time
from pathlib import Path

import networkx as nx
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from emu import Network
from emu.graph.attributes import KNOWN
from emu.hooks.plugin_manager import default_plugins
from emu.prompt.completion import LineCompleter
from emu.prompt.session import Session
from emu.topologies.two_segment import two_segment


def completer_of(graph: nx.Graph) -> LineCompleter:
    network = Network(graph)
    network._begun = True
    return LineCompleter(Session(network, default_plugins()))


@pytest.fixture
def completer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LineCompleter:
    """Return a completer for two_segment, in a folder with one file."""
    monkeypatch.chdir(tmp_path)
    Path("Harbour.emu").touch()
    return completer_of(two_segment())


def offered(completer: LineCompleter, line: str) -> list[str]:
    """Return what a line could become."""
    found = completer.get_completions(Document(line), CompleteEvent())
    return [line[: len(line) + one.start_position] + one.text for one in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("RO", ["ROUTER "]),
        ("rou", ["routes "]),
        ("ROUTER tracer", ["ROUTER traceroute "]),
        ("HOST1 ping HOST", ["HOST1 ping HOST1 ", "HOST1 ping HOST1-veth0 ", "HOST1 ping HOST2 "]),
        ("HOST1 cat Ha", ["HOST1 cat Harbour.emu"]),
        ("HOST1 ls | tracer", ["HOST1 ls | traceroute "]),
        ("HOST* tracer", ["HOST* traceroute "]),
        ("HOST1,HOST2 tracer", ["HOST1,HOST2 traceroute "]),
        ("links ROUTER-", ["links ROUTER-veth0 ", "links ROUTER-veth1 "]),
        ("links host2-v", ["links HOST2-veth0 "]),
        ("pingall --sa", ["pingall --sample "]),
        ("pingall --sample ", []),
        ("iperf --tool e", ["iperf --tool emu "]),
        ("source Ha", ["source Harbour.emu"]),
        ("add l", ["add link "]),
        ("add link ROUTER HOST1 dup", ["add link ROUTER HOST1 duplicate="]),
        ("link HOST1 HOST2 do", ["link HOST1 HOST2 down "]),
        (
            "link HOST1 HOST2 set from=HOST",
            ["link HOST1 HOST2 set from=HOST1 ", "link HOST1 HOST2 set from=HOST2 "],
        ),
        ("link HOST1 HOST2 set m", ["link HOST1 HOST2 set mtu="]),
        ("link HOST1 HOST2 set f", ["link HOST1 HOST2 set from="]),
        ("link ROUTER-veth1", ["link ROUTER-veth1 "]),
        ("add node N kind=r", ["add node N kind=router "]),
        ("time RO", ["time ROUTER "]),
        ("for n in RO", ["for n in ROUTER "]),
        ("for n in HOST*: rou", ["for n in HOST*: routes "]),
        ("in RO", ["in ROUTER "]),
        ("sh trac", ["sh traceroute "]),
        ("help rou", ["help routes "]),
        ("py net.ping_p", ["py net.ping_pair"]),
        ("py [HOST2", ["py [HOST2"]),
        ("py HOST1.read_r", ["py HOST1.read_routes"]),
        ("nothing x", []),
        ("capture ROUTER-v", ["capture ROUTER-veth0 ", "capture ROUTER-veth1 "]),
        (
            "capture HOST1,RO",
            ["capture HOST1,ROUTER ", "capture HOST1,ROUTER-veth0 ", "capture HOST1,ROUTER-veth1 "],
        ),
        ("capture HOST1--", ["capture HOST1--ROUTER "]),
        ("capture HOST1:", ["capture HOST1:lo ", "capture HOST1:HOST1-veth0 "]),
        ("capture ROUTER Ha", ["capture ROUTER Harbour.emu"]),
        ("capture --all Ha", ["capture --all Harbour.emu"]),
        ("capture ROUTER x ic", ["capture ROUTER x icmp ", "capture ROUTER x icmp6 "]),
        ("capture ROUTER x host RO", ["capture ROUTER x host ROUTER "]),
        ("nodes | tracer", ["nodes | traceroute "]),
        ("nodes > Ha", ["nodes > Harbour.emu"]),
    ],
)
def test_what_a_line_can_become(completer: LineCompleter, line: str, expected: list[str]) -> None:
    found = offered(completer, line)
    assert found == expected or (expected and line.startswith("sh ") and expected[0] in found)


def test_words_of_mininet_are_not_offered(completer: LineCompleter) -> None:
    assert "xterm " not in offered(completer, "")
    assert {"terminal ", "HOST1 ", "links "} <= set(offered(completer, ""))


def test_every_attribute_of_a_link_is_offered(completer: LineCompleter) -> None:
    assert offered(completer, "add link A B ") == [f"add link A B {name}=" for name in sorted(KNOWN["link"])]


def test_no_line_whatsoever_is_too_much(completer: LineCompleter) -> None:
    for line in [
        "",
        " ",
        "'",
        "add nothing x",
        "for",
        "for :",
        "py (",
        "py a.b.c",
        "-",
        "HOST1 -",
        "x\0",
        "! ! ",
    ]:
        assert isinstance(offered(completer, line), list)


def test_a_node_that_was_added_is_offered(completer: LineCompleter) -> None:
    assert not offered(completer, "Z")
    network = completer.session.network
    graph = two_segment()
    graph.add_edge("ROUTER", "ZOO")
    network.plan = Network(graph).plan
    assert offered(completer, "Z") == ["ZOO "]


def test_tab_is_quick_in_large_networks() -> None:
    completer = completer_of(nx.relabel_nodes(nx.path_graph(2000), lambda number: f"N{number}"))
    offered(completer, "N")
    begin = time.process_time()
    for line in ["N1", "links N13", "N13 ping N399"] * 10:
        assert offered(completer, line)
    assert (time.process_time() - begin) / 30 < 0.05
