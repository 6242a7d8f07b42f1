"""The queue disciplines that a link may have, and their options, by the names that tc has for them.

The numbers are those of include/uapi/linux/pkt_sched.h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import shown, suggestion
from .model import Queue
from .units import (
    parse_chance,
    parse_count,
    parse_rate,
    parse_size,
    parse_time,
    quantity,
    show_time,
    words_of,
)

Value = int | float | bool | str
#: What an option's value is. A time is one that the kernel takes in µs, but for those that it takes in ns.
FLAG, COUNT, SIZE, TIME, RATE, CHANCE = "flag", "count", "size", "time", "rate", "chance"
NANOSECONDS = "nanoseconds"


def _parse_probability(value: Any, what: str) -> float:
    """Return a chance that tc writes as a number from 0 to 1; a percentage will do too."""
    if str(value).endswith("%"):
        return parse_chance(value, what)
    chance = float(quantity(value, what, {"": 1}, ""))
    if chance > 1:
        raise ValueError(f"{what} {shown(value)} is more than 1")
    return chance


def _parse_nanoseconds(value: Any, what: str) -> int:
    """Return a time in ns that fits the 32 bits in which the kernel takes it."""
    time = parse_time(value, what)
    if time >= 2**32:
        raise ValueError(f"{what} {shown(value)} is more than the kernel takes, {show_time(2**32 - 1)}")
    return time


_PARSERS: dict[str, Callable[[Any, str], Value]] = {
    COUNT: parse_count, SIZE: parse_size, TIME: parse_time, NANOSECONDS: _parse_nanoseconds,
    CHANCE: _parse_probability,
    RATE: lambda value, what: parse_rate(value),  # noqa: ARG005  # it says itself what it is
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its attribute's number, what it is, and for a flag or a choice the value it stands for."""

    attribute: int
    kind: str
    value: int = 1


@dataclass(frozen=True, slots=True)
class Discipline:
    """A queue discipline.

    Attributes:
        unit: what its limit counts.
        limit: the attribute that holds it; 0 where its limit is elsewhere.
        options: by name.
        is_whole: a message says all that it is to be; others keep options that they are not told of.
        is_fixed: its options are changed only by making another one (no `change` in its struct Qdisc_ops).
        set_up: options that it is made with: the kernel refuses a change that mentions them.
    """

    unit: str
    limit: int = 0
    options: Mapping[str, Option] = field(default_factory=dict)
    is_whole: bool = False
    is_fixed: bool = False
    set_up: frozenset[str] = frozenset()


def _flags(attribute: int, **values: int) -> dict[str, Option]:
    return {word: Option(attribute, FLAG, value) for word, value in values.items()}


def _hyphened(attribute: int, **values: int) -> dict[str, Option]:
    """Return flags of cake, whose words have hyphens where those of others have underscores."""
    return {word.replace("_", "-"): one for word, one in _flags(attribute, **values).items()}


_CODEL = {
    "target": Option(1, TIME), "interval": Option(3, TIME), **_flags(4, ecn=1, noecn=0),
    "ce_threshold": Option(5, TIME),
}  # fmt: skip
_FQ_CODEL = {
    "target": Option(1, TIME), "interval": Option(3, TIME), **_flags(4, ecn=1, noecn=0),
    "flows": Option(5, COUNT), "quantum": Option(6, SIZE), "ce_threshold": Option(7, TIME),
    "drop_batch": Option(8, COUNT), "memory_limit": Option(9, SIZE),
}  # fmt: skip
_FQ = {
    "flow_limit": Option(2, COUNT), "quantum": Option(3, SIZE), "initial_quantum": Option(4, SIZE),
    **_flags(5, pacing=1, nopacing=0), "maxrate": Option(7, RATE), "refill_delay": Option(9, TIME),
    "orphan_mask": Option(10, COUNT), "low_rate_threshold": Option(11, RATE),
    "ce_threshold": Option(12, TIME), "timer_slack": Option(13, NANOSECONDS), "horizon": Option(14, TIME),
    **_flags(15, horizon_drop=1, horizon_cap=0),
}  # fmt: skip
_PIE = {
    "target": Option(1, TIME), "tupdate": Option(3, TIME), "alpha": Option(4, COUNT),
    "beta": Option(5, COUNT), **_flags(6, ecn=1, noecn=0), **_flags(7, bytemode=1, nobytemode=0),
    **_flags(8, dq_rate_estimator=1, no_dq_rate_estimator=0),
}  # fmt: skip
_CAKE = {
    "bandwidth": Option(2, RATE),
    **_flags(3, diffserv3=0, diffserv4=1, diffserv8=2, besteffort=3, precedence=4),
    **_hyphened(5, flowblind=0, srchost=1, dsthost=2, hosts=3, flows=4, dual_srchost=5, dual_dsthost=6,
                triple_isolate=7),
    "rtt": Option(7, TIME), "target": Option(8, TIME), "memlimit": Option(10, SIZE),
    **_flags(11, nat=1, nonat=0), **_flags(13, wash=1, nowash=0),
    **_hyphened(16, ack_filter=1, ack_filter_aggressive=2, no_ack_filter=0),
    **_hyphened(17, split_gso=1, no_split_gso=0),
}  # fmt: skip
#: struct tc_red_qopt and tc_sfq_qopt_v1 have fixed places; the numbers mean nothing.
_RED = {
    "min": Option(0, SIZE), "max": Option(0, SIZE), "avpkt": Option(0, SIZE), "burst": Option(0, COUNT),
    "probability": Option(0, CHANCE), "ecn": Option(0, FLAG, 1), "harddrop": Option(0, FLAG, 2),
    "adaptive": Option(0, FLAG, 4), "nodrop": Option(0, FLAG, 8),
}  # fmt: skip
#: What 0 would make no sense of: nothing is divided by it, and nothing would pass.
_RED_SIZES = ("min", "max", "avpkt")
_SFQ = {
    "perturb": Option(0, COUNT), "quantum": Option(0, SIZE), "flows": Option(0, COUNT),
    "depth": Option(0, COUNT), "divisor": Option(0, COUNT),
}  # fmt: skip

DISCIPLINES: dict[str, Discipline] = {
    "fifo": Discipline("bytes"),
    "pfifo": Discipline("packets"),
    "bfifo": Discipline("bytes"),
    "codel": Discipline("packets", 2, _CODEL),
    "fq_codel": Discipline("packets", 2, _FQ_CODEL, set_up=frozenset({"flows"})),
    "fq": Discipline("packets", 1, _FQ),
    "pie": Discipline("packets", 2, _PIE),
    "red": Discipline("bytes", 0, _RED, is_whole=True),
    "sfq": Discipline("packets", 0, _SFQ, is_fixed=True),
    "cake": Discipline("bytes", 0, _CAKE),
}


def parse_queue(value: Any) -> Queue:
    """Return a queue discipline, as in tc: `"fq_codel"`, `"red min 30kb max 90kb ecn"`, `"pie target 5ms"`.

    Known are fifo, pfifo, bfifo, codel, fq_codel, fq, pie, red, sfq and cake, with the options of
    tc-fq_codel(8) and its like but for `limit`, which is an attribute of its own.
    """
    if not isinstance(value, str) or not value.split():
        raise ValueError(f"queue {shown(value)} is not the name of a queue discipline")
    name, *words = words_of(value)
    kind = name.lower()
    if kind not in DISCIPLINES:
        known = f"; known are {', '.join(DISCIPLINES)}"
        raise ValueError(f"queue {shown(name)} is unknown{suggestion(name, DISCIPLINES) or known}")
    options = _options(kind, words)
    if kind == "red" and (nothing := next((one for one in _RED_SIZES if options.get(one) == 0), None)):
        raise ValueError(f"queue red: {nothing} is 0, which is no size")
    return Queue(kind, tuple(options.items()))


def _options(kind: str, words: list[str]) -> dict[str, Value]:
    known = DISCIPLINES[kind].options
    found: dict[str, Value] = {}
    rest = iter(words)
    for word in rest:
        if word == "limit":
            raise ValueError(f"queue {kind}: the limit is an attribute of the link, 'limit'")
        option = known.get(word)
        if option is None:
            hint = suggestion(word, known) or (f"; known are {', '.join(known)}" if known else "")
            raise ValueError(f"queue {kind} has no option {shown(word)}{hint}")
        if word in found:
            raise ValueError(f"queue {kind}: {word} is given twice")
        if option.kind == FLAG:
            rival = next((one for one in found if _excludes(known[one], option)), None)
            if rival:
                raise ValueError(f"queue {kind}: {rival} and {word} exclude each other")
            found[word] = True
            continue
        text = next(rest, None)
        if text is None:
            raise ValueError(f"queue {kind}: {word} has no value")
        found[word] = _PARSERS[option.kind](text, f"queue {kind}: {word}")
    return found


def _excludes(one: Option, other: Option) -> bool:
    """Tell whether two words are values of one attribute; those of a structure (0) are bits instead."""
    return one.attribute == other.attribute != 0
