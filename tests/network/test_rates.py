"""Rates and schedules on this machine's own kernel, whatever it keeps them with, measured."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator
from pathlib import Path as Folder

import networkx as nx
import pytest

import emu
from emu.shaping import describe

from ..uml.bulk import TCP_SHARE, UDP_SHARE, tcp_goodput, udp_goodput
from ..uml.flows import Path
from ..uml.measured import MEASURED, Measure
from ..uml.replay import share_of_a_trace

pytestmark = MEASURED


RATES = [(rate, queue) for rate in ("1mbit", "10mbit", "100mbit", "1gbit") for queue in ("fifo", "bfifo")]


@pytest.fixture(params=RATES, ids="-".join)
def net(request: pytest.FixtureRequest) -> Iterator[emu.Network]:
    rate, queue = request.param
    graph: nx.Graph = nx.path_graph(["HOST1", "ROUTER", "HOST2"])
    graph.graph["families"] = (4,)
    graph.edges["ROUTER", "HOST2"].update(rate=rate, queue=queue, limit="500ms")
    with emu.Network(graph) as running:
        yield running


def test_tcp_and_udp_get_what_the_rate_leaves_to_them(net: emu.Network, measured: Measure) -> None:
    shaping = net.link("ROUTER", "HOST2").shaping["ROUTER"]
    assert shaping is not None
    assert shaping.rate is not None
    address = str(net["HOST2"].addresses[0].ip)
    tcp = tcp_goodput(net["HOST1"].socket, net["HOST2"].socket, address, seconds=10)
    setting = f"at {describe(shaping)}, Mbit/s"
    measured(f"goodput of TCP {setting}", tcp / 1e6, shaping.rate / 1e6 * TCP_SHARE, share=0.01)
    udp = udp_goodput(net, rate=1.2 * shaping.rate, seconds=10)
    measured(f"goodput of UDP {setting}", udp / 1e6, shaping.rate / 1e6 * UDP_SHARE, share=0.01)


def test_a_trace_lets_through_as_many_packets_as_it_says(measured: Measure, tmp_path: Folder) -> None:
    what = "packets that a trace lets through, of those it says"
    measured(what, share_of_a_trace(tmp_path, "fifo"), 1, share=0.02)


def test_a_schedule_acts_on_time(measured: Measure) -> None:
    """The log has when each step took effect, and packets tell the same."""
    graph: nx.Graph = nx.path_graph(["HOST1", "ROUTER", "HOST2"])
    graph.graph["families"] = (4,)
    with emu.Network(graph) as net, contextlib.closing(Path(net)) as path:
        _check_schedule(net, path, measured)


def _check_schedule(net: emu.Network, path: Path, measured: Measure) -> None:
    net.link("HOST1", "ROUTER").set(loss="0%")
    path.offer(1)
    events = [
        {"at": 0.5 + step / 10, "link": ["HOST1", "ROUTER"], "set": {"loss": "0%" if step % 2 else "100%"}}
        for step in range(20)
    ]
    playing = net.schedule(events)
    arrived = set(path.offer(1300, size=16, rate=2.32e5))  # one in 2 ms
    seen = [number in arrived for number in range(1300)]
    turns = [path.departures[at] for at in range(1, 1300) if seen[at] != seen[at - 1]]
    log = playing.log
    assert len(turns) == len(log) == len(events)
    late = statistics.median(one.late for one in log)
    measured("lateness of events, as logged, ms", late * 1000, 0, within=2)
    apart = [turn - one.real for turn, one in zip(turns, log, strict=True)]
    spread = statistics.median(abs(one - statistics.median(apart)) for one in apart)
    measured("what packets tell, beside the log, ms", spread * 1000, 0, within=2)
