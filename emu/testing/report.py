"""What a report of a failure holds of the test's networks. All of it is bounded."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..commands import CommandNotExecutable, CommandNotFound
from ..errors import EmuError, LimitError, PrivilegeError, UsageError
from ..link_control.states import told
from ..processes.daemons import DaemonFailed
from .networks import follow_of, networks_of

if TYPE_CHECKING:
    from types import TracebackType

    import pytest

    from ..running.network import Network
    from ..running.node import Node

#: How many nodes, lines of a table, and packets are shown.
_NODES, _LINES, _PACKETS = 6, 24, 30
#: Of how many jobs the last lines are shown, and how many.
_JOBS, _LAST = 6, 5
#: Failures that say all: of what was asked for, of the machine, or of a program, with what it printed.
_SAY_ALL = (
    UsageError, PrivilegeError, LimitError, CommandNotFound, CommandNotExecutable, DaemonFailed,
)  # fmt: skip
#: For how long, in seconds, an answer to a ping is waited for.
_TIMEOUT = 0.3
#: Where hosts say which groups they listen to, unasked and for seconds (RFC 3810).
_LISTENERS = "ff02::16"
_PACKAGE = Path(__file__).resolve().parent.parent


def without_emu(error: BaseException) -> None:
    """Cut emu's own part off the traceback of an error whose message says all, as of a misspelt node."""
    if not isinstance(error, EmuError | subprocess.SubprocessError):
        return
    last = None
    entry = error.__traceback__
    while entry is not None and not _is_emu(entry):
        last, entry = entry, entry.tb_next
    if last is not None and entry is not None:
        last.tb_next = None
        error.__cause__, error.__suppress_context__ = None, True


def _is_emu(entry: TracebackType) -> bool:
    path = Path(entry.tb_frame.f_code.co_filename)
    return path.is_relative_to(_PACKAGE) and path.stem != "pytest_plugin"  # whose hooks are around fixtures


def sections_for(
    item: pytest.Item, failure: str, caught: pytest.ExceptionInfo[BaseException] | None
) -> list[tuple[str, str]]:
    """Return a title and a text for each network that a test used.

    Args:
        item: the test.
        failure: what is said of its failure; nodes named there come first.
        caught: what it failed with; what says all by itself needs no state of a network.
    """
    if caught is not None and isinstance(caught.value, _SAY_ALL):
        return []
    return [
        (f"emu network {net.plan.name}", "\n".join(_described(item, net, failure)))
        for net in networks_of(item)
    ]  # fmt: skip


def _described(item: pytest.Item, net: Network, failure: str) -> Iterator[str]:
    """Yield who is not reached, what packets met there, and then what passed."""
    packets = follow_of(item.config).packets(net)  # first: what follows is traffic, too
    nodes = _involved(net, failure)
    names = [node.name for node in nodes]
    try:
        counters = list(_counters(net, names))
        yield from _unreachable(net)
        if links := list(_links(net, names)):
            yield from _table("links", ("FROM", "TO", "STATE", "DOES TO PACKETS"), links)
        yield from _table("addresses", ("NODE", "INTERFACE", "STATE", "ADDRESSES"), _interfaces(nodes))
        yield from _table("routes", ("NODE", "DESTINATION", "NEXT HOP", "THROUGH"), _routes(nodes))
        yield from _table("counters", ("FROM", "TO", "PACKETS", "BYTES", "DROPS"), counters)
        yield from _jobs(net, names)
    except (EmuError, OSError) as error:
        yield f"no more can be told: {error}"
    if packets is not None:
        chosen = [one for node, one in packets if node in names and str(one.destination) != _LISTENERS]
        yield f"packets: {f'the first {_PACKETS} of ' if len(chosen) > _PACKETS else ''}{len(chosen)}"
        yield from (f"  {packet}" for packet in chosen[:_PACKETS])
    if len(nodes) < len(net):
        yield f"only of {', '.join(names)}; nodes that the test names come first"


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
            if str(route.destination).startswith("fe80:"):  # each interface has that one
                continue
            yield from ((node.name, route.destination, *way) for way in route.ways)


def _links(net: Network, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the directions of links that do something to packets, or are down."""
    links = [link for link in net.plan.links if any(node in names for node, _ in link.ends)]
    yield from (row for row in told(net, links) if row[2:] != ("up", "nothing"))


def _jobs(net: Network, names: Sequence[str]) -> Iterator[str]:
    """Yield a table of jobs, and the last that each printed."""
    jobs = [one for one in net.jobs() if one.node in names or one.node is None]
    if not jobs:
        return
    rows = [(str(one.number), one.node or "", one.state, one.command) for one in jobs]
    yield from _table("jobs", ("JOB", "NODE", "STATE", "COMMAND"), rows)
    for one in jobs[:_JOBS]:
        if lines := net.job(one.number).log(_LAST).splitlines():
            yield f"last of job {one.number}:"
            yield from (f"  {line}" for line in lines)


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


def _table(title: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table's lines."""
    lines = [tuple(columns), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    yield f"{title}:"
    for line in lines[: _LINES + 1]:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"  {'  '.join(cells).rstrip()}"
    if len(lines) > _LINES + 1:
        yield f"  … and {len(lines) - _LINES - 1} more"
