"""How much nodes can send each other: emu's own measurement, and iperf3's."""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import pytest

import emu
from emu.prompt.session import Session
from emu.traffic import find_iperf3, iperf3
from emu.traffic.results import Request

#: For how long to send, in seconds; iperf3 knows whole seconds only.
_SHORT = 0.3
TOOLS = ["emu", pytest.param("iperf3", marks=pytest.mark.skipif(not find_iperf3(), reason="no iperf3"))]


def slow() -> nx.Graph:
    """Return two hosts behind a link of 20 Mbit/s."""
    graph: nx.Graph = nx.Graph(name="slow", families=(4, 6))
    graph.add_edge("A", "R")
    graph.add_edge("R", "B", rate="20mbit")
    return graph


pytestmark = pytest.mark.emu(slow, scope="module")


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("reverse", [False, True])
def test_tcp_fills_the_link(net: emu.Network, tool: str, reverse: bool) -> None:
    done = net.iperf("A", "B", seconds=0.6, reverse=reverse, tool=tool)
    assert (done.source, done.target) == (("B", "A") if reverse else ("A", "B"))
    assert (done.protocol, done.family, done.tool) == ("tcp", 4, tool)
    # Of frames of 1,514 bytes 1,448 are payload; a busy machine may leave the link idle for most of the time,
    # and at the beginning the shaper lets a burst pass.
    assert 2e6 < done.rate < 24e6
    assert done.retransmits is not None


def test_streams_share_the_link(net: emu.Network) -> None:
    done = net.iperf("A", "B", seconds=0.6, streams=3, tool="emu", family=6)
    assert len(done.streams) == 3
    assert done.bytes == sum(stream.bytes for stream in done.streams)
    assert all(stream.bytes for stream in done.streams)
    assert done.rate < 30e6


def test_tcp_at_a_rate(net: emu.Network) -> None:
    assert 5e5 < net.iperf("A", "B", seconds=0.5, rate="5mbit", tool="emu").rate < 7.5e6


@pytest.mark.parametrize("tool", TOOLS)
def test_udp_that_the_link_carries_arrives(net: emu.Network, tool: str) -> None:
    # So little that it fits into the buffers, should a busy machine send it all at once.
    done = net.iperf("A", "B", seconds=_SHORT, udp=True, rate="1mbit", tool=tool)
    assert done.packets
    assert done.lost == 0
    assert done.jitter is not None
    assert 0 < done.jitter < 10  # in seconds
    assert done.bytes == 1448 * done.packets


def test_udp_beyond_the_link_is_lost(net: emu.Network) -> None:
    done = net.iperf("A", "B", seconds=0.5, udp=True, rate=80e6, tool="emu")
    assert done.loss is not None
    assert 0 < done.loss < 1
    assert 0 < done.bytes < 2.5e6  # of the 5 MB that would be sent; the link carries a quarter
    assert done.overflow is not None


def test_udp_in_reverse_and_several_streams(net: emu.Network) -> None:
    done = net.iperf("A", "B", seconds=_SHORT, udp=True, streams=2, reverse=True, length=200, tool="emu")
    assert (done.source, done.target, done.lost) == ("B", "A", 0)
    assert [stream.bytes for stream in done.streams] == [200 * (one.packets or 0) for one in done.streams]


def test_no_connection_is_told(net: emu.Network) -> None:
    route = ["unreachable", f"{net['B'].addresses[0].ip}/32"]
    net["R"].run(["ip", "route", "add", *route], check=True)
    try:
        with pytest.raises(emu.EmuError, match="iperf A B: No route to host; 'pingpair A B' tells"):
            net.iperf("A", "B", seconds=_SHORT, tool="emu")
    finally:
        net["R"].run(["ip", "route", "delete", *route], check=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seconds": 0}, "seconds 0 is not"),
        ({"seconds": "1s"}, "seconds '1s' is not"),
        ({"streams": 0}, "streams 0 is not"),
        ({"length": 1}, "length 1 is not"),
        ({"rate": "5furlongs"}, "rate"),
        ({"tool": "netperf"}, "no tool 'netperf'"),
        ({"family": 5}, "over IPv5"),
    ],
)
def test_mistakes(net: emu.Network, options: dict[str, Any], text: str) -> None:
    with pytest.raises(emu.UsageError, match=text):
        net.iperf("A", "B", **options)


def test_a_node_and_itself(net: emu.Network) -> None:
    with pytest.raises(emu.UsageError, match="name two nodes"):
        net.iperf("A", "A")


# -- iperf3's reports -------------------------------------------------------------------------------

_TCP = {
    "end": {
        "streams": [
            {"sender": {"retransmits": 7}, "receiver": {"bytes": 2_500_000, "seconds": 2.0}},
            {"sender": {"retransmits": 1}, "receiver": {"bytes": 1_250_000, "seconds": 2.0}},
        ]
    }
}
_UDP = {
    "end": {
        "streams": [
            {"udp": {"bytes": 14480, "seconds": 1.0, "packets": 10, "lost_packets": 3, "jitter_ms": 0.5}}
        ]
    }
}


def request(net: emu.Network, udp: bool) -> Request:
    return Request(net["A"], net["B"], 4, "10.0.0.1", 1.0, udp, 0, 1, False, 1448, "iperf A B")


def test_what_iperf3_says_is_read(net: emu.Network) -> None:
    tcp = iperf3.read_report(request(net, udp=False), json.dumps(_TCP).encode())
    assert (tcp.rate, tcp.retransmits, tcp.bytes) == (15e6, 8, 3_750_000)
    udp = iperf3.read_report(request(net, udp=True), json.dumps(_UDP).encode())
    assert (udp.bytes, udp.loss, udp.jitter) == (7 * 1448, 0.3, 0.0005)


def test_what_iperf3_complains_of_is_told(net: emu.Network) -> None:
    with pytest.raises(emu.EmuError, match="iperf A B: unable to connect"):
        iperf3.read_report(request(net, udp=False), b'{"error": "error - unable to connect"}')
    with pytest.raises(emu.EmuError, match="iperf A B: Segmentation"):
        iperf3.read_report(request(net, udp=False), b"Segmentation fault")


# -- at the prompt ----------------------------------------------------------------------------------


def test_iperf_at_the_prompt(net: emu.Network, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(net, net.plugins)
    assert session.run_line(f"iperf A B -t {_SHORT} --tool emu") == 0
    head, row, note = capsys.readouterr().out.splitlines()
    assert head.split() == ["FROM", "TO", "TIME", "ARRIVED", "GOODPUT", "RETRANSMITS"]
    assert row.split()[:2] == ["A", "B"]
    assert "emu itself" in note
    assert session.run_line(f"iperf -u -P 2 -t {_SHORT} --tool emu --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["protocol"], found["source"], found["lost"], len(found["streams"])) == ("udp", "A", 0, 2)


def test_pingpair_and_path_at_the_prompt(net: emu.Network, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(net, net.plugins)
    assert session.run_line("pingpair A R -4") == 0
    assert "pingpair: 2/2" in capsys.readouterr().out
    assert session.run_line("path A B") == 0
    assert capsys.readouterr().out == "A → R → B\nback: B → R → A\n"
    assert session.run_line("pingpair A") == 2
    assert session.run_line("iperf A") == 2
    assert "name two nodes" in capsys.readouterr().err


def test_nothing_is_left_of_a_measurement(net: emu.Network) -> None:
    net.iperf("A", "B", seconds=0.1, streams=2, tool="emu")
    done = net["A"].run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "emu.programs.traffic" not in done.stdout
