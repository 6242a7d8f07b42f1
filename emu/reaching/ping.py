"""Who reaches whom: every node pings every other one, all at once."""

from __future__ import annotations

import errno
import functools
import math
import os
import random
import resource
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..errors import KernelError, NotRunning, UsageError
from ..graph.attributes import Kind
from .neighbours import LEARNED, add_neighbours, neighbours_for
from .volley import Probe, Volley, prepare_socket

if TYPE_CHECKING:
    import networkx as nx

    from ..planning.plan import NodePlan, Plan
    from ..running.network import Network
    from ..running.node import Node

#: What a socket for echo messages is opened with, by the Internet protocol's version.
ICMP_SOCKETS = {
    4: (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    6: (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
}
#: Descriptors left to the rest of the process.
_SPARE = 32
_opening = threading.Lock()


class Ping(NamedTuple):
    """One pair: `rtt` is the round-trip time in seconds; where it is None, `reason` says why."""

    source: str
    target: str
    family: int
    rtt: float | None
    reason: str


class Unreachable(NamedTuple):
    """A pair without a connection, and why."""

    source: str
    target: str
    family: int
    reason: str


@dataclass(frozen=True)
class PingResults:
    """What `ping_all` found.

    Attributes:
        nodes: the names of the nodes that took part, in the network's order.
        pings: one for each ordered pair and family that was tried, sorted by family, source, target.
        title: what was done, for the summary.
    """

    nodes: tuple[str, ...]
    pings: tuple[Ping, ...]
    title: str = "pingall"

    @property
    def sent(self) -> int:
        """How many pairs were tried, each family for itself."""
        return len(self.pings)

    @functools.cached_property
    def received(self) -> int:
        """How many of them answered."""
        return sum(ping.rtt is not None for ping in self.pings)

    @property
    def loss(self) -> float:
        """The share of pairs that did not answer, from 0 to 1; 0 when none was tried."""
        return 1 - self.received / self.sent if self.pings else 0.0

    @property
    def ok(self) -> bool:
        """Whether every pair that was tried answered."""
        return self.received == self.sent

    @property
    def families(self) -> tuple[int, ...]:
        """The address families that were tried, 4 before 6."""
        return tuple(sorted({ping.family for ping in self.pings}))

    @functools.cached_property
    def unreachable(self) -> list[Unreachable]:
        """The pairs that did not answer: source, target, family and the reason."""
        return [
            Unreachable(ping.source, ping.target, ping.family, ping.reason)
            for ping in self.pings if ping.rtt is None
        ]  # fmt: skip

    def over(self, family: int) -> PingResults:
        """Return the part of the results that is about one family."""
        pings = tuple(ping for ping in self.pings if ping.family == family)
        return PingResults(self.nodes, pings, self.title)

    def rtt(self, source: str, target: str, family: int = 4) -> float | None:
        """Return the round-trip time of a pair in seconds, or None when there was no answer.

        Raises:
            KeyError: the pair was not tried over this family.
        """
        return self._by_pair[source, target, family].rtt

    @functools.cached_property
    def _by_pair(self) -> dict[tuple[str, str, int], Ping]:
        return {ping[:3]: ping for ping in self.pings}

    def graph(self, family: int | None = None) -> nx.DiGraph:
        """Return a graph of who reaches whom, with all nodes that took part.

        An edge leads from the source to the target of each pair that answered; its attribute `rtt` is
        the round-trip time in seconds. Of several families, an edge needs an answer over each that was
        tried, and has the longest time.

        Args:
            family: 4 or 6, to regard that one only.
        """
        import networkx as nx

        graph: nx.DiGraph = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        tried = [ping for ping in self.pings if family in {None, ping.family}]
        failed = {ping[:2] for ping in tried if ping.rtt is None}
        for source, target, _, rtt, _ in tried:
            if (source, target) not in failed and rtt is not None:
                known = graph.get_edge_data(source, target, {"rtt": rtt})["rtt"]
                graph.add_edge(source, target, rtt=max(rtt, known))
        return graph

    def matrix(self, family: int) -> list[list[str]]:
        """Return a table as text: a row per source that begins with its name, a column per target.

        A cell is the round-trip time in ms, `X` without an answer, `-` for a node and itself, and
        empty for a pair that was not tried.
        """
        cells = {
            ping[:2]: "X" if ping.rtt is None else milliseconds(ping.rtt) for ping in self.over(family).pings
        }
        cells |= {(node, node): "-" for node in self.nodes}
        return [[row, *(cells.get((row, column), "") for column in self.nodes)] for row in self.nodes]

    def __repr__(self) -> str:
        lost = [f"{source} → {target}: {reason}" for source, target, _, reason in self.unreachable]
        return f"<{'; '.join([str(self), *lost[:2], *('…' for _ in lost[2:3])])}>"

    def __str__(self) -> str:
        if not self.pings:
            return f"{self.title}: nothing to do: it takes two nodes"
        line = f"{self.title}: {self.received}/{self.sent} pairs reachable, {100 * self.loss:.3g}% loss"
        times = [ping.rtt for ping in self.pings if ping.rtt is not None]
        if times:
            figures = (min(times), math.fsum(times) / len(times), max(times))
            line += f", rtt min/avg/max = {'/'.join(map(milliseconds, figures))} ms"
        return line


def milliseconds(seconds: float) -> str:
    """Return a time as a number of milliseconds, to the microsecond where that matters."""
    number = 1000 * seconds
    return f"{number:.3f}" if number < 10 else f"{number:.1f}" if number < 1000 else f"{number:.0f}"


def ping_all(
    network: Network,
    *,
    family: int | None = None,
    timeout: float = 1.0,
    sample: int | None = None,
    seed: int = 0,
) -> PingResults:
    """Ping every node from every other one and return what was found.

    Hosts and routers take part; switches have no addresses. A node is pinged at the address that its
    name stands for first, of each family. All pairs are tried at the same time, so that those that
    don't answer cost `timeout` together, unless the limit of open files is too low for a socket per
    node and family: it is raised as far as it may be, and what still doesn't fit is done in turns.

    Args:
        network: a running network.
        family: 4 or 6; default all that the network has.
        timeout: how long to wait for an answer, in seconds.
        sample: try so many pairs only, picked at random.
        seed: picks the pairs; the same seed picks the same ones.

    Raises:
        UsageError: an argument makes no sense.
        NotRunning: the network ended meanwhile.
    """
    attempt = "ping all"
    if sample is not None and sample < 1:
        raise UsageError(f"{attempt}: sample {sample!r} is not a number of pairs above zero")
    check_timeout(timeout, attempt)
    families = families_for(network.plan, family, attempt)
    names = [node.name for node in _with_addresses(network)]
    pairs = [(names[i], names[k]) for i, k in _pairs(len(names), sample, seed)]
    return PingResults(tuple(names), _ping(network, pairs, families, timeout))


def ping_pair(
    network: Network, first: Node | str | None = None, second: Node | str | None = None,
    *, family: int | None = None, timeout: float = 1.0,
) -> PingResults:  # fmt: skip
    """Ping two nodes from each other and return what was found.

    Args:
        network: a running network.
        first: one of them, or its name; default the first node that is a host, or else has addresses.
        second: the other one; default the next such node.
        family: 4 or 6; default all that the network has.
        timeout: how long to wait for an answer, in seconds.

    Raises:
        UsageError: an argument makes no sense.
        NotRunning: the network ended meanwhile.
    """
    check_timeout(timeout, "ping a pair")
    families = families_for(network.plan, family, "ping a pair")
    able = sorted(_with_addresses(network), key=lambda node: node.kind is not Kind.HOST)
    chosen = [network[name].plan for name in (first, second) if name is not None]
    for node in chosen:
        if node.kind is Kind.SWITCH:
            raise UsageError(f"ping {node.name}: a switch has no addresses")
    chosen += [node for node in able if node not in chosen][: 2 - len(chosen)]
    names = tuple(dict.fromkeys(node.name for node in chosen))
    pairs = [names, names[::-1]] if len(names) == 2 else []
    return PingResults(names, _ping(network, pairs, families, timeout), "pingpair")


def _with_addresses(network: Network) -> list[NodePlan]:
    return [node for node in network.plan.nodes if node.kind is not Kind.SWITCH]


def _ping(
    network: Network, pairs: Sequence[tuple[str, ...]], families: tuple[int, ...], timeout: float
) -> tuple[Ping, ...]:
    """Try pairs of names, all at once, and return what came of it, sorted."""
    probes: list[Probe] = []
    nodes = _with_addresses(network)
    ordered = [(source, target) for source, target in pairs]
    for version in families:
        addresses = {node.name: first_address(network.plan, node, version) for node in nodes}
        probes += [Probe(source, target, version, addresses[target]) for source, target in ordered]
        neighbours = neighbours_for(network.plan, version, ordered)
        if len(neighbours) > LEARNED:
            add_neighbours(network, neighbours)
    _run(network, probes, timeout)
    order = {node.name: number for number, node in enumerate(nodes)}
    probes.sort(key=lambda probe: (probe.family, order[probe.source], order[probe.target]))
    return tuple(Ping(one.source, one.target, one.family, one.rtt, one.reason) for one in probes)


def check_timeout(timeout: object, attempt: str) -> None:
    """Check that a timeout is a number of seconds; else a UsageError whose text `attempt` begins."""
    if not (isinstance(timeout, int | float) and math.isfinite(timeout) and timeout > 0):
        raise UsageError(f"{attempt}: timeout {timeout!r} is not a number of seconds above zero")


def families_for(plan: Plan, family: int | None, attempt: str) -> tuple[int, ...]:
    """Return the family that was asked for, or all that a network has.

    Raises:
        UsageError: the network lacks it; `attempt` begins the text.
    """
    if family is None:
        return plan.families
    if family not in plan.families:
        has = " and ".join(f"IPv{one}" for one in plan.families)
        raise UsageError(f"{attempt} over IPv{family}: it has {has} only; see its graph's 'families'")
    return (family,)


def first_address(plan: Plan, node: NodePlan, family: int) -> str:
    """Return the address of a family that the node's name stands for first, or an empty text."""
    return next((str(one.ip) for one in plan.addresses_of(node) if one.version == family), "")


def _pairs(count: int, sample: int | None, seed: int) -> Iterator[tuple[int, int]]:
    """Yield ordered pairs of different numbers below `count`: all, or a sample without repetition.

    Neighbours in the order have other sources, so that replies come in evenly at all of them.
    """
    total = count * (count - 1)
    chosen: Sequence[int] = range(total)
    if sample is not None and sample < total:
        chosen = sorted(random.Random(seed).sample(chosen, sample))  # noqa: S311  # repeatable on purpose
    for number in chosen:
        distance, source = divmod(number, count)
        yield source, (source + distance + 1) % count


def _run(network: Network, probes: Sequence[Probe], timeout: float) -> None:
    """Answer the probes, all at once or, by their sources, in as few turns as open files allow."""
    for probe in probes:
        if not probe.address:
            probe.open, probe.reason = False, f"{probe.target} has no IPv{probe.family} address"
    wanted = list(dict.fromkeys((probe.source, probe.family) for probe in probes if probe.open))
    names = {str(one.ip): node.name for node in network.plan.nodes for one in node.addresses}
    while wanted:
        with ExitStack() as stack:
            sockets = _open_sockets(network, wanted, stack)
            wanted = wanted[len(sockets) :]
            now = [probe for probe in probes if (probe.source, probe.family) in sockets]
            Volley(now, sockets, timeout, names).run()
    if not network.sandbox.alive():
        raise NotRunning(f"ping all: network {network.name} has ended")


def _open_sockets(
    network: Network, wanted: Sequence[tuple[str, int]], stack: ExitStack
) -> dict[tuple[str, int], socket.socket]:  # fmt: skip
    """Return a socket for each of the wanted nodes and families, or for as many as there is room for."""
    sockets: dict[tuple[str, int], socket.socket] = {}
    with _opening:  # what another thread opens meanwhile would not be counted
        for node, family in wanted[: max(1, _room(len(wanted)))]:
            try:
                sock = stack.enter_context(network[node].socket(*ICMP_SOCKETS[family]))
            except KernelError as error:
                if error.errno == errno.EMFILE and sockets:
                    break
                raise
            prepare_socket(sock, family)
            sockets[node, family] = sock
    return sockets


def _room(wanted: int) -> int:
    """Return how many files may be opened, after raising the soft limit if so many need it."""
    used = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = used + wanted + _SPARE
    if soft < needed and (hard < 0 or soft < hard):
        soft = needed if hard < 0 else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft - used - _SPARE
