"""`python -m tests.maps`: every public map is planned, and those of real networks are built and tried.

For each map of topohub a line with what planning it took and how many routes a router has. Maps of the
Topology Zoo and SNDlib with up to 200 routers are built for real: the kernel's addresses and routes are
read back and compared with the plan, and every router pings every other one over IPv4 and IPv6. The exit
status tells whether all went well. Best started with `nice`: the largest maps take minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import click

import emu
from emu.plugins.topohub_maps import emu_search_graphs
from emu.reading.sources import graph_from

REAL = ("topohub:topozoo/", "topohub:sndlib/")
#: A lost ARP request is repeated after a second, and later on a busy machine.
TIMEOUT = 10.0


@dataclass
class Tried:
    """What became of one map; times in seconds."""

    name: str
    routers: int = 0
    links: int = 0
    routes: int = 0
    planning: float = 0.0
    building: float | None = None
    pairs: int = 0
    reached: int = 0
    faults: list[str] = field(default_factory=list)

    def row(self) -> str:
        """Return a row of the table."""
        built = "" if self.building is None else f"{self.building:.2f} s"
        pings = f"{self.reached} of {self.pairs}" if self.pairs else ""
        mean = f"{self.routes / max(self.routers, 1):.1f}"
        cells = (
            self.name.partition(":")[2],
            self.routers,
            self.links,
            f"{self.planning:.2f} s",
            mean,
            built,
            pings,
        )
        return f"| {' | '.join(map(str, cells))} | {'; '.join(self.faults[:3]) or 'ok'} |"


def main() -> int:
    """Try the maps and print the table; return the exit status."""
    options = _options()
    names = [name for name, _, _ in emu_search_graphs(options.only)][:: options.every]
    click.echo(
        "| map | routers | links | planned in | routes per router | built in | pings answered | |\n"
        + "|---" * 8
        + "|"
    )
    tried = []
    for name in names:
        tried.append(_try(name, options))
        click.echo(tried[-1].row())
    click.echo(f"\n{_summary(tried)}")
    return int(any(one.faults for one in tried))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.maps")
    parser.add_argument("--only", default="topohub:", metavar="WORD", help="maps with this in their names")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th of them")
    parser.add_argument("--largest", type=int, default=200, metavar="N", help="build maps of up to N routers")
    parser.add_argument("--plan", action="store_true", help="build none")
    parser.add_argument("--with-hosts", action="store_true", help="give every router a host")
    return parser.parse_args()


def _try(name: str, options: argparse.Namespace) -> Tried:
    """Plan a map, and build it where that is wanted."""
    found = Tried(name)
    try:
        graph = graph_from(name)
        if options.with_hosts:
            graph = emu.with_hosts(graph)
        begin = time.perf_counter()
        plan = emu.plan_for(graph)
        found.planning = time.perf_counter() - begin
        found.routers, found.links = len(graph), graph.number_of_edges()
        found.routes = sum(len(node.routes) for node in plan.nodes)
        if len(graph) <= options.largest and name.startswith(REAL) and not options.plan:
            _build(plan, found)
    except Exception as error:  # noqa: BLE001  # the other maps are to be tried all the same
        found.faults.append(" ".join(f"{type(error).__name__}: {error}".split()))
    return found


def _build(plan: emu.Plan, found: Tried) -> None:
    begin = time.perf_counter()
    with emu.Network(plan) as net:
        found.building = time.perf_counter() - begin
        for node in net:
            found.faults += _differences(node)
        results = net.ping_all(timeout=TIMEOUT)
        found.pairs, found.reached = results.sent, results.received
        if results.families != plan.families and results.sent:
            found.faults.append(f"pinged over {results.families} only")
        if not results.ok:
            found.faults += [f"{one.source} to {one.target}: {one.reason}" for one in results.unreachable[:3]]


def _differences(node: emu.Node) -> list[str]:
    """Return which addresses and routes the kernel has and the plan has not, or the other way round."""
    addresses = {(one.interface, one.address) for one in node.read_addresses() if one.scope == "global"}
    routes = {
        (route.version, route.destination, frozenset(route.next_hops))
        for route in node.read_routes() if route.protocol != "kernel"
    }  # fmt: skip
    planned_addresses = {(one.name, address) for one in node.interfaces for address in one.addresses}
    planned_routes = {
        (
            route.version, str(route.destination or "default"),
            frozenset((hop.interface, str(hop.gateway)) for hop in route.next_hops),
        )
        for route in node.plan.routes
    }  # fmt: skip
    found = [*(addresses ^ planned_addresses), *(routes ^ planned_routes)]
    return [f"{node.name}: kernel and plan differ in {len(found)}, such as {found[0]}"] if found else []


def _summary(tried: list[Tried]) -> str:
    """Return a line for each collection."""
    lines = [
        "| collection | maps | planned in | built | pings answered | with faults |",
        "|---|---|---|---|---|---|",
    ]
    for collection in Counter(one.name.split("/")[0] for one in tried):
        group = [one for one in tried if one.name.split("/")[0] == collection]
        built = sum(one.building is not None for one in group)
        pings = f"{sum(one.reached for one in group)} of {sum(one.pairs for one in group)}"
        cells = (
            len(group),
            f"{sum(one.planning for one in group):.1f} s",
            built,
            pings,
            sum(bool(one.faults) for one in group),
        )
        lines.append(f"| {collection.partition(':')[2]} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
