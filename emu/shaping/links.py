"""Which shaping the two directions of a link get, from its attributes and its profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import shown
from .attributes import PARSERS
from .model import Shaping
from .profiles import DOWN, UP, Profile, profile_named, values_of
from .reading import shaping_from

Values = dict[str, Any]
#: IPv6 does without no less (RFC 8200, section 5).
_LEAST_IPV6_MTU = 1280


def by_direction(
    there: Mapping[Any, Any],
    back: Mapping[Any, Any],
    per_end: Callable[[str, Mapping[Any, Any]], Mapping[int, Any]],
    known: frozenset[str],
) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """Return a link's attributes in either direction, those that are mappings of its ends taken apart.

    Args:
        there: what the graph says of the edge.
        back: what it says of the edge back; the same object where there is only one.
        per_end: returns the values of a mapping, for the first end (0) and the second (1), as far as given.
        known: the names of the attributes that may be such mappings.
    """
    single = back is there
    if not any(isinstance(one[key], Mapping) for one in (there, back) for key in known & one.keys()):
        return there, back
    ways: tuple[Values, Values] = ({}, {})
    given = ((there, (0, 1)),) if single else ((there, (0,)), (back, (1,)))
    for attributes, places in given:
        for key, value in attributes.items():
            if key in known and isinstance(value, Mapping):
                for end, one in per_end(key, value).items():
                    ways[end][key] = one
            else:
                for place in places:
                    ways[place][key] = value
    return ways


def shapings_of(
    values: tuple[Values, Values],
    ends: tuple[str, str],
    customer: int | None,
    own: Mapping[str, Profile],
    families: Sequence[int],
) -> tuple[Shaping | None, Shaping | None]:
    """Return what leaves the first and the second end of a link; None where nothing is done to it.

    Args:
        values: the parsed attributes in either direction; None takes away what a profile has.
        ends: the nodes' names.
        customer: the end from which a profile's direction `up` leaves; None where that cannot be told.
        own: the graph's own profiles.
        families: the network's address families.

    Raises:
        ValueError: the attributes contradict each other; the text begins with the end where one is meant.
    """
    found: list[Shaping | None] = []
    mtu = _common_mtu(values, ends)
    for end, given in enumerate(values):
        chosen = {name: value for name, value in given.items() if name in PARSERS}
        try:
            if profile := chosen.get("profile"):
                chosen = _profile_values(profile, customer, end, ends, own) | chosen
            chosen = {name: value for name, value in chosen.items() if value is not None}
            shaping = shaping_from(chosen | ({} if mtu is None else {"mtu": mtu}))
        except ValueError as error:
            raise ValueError(f"from {ends[end]}: {error}" if values[0] != values[1] else str(error)) from None
        if shaping.mtu is not None and shaping.mtu < _LEAST_IPV6_MTU and 6 in families:
            raise ValueError(f"mtu {shaping.mtu}: IPv6 needs {_LEAST_IPV6_MTU}; or use IPv4 only, families 4")
        found.append(shaping if shaping != Shaping() else None)
    return found[0], found[1]


def _common_mtu(values: tuple[Values, Values], ends: tuple[str, str]) -> int | None:
    """Return the MTU of both ends, where one or both say it: frames that one sends the other has to take."""
    first, second = (one.get("mtu") for one in values)
    if first is not None and second is not None and first != second:
        raise ValueError(f"mtu {first} from {ends[0]} and {second} from {ends[1]}: both ends have the same")
    chosen: int | None = second if first is None else first
    return chosen


def _profile_values(
    text: str, customer: int | None, end: int, ends: tuple[str, str], own: Mapping[str, Profile]
) -> Values:
    """Return what a profile says of the direction that leaves one end."""
    name, _, way = text.rpartition(" ")
    if way not in (UP, DOWN) or not name:
        name, way = text, ""
    profile = profile_named(name, own)
    if not way and not profile.even:
        if customer is None:
            example = f"{{{ends[0]}: {name} up, {ends[1]}: {name} down}}"
            raise ValueError(
                f"profile {shown(name)}: which end is the customer's? Write {example}, for example"
            )
        way = UP if end == customer else DOWN
    return values_of(profile.down if way == DOWN else profile.up)
