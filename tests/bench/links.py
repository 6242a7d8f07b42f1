"""Shaped links: what they add to building, how soon a change takes effect, and what they carry."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import networkx as nx

import emu
from emu.link_control.applying import features_of

from .contenders import build, emu_line, lacking
from .line import line
from .tables import Table, median, ratio

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort

#: What every link of the shaped line does, with netem and without.
_WITH_NETEM = {"rate": "100mbit", "delay": "5ms"}
_WITHOUT = {"rate": "100mbit", "limit": "200"}
#: Payload and headers of a full TCP segment with timestamps, and of what emu sends by UDP, in bytes.
_TCP, _UDP = (1448, 1514), (1448, 1490)


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield what they cost when building, when changing, and when packets flow."""
    yield _building(effort, namespaces)
    yield _changing(effort, namespaces)
    yield _carrying(effort)
    namespaces.await_freed()


def _attributes() -> Mapping[str, str]:
    """Return what links are to do that this kernel can do."""
    with emu.Network(line(1)) as network:
        return _WITH_NETEM if "netem" in features_of(network.sandbox) else _WITHOUT


def _building(effort: Effort, namespaces: Namespaces) -> Table:
    """Return how long a line takes whose links are all shaped, beside the same without."""
    nodes = effort.of(1000, 20)
    attributes = [f"{name}={value}" for name, value in _attributes().items()]
    both = emu_line(nodes), emu_line(nodes, *(f"--link={one}" for one in attributes))
    for one in both:
        build(one, namespaces)  # from now on it is in the page cache
    runs = [[build(one, namespaces) for one in both] for _ in range(effort.rounds)]
    names = "not shaped", f"shaped: {', '.join(attributes)}"
    table = Table(f"A line of {nodes:,} nodes, its links shaped (median of {effort.rounds})", [
        (f"{runs[0][0].said['links']:,} links", ""), ("median", "ms"), ("least", "ms"), ("most", "ms"),
        ("planning", "ms"), ("shaping", "ms"), ("this / not shaped, in pairs", ""),
    ], notes=["Both directions of each link. Planning and shaping are parts of the whole."])  # fmt: skip
    plain = [row[0].seconds["total"] for row in runs]
    for number, name in enumerate(names):
        built = [row[number].seconds for row in runs]
        times = [one["total"] for one in built]
        parts = [median(one[phase] for one in built) for phase in ("plan", "shaping")]
        table.rows.append([name, median(times), min(times), max(times), *parts, ratio(times, plain)])
    return table


def _changing(effort: Effort, namespaces: Namespaces) -> Table:
    """Return how long `set` takes, in small networks and large ones."""
    table = Table("A change of a running link", [
        ("nodes", ""), ("changes", ""), ("first of a link, median", "ms"), ("later, median", "ms"),
        ("later, least", "ms"), ("later, most", "ms"),
    ], notes=[
        "`net.link(a, b).set(rate=…)`, from the call until the kernel has done it, both directions. "
        "The first change of a link makes its queue disciplines; each is one of another link."
    ])  # fmt: skip
    for nodes in (10, 20) if effort.quick else (10, 1000, 4000):
        with emu.Network(line(nodes // 2)) as network:
            pairs = [(a, b) for (a, _), (b, _) in (link.ends for link in network.plan.links)][:200]
            _set(network, *pairs.pop(), 1)  # what is loaded when it is first needed, is loaded now
            first, later = ([_set(network, *pair, rate) for pair in pairs] for rate in (10, 20))
        namespaces.await_freed()
        spread = median(first), median(later), min(later), max(later)
        table.rows.append([nodes, len(pairs), *spread])
    return table


def _set(network: emu.Network, first: str, second: str, rate: int) -> float:
    begin = time.perf_counter()
    network.link(first, second).set(rate=f"{rate}mbit")
    return time.perf_counter() - begin


def _carrying(effort: Effort) -> Table:
    """Return what one link carries: with packets of 64 KB, with single ones, and at rates."""
    table = Table("What one link carries", [
        ("", ""),
        *(column for protocol in ("TCP", "UDP") for column in ((protocol, "Mbit/s"), ("of the rate", "%"))),
    ], notes=[
        f"Payload from one node to another, median of {effort.rounds} times {_seconds(effort):g} s, full "
        "frames; and how much of what the rate allows. By UDP a Python program sends a tenth more than "
        "the link carries, or as much as it can, and another receives.",
        "On a link that is not shaped TCP sends pieces of up to 64 KB; others cut them into packets.",
    ])  # fmt: skip
    rates = [100_000_000] if effort.quick else [10**7, 10**8, 10**9, 10**10, 10**11]
    with emu.Network(nx.Graph([("HOST1", "HOST2")]), families=(4,)) as network:
        table.rows.append(["not shaped", _goodput(network, effort), None, None, None])
        for rate in rates:
            network.link("HOST1", "HOST2").set("HOST1", rate=f"{rate}bit")
            tcp = _goodput(network, effort)
            udp = _goodput(network, effort, udp=True, rate=rate * 1.1)
            table.rows.append(
                [f"{rate // 10**6:,} Mbit/s", tcp, _share(tcp, rate, _TCP), udp, _share(udp, rate, _UDP)]
            )
        if lacking("ip"):
            table.notes.append(f"TCP in single packets: left out, {lacking('ip')}.")
        else:
            network.link("HOST1", "HOST2").clear()
            words = ["ip", "link", "set", network["HOST1"].plan.interfaces[0].name, "gso_max_segs", "1"]
            network["HOST1"].run(words, check=True)
            name = "not shaped, `gso_max_segs 1`: TCP makes single packets"
            table.rows.append([name, _goodput(network, effort), None, None, None])
    return table


def _share(goodput: float, rate: int, bytes_of: tuple[int, int]) -> float:
    """Return which part that is of the payload that a rate allows."""
    payload, frame = bytes_of
    return goodput / (rate * payload / frame)


def _seconds(effort: Effort) -> float:
    return 0.2 if effort.quick else 3.0


def _goodput(network: emu.Network, effort: Effort, **options: Any) -> float:
    runs = range(effort.rounds)
    seconds = _seconds(effort)
    return median(network.iperf("HOST1", "HOST2", seconds=seconds, tool="emu", **options).rate for _ in runs)
