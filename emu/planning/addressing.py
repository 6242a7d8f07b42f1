"""A prefix per segment, an address per interface. Pure and deterministic.

Within a segment hosts count up from the first address and routers down from the last: in a /24, hosts
are .1, .2 … and routers .254, .253 …. IPv6 uses the same numbers.
"""

from __future__ import annotations

import bisect
import contextlib
import ipaddress
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import PlanError
from ..graph.attributes import Address, Kind, Prefix
from ..graph.topology import Segment, Topology

InterfaceAddress = ipaddress.IPv4Interface | ipaddress.IPv6Interface

#: Where automatic prefixes come from: RFC 1918 and, of the unique local addresses, RFC 4193.
POOLS: dict[int, Prefix] = {4: ipaddress.IPv4Network("10.0.0.0/8"), 6: ipaddress.IPv6Network("fd00::/16")}
#: The prefix length of a segment whose interfaces fit, per family.
LENGTHS = {4: 24, 6: 64}
#: Above this number of segments the prefixes are packed; up to it, one is as good to read as another.
READABLE = 256


#: Loopback addresses come out of the end of the pool, this part of it or as much as they need.
_LOOPBACK_PART = 256


@dataclass(frozen=True)
class Addressing:
    """Per segment its prefixes, and per interface its addresses, at most one of each family."""

    prefixes: tuple[tuple[Prefix, ...], ...]
    addresses: tuple[tuple[InterfaceAddress, ...], ...]


def assign_addresses(topology: Topology) -> Addressing:
    """Return the addressing of a topology, pinned prefixes and addresses included.

    Prefixes of /24 and /64 are handed out in the order of the segments, so that one added at the end
    renumbers nothing. Packed ones are as narrow as the segment allows, /31 (RFC 3021) and /127
    (RFC 6164) between two routers, and neighbours get neighbouring ones, which keeps routes few. Where
    the topology leaves it open, prefixes are packed in large networks, and in pools too small for others.

    Raises:
        PlanError: when a pool, or a pinned prefix, has too few addresses.
    """
    if topology.packed is not None:
        return _assigned(topology, topology.packed)
    if sum(not segment.loopback for segment in topology.segments) <= READABLE:
        with contextlib.suppress(PoolError):
            return _assigned(topology, packed=False)
    return _assigned(topology, packed=True)


def _assigned(topology: Topology, packed: bool) -> Addressing:
    prefixes: list[tuple[Prefix, ...]] = [() for _ in topology.segments]
    addresses: list[tuple[InterfaceAddress, ...]] = [() for _ in topology.interfaces]
    kinds = {node.name: node.kind for node in topology.nodes}
    order = neighbourly_order(topology, kinds) if packed else range(len(topology.segments))
    for family in topology.families:
        found = _prefixes(topology, family, order, packed)
        for index, segment in enumerate(topology.segments):
            prefix = found[index]
            prefixes[index] += (prefix,)
            for interface, address in _numbered(topology, kinds, segment, prefix):
                addresses[interface] += (ipaddress.ip_interface((int(address), prefix.prefixlen)),)
    return Addressing(tuple(prefixes), tuple(addresses))


def _prefixes(topology: Topology, family: int, order: Iterable[int], packed: bool) -> dict[int, Prefix]:
    """Return every segment's prefix of a family."""
    segments = topology.segments
    found = {index: pin for index in order if (pin := _pin(segments[index], family))}
    own = (pool for pool in topology.pools if pool.version == family)
    pool = next(own, POOLS[family])
    free = [index for index in order if index not in found]
    routers = {node.name for node in topology.nodes if node.kind is Kind.ROUTER} if packed else None
    lengths = {index: _length(topology, segments[index], pool, routers) for index in free}
    loopbacks = [index for index in free if segments[index].loopback]
    pinned = list(found.values())
    reserved: list[Prefix] = []
    try:
        if loopbacks:
            reserved.append(_last_block(pool, pinned, len(loopbacks)))
            single = _Pool(reserved[0], pinned, skipped=1)
            found |= {index: single.take(pool.max_prefixlen) for index in loopbacks}
        shared = _Pool(pool, pinned + reserved)
        # Those of one length together: where short and long ones take turns there are gaps between them,
        # and routes must not be merged over a gap.
        others = [index for index in free if not segments[index].loopback]
        others = sorted(others, key=lengths.__getitem__) if packed else others
        found |= {index: shared.take(lengths[index]) for index in others}
    except PoolError as error:
        raise PoolError(_exhausted(pool, list(lengths.values()), pinned, packed)) from error
    return found


def neighbourly_order(topology: Topology, kinds: dict[str, Kind]) -> list[int]:
    """Return the segments in such an order that those which many routers reach alike are together.

    Routers are visited branch by branch of a tree of shortest paths, small branches first, and a
    segment comes with the last of its routers. (Of the orders tried on public maps, depth-first
    search among them, this one needed the fewest routes.)
    """
    neighbours: dict[str, dict[str, None]] = {name: {} for name, kind in kinds.items() if kind is Kind.ROUTER}
    of_segment = [
        [
            topology.interfaces[end].node
            for end in segment.interfaces
            if topology.interfaces[end].node in neighbours
        ]
        for segment in topology.segments
    ]
    for names in of_segment:
        for name in names:
            neighbours[name].update(dict.fromkeys(other for other in names if other != name))
    position = {name: number for number, name in enumerate(_branch_by_branch(neighbours))}
    return sorted(
        range(len(of_segment)),
        key=lambda index: (max((position[name] for name in of_segment[index]), default=len(position)), index),
    )


def _branch_by_branch(neighbours: dict[str, dict[str, None]]) -> Iterator[str]:
    """Yield all names, each branch of a breadth-first tree whole, from its root down."""
    seen: set[str] = set()
    for root in neighbours:
        if root in seen:
            continue
        seen.add(root)
        order, children = [root], {root: list[str]()}
        for name in order:
            for other in neighbours[name]:
                if other not in seen:
                    seen.add(other)
                    order.append(other)
                    children[name].append(other)
                    children[other] = []
        size: dict[str, int] = {}
        for name in reversed(order):
            size[name] = 1 + sum(size[child] for child in children[name])
        stack = [root]
        while stack:
            name = stack.pop()
            yield name
            stack.extend(sorted(children[name], key=size.__getitem__, reverse=True))


def _pin(segment: Segment, family: int) -> Prefix | None:
    return next((prefix for prefix in segment.pinned if prefix.version == family), None)


def _length(topology: Topology, segment: Segment, pool: Prefix, routers: set[str] | None) -> int:
    """Return the length of the prefix that a segment gets, packed where `routers` are known by name."""
    if segment.loopback:
        return pool.max_prefixlen
    count = len(segment.interfaces)
    needed = pool.max_prefixlen - (count + 1).bit_length()
    if routers is None:
        return min(LENGTHS[pool.version], needed)
    if count == 2 and all(topology.interfaces[end].node in routers for end in segment.interfaces):
        return pool.max_prefixlen - 1
    return needed if pool.version == 4 else min(LENGTHS[pool.version], needed)


def _last_block(pool: Prefix, pinned: Sequence[Prefix], count: int) -> Prefix:
    """Return the last prefix within a pool that is free of pins and holds `count` loopback addresses."""
    size = max(pool.num_addresses // _LOOPBACK_PART, 1 << count.bit_length())  # the first one is not used
    length = pool.max_prefixlen - (size.bit_length() - 1)
    start = int(pool.broadcast_address) + 1 - size
    while start >= int(pool.network_address):
        block = type(pool)((start, length))
        inside = [pin for pin in pinned if pin.overlaps(block)]
        if not inside:
            return block
        start = min(start, min(int(pin.network_address) for pin in inside) // size * size) - size
    raise PoolError("no room for loopback addresses")


def _exhausted(pool: Prefix, lengths: Sequence[int], pinned: Sequence[Prefix], packed: bool) -> str:
    """Return why a pool does not do: what it has, and what is needed in all."""
    needed = sum(1 << (pool.max_prefixlen - length) for length in lengths)
    taken = sum(pin.num_addresses for pin in pinned if pin[0] in pool)
    shares = ", ".join(f"{count} of /{length}" for length, count in sorted(Counter(lengths).items()))
    pins = f", of which pins take {_number(taken)}" if taken else ""
    narrower = "" if packed else "; --packed makes prefixes as narrow as they can be"
    other = "IPv6 only (-6)" if pool.version == 4 else "IPv4 only (-4)"
    return (
        f"hand out prefixes: the pool {pool} has {_number(pool.num_addresses)} addresses{pins}, and "
        f"{_number(needed)} are needed ({shares}){narrower}; give a larger --pool, or use {other}"
    )


def _number(count: int) -> str:
    """Return a number of addresses as people read it."""
    return f"{count:,}" if count < 1 << 33 else f"2^{math.log2(count):.3g}"


class PoolError(PlanError):
    """A pool has too few addresses."""


class _Pool:
    """Hands out aligned prefixes in ascending order, around those that are pinned."""

    def __init__(self, pool: Prefix, pinned: Iterable[Prefix], skipped: int = 0) -> None:
        self.pool, self.next = pool, int(pool.network_address) + skipped
        self.last = int(pool.broadcast_address)
        spans = sorted((int(prefix.network_address), int(prefix.broadcast_address)) for prefix in pinned)
        self.starts, self.ends = [start for start, _ in spans], [end for _, end in spans]

    def take(self, length: int) -> Prefix:
        """Return the next free prefix of this length; PoolError when there is none."""
        size = 1 << (self.pool.max_prefixlen - length)
        start = -(-self.next // size) * size
        while (at := bisect.bisect_right(self.starts, start + size - 1) - 1) >= 0 and self.ends[at] >= start:
            start = -(-(self.ends[at] + 1) // size) * size
        if start + size - 1 > self.last:
            raise PoolError(f"the pool {self.pool} has no /{length} left")
        self.next = start + size
        return type(self.pool)((start, length))


def _numbered(
    topology: Topology, kinds: dict[str, Kind], segment: Segment, prefix: Prefix
) -> Iterator[tuple[int, Address]]:  # fmt: skip
    """Yield every interface of a segment with its address within `prefix`."""
    taken = {
        index: address
        for index in segment.interfaces
        for address in topology.interfaces[index].pinned
        if address.version == prefix.version
    }
    used = set(taken.values())
    up, down = _usable(prefix, len(segment.interfaces))
    for index in segment.interfaces:
        if index in taken:
            yield index, taken[index]
            continue
        from_below = kinds[topology.interfaces[index].node] is Kind.HOST
        number = next((n for n in (up if from_below else down) if prefix[n] not in used), None)
        if number is None:
            first = topology.interfaces[segment.interfaces[0]]
            what = f"{len(segment.interfaces)} interfaces on the segment of {first.altname or first.name}"
            whole = prefix.prefixlen == prefix.max_prefixlen  # its length was forgotten
            example = f", such as /{24 if prefix.version == 4 else 64}" if whole else ""
            way = f"pin a shorter one{example}"
            raise PlanError(f"number {what}: prefix {prefix} has too few addresses; {way}")
        used.add(prefix[number])
        yield index, prefix[number]


def _usable(prefix: Prefix, interfaces: int) -> tuple[Iterator[int], Iterator[int]]:
    """Return the numbers that may be used within a prefix, upwards and downwards.

    A prefix of two addresses uses both (RFC 3021, RFC 6164); else the first and, as IPv4's broadcast
    address, the last stay free. A large IPv6 prefix is used as if it were just wide enough.
    """
    size = prefix.num_addresses
    if size <= 2:
        return iter(range(size)), iter(range(size - 1, -1, -1))
    if prefix.version == 6:
        size = min(size, max(1 << 8, 2 << (interfaces + 1).bit_length()))
    return iter(range(1, size - 1)), iter(range(size - 2, 0, -1))
