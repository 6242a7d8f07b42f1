"""What a replayed trace lets through, on whatever kernel this is."""

from __future__ import annotations

from pathlib import Path

import networkx as nx

import emu

from .bulk import udp_goodput

#: The ms of a round, and how many packets may leave at each: 3, 24, none, and 12 Mbit/s.
_ROUND = 2000
_OPPORTUNITIES = [
    ms
    for ms in range(1, _ROUND + 1)
    for _ in range(ms % 4 == 0 if ms <= 500 else 2 if ms <= 1000 else 0 if ms <= 1200 else 1)
]


def share_of_a_trace(folder: Path, queue: str) -> float:
    """Return how many packets arrive of those that a trace lets through, over three rounds of it."""
    trace = folder / "steps.trace"
    trace.write_text("".join(f"{ms}\n" for ms in _OPPORTUNITIES))
    graph: nx.Graph = nx.path_graph(["HOST1", "ROUTER", "HOST2"])
    graph.graph["families"] = (4,)
    with emu.Network(graph) as net:
        net.link("ROUTER", "HOST2").set(queue=queue, limit=500)
        net.schedule([{"at": 0, "link": ["ROUTER", "HOST2"], "trace": str(trace), "from": "ROUTER"}])
        found = udp_goodput(net, rate=30e6, seconds=3 * 1.5 * _ROUND / 1000)
    return found / (len(_OPPORTUNITIES) * 1472 * 8 / _ROUND * 1000)
