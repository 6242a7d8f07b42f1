"""What a report of a failure holds of the test's networks. All of it is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import EmuError
from .networks import USED, follow_of

if TYPE_CHECKING:
    import pytest

    from ..network import Network
    from ..node import Node

#: How many nodes, lines of a table, and packets are shown.
_NODES, _LINES, _PACKETS = 8, 40, 60
#: For how long, in seconds, an answer to a ping is waited for.
_TIMEOUT = 0.3


def sections_for(item: pytest.Item, failure: str) -> list[tuple[str, str]]:
    """Return a title and a text for each network that a test used.

    Args:
        item: the test.
        failure: what is said of its failure; nodes named there come first.
    """
    return [
        (f"emu network {net.plan.name}", "\n".join(_described(item, net, failure)))
        for net in item.stash.get(USED, [])
    ]  # fmt: skip


def _described(item: pytest.Item, net: Network, failure: str) -> Iterator[str]:
    packets = follow_of(item.config).packets(net)  # first: what follows is traffic, too
    try:
        nodes = _involved(net, failure)
        names = [node.name for node in nodes]
        if len(nodes) < len(net):
            yield f"{', '.join(names)}; {len(net) - len(nodes)} more nodes are not shown"
        yield from _table("addresses", ("NODE", "INTERFACE", "STATE", "ADDRESSES"), _interfaces(nodes))
        yield from _table("routes", ("NODE", "DESTINATION", "NEXT HOP", "THROUGH"), _routes(nodes))
        yield from _table("counters", ("FROM", "TO", "PACKETS", "BYTES", "DROPS"), _counters(net, names))
        yield from _unreachable(net)
    except (EmuError, OSError) as error:
        yield f"no more can be told: {error}"
    if packets is not None:
        chosen = [packet for node, packet in packets if node in names]
        yield f"packets: the first {min(len(chosen), _PACKETS)} of {len(chosen)} that were kept"
        yield from (f"  {packet}" for packet in chosen[:_PACKETS])


def _involved(net: Network, failure: str) -> list[Node]:
    """Return the nodes that the failure names, then others, in the network's order and not too many."""
    words = set(re.findall(r"[\w.-]+", failure))
    named = [node for node in net if node.name in words]
    others = [node for node in net if node not in named] if len(net) <= _NODES or not named else []
    return (named + others)[:_NODES]


def _interfaces(nodes: Sequence[Node]) -> Iterator[tuple[str, ...]]:
    for node in nodes:
        addresses: dict[str, list[str]] = {}
        for one in node.read_addresses():
            if one.scope == "global":
                addresses.setdefault(one.interface, []).append(str(one.address))
        for state in node.read_interfaces():
            if state.name != "lo" or state.name in addresses:
                word = "down" if not state.up else "up" if state.carrier else "no carrier"
                yield node.name, state.name, word, " ".join(addresses.get(state.name, []))


def _routes(nodes: Sequence[Node]) -> Iterator[tuple[str, ...]]:
    for node in nodes:
        for route in node.read_routes():
            for interface, gateway in route.next_hops or [("", "unreachable")]:
                yield node.name, str(route.destination), str(gateway or "on the link"), interface


def _counters(net: Network, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for one in net.counters(names):
        ends = one.source_interface, one.target_interface
        yield (*ends, str(one.packets), str(one.bytes), str(one.drops))


def _unreachable(net: Network) -> Iterator[str]:
    if len(net) > _NODES:
        return
    results = net.ping_all(timeout=_TIMEOUT)
    yield str(results)
    yield from (f"  {one.source} → {one.target}: {one.reason}" for one in results.unreachable[:_LINES])


def _table(title: str, columns: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table's lines."""
    lines = [tuple(columns), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    yield f"{title}:"
    for line in lines[: _LINES + 1]:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"  {'  '.join(cells).rstrip()}"
    if len(lines) > _LINES + 1:
        yield f"  … and {len(lines) - _LINES - 1} more"
