"""A program in a node of a large network; and how soon after the build IPv6 answers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import emu

from .contenders import lacking
from .line import line
from .tables import Table, median

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield both."""
    yield _programs(effort.of(1000, 20), effort.of(101, 5))
    namespaces.await_freed()
    yield _ipv6(effort.of(40, 4), effort.of(11, 1), namespaces)


def _programs(nodes: int, runs: int) -> Table:
    """Return how long `node.run(["true"])` takes: as the first program of a node, and later."""
    with emu.Network(line(nodes // 2)) as network:
        names = [node.name for node in network]
        picked = [network[names[number * 37 % len(names)]] for number in range(min(runs, len(names)))]
        first, later = ([_timed(node) for node in picked] for _ in range(2))
    table = Table(f'node.run(["true"]) in a network of {nodes:,} nodes (median of {len(first)})', [
        ("", ""), ("median", "ms"), ("least", "ms"), ("most", "ms"),
    ], notes=["With a node's first program come its own `/sys` and host name."])  # fmt: skip
    for name, times in (("first program of a node", first), ("later ones", later)):
        table.rows.append([name, median(times), min(times), max(times)])
    return table


def _timed(node: emu.Node) -> float:
    begin = time.perf_counter()
    node.run(["true"], check=True)
    return time.perf_counter() - begin


def _ipv6(routers: int, rounds: int, namespaces: Namespaces) -> Table:
    """Return how long after the last netlink message a ping crosses the line."""
    times = []
    table = Table(f"From the last message to the first `ping -6` across {routers} routers", [
        ("median", "ms"), ("least", "ms"), ("most", "ms"),
    ], notes=[f"Dual stack; until `ping` has ended, its start included; median of {rounds}."])  # fmt: skip
    if lacking("ping"):
        table.notes.append("With emu's own `ping`: there is none here.")
    for _ in range(rounds):
        with emu.Network(line(routers, families=(4, 6), routes="compressed")) as network:
            sent = max(
                phase.begun + (phase.seconds or 0.0) for phase in network.progress.phases
                if phase.name in ("interfaces", "addresses", "routes")
            )  # fmt: skip
            last = network[f"H{routers - 1}"].plan.addresses
            words = ["ping", "-6", "-c", "1", "-W", "1", str(last[-1].ip)]
            while network["H0"].run(words, stdout=subprocess.DEVNULL).returncode:
                pass
            times.append(time.perf_counter() - sent)
        namespaces.await_freed()
    table.rows.append([median(times), min(times), max(times)])
    return table
