"""Plan one graph and say what that took: `python -m emu.bench.plan_source SOURCE [KEY=VALUE…]`."""

from __future__ import annotations

import json
import resource
import sys
import time

import emu
from emu.reading.sources import graph_from


def main(source: str, *settings: str) -> None:
    """Load the graph, plan it for IPv4, and print the figures as JSON."""
    emu.plan_for(graph_from("two_segment"))  # what is loaded when it is first needed, is loaded now
    graph = graph_from(source, settings)
    begin = time.perf_counter()
    plan = emu.plan_for(graph, families=(4,))
    seconds = time.perf_counter() - begin
    routers = [node for node in plan.nodes if node.kind == "router"]
    count = len(routers) or 1
    print(json.dumps({
        "nodes": len(plan.nodes), "links": len(plan.links), "seconds": seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "routes": sum(len(node.routes) for node in routers) / count,
        "naive": sum(len(plan.segments) - len(node.interfaces) for node in routers) / count,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
