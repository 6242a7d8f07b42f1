"""Whether this kernel's netem has a seed for its random numbers. One older than Linux 6.6 passes over it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .answers import attributes_in, messages_in
from .delivery import Batch, exchange
from .messages import (
    ACK,
    CREATE,
    DELQDISC,
    DUMP,
    GETQDISC,
    NEWQDISC,
    REPLACE,
    REQUEST,
    ROOT,
    TRAFFIC,
    attribute,
    message,
    text,
    traffic,
)

if TYPE_CHECKING:
    from ..sandboxes.connection import Sandbox

# include/uapi/linux/{rtnetlink,pkt_sched}.h
_LOOPBACK, _TCA_KIND, _TCA_OPTIONS, _TCA_NETEM_PRNG_SEED = 1, 1, 2, 14
#: struct tc_netem_qopt of a queue of one packet.
_OF_ONE = struct.pack("=6I", 0, 1, 0, 0, 0, 0)


def keeps_seeds(sandbox: Sandbox) -> bool:
    """Tell whether a seed is there when it is read back: a netem is made for it and taken away."""
    options = attribute(_TCA_OPTIONS, _OF_ONE + attribute(_TCA_NETEM_PRNG_SEED, struct.pack("=Q", 1)))
    made = traffic(_LOOPBACK, 1 << 16, ROOT) + text(_TCA_KIND, "netem") + options
    messages = (
        message(NEWQDISC, REQUEST | REPLACE | CREATE, 0, made),
        message(GETQDISC, REQUEST | DUMP, 1, traffic(_LOOPBACK, 0, 0)),
        message(DELQDISC, REQUEST | ACK, 2, traffic(_LOOPBACK, 0, ROOT)),
    )
    batches = [Batch(None, messages[0] + messages[1], 1), Batch(None, messages[2], 2)]
    listed, _ = exchange(sandbox, batches, lambda _: None)
    return has_seed(listed.data)


def has_seed(data: bytes) -> bool:
    """Tell whether there is a netem with a seed in the answer to a question for queue disciplines. Pure."""
    for kind, start, end in messages_in(data):
        if kind == NEWQDISC:
            fields = attributes_in(data, start + TRAFFIC.size, end)
            first, after = fields.get(_TCA_KIND, (end, end))
            if data[first:after].rstrip(b"\0") == b"netem":
                first, after = fields[_TCA_OPTIONS]
                if _TCA_NETEM_PRNG_SEED in attributes_in(data, first + len(_OF_ONE), after):
                    return True
    return False
