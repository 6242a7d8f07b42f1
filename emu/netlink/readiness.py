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

from .answers import attributes_in, messages_in
from .delivery import Batch, exchange
from .messages import ACK, GETLINK, LINK, REQUEST, link_query, message

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox

# include/uapi/linux/{if_link,if}.h
_IFLA_OPERSTATE, _IF_OPER_UP = 16, 6
#: How long links may take until they carry packets, in seconds; it takes milliseconds, but the kernel acts
#: only once a second where there is much to do (net/core/link_watch.c).
READY = 2.0
#: How often to look, in seconds.
_PAUSE = 0.001
#: Of how many interfaces to ask at once: each answer takes up to 4 KiB of a socket's usual 208 KiB.
_AT_ONCE = 32


def await_interfaces(sandbox: Sandbox, wanted: Mapping[str, Sequence[int]], timeout: float = READY) -> bool:
    """Wait until interfaces are in service.

    Args:
        sandbox: where they are.
        wanted: the interfaces' numbers, by node.
        timeout: when to give up, in seconds.

    Returns:
        Whether all are.
    """
    deadline = time.monotonic() + timeout
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
    return b"".join(
        message(GETLINK, REQUEST | (ACK if index == indices[-1] else 0), index, link_query(index))
        for index in indices
    )


def _states(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the number and the operational state of each interface that an answer tells of."""
    for _, start, end in messages_in(data):
        _, _, index, _, _ = LINK.unpack_from(data, start)
        place = attributes_in(data, start + LINK.size, end).get(_IFLA_OPERSTATE)
        if place is not None:
            yield index, data[place[0]]
