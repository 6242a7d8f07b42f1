"""Rates on this machine's own kernel, whatever it keeps them with, measured."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import pytest

import emu

from ..uml.bulk import TCP_SHARE, UDP_SHARE, tcp_goodput, udp_goodput
from ..uml.measured import MEASURED

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


def test_tcp_and_udp_get_what_the_rate_leaves_to_them(net: emu.Network) -> None:
    shaping = net.link("ROUTER", "HOST2").shaping["ROUTER"]
    assert shaping is not None
    assert shaping.rate is not None
    address = str(net["HOST2"].addresses[0].ip)
    tcp = tcp_goodput(net["HOST1"].socket, net["HOST2"].socket, address, seconds=10)
    assert tcp == pytest.approx(shaping.rate * TCP_SHARE, rel=0.01)
    udp = udp_goodput(net, rate=1.2 * shaping.rate, seconds=10)
    assert udp == pytest.approx(shaping.rate * UDP_SHARE, rel=0.01)
