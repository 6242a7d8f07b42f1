"""The attributes that a graph may carry, and what their values may look like.

A table says what is known of each element; whatever else a graph carries belongs to other people
(`pos`, `dist`, `club`) and is left alone, unless it looks like one of ours misspelt.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from numbers import Real
from typing import Any

from .errors import one_line, shown, suggestion

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


#: What no interface can have as its own address: loopback, multicast, broadcast, unspecified,
#: IPv6's link-local (every interface has one of its own) and IPv4-mapped addresses (RFC 6890).
_SPECIAL = tuple(
    ipaddress.ip_network(prefix)
    for prefix in (
        "0.0.0.0/32", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
        "::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip


#: Costs are sums of weights, and floating-point numbers end at 1e308.
_LEAST_WEIGHT, _LARGEST_WEIGHT = 1e-100, 1e100


class Kind(StrEnum):
    """What a node does: a host ends traffic, a router forwards packets, a switch forwards frames."""

    HOST = "host"
    ROUTER = "router"
    SWITCH = "switch"


def parse_kind(value: Any) -> Kind:
    """Return the kind, from its name in any case."""
    try:
        return Kind(value.lower() if isinstance(value, str) else value)
    except ValueError:
        hint = suggestion(shown(value), list(Kind)) or f"; known are {', '.join(Kind)}"
        raise ValueError(f"unknown kind {shown(value)}{hint}") from None


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


def parse_prefixes(value: Any) -> tuple[Prefix, ...]:
    """Return the pinned prefixes, at most one of each family: `"192.0.2.0/24"` or several of them."""
    prefixes = tuple(_parse(ipaddress.ip_network, word, "prefix") for word in _words(value))
    if not prefixes:
        raise ValueError(f"prefix {shown(value)} is empty")
    for prefix in prefixes:
        if any(prefix.version == special.version and prefix.overlaps(special) for special in _SPECIAL):
            raise ValueError(f"prefix {prefix} has addresses that no interface can have")
    _one_per_family(prefixes, value)
    return prefixes


def parse_addresses(value: Any) -> dict[Any, tuple[Address, ...]]:
    """Return the pinned addresses per end of a link, by what the value calls its nodes.

    `{"HOST1": "192.0.2.1"}`, or for file formats that only know text `"HOST1=192.0.2.1 ROUTER=…"`.
    """
    pairs: list[tuple[Any, str]]
    if isinstance(value, str):
        parts = [word.rpartition("=") for word in _words(value)]
        if not all(equals for _, equals, _ in parts):
            raise ValueError(f"addresses {shown(value)} is not NODE=ADDRESS, one or several")
        pairs = [(node, word) for node, _, word in parts]
    elif isinstance(value, Mapping):
        pairs = [(node, address) for node, given in value.items() for address in _words(given)]
    else:
        raise ValueError(f"addresses {shown(value)} is not a mapping of nodes to addresses")
    found: dict[Any, tuple[Address, ...]] = {}
    for node, word in pairs:
        address: Address = _parse(ipaddress.ip_address, word, "address")
        found[node] = (*found.get(node, ()), address)
        _one_per_family(found[node], value)
    return found


def parse_families(value: Any) -> tuple[int, ...]:
    """Return the address families, 4 and 6 in order: `4`, `"6"`, `(4, 6)`, `"4 6"`."""
    words = _words(value)
    if not words or not set(words) <= {"4", "6"}:
        raise ValueError(f"families {shown(value)} is not one or both of 4 and 6")
    return tuple(sorted({int(word) for word in words}))


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


def _as_it_is(value: Any) -> Any:
    return value


def parse_flag(value: Any) -> bool:
    """Return yes or no: a truth value, or the word for it."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError(f"{shown(value)} is neither yes nor no") from None


#: Element → attribute → its parser.
KNOWN: dict[str, dict[str, Callable[[Any], Any]]] = {
    "graph": {
        "families": parse_families,
        "name": _as_it_is,
        "packed": parse_flag,
        "pools": parse_prefixes,
    },
    "node": {"kind": parse_kind, "label": _as_it_is, "prefix": parse_prefixes},
    "link": {"weight": parse_weight, "prefix": parse_prefixes, "addresses": parse_addresses},
}


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
            f"{element} {', '.join(map(one_line, sorted(keys)))}"
            for element, keys in self.foreign.items() if keys
        ]  # fmt: skip
        return (f"attributes left alone: {'; '.join(parts)}",) if parts else ()


def _misspelt(word: str, known: str) -> bool:
    """Tell whether a word is a known one but for two letters at most, or one where it is short."""
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


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [word for word in re.split(r"[\s,;]+", value) if word]
    if isinstance(value, list | tuple | set | frozenset):
        return [_word(word) for word in value]
    return [_word(value)]


def _word(value: Any) -> str:
    """Return the text of what may be an address; others are shown as they are, and then refused."""
    return str(value) if isinstance(value, str | Address | Prefix) else shown(value)


def _parse(parser: Callable[[str], Any], word: str, what: str) -> Any:
    try:
        if "%" in word:
            raise ValueError("a zone belongs to one machine")
        return parser(word)
    except ValueError as error:
        reason = str(error).removeprefix(repr(word)).removeprefix(word).strip()
        raise ValueError(f"{what} {shown(word)}: {one_line(reason)}") from None


def _one_per_family(found: tuple[Prefix, ...] | tuple[Address, ...], value: Any) -> None:
    versions = [one.version for one in found]
    if len(set(versions)) < len(versions):
        raise ValueError(f"{shown(value)} names more than one of a family")
