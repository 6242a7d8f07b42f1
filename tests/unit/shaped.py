"""Directions of links with all that they can do, as the requests that shape them."""

from __future__ import annotations

from typing import Any

from emu.netlink.arrangement import layers_of
from emu.netlink.operations import Request
from emu.netlink.queueing import SetDiscipline, SetMtu
from emu.netlink.service_curve import Hfsc, SetCurve
from emu.shaping import Shaping, shaping_from
from emu.shaping.attributes import PARSERS

#: Attributes as graphs have them, with and without netem.
DIRECTIONS: list[dict[str, Any]] = [
    {"delay": "10ms"},
    {"delay": "100ms", "jitter": "20ms", "delay_correlation": "25%"},
    {"delay": "100ms", "jitter": "20ms", "distribution": "normal"},
    {"delay": "100ms", "jitter": "20ms", "delay_correlation": "25%", "distribution": "pareto"},
    {"slot": "distribution normal 1ms 200us packets 8"},
    {"loss": "1%"},
    {"loss": "1% 25%"},
    {"loss": "gemodel 1% 10%"},
    {"loss": "gemodel 1% 10% 70% 0.1%"},
    {"loss": "state 1%"},
    {"loss": "state 1% 10% 5% 50% 0.5%"},
    {"delay": "10ms", "duplicate": "2% 5%", "corrupt": "0.1% 5%", "reorder": "25% 50% gap 5"},
    {"delay": "10ms", "corrupt": "1%", "reorder": "5%"},
    {"slot": "800us 1ms packets 8 bytes 64k"},
    {"rate": "10mbit", "limit": 41},
    {"rate": "100gbit"},
    {"rate": "1mbit", "limit": "20kb", "queue": "bfifo"},
    {"rate": "100gbit", "limit": "1mb", "queue": "bfifo"},
    {"rate": "10mbit", "limit": 100, "queue": "fq_codel target 5ms interval 100ms noecn quantum 1514"},
    {
        "rate": "10mbit", "limit": 1000,
        "queue": "fq_codel flows 512 ecn ce_threshold 1ms drop_batch 32 memory_limit 1000000",
    },
    {"rate": "10mbit", "limit": 100, "queue": "codel target 5ms interval 100ms ecn ce_threshold 1ms"},
    {"limit": 1000, "queue": "fq flow_limit 100 quantum 3028 initial_quantum 15140 maxrate 10mbit pacing"},
    {"limit": 1000, "queue": "fq refill_delay 40ms low_rate_threshold 1mbit horizon 5s horizon_cap"},
    {"rate": "10mbit", "limit": 100, "queue": "pie target 15ms tupdate 15ms alpha 2 beta 20 ecn bytemode"},
    {"rate": "10mbit", "limit": 100, "queue": "pie noecn dq_rate_estimator"},
    {"rate": "10mbit", "limit": "400000b", "queue": "red min 30000 max 90000 avpkt 1000 burst 55 ecn"},
    {"rate": "100mbit", "limit": "400000b", "queue": "red min 30000 max 90000 avpkt 1514 adaptive"},
    {"rate": "1gbit", "limit": "4mb", "queue": "red ecn"},
    {"rate": "10mbit", "limit": 100, "queue": "sfq perturb 10 quantum 3028"},
    {"rate": "10mbit", "limit": 100, "queue": "sfq flows 64 depth 50 divisor 512"},
    {"rate": "10mbit", "limit": "50000b", "queue": "cake besteffort flows nat wash ack-filter"},
    {"rate": "10mbit", "limit": "50000b", "queue": "cake diffserv4 triple-isolate split-gso"},
]  # fmt: skip


def shaping(**attributes: Any) -> Shaping:
    """Return the shaping that a graph's attributes give."""
    return shaping_from({name: PARSERS[name](value) for name, value in attributes.items()})


def requests() -> list[Request]:
    """Return each request once that shapes one of the directions, of the interface A-veth0."""
    found: dict[Request, None] = {SetMtu("A", "A-veth0", 2, 1400): None}
    for attributes in DIRECTIONS:
        for there in (None, {"netem", "tbf"}, {"tbf"}):
            for layer in layers_of(shaping(**attributes), there):
                found[SetDiscipline("A", "A-veth0", 2, layer)] = None
                if isinstance(layer.discipline, Hfsc):
                    found[SetCurve("A", "A-veth0", 2, layer.major, layer.discipline.rate)] = None
    return list(found)
