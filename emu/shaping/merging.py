"""What a link does after some of its attributes are set anew. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import shown
from .attributes import PARSERS, unknown_attribute
from .links import by_direction, shapings_of
from .model import Shaping

if TYPE_CHECKING:
    from .profiles import Profile

_EMPTY = Shaping()


def set_attributes(
    old: tuple[Shaping | None, Shaping | None],
    given: Mapping[str, Any],
    ends: tuple[str, str],
    *,
    source: str | None = None,
    customer: int | None = None,
    families: Sequence[int] = (),
    own: Mapping[str, Profile] = MappingProxyType({}),
) -> tuple[Shaping | None, Shaping | None]:
    """Return what leaves the first and the second end of a link once some attributes are set.

    Args:
        old: what leaves them so far.
        given: attributes as on the edge of a graph; one that is None or "none" is taken away. A profile
            takes the place of all that was there.
        ends: the nodes' names.
        source: the end whose direction alone is meant; None is both.
        customer: the end from which a profile's direction `up` leaves.
        families: the network's address families.
        own: the graph's own profiles.

    Raises:
        ValueError: an attribute is unknown or has a fault, or they contradict each other.
    """
    if source is not None and source not in ends:
        raise ValueError(f"{shown(source)} is no end of it; the ends are {ends[0]} and {ends[1]}")
    ways: list[dict[str, Any]] = [_values(one) for one in old]
    wanted = by_direction(given, given, partial(_per_end, ends), frozenset(given))
    for key, value in given.items():
        if source is not None and isinstance(value, Mapping) and value.keys() - {source}:
            raise ValueError(f"{key} names the other end, but only what leaves {source} is to change")
    for way, mine, name in zip(ways, wanted, ends, strict=True):
        if source in (None, name):
            if not is_nothing(mine.get("profile")):
                way.clear()
            for key, value in mine.items():
                _set(way, key, value)
    if source is not None and ways[0].get("mtu") != ways[1].get("mtu"):
        raise ValueError("mtu: both ends have the same, set it without a direction")
    found = shapings_of((ways[0], ways[1]), ends, customer, own, families)
    return _as_before(found[0], ways[0]), _as_before(found[1], ways[1])


def _values(shaping: Shaping | None) -> dict[str, Any]:
    """Return the parsed attributes that give a shaping."""
    if shaping is None:
        return {}
    values = {field.name: getattr(shaping, field.name) for field in dataclasses.fields(shaping)}
    return {name: value for name, value in values.items() if value != getattr(_EMPTY, name)}


def _as_before(shaping: Shaping | None, way: Mapping[str, Any]) -> Shaping | None:
    """Return a shaping whose rate goes on varying where it did: packets wait in what keeps such a rate."""
    if shaping is None or shaping.rate is None or not way.get("varies"):
        return shaping
    return dataclasses.replace(shaping, varies=True)


def _per_end(ends: tuple[str, str], key: str, values: Mapping[Any, Any]) -> dict[int, Any]:
    """Return what a mapping of a link's ends has for the first and the second."""
    if stranger := next((one for one in values if one not in ends), None):
        raise ValueError(f"{key} names {shown(stranger)}, which is not an end of it")
    return {ends.index(name): one for name, one in values.items()}


def is_nothing(value: Any) -> bool:
    """Tell whether a value says that a link shall not have an attribute any more."""
    return value is None or (isinstance(value, str) and value.strip().lower() == "none")


def _set(way: dict[str, Any], key: str, value: Any) -> None:
    if key not in PARSERS:
        raise ValueError(unknown_attribute(key))
    if is_nothing(value):
        way.pop(key, None)
    else:
        way[key] = PARSERS[key](value)
