"""What the kernel has, as quickly as it can be read: the tables of thousands of nodes.

`dumps` reads the same for people, with all there is to know; here an address is bytes and an interface a
number, as in `emu.planning.routes`. The formats are those of rtnetlink(7) and include/uapi/linux/rtnetlink.h.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..planning.routes import ADDRESS_SIZE
from .answers import attributes_in, messages_in
from .delivery import Batch, exchange, nodes_expected
from .messages import (
    BY_BOOT,
    BY_KERNEL,
    DUMP,
    FAMILY,
    GETLINK,
    GETROUTE,
    LINK,
    MAIN_TABLE,
    NEXT_HOP,
    REQUEST,
    ROUTE,
    RTA_DST,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_PRIORITY,
    UNICAST,
    UNREACHABLE,
    link_query,
    message,
)

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox
    from .delivery import Refusal

# include/uapi/linux/{rtnetlink,if_link,if}.h
_IFF_UP, _IFF_RUNNING, _IFF_LOWER_UP = 0x1, 0x40, 0x10000
_IFLA_IFNAME, _RTA_VIA, _RTA_NH_ID = 3, 18, 30
#: The metric that the kernel gives a route without one (IP6_RT_PRIO_USER).
METRIC = {4: 0, 6: 1024}
#: Of how many nodes the state is asked for at once; bounds what the keeper has to hold.
_AT_ONCE = 64

#: Family, address, prefix length and metric: what tells a route from all others.
Key = tuple[int, bytes, int, int]
#: The number of an interface, a gateway's address (empty: on the link), and the hop's weight less one.
Hop = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class LinkState:
    """An interface: whether somebody set it up, has a carrier, and the kernel sends through it already."""

    name: str
    up: bool
    carrier: bool
    running: bool


@dataclass(frozen=True, slots=True)
class RouteState:
    """A route of the main table. `ordinary`: as `ip route add` makes it, unicast or unreachable."""

    hops: frozenset[Hop]
    ordinary: bool


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the kernel has of a node: its interfaces by number, and its main tables.

    `connected` are the routes that the kernel makes itself, to the prefixes of interfaces.
    """

    links: dict[int, LinkState] = field(default_factory=dict)
    routes: dict[Key, RouteState] = field(default_factory=dict)
    connected: set[tuple[Key, Hop]] = field(default_factory=set)


def read_states(
    sandbox: Sandbox, nodes: Sequence[str], families: tuple[int, ...]
) -> dict[str, NodeState]:  # fmt: skip
    """Return what the kernel has of some nodes; EmuError when somebody has removed one."""
    found = {name: NodeState() for name in nodes}
    for start in range(0, len(nodes), _AT_ONCE):
        batches = (batch for name in nodes[start : start + _AT_ONCE] for batch in _questions(name, families))
        with nodes_expected():
            for answer in exchange(sandbox, batches, _ignore):
                state = found[str(answer.batch.place)]
                if answer.batch.last:
                    _add_routes(state, answer.batch.last, answer.data)
                else:
                    _add_links(state.links, answer.data)
    return found


def _questions(node: str, families: tuple[int, ...]) -> Iterator[Batch]:
    """Yield what asks a node for its interfaces (0) and its routes (numbered by family)."""
    yield Batch(node, message(GETLINK, REQUEST | DUMP, 0, link_query()), 0)
    for version in families:
        body = ROUTE.pack(FAMILY[version], 0, 0, 0, 0, 0, 0, 0, 0)
        yield Batch(node, message(GETROUTE, REQUEST | DUMP, version, body), version)


def _ignore(_: Refusal) -> None:
    """Take a list that the kernel refuses for empty: it has no such family, or no such table."""


def _add_links(found: dict[int, LinkState], data: bytes) -> None:
    for _, start, end in messages_in(data):
        _, _, index, flags, _ = LINK.unpack_from(data, start)
        at, to = attributes_in(data, start + LINK.size, end)[_IFLA_IFNAME]
        name = data[at:to].rstrip(b"\0").decode()
        states = (bool(flags & flag) for flag in (_IFF_UP, _IFF_LOWER_UP, _IFF_RUNNING))
        found[index] = LinkState(name, *states)


def _add_routes(state: NodeState, version: int, data: bytes) -> None:
    for _, start, end in messages_in(data):
        _, length, _, tos, table, protocol, _, kind, _ = ROUTE.unpack_from(data, start)
        if table != MAIN_TABLE:
            continue
        values = attributes_in(data, start + ROUTE.size, end)
        address = _bytes(data, values.get(RTA_DST)) or bytes(ADDRESS_SIZE[version])
        key = version, address, length, _number(_bytes(data, values.get(RTA_PRIORITY)))
        hops = frozenset(_hops(data, values)) if kind == UNICAST else frozenset()
        if protocol == BY_KERNEL:
            state.connected.update((key, hop) for hop in hops)
            continue
        foreign = tos or _RTA_VIA in values or _RTA_NH_ID in values
        ordinary = protocol == BY_BOOT and not foreign and kind in (UNICAST, UNREACHABLE)
        if key in state.routes:  # a second one of the same metric, which emu never makes
            hops, ordinary = hops | state.routes[key].hops, False
        state.routes[key] = RouteState(hops, ordinary)


def _hops(data: bytes, values: dict[int, tuple[int, int]]) -> Iterator[Hop]:
    """Yield the next hops among the attributes of a route."""
    if RTA_MULTIPATH not in values:
        yield _number(_bytes(data, values.get(RTA_OIF))), _bytes(data, values.get(RTA_GATEWAY)), 0
        return
    at, end = values[RTA_MULTIPATH]
    while at < end:
        size, _, weight, index = NEXT_HOP.unpack_from(data, at)
        own = attributes_in(data, at + NEXT_HOP.size, at + size)
        yield index, _bytes(data, own.get(RTA_GATEWAY)), weight
        at += (size + 3) & ~3


def _bytes(data: bytes, where: tuple[int, int] | None) -> bytes:
    return b"" if where is None else data[where[0] : where[1]]


def _number(value: bytes) -> int:
    return int.from_bytes(value, sys.byteorder)
