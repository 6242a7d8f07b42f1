"""Measuring throughput between two nodes: by iperf3 where it is installed, else by emu itself."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING

from ..commands import environment
from ..errors import EmuError, UsageError
from ..graph.attributes import Kind
from ..reaching.ping import families_for, first_address
from ..shaping.units import parse_rate
from .results import Request, Stream, Traffic

if TYPE_CHECKING:
    from ..running.network import Network
    from ..running.node import Node

__all__ = ["Stream", "Traffic", "iperf"]

#: What iperf3 sends by UDP when no rate is given, in bit/s.
UDP_RATE = 1_000_000
#: Bytes of a UDP packet's payload: with all headers it fits 1500 over IPv6, too.
_LENGTH = 1448
_STREAMS = 128


def iperf(
    network: Network,
    source: Node | str,
    target: Node | str,
    *,
    seconds: float = 5.0,
    udp: bool = False,
    rate: float | str | None = None,
    streams: int = 1,
    reverse: bool = False,
    family: int | None = None,
    length: int = _LENGTH,
    tool: str | None = None,
) -> Traffic:
    """Send from `source` to `target` and return what arrived.

    Args:
        network: a running network.
        source: the node that opens the connection and sends, or its name.
        target: the node that receives, or its name.
        seconds: for how long.
        udp: send UDP packets rather than a TCP stream.
        rate: how much each stream sends at most, in bit/s or as `"10mbit"`; default as much as it can with
            TCP and 1 Mbit/s with UDP.
        streams: how many at the same time.
        reverse: send from `target` to `source`.
        family: 4 or 6; default the first that the network has.
        length: bytes in each UDP packet, without headers.
        tool: "iperf3", or "emu" for emu's own; default iperf3 where it is installed.

    Raises:
        UsageError: there is no such node, or another argument makes no sense.
        EmuError: no connection came about; says why.
    """
    first, second = network[source], network[target]
    attempt = f"iperf {first.name} {second.name}"
    _check(first, second, seconds, streams, length, attempt)
    chosen = _chosen(tool, attempt)
    version = families_for(network.plan, family, attempt)[0]
    address = first_address(network.plan, second.plan, version)
    if not address:
        raise UsageError(f"{attempt}: {second.name} has no IPv{version} address")
    from . import iperf3, own

    measure = iperf3.measure if chosen == "iperf3" else own.measure
    limit = _rate(rate, udp, attempt)
    return measure(
        Request(first, second, version, address, seconds, udp, limit, streams, reverse, length, attempt)
    )


def _check(first: Node, second: Node, seconds: object, streams: int, length: int, attempt: str) -> None:
    for node in (first, second):
        if node.kind is Kind.SWITCH:
            raise UsageError(f"{attempt}: {node.name} is a switch, which has no addresses")
    if first == second:
        raise UsageError(f"{attempt}: name two nodes")
    if not (isinstance(seconds, int | float) and math.isfinite(seconds) and 0 < seconds <= 86_400):
        raise UsageError(f"{attempt}: seconds {seconds!r} is not a number above zero and up to a day")
    if not 1 <= streams <= _STREAMS:
        raise UsageError(f"{attempt}: streams {streams!r} is not a number from 1 to {_STREAMS}")
    if not 16 <= length <= 65_000:
        raise UsageError(f"{attempt}: length {length!r} is not a number of bytes from 16 to 65000")


def _chosen(tool: str | None, attempt: str) -> str:
    """Return what measures: iperf3 or emu's own."""
    chosen = tool or ("iperf3" if find_iperf3() else "emu")
    if chosen not in ("iperf3", "emu"):
        raise UsageError(f"{attempt}: no tool {chosen!r}; there are iperf3 and emu")
    if chosen == "iperf3" and not find_iperf3():
        raise EmuError(f"{attempt}: iperf3 is not installed; leave 'tool' out for emu's own")
    return chosen


def find_iperf3() -> str | None:
    """Return where iperf3 is installed, as nodes would find it."""
    return shutil.which("iperf3", path=environment()["PATH"])


def _rate(rate: float | str | None, udp: bool, attempt: str) -> int:
    """Return a rate in bit/s, 0 for no limit."""
    if rate is None:
        return UDP_RATE if udp else 0
    try:
        return parse_rate(rate if isinstance(rate, str) else f"{rate}bit")
    except ValueError as error:
        raise UsageError(f"{attempt}: {error}") from None
