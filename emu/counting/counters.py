"""What the links of a running network count: how much went through, what was dropped, what waits."""

from __future__ import annotations

import errno
import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..kernel_parts import read_kernel
from ..netlink.arrangement import BEYOND, WAY
from ..netlink.counters import (
    InterfaceCount,
    QueueCount,
    encode_interface_query,
    encode_queue_query,
    read_interface_counts,
    read_queue_counts,
)
from ..netlink.delivery import Batch, exchange
from ..netlink.filtering import NETLINK_NETFILTER, encode_count, read_count

if TYPE_CHECKING:
    from ..planning.plan import End, Plan
    from ..sandboxes.connection import Sandbox


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """What one direction of a link has counted since the network was built.

    Queue drops, losses by netem, requeues, overlimits and marks are those of the queue disciplines that are
    there: they begin anew when these are taken away, as by `clear`. Overlimits and marks do so, too, when a
    queue becomes one of another kind.

    Attributes:
        source: the node that sends in this direction.
        source_interface: its interface.
        target: the node that receives.
        target_interface: its interface.
        packets: packets that left the source's interface, behind its queue. A burst of TCP or UDP that
            the kernel has not split yet (GSO) is one packet; a queue discipline counts its segments.
        bytes: their bytes, with the Ethernet header of 14 bytes each.
        queue_drops: packets that the source's queues dropped, for want of room or to tell the sender.
        interface_drops: packets that the source's interface dropped since the target's took no more.
        loss_drops: packets that were dropped since the link is to lose some.
        requeues: packets that the source's queue took back since the interface was busy.
        overlimits: how often a queue discipline held a packet back since its rate allowed no more.
        queue_packets: packets that wait at the source now.
        queue_bytes: their bytes.
        delayed_packets: packets that are on their way now, for as long as the link is to take.
        ecn_marks: packets that were marked instead of dropped (RFC 3168); None where no queue discipline
            does so.
    """

    source: str
    source_interface: str
    target: str
    target_interface: str
    packets: int
    bytes: int
    queue_drops: int
    interface_drops: int
    loss_drops: int
    requeues: int
    overlimits: int
    queue_packets: int
    queue_bytes: int
    delayed_packets: int
    ecn_marks: int | None

    @property
    def drops(self) -> int:
        """All packets that were lost in this direction."""
        return self.queue_drops + self.interface_drops + self.loss_drops


@dataclass(slots=True)
class _NodeCounts:
    interfaces: dict[int, InterfaceCount]
    queues: dict[int, list[QueueCount]]
    losses: dict[int, tuple[int, int]]


def read_counters(
    sandbox: Sandbox, plan: Plan, nodes: Collection[str] | None = None
) -> list[LinkCounters]:  # fmt: skip
    """Return the counters of both directions of every link, in the plan's order, read in one pass.

    With `nodes`, only those of links with an end in one of them. A link that somebody removed is left out.
    """
    ends = [
        ends for link in plan.links for ends in (link.ends, link.ends[::-1])
        if nodes is None or not {node for node, _ in ends}.isdisjoint(nodes)
    ]  # fmt: skip
    involved = {node for pair in ends for node, _ in pair}
    counts = _read_nodes(sandbox, involved)
    found = (_direction(counts, plan, source, target) for source, target in ends)
    return [one for one in found if one is not None]


def _read_nodes(sandbox: Sandbox, nodes: Collection[str]) -> dict[str, _NodeCounts]:
    """Return what the kernel counts in each of the nodes; nothing in one that somebody removes meanwhile."""
    there = set(nodes)
    while True:
        try:
            return {node: _NodeCounts({}, {}, {}) for node in nodes} | _read_present(sandbox, there)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            there.intersection_update(sandbox.ask("names").message["names"])


def _read_present(sandbox: Sandbox, nodes: Collection[str]) -> dict[str, _NodeCounts]:
    """Return what the kernel counts in nodes; OSError (ENODEV) when one is gone."""
    found = {node: _NodeCounts({}, {}, {}) for node in nodes}
    queries = (query for node in nodes for query in _queries(node))
    for batch, data in exchange(sandbox, queries, lambda _: None):
        assert batch.place is not None
        counts = found[batch.place]
        counts.interfaces |= read_interface_counts(data)
        counts.queues |= read_queue_counts(data)
    if _may_have_filters():
        losses = (Batch(node, encode_count(1), 1, NETLINK_NETFILTER) for node in nodes)
        try:
            for batch, data in exchange(sandbox, losses, lambda _: None):
                assert batch.place is not None
                found[batch.place].losses = read_count(data)
        except OSError as error:
            if error.errno != errno.EPROTONOSUPPORT:
                raise
    return found


def _queries(node: str) -> Iterator[Batch]:
    yield Batch(node, encode_interface_query(1), 1)
    yield Batch(node, encode_queue_query(1), 1)


@functools.cache
def _may_have_filters() -> bool:
    """Tell whether asking for filters makes the kernel load nothing: on the outer machine, that is."""
    kernel = read_kernel()
    return "nf_tables" in kernel.loaded or "nf_tables" not in kernel.loadable


def _direction(
    counts: dict[str, _NodeCounts],
    plan: Plan,
    source: End,
    target: End,
) -> LinkCounters | None:
    """Return the counters of one direction, or None when an end of it is gone."""
    here, there = counts[source[0]], counts[target[0]]
    leaving, arriving = plan.interfaces[source].index, plan.interfaces[target].index
    sending = here.interfaces.get(leaving)
    if sending is None or arriving not in there.interfaces:
        return None
    queues = here.queues.get(leaving, [])
    outermost = [one for one in queues if one.is_root]
    lost, delayed, delayed_bytes = _on_the_way(queues)
    marks = [one.marks for one in queues if one.marks is not None]
    return LinkCounters(
        *source, *target,
        packets=sending.sent,
        bytes=sending.sent_bytes,
        queue_drops=max(0, sum(one.drops for one in outermost) - lost),
        # What the target's interface could not take is among these. Its own drops hold also what came in
        # and had a protocol that nobody there speaks.
        interface_drops=sending.send_drops,
        loss_drops=lost + there.losses.get(arriving, (0, 0))[0],
        requeues=sum(one.requeues for one in outermost),
        overlimits=sum(one.overlimits for one in queues),
        queue_packets=max(0, sum(one.waiting for one in outermost) - delayed),
        queue_bytes=max(0, sum(one.waiting_bytes for one in outermost) - delayed_bytes),
        delayed_packets=delayed,
        ecn_marks=sum(marks) if marks else None,
    )  # fmt: skip


def _on_the_way(queues: list[QueueCount]) -> tuple[int, int, int]:
    """Return how many packets the disciplines that are the link's way lost and hold, and the latter's bytes.

    A discipline's numbers hold those of the ones within it.
    """
    way = [one for one in queues if one.kind == "netem" and one.handle >> 16 in (WAY, BEYOND)]
    within = [one for one in queues if one.parent >> 16 in (WAY, BEYOND)]
    lost, held, size = (
        max(0, sum(getattr(one, name) for one in way) - sum(getattr(one, name) for one in within))
        for name in ("drops", "waiting", "waiting_bytes")
    )
    return lost, held, size
