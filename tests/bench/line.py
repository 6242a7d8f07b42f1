"""The line of routers with a host at each, and emu building it: `python -m emu.bench.line ROUTERS`.

`--routes` gives routers all routes, and `--link=rate=10mbit` each link an attribute.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import emu

if TYPE_CHECKING:
    import networkx as nx

    from emu.graph.topology import Topology
    from emu.planning.addressing import Addressing
    from emu.planning.routes import Route


def line(routers: int, families: tuple[int, ...] = (4,), routes: str = "hosts") -> nx.Graph:
    """Return the graph: R0, R1 … in a line, H0 at R0 and so on, prefixes as narrow as they can be.

    Hosts have their default routes; there are no others.
    """
    import networkx as nx

    graph: nx.Graph = nx.Graph(name="line", families=families, packed=True, routes=routes)
    for number in range(routers):
        graph.add_node(f"R{number}", kind="router")
        graph.add_node(f"H{number}", kind="host")
        graph.add_edge(f"R{number}", f"H{number}")
        if number:
            graph.add_edge(f"R{number - 1}", f"R{number}")
    return graph


class HostRoutes:
    """A plugin: every host has a default route, every router a route to each other router's host."""

    @emu.hookimpl
    def emu_compute_routes(self, topology: Topology, addressing: Addressing) -> dict[str, tuple[Route, ...]]:
        """Return the routes; those of a router lead to the left or to the right."""
        from emu.planning.routes import NextHop, Route

        own = {node.name: node.interfaces for node in topology.nodes}
        names = [one.name for one in topology.interfaces]
        others = dict(end for link in topology.links for end in (link.ends, link.ends[::-1]))

        def hop(interface: int) -> NextHop:
            other = others[interface]
            return NextHop(names[interface], addressing.addresses[other][0].ip)

        count = len(topology.nodes) // 2
        routes: dict[str, tuple[Route, ...]] = {
            f"H{number}": (Route(None, (hop(own[f"H{number}"][0]),)),) for number in range(count)
        }
        segments = [addressing.addresses[own[f"H{number}"][0]][0].network for number in range(count)]
        for number in range(count):
            interfaces = own[f"R{number}"]
            left, right = (hop(interfaces[0]),), (hop(interfaces[-1]),)
            routes[f"R{number}"] = tuple(
                Route(segment, left if other < number else right)
                for other, segment in enumerate(segments) if other != number
            )  # fmt: skip
        return routes


def _shaped(graph: nx.Graph, attributes: dict[str, str]) -> nx.Graph:
    """Give each link attributes, and return the graph."""
    for *_, edge in graph.edges(data=True):
        edge.update(attributes)
    return graph


def main(words: list[str]) -> None:
    """Build, say so, wait for the end of the input, end."""
    from emu.hooks.plugin_manager import PluginManager

    plugins = PluginManager()  # not those that everybody else in this process has
    plugins.load_package("emu.plugins")
    if "--routes" in words:
        plugins.manager.register(HostRoutes())
    given = [word.removeprefix("--link=").partition("=") for word in words if word.startswith("--link=")]
    attributes = {name: value for name, _, value in given}
    with emu.Network(_shaped(line(2), attributes), plugins=plugins):
        pass  # what is loaded when it is first needed, is loaded now
    graph = _shaped(line(int(words[-1])), attributes)
    begin = time.perf_counter()
    network = emu.Network(graph, plugins=plugins)
    planned = time.perf_counter()
    with network:
        seconds = {"total": time.perf_counter() - begin, "plan": planned - begin}
        for phase in network.progress.phases:
            seconds[phase.name] = seconds.get(phase.name, 0.0) + (phase.seconds or 0.0)
        routes = sum(len(node.plan.routes) for node in network if node.kind == "router")
        facts: dict[str, Any] = {"nodes": len(network), "links": len(network.plan.links), "routes": routes}
        print(json.dumps({**facts, "seconds": seconds}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
