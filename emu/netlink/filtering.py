"""Random loss by nftables: packets are dropped where they come in, at the receiving interface.

It works on kernels without netem. At egress it would be no loss: the sender is told of the drop and, if
it is TCP, sends again at once. Formats: include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h; numbers
have the network's byte order, but for what headers hold. Each interface has a chain and a counter of its
own in the node's table `emu`; they are named after the interface's number, since names of chains are
narrower than those of interfaces.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..shaping.possible import plain_loss
from .answers import attributes_in, messages_in
from .messages import ACK, APPEND, CREATE, DUMP, NESTED, REQUEST, attribute, message, text
from .operations import Request

if TYPE_CHECKING:
    from ..planning.plan import Plan

#: The netlink protocol that these messages are for, include/uapi/linux/netlink.h.
NETLINK_NETFILTER = 12
#: A share of packets is told in parts of this: an exact power of ten reads well in `nft list ruleset`.
PARTS = 10**9
TABLE = "emu"

# include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h
_BATCH_BEGIN, _BATCH_END, _SUBSYSTEM = 16, 17, 10
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE, _DELRULE, _NEWOBJ, _GETOBJ = 0, 2, 3, 6, 8, 18, 19
#: The family of chains that hang on one interface, NFPROTO_NETDEV in include/uapi/linux/netfilter.h.
_NETDEV = 5
_GENERIC = struct.Struct("=BBH")
_COUNTER, _ACCEPT, _DROP = 1, 1, 0
_REGISTER, _VERDICT = 1, 0
_RANDOM, _HTON, _LESS = 1, 1, 2
# The attributes: of an object, a chain, its hook, a rule, a list, an expression.
_OBJ_TABLE, _OBJ_NAME, _OBJ_TYPE, _OBJ_DATA = 1, 2, 3, 4
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_PRIORITY, _HOOK_DEVICE = 1, 2, 3
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_ELEMENT, _EXPR_NAME, _EXPR_DATA = 1, 1, 2
_COUNTER_BYTES, _COUNTER_PACKETS = 1, 2


@dataclass(frozen=True, slots=True)
class DropAtRandom(Request):
    """Drop a share of the packets that come in through an interface, each packet by a chance of its own.

    Doing it again with another share changes it in one step: no packet in between sees another rule
    than the old or the new, and the counter of what was dropped goes on. A share of 0 drops nothing.

    Attributes:
        name: the interface.
        index: its number.
        share: 0 to 1, in steps of 10⁻⁹.
    """

    name: str
    index: int
    share: float

    @property
    def protocol(self) -> int:
        """The netlink protocol that it speaks."""
        return NETLINK_NETFILTER

    @property
    def count(self) -> int:
        """How many messages it is, without the two that make a transaction of them."""
        return 5 if _parts(self.share) else 4

    def commands(self) -> tuple[str, ...]:
        """Return the `nft` commands that do the same, one for each message."""
        chain = f"netdev {TABLE} {_chain(self.index)}"
        hook = f'type filter hook ingress device "{self.name}" priority 0 ; policy accept ;'
        steps = [
            f"add table netdev {TABLE}",
            f"add counter {chain}",
            f"add chain {chain} {{ {hook} }}",
            f"flush chain {chain}",
        ]
        if parts := _parts(self.share):
            drop = f'numgen random mod {PARTS} < {parts} counter name "{_chain(self.index)}" drop'
            steps.append(f"add rule {chain} {drop}")
        return tuple(f"ip netns exec {self.node} nft '{step}'" for step in steps)

    def encode(self, sequence: int, namespaces: Mapping[str, int], acknowledge: bool) -> bytes:  # noqa: ARG002  # as of a Request
        """Return the messages as a transaction: all take effect at once, or none does."""
        chain = _chain(self.index)
        steps = [
            (_NEWTABLE, 0, text(1, TABLE) + _number(2, 0)),
            (_NEWOBJ, CREATE, _counter(chain)),
            (_NEWCHAIN, CREATE, _ingress_chain(chain, self.name)),
            (_DELRULE, 0, text(_RULE_TABLE, TABLE) + text(_RULE_CHAIN, chain)),
        ]
        if parts := _parts(self.share):
            steps.append((_NEWRULE, CREATE | APPEND, _drop_rule(chain, parts)))
        return _batch(steps, sequence, acknowledge)


def loss_operations(plan: Plan) -> list[DropAtRandom]:
    """Return what makes links lose packets on a kernel without netem: a filter at the end that receives."""
    return [
        DropAtRandom(*one.peer, plan.interfaces[one.peer].index, share)
        for node in plan.nodes for one in node.interfaces
        if (share := plain_loss(one.shaping)) is not None
    ]  # fmt: skip


def encode_removal(sequence: int) -> bytes:
    """Return the transaction that takes all of a node's chains away; ENOENT where there are none."""
    return _batch([(_DELTABLE, 0, text(1, TABLE))], sequence, True)


def encode_count(sequence: int) -> bytes:
    """Return the message that asks for the counters of a node; `read_count` reads the answer."""
    body = text(_OBJ_TABLE, TABLE) + _number(_OBJ_TYPE, _COUNTER)
    return message(_kind(_GETOBJ), REQUEST | DUMP, sequence, _GENERIC.pack(_NETDEV, 0, 0) + body)


def read_count(data: bytes) -> dict[int, tuple[int, int]]:
    """Return how many packets and bytes were dropped, by the number of the interface they came in through."""
    found = {}
    for kind, start, end in messages_in(data):
        if kind != _kind(_NEWOBJ):
            continue
        fields = attributes_in(data, start + _GENERIC.size, end)
        name = _slice(data, fields[_OBJ_NAME]).rstrip(b"\0").decode()
        counter = attributes_in(data, *fields[_OBJ_DATA])
        packets, size = (
            int.from_bytes(_slice(data, counter[one]), "big") for one in (_COUNTER_PACKETS, _COUNTER_BYTES)
        )
        if name.startswith(_PREFIX) and name.removeprefix(_PREFIX).isdecimal():
            found[int(name.removeprefix(_PREFIX))] = packets, size
    return found


_PREFIX = "loss"


def _chain(index: int) -> str:
    return f"{_PREFIX}{index}"


def _parts(share: float) -> int:
    """Return a share in parts of `PARTS`; the least that is not nothing is one."""
    return max(round(share * PARTS), 1) if share > 0 else 0


def _batch(steps: list[tuple[int, int, bytes]], sequence: int, acknowledge: bool) -> bytes:
    """Return messages, numbered from `sequence`, as a transaction; the last may ask for an answer.

    The two around them get no number of their own. Older kernels than 6.10 acknowledge neither, and one
    that has no nftables refuses the first.
    """
    # The subsystem stands in the network's byte order, unlike all else in a header.
    frame = _GENERIC.pack(0, 0, socket.htons(_SUBSYSTEM))
    parts = [message(_BATCH_BEGIN, REQUEST, sequence, frame)]
    last = sequence + len(steps) - 1
    for number, (kind, flags, body) in enumerate(steps, start=sequence):
        asked = ACK if acknowledge and number == last else 0
        head = _GENERIC.pack(_NETDEV, 0, 0)
        parts.append(message(_kind(kind), REQUEST | flags | asked, number, head + body))
    parts.append(message(_BATCH_END, REQUEST, last, frame))
    return b"".join(parts)


def _kind(one: int) -> int:
    return _SUBSYSTEM << 8 | one


def _counter(name: str) -> bytes:
    zeros = attribute(_COUNTER_BYTES, bytes(8)) + attribute(_COUNTER_PACKETS, bytes(8))
    return (
        text(_OBJ_TABLE, TABLE) + text(_OBJ_NAME, name) + _number(_OBJ_TYPE, _COUNTER)
        + _nested(_OBJ_DATA, zeros)
    )  # fmt: skip


def _ingress_chain(name: str, interface: str) -> bytes:
    hook = _number(_HOOK_NUMBER, 0) + _number(_HOOK_PRIORITY, 0) + text(_HOOK_DEVICE, interface)
    return (
        text(_CHAIN_TABLE, TABLE) + text(_CHAIN_NAME, name) + text(_CHAIN_TYPE, "filter")
        + _number(_CHAIN_POLICY, _ACCEPT) + _nested(_CHAIN_HOOK, hook)
    )  # fmt: skip


def _drop_rule(chain: str, parts: int) -> bytes:
    """Return the rule: a random number below `PARTS` that is also below `parts` means a drop.

    The comparison is of bytes, so that the number must first have the network's byte order.
    """
    verdict = _nested(2, _nested(2, _number(1, _DROP)))
    expressions = (
        _expression("numgen", _number(1, _REGISTER), _number(2, PARTS), _number(3, _RANDOM), _number(4, 0))
        + _expression("byteorder", *(_number(1 + n, one) for n, one in enumerate((1, 1, _HTON, 4, 4))))
        + _expression("cmp", _number(1, _REGISTER), _number(2, _LESS), _nested(3, _number(1, parts)))
        + _expression("objref", _number(1, _COUNTER), attribute(2, chain.encode()))
        + _expression("immediate", _number(1, _VERDICT), verdict)
    )
    return text(_RULE_TABLE, TABLE) + text(_RULE_CHAIN, chain) + _nested(_RULE_EXPRESSIONS, expressions)


def _expression(name: str, *fields: bytes) -> bytes:
    return _nested(_ELEMENT, text(_EXPR_NAME, name) + _nested(_EXPR_DATA, b"".join(fields)))


def _nested(kind: int, value: bytes) -> bytes:
    return attribute(kind | NESTED, value)


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(4, "big"))


def _slice(data: bytes, place: tuple[int, int]) -> bytes:
    return data[place[0] : place[1]]
