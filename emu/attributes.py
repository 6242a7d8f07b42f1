"""The attributes that a graph may carry, and what their values may look like.

A table says what is known of each element; whatever else a graph carries belongs to other people
(`pos`, `dist`, `club`) and is left alone, unless it looks like one of ours misspelt.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from .errors import suggestion

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(StrEnum):
    """What a node does: a host ends traffic, a router forwards packets, a switch forwards frames."""

    HOST = "host"
    ROUTER = "router"
    SWITCH = "switch"


def parse_kind(value: Any) -> Kind:
    """Return the kind, from its name in any case."""
    try:
        return Kind(str(value).lower())
    except ValueError:
        hint = suggestion(str(value), list(Kind)) or f"; known are {', '.join(Kind)}"
        raise ValueError(f"unknown kind {value!r}{hint}") from None


def parse_weight(value: Any) -> float:
    """Return a link's weight, the cost of crossing it: a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"weight {value!r} is not a number")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"weight {value!r} is not a finite number above zero")
    return float(value)


def parse_prefixes(value: Any) -> tuple[Prefix, ...]:
    """Return the pinned prefixes, at most one of each family: `"192.0.2.0/24"` or several of them."""
    prefixes = tuple(_parse(ipaddress.ip_network, word, "prefix") for word in _words(value))
    _one_per_family(prefixes, value)
    return prefixes


def parse_addresses(value: Any) -> dict[str, tuple[Address, ...]]:
    """Return the pinned addresses per end of a link.

    `{"HOST1": "192.0.2.1"}`, or for file formats that only know text `"HOST1=192.0.2.1 ROUTER=…"`.
    """
    if isinstance(value, str):
        pairs = [word.partition("=")[::2] for word in _words(value)]
    elif isinstance(value, Mapping):
        pairs = [(str(node), address) for node, given in value.items() for address in _words(given)]
    else:
        raise ValueError(f"addresses {value!r} is not a mapping of nodes to addresses")
    found: dict[str, tuple[Address, ...]] = {}
    for node, word in pairs:
        address: Address = _parse(ipaddress.ip_address, word, "address")
        found[node] = (*found.get(node, ()), address)
        _one_per_family(found[node], value)
    return found


def parse_families(value: Any) -> tuple[int, ...]:
    """Return the address families, 4 and 6 in order: `4`, `"6"`, `(4, 6)`, `"4 6"`."""
    words = [str(word) for word in value] if isinstance(value, list | tuple | set) else _words(value)
    if not words or not set(words) <= {"4", "6"}:
        raise ValueError(f"families {value!r} is not one or both of 4 and 6")
    return tuple(sorted({int(word) for word in words}))


#: Element → attribute → its parser.
KNOWN: dict[str, dict[str, Callable[[Any], Any]]] = {
    "graph": {"families": parse_families, "name": str},
    "node": {"kind": parse_kind, "label": str, "prefix": parse_prefixes},
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
            parser = KNOWN[element].get(key)
            if parser is None:
                self._judge(element, where, str(key))
            elif value is not None:
                try:
                    found[key] = parser(value)
                except ValueError as error:
                    self.faults.append(f"{where}: {error}")
        return found

    def _judge(self, element: str, where: str, key: str) -> None:
        if key in self.foreign[element]:
            return
        meant = difflib.get_close_matches(key.lower(), KNOWN[element], n=1, cutoff=0.75)
        if meant:
            self.faults.append(f"{where}: unknown attribute {key!r}; did you mean {meant[0]!r}?")
        else:
            self.foreign[element].add(key)

    def notes(self) -> tuple[str, ...]:
        """Return one line that names the attributes left alone, if there are any."""
        parts = [f"{element} {', '.join(sorted(keys))}" for element, keys in self.foreign.items() if keys]
        return (f"attributes left alone: {'; '.join(parts)}",) if parts else ()


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [word for word in re.split(r"[\s,;]+", value) if word]
    if isinstance(value, Iterable) and not isinstance(value, bytes | Prefix):
        return [str(word) for word in value]
    return [str(value)]


def _parse(parser: Callable[[str], Any], word: str, what: str) -> Any:
    try:
        return parser(word)
    except ValueError as error:
        raise ValueError(f"{what} {word!r}: {str(error).removeprefix(repr(word)).strip()}") from None


def _one_per_family(found: tuple[Prefix, ...] | tuple[Address, ...], value: Any) -> None:
    versions = [one.version for one in found]
    if len(set(versions)) < len(versions):
        raise ValueError(f"{value!r} names more than one of a family")
