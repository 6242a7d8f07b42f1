"""What the kernel counts of interfaces and their queues: asking for it, and reading the answers.

Formats: include/uapi/linux/{if_link,rtnetlink,gen_stats,pkt_sched}.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .answers import attributes_in, messages_in
from .messages import DUMP, GETQDISC, NEWQDISC, REQUEST, ROOT, TRAFFIC, message, traffic

_NEWSTATS, _GETSTATS = 92, 94
_STATS = struct.Struct("=BxxxII")
#: The number of the attribute with the 64-bit counters, and the mask that asks for it alone.
_LINK_64, _ONLY_LINK_64 = 1, 1
#: The first of struct rtnl_link_stats64: packets, bytes, errors and drops, received before sent.
_LINK_COUNTERS = struct.Struct("=8Q")
_KIND, _STATS2 = 1, 7
_BASIC, _QUEUE, _OF_KIND, _PACKETS_64 = 1, 3, 4, 8
_BASIC_COUNTERS, _QUEUE_COUNTERS, _LONG = struct.Struct("=QI"), struct.Struct("=5I"), struct.Struct("=Q")
#: Where a queue discipline's own statistics hold the numbers of packets that it marked (ECN, RFC 3168)
#: instead of dropping them, also for a threshold of their own (ce_threshold): the form of the numbers, and
#: their offsets in struct tc_…_xstats, from its end where they are negative.
_MARKS: dict[str, tuple[str, *tuple[int, ...]]] = {
    "fq_codel": ("=I", 12, 28), "codel": ("=I", 24, 32), "red": ("=I", 12), "choke": ("=I", 12),
    "sfb": ("=I", 20), "fq_pie": ("=I", 16), "pie": ("=I", -4), "fq": ("=Q", 80),
}  # fmt: skip
_CAKE_TINS, _CAKE_TIN_MARKS = 10, 8


@dataclass(frozen=True, slots=True)
class InterfaceCount:
    """What an interface has sent since it was made, and what it could not get rid of."""

    sent: int
    sent_bytes: int
    send_drops: int


@dataclass(frozen=True, slots=True)
class QueueCount:
    """What a queue discipline has counted; `waiting` and `waiting_bytes` are its length now.

    Drops include those of the disciplines within it. `marks` is None where the kind has no ECN.
    """

    kind: str
    handle: int
    parent: int
    packets: int
    bytes: int
    drops: int
    requeues: int
    overlimits: int
    waiting: int
    waiting_bytes: int
    marks: int | None

    @property
    def is_root(self) -> bool:
        """Whether it is the outermost one of what the interface sends."""
        return self.parent == ROOT


def encode_interface_query(sequence: int) -> bytes:
    """Return the message that asks for the counters of all interfaces."""
    return message(_GETSTATS, REQUEST | DUMP, sequence, _STATS.pack(0, 0, _ONLY_LINK_64))


def encode_queue_query(sequence: int) -> bytes:
    """Return the message that asks for the counters of all queue disciplines."""
    return message(GETQDISC, REQUEST | DUMP, sequence, traffic(0, 0, 0))


def read_interface_counts(data: bytes) -> dict[int, InterfaceCount]:
    """Return the counters in the answer to `encode_interface_query`, by the interface's number."""
    found = {}
    for kind, start, end in messages_in(data):
        if kind == _NEWSTATS:
            _, index, _ = _STATS.unpack_from(data, start)
            place = attributes_in(data, start + _STATS.size, end).get(_LINK_64)
            if place is not None:
                _, sent, _, size, _, _, _, drops = _LINK_COUNTERS.unpack_from(data, place[0])
                found[index] = InterfaceCount(sent, size, drops)
    return found


def read_queue_counts(data: bytes) -> dict[int, list[QueueCount]]:
    """Return the counters in the answer to `encode_queue_query`, by the interface's number."""
    found: dict[int, list[QueueCount]] = {}
    for message_kind, start, end in messages_in(data):
        if message_kind == NEWQDISC:
            _, index, handle, parent, _ = TRAFFIC.unpack_from(data, start)
            fields = attributes_in(data, start + TRAFFIC.size, end)
            first, after = fields[_KIND]
            kind = data[first:after].rstrip(b"\0").decode()
            statistics = attributes_in(data, *fields[_STATS2]) if _STATS2 in fields else {}
            found.setdefault(index, []).append(_queue(kind, handle, parent, data, statistics))
    return found


def _queue(
    kind: str, handle: int, parent: int, data: bytes, fields: dict[int, tuple[int, int]]
) -> QueueCount:  # fmt: skip
    size = packets = 0
    waiting = waiting_bytes = drops = requeues = overlimits = 0
    if _BASIC in fields:
        size, packets = _BASIC_COUNTERS.unpack_from(data, fields[_BASIC][0])
    if _PACKETS_64 in fields:  # sent along when it does not fit 32 bits
        (packets,) = _LONG.unpack_from(data, fields[_PACKETS_64][0])
    if _QUEUE in fields:
        waiting, waiting_bytes, drops, requeues, overlimits = _QUEUE_COUNTERS.unpack_from(
            data, fields[_QUEUE][0]
        )
    marks = _marks(kind, data, fields.get(_OF_KIND))
    return QueueCount(
        kind, handle, parent, packets, size, drops, requeues, overlimits, waiting, waiting_bytes, marks
    )


def _marks(kind: str, data: bytes, place: tuple[int, int] | None) -> int | None:
    if place is None:
        return None
    if kind == "cake":
        tins = attributes_in(data, *attributes_in(data, *place).get(_CAKE_TINS, (0, 0))).values()
        counts = (attributes_in(data, *tin).get(_CAKE_TIN_MARKS) for tin in tins)
        return sum(int(struct.unpack_from("=I", data, count[0])[0]) for count in counts if count is not None)
    if kind not in _MARKS:
        return None
    form, *offsets = _MARKS[kind]
    starts = [place[0 if offset >= 0 else 1] + offset for offset in offsets]
    # An older kernel does not count all of them.
    counted = [start for start in starts if start + struct.calcsize(form) <= place[1]]
    return sum(int(struct.unpack_from(form, data, start)[0]) for start in counted)
