"""The attributes that a graph may carry, and what their values may look like.

A table says what is known of each element; whatever else a graph carries belongs to other people
(`pos`, `dist`, `club`) and is left alone, unless it looks like one of ours misspelt.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from numbers import Real
from typing import Any, TypeVar

from ..errors import one_line, shown, suggestion
from ..schedules import parse_schedule, parse_trace
from ..shaping.attributes import CALLED
from ..shaping.attributes import PARSERS as SHAPING
from ..shaping.merging import is_nothing
from ..shaping.profiles import parse_profiles
from .inside import PARSERS as INSIDE
from .pin_values import (
    Address,
    Prefix,
    parse_addresses,
    parse_interfaces,
    parse_loopback,
    parse_macs,
    parse_prefixes,
    parse_routes,
    words,
)

__all__ = ["KNOWN", "Address", "Kind", "Prefix", "Reader", "Routing", "position_of"]

#: What may be left out where that is all that links are to do.
ANYTHING = "what links are to do"
#: Costs are sums of weights, and floating-point numbers end at 1e308.
_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-100, 1e100


_Member = TypeVar("_Member", bound=StrEnum)


class Kind(StrEnum):
    """What a node does: a host ends traffic, a router forwards packets, a switch forwards frames."""

    HOST = "host"
    ROUTER = "router"
    SWITCH = "switch"


class Routing(StrEnum):
    """Which routes nodes are given, beyond those of their own interfaces and those that are pinned.

    `compressed`: as few as mean the same. `full`: one per segment. `hosts`: the hosts' default routes
    only, for routers that run a routing daemon. `none`: none.
    """

    COMPRESSED = "compressed"
    FULL = "full"
    HOSTS = "hosts"
    NONE = "none"


def parse_kind(value: Any) -> Kind:
    """Return the kind, from its name in any case."""
    return _member(Kind, "kind", value)


def parse_routing(value: Any) -> Routing:
    """Return which routes there are: `compressed`, `full`, `hosts` or `none`."""
    return _member(Routing, "routes", value)


def _member(kinds: type[_Member], what: str, value: Any) -> _Member:
    try:
        return kinds(value.lower() if isinstance(value, str) else value)
    except ValueError:
        hint = suggestion(shown(value), list(kinds)) or f"; known are {', '.join(kinds)}"
        raise ValueError(f"unknown {what} {shown(value)}{hint}") from None


def parse_weight(value: Any) -> float:
    """Return a link's weight, the cost of crossing it: a number above zero, of which sums are finite."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):  # numpy's numbers are Real
        raise ValueError(f"weight {shown(value)} is not a number")
    try:
        weight = float(value)
    except (ValueError, OverflowError):  # a signalling NaN; an integer of 400 digits
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise ValueError(f"weight {shown(value)} is not a finite number above zero")
    if not _LEAST_WEIGHT <= weight <= _LARGEST_WEIGHT:
        raise ValueError(f"weight {shown(value)} is not between {_LEAST_WEIGHT:g} and {_LARGEST_WEIGHT:g}")
    return weight


def parse_families(value: Any) -> tuple[int, ...]:
    """Return the address families, 4 and 6 in order: `4`, `"6"`, `(4, 6)`, `"4 6"`."""
    given = words(value)
    if not given or not set(given) <= {"4", "6"}:
        raise ValueError(f"families {shown(value)} is not one or both of 4 and 6")
    return tuple(sorted({int(word) for word in given}))


#: Where a node is drawn, by the attributes that hold it: x and y, or as maps have it.
_POSITIONS = (("pos",), ("longitude", "latitude"), ("lon", "lat"))
_POSITION_KEYS = {key for keys in _POSITIONS for key in keys}


def position_of(attributes: Mapping[Any, Any]) -> tuple[float, float] | None:
    """Return where pictures show a node: from `pos`, else longitude and latitude, in any case of letters.

    None where there is no pair of finite numbers: unlike other attributes these are written by other
    programs in ways of their own, and a picture does without.
    """
    named = {key.lower(): value for key, value in attributes.items() if isinstance(key, str)}
    for keys in _POSITIONS:
        value: Any = [named.get(key) for key in keys] if len(keys) > 1 else named.get(keys[0])
        words = re.split(r"[\s,]+", value.strip("()[]! ")) if isinstance(value, str) else value
        try:
            x, y = (float(word) for word in words)
        except (TypeError, ValueError, ArithmeticError):
            continue
        if math.isfinite(x) and math.isfinite(y):
            return x, y
    return None


def number_or_text(text: str) -> int | float | str:
    """Return the number that a value in a file is, or the text where it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _as_it_is(value: Any) -> Any:
    return value


def parse_flag(value: Any) -> bool:
    """Return yes or no: a truth value, or the word for it."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError(f"{shown(value)} is neither yes nor no") from None


def parse_optional(value: Any) -> str:
    """Return what links do that may be left out: all of it (yes), nothing (no), or a text that says what."""
    try:
        return ANYTHING if parse_flag(value) else ""
    except ValueError:
        if not isinstance(value, str) or not value.strip():
            raise
        return one_line(value.strip())


def _or_nothing(parser: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a parser that also takes `none`, and returns None for it: what a profile has is left out."""

    @functools.wraps(parser)
    def parse(value: Any) -> Any:
        return None if is_nothing(value) else parser(value)

    return parse


#: Element → attribute → its parser.
KNOWN: dict[str, dict[str, Callable[[Any], Any]]] = {
    "graph": {
        "families": parse_families,
        "loopbacks": parse_flag,
        "name": _as_it_is,
        "optional_shaping": parse_optional,
        "packed": parse_flag,
        "pools": parse_prefixes,
        "profiles": parse_profiles,
        "routes": parse_routing,
        "schedule": parse_schedule,
    },
    "node": {
        "kind": parse_kind,
        "label": _as_it_is,
        "loopback": parse_loopback,
        "prefix": parse_prefixes,
        "routes": parse_routes,
        **INSIDE,
    },
    "link": {
        "weight": parse_weight,
        "prefix": parse_prefixes,
        "addresses": parse_addresses,
        "interfaces": parse_interfaces,
        "macs": parse_macs,
        "trace": parse_trace,
        **{name: _or_nothing(parser) for name, parser in SHAPING.items()},
    },
}
#: Which attributes of a link may be a mapping of its ends to values, one for each direction.
BY_END = frozenset({"weight", "trace", *SHAPING})
#: Words that are near a known attribute and mean something of their own.
_OTHER_WORDS = {
    "lost", "lots", "maps", "mass", "memo", "packet", "packets", "pref", "prefs", "process",
    "processor", "race", "roles", "router", "routers", "see", "seen", "send", "slow", "speed",
    "use", "used", "uses", "users",
}  # fmt: skip


class Reader:
    """Reads the attributes of a graph's elements; collects faults and the names of what is not ours."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.foreign: dict[str, set[str]] = {element: set() for element in KNOWN}

    def read(self, element: str, where: str, attributes: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the known attributes of one element, parsed; `where` names it in faults."""
        found = {}
        for key, value in attributes.items():
            parser = KNOWN[element].get(key) if isinstance(key, str) else None
            if not isinstance(key, str):
                self.foreign[element].add(shown(key))
            elif parser is None:
                self._judge(element, where, key)
            elif value is not None:
                try:
                    found[key] = parser(value)
                except ValueError as error:
                    self.faults.append(f"{where}: {error}")
        return found

    def _judge(self, element: str, where: str, key: str) -> None:
        if key in self.foreign[element] or (element == "node" and key.lower() in _POSITION_KEYS):
            return
        meant = next((name for name in KNOWN[element] if _misspelt(key.lower(), name)), None)
        if meant:
            self.faults.append(f"{where}: unknown attribute {shown(key)}; did you mean {meant!r}?")
        else:
            self.foreign[element].add(key)

    def notes(self) -> tuple[str, ...]:
        """Return one line that names the attributes left alone, if there are any."""
        parts = [
            f"{element} {', '.join(_with_hint(element, key) for key in sorted(keys))}"
            for element, keys in self.foreign.items() if keys
        ]  # fmt: skip
        return (f"attributes left alone: {'; '.join(parts)}",) if parts else ()


def _with_hint(element: str, key: str) -> str:
    """Return the name of an attribute that is left alone; where others mean one of ours by it, that too."""
    called = CALLED.items() if element == "link" else ()
    meant = next((ours for word, ours in called if word == key.lower() or _misspelt(key.lower(), word)), None)
    return f"{one_line(key)} (did you mean {meant}?)" if meant else one_line(key)


def _misspelt(word: str, known: str) -> bool:
    """Tell whether a word is a known one but for two letters at most, or one where it is short.

    Whoever misspells a word gets its first letter right, or swaps it with the second: `height` and
    `eight` are not `weight`, nor is `find` a `kind`.
    """
    if word in _OTHER_WORDS or (word[:1] != known[0] and sorted(word[:2]) != sorted(known[:2])):
        return False
    allowed = 2 if len(known) > 5 else 1 if len(known) > 3 else 0
    return abs(len(word) - len(known)) <= allowed and _edits(word, known) <= allowed


def _edits(a: str, b: str) -> int:
    """Return how many letters to add, leave out, replace or swap with the next make `b` of `a`."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        older, before, row = before, row, [i + 1]
        for j, y in enumerate(b):
            row.append(min(before[j + 1] + 1, row[j] + 1, before[j] + (x != y)))
            if i and j and (x, a[i - 1]) == (b[j - 1], y):
                row[-1] = min(row[-1], older[j - 1] + 1)
    return row[-1]
