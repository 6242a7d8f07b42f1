"""Waiting until links that were set up carry packets.

Of a veth pair, the end that is set up first has no carrier until the other end follows. The kernel then
brings it into service later, in a work queue (net/core/link_watch.c), and drops what is sent through it
until then: a lost ARP request is repeated only after a second. The other end may lag behind, too: where the
work queue has seen it without a carrier before, IPv6 makes its link-local address, and with it neighbour
discovery possible, only when the queue sees the carrier. When that has happened, the interface's operational
state (RFC 2863) is "up". From Linux 6.13 on, asking for it makes it happen.

An IPv6 address is "tentative" until another work queue has been at it (addrconf_dad_work in
net/ipv6/addrconf.c), even where nobody looks for duplicates: only then has the node joined the group at which
neighbours ask for the address. What they asked before was dropped, and is asked again after a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from .answers import attributes_in, messages_in
from .delivery import Batch, exchange, nodes_expected
from .messages import ACK, ADDRESS, DUMP, FAMILY, GETADDR, GETLINK, LINK, REQUEST, link_query, message

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox

_Waiting = TypeVar("_Waiting", bound=Collection[str])
# include/uapi/linux/{if_link,if,if_addr}.h
_IFLA_OPERSTATE, _IF_OPER_UP = 16, 6
_IFA_F_DADFAILED, _IFA_F_TENTATIVE = 0x08, 0x40
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
    return _await(lambda waiting: _not_in_service(sandbox, waiting), wanted, timeout)


def await_addresses(sandbox: Sandbox, nodes: Collection[str], timeout: float = READY) -> bool:
    """Wait until nodes can be reached at all IPv6 addresses that they have.

    Returns:
        Whether they can; the time to give up is in seconds.
    """
    return _await(lambda waiting: _with_tentative_addresses(sandbox, waiting), nodes, timeout)


def _await(late: Callable[[_Waiting], _Waiting], waiting: _Waiting, timeout: float) -> bool:
    """Wait until nothing is late any more; `late` returns what is of what was."""
    deadline = time.monotonic() + timeout
    with nodes_expected():
        while waiting := late(waiting):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
    return True


def _with_tentative_addresses(sandbox: Sandbox, nodes: Collection[str]) -> list[str]:
    query = message(GETADDR, REQUEST | DUMP, 1, ADDRESS.pack(FAMILY[6], 0, 0, 0, 0))
    answers = exchange(sandbox, (Batch(node, query, 1) for node in nodes), lambda _: None)
    return [str(answer.batch.place) for answer in answers if any(_tentative(answer.data))]


def _tentative(data: bytes) -> Iterator[bool]:
    """Yield of each address in an answer whether it will be usable later."""
    for _, start, _ in messages_in(data):
        flags = ADDRESS.unpack_from(data, start)[2]
        yield flags & (_IFA_F_TENTATIVE | _IFA_F_DADFAILED) == _IFA_F_TENTATIVE


def _not_in_service(sandbox: Sandbox, wanted: Mapping[str, Sequence[int]]) -> Mapping[str, Sequence[int]]:
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
