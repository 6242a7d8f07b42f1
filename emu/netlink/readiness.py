"""Waiting until links that were set up carry packets.

Of a veth pair, the end that is set up first has no carrier until the other end follows. The kernel then
brings it into service later, in a work queue (net/core/link_watch.c), and drops what is sent through it
until then: a lost ARP request is repeated only after a second. The other end may lag behind, too: where the
work queue has seen it without a carrier before, IPv6 makes its link-local address, and with it neighbour
discovery possible, only when the queue sees the carrier. When that has happened, the interface's operational
state (RFC 2863) is "up". From Linux 6.13 on, asking for it makes it happen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .delivery import Batch, exchange
from .messages import ACK, ATTRIBUTE, GETLINK, HEADER, LINK, NEWLINK, REQUEST, link, message, number

if TYPE_CHECKING:
    from ..connection import Sandbox

# include/uapi/linux/{if_link,rtnetlink,if}.h
_IFLA_OPERSTATE, _IFLA_EXT_MASK, _SKIP_STATS = 16, 29, 8
_IF_OPER_UP = 6
#: How often to look, in seconds.
_PAUSE = 0.001
#: Of how many interfaces to ask at once: each answer takes up to 4 KiB of a socket's usual 208 KiB.
_AT_ONCE = 32


def await_interfaces(sandbox: Sandbox, wanted: Mapping[str, Sequence[int]], deadline: float) -> bool:
    """Wait until interfaces are in service.

    Args:
        sandbox: where they are.
        wanted: the interfaces' numbers, by node.
        deadline: when to give up, by `time.monotonic()`.

    Returns:
        Whether all are.
    """
    waiting: Mapping[str, Sequence[int]] = wanted
    while waiting := _not_in_service(sandbox, waiting):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _not_in_service(sandbox: Sandbox, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Return those interfaces that are there and not in service."""
    found: dict[str, list[int]] = {}
    batches = (
        Batch(node, _questions(part), part[-1])
        for node, indices in wanted.items() for part in _parts(indices)
    )  # fmt: skip
    for answer in exchange(sandbox, batches, lambda _: None):  # refused is what is gone: nothing to wait for
        late = [index for index, state in _states(answer.data) if state != _IF_OPER_UP]
        if late:
            found.setdefault(str(answer.batch.place), []).extend(late)
    return found


def _parts(indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield interfaces so few at a time that a socket holds the answers."""
    for first in range(0, len(indices), _AT_ONCE):
        yield indices[first : first + _AT_ONCE]


def _questions(indices: Sequence[int]) -> bytes:
    """Return a message per interface that asks how it is, numbered like it."""
    mask = number(_IFLA_EXT_MASK, _SKIP_STATS)
    return b"".join(
        message(GETLINK, REQUEST | (ACK if index == indices[-1] else 0), index, link(index) + mask)
        for index in indices
    )


def _states(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the number and the operational state of each interface that an answer tells of."""
    offset = 0
    while offset < len(data):
        size, kind, _, _, _ = HEADER.unpack_from(data, offset)
        if kind == NEWLINK:
            _, _, index, _, _ = LINK.unpack_from(data, offset + HEADER.size)
            attributes = data[offset + HEADER.size + LINK.size : offset + size]
            yield from ((index, state) for state in _state(attributes))
        offset += (size + 3) & ~3


def _state(attributes: bytes) -> Iterator[int]:
    offset = 0
    while offset < len(attributes):
        size, kind = ATTRIBUTE.unpack_from(attributes, offset)
        if kind == _IFLA_OPERSTATE:
            yield attributes[offset + ATTRIBUTE.size]
        offset += (size + 3) & ~3
