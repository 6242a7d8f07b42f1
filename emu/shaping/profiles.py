"""Usual kinds of links by name, each with the source of its figures, and those that a graph defines.

A profile says what the two directions do: `up` leaves the customer's end, `down` goes to it. The delay of
a direction is half of the round trip that the source measured without load. What a source does not give,
the profile does not either: there is no loss where none was published as a link's own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import shown, suggestion
from .attributes import PARSERS
from .reading import shaping_from
from .tables import with_whole_path

Attributes = Mapping[str, Any]
#: The names of a profile's directions.
UP, DOWN = "up", "down"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a kind of link does in either direction, as attributes, and where the figures come from."""

    up: Attributes
    down: Attributes
    source: str = ""

    @property
    def even(self) -> bool:
        """Whether both directions are alike."""
        return self.up == self.down

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Profile:
        """Return what a plan's JSON form has of one."""
        up, down = ({name: _kept(name, one) for name, one in data[way].items()} for way in (UP, DOWN))
        return cls(up, down, data["source"])

    def to_attribute(self) -> dict[str, Any]:
        """Return it as a graph's attribute `profiles` has it."""
        found: dict[str, Any] = {}
        for name in {**self.up, **self.down}:
            ways = {
                way: list(one[name]) if isinstance(one[name], tuple) else one[name]
                for way, one in ((UP, self.up), (DOWN, self.down)) if name in one
            }  # fmt: skip
            found[name] = ways[UP] if len(ways) == 2 and ways[UP] == ways[DOWN] else ways
        return found


def _profile(rates: tuple[str, str], delay: str, source: str, **others: str) -> Profile:
    """Return a profile of the rates up and down, and of what both directions share."""
    up, down = ({"rate": rate, "delay": delay, **others} for rate in rates)
    return Profile(up, down, source)


_WEBPAGETEST = "WebPageTest, connectivity.ini.sample of its server (github.com/catchpoint/WebPageTest)"
_STARLINK = (
    "F. Michel, M. Trevisan, D. Giordano and O. Bonaventure, A First Look at Starlink Performance, IMC 2022"
)
#: The profiles that emu brings.
PROFILES: dict[str, Profile] = {
    "dial-up": _profile(("30kbit", "49kbit"), "60ms", f"{_WEBPAGETEST}, [Dial]: round trip 120 ms"),
    "edge": _profile(("200kbit", "240kbit"), "420ms", f"{_WEBPAGETEST}, [Edge]: round trip 840 ms"),
    "3g": _profile(("768kbit", "1.6mbit"), "150ms", f"{_WEBPAGETEST}, [3G]: round trip 300 ms"),
    "dsl": _profile(("384kbit", "1.5mbit"), "25ms", f"{_WEBPAGETEST}, [DSL]: round trip 50 ms"),
    "cable": _profile(("1mbit", "5mbit"), "14ms", f"{_WEBPAGETEST}, [Cable]: round trip 28 ms"),
    "fiber": _profile(("5mbit", "20mbit"), "2ms", f"{_WEBPAGETEST}, [FIOS]: round trip 4 ms"),
    "lte": _profile(
        ("13.6mbit", "14.7mbit"),
        "26.55ms",
        "Ofcom, Measuring mobile broadband performance in the UK: 4G and 3G network performance, April 2015: "
        "averages in five cities; round trip 53.1 ms",
    ),
    "satellite-leo": _profile(
        ("17mbit", "178mbit"), "25ms", f"{_STARLINK}: medians; round trip to servers in Europe 50 ms"
    ),
    "satellite-geo": _profile(
        ("10mbit", "100mbit"),
        "279ms",
        "RFC 2488, section 2: 279.0 ms by way of the satellite at the edge of its view; rates of the "
        f"subscription that was compared in {_STARLINK}",
    ),
    "wifi": _profile(
        ("65mbit", "65mbit"),
        "1.5ms",
        "rate on the air of IEEE 802.11n, MCS 7 (one stream, 20 MHz); K. Sui et al., Characterizing and "
        "Improving WiFi Latency in Large-Scale Operational Networks, MobiSys 2016: median round trip 3 ms",
    ),
    "datacenter": _profile(
        ("10gbit", "10gbit"),
        "30us",
        "M. Alizadeh et al., Data Center TCP (DCTCP), SIGCOMM 2010: 10 Gbit/s, and round trips below 250 µs "
        "without queues over the four links between servers of two racks",
    ),
}


def parse_profiles(value: Any) -> dict[str, Profile]:
    """Return profiles of one's own: a mapping of names to a link's attributes.

    `{"lab": {"rate": "10mbit", "delay": "5ms"}}`. Where the directions differ an attribute is a mapping
    itself, `{"rate": {"up": "1mbit", "down": "10mbit"}}`: up is what leaves the customer's end.
    """
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)  # how files hold one that know only texts
    if not isinstance(value, Mapping):
        raise ValueError(f"profiles {shown(value)} is not a mapping of names to attributes")
    return {str(name): _parsed(str(name), given) for name, given in value.items()}


def _parsed(name: str, given: Any) -> Profile:
    if not isinstance(given, Mapping):
        raise ValueError(f"profile {shown(name)}: {shown(given)} is not a mapping of attributes")
    ways: dict[str, dict[str, Any]] = {UP: {}, DOWN: {}}
    for key, item in given.items():
        if key not in PARSERS or key == "profile":
            raise ValueError(
                f"profile {shown(name)}: unknown attribute {shown(key)}{suggestion(str(key), PARSERS)}"
            )
        if isinstance(item, Mapping) and not set(item) <= set(ways):
            raise ValueError(f"profile {shown(name)}: {key} has directions other than {UP} and {DOWN}")
        for way, found in ways.items():
            one = item.get(way) if isinstance(item, Mapping) else item
            if one is not None:
                found[key] = _kept(key, one)
    profile = Profile(ways[UP], ways[DOWN])
    for attributes in ways.values():
        try:
            shaping_from(values_of(attributes))
        except ValueError as error:
            raise ValueError(f"profile {shown(name)}: {error}") from None
    return profile


def _kept(name: str, value: Any) -> Any:
    """Return an attribute as text or texts, which any file holds alike."""
    if isinstance(value, list | tuple):
        return tuple(_kept(name, one) for one in value)
    return with_whole_path(name, str(value))


def values_of(attributes: Attributes) -> dict[str, Any]:
    """Return the parsed values of a profile's attributes."""
    return {name: PARSERS[name](value) for name, value in attributes.items()}


def profile_named(name: str, own: Mapping[str, Profile]) -> Profile:
    """Return the profile of that name: a graph's own come before emu's.

    Raises:
        ValueError: there is none.
    """
    known = {**PROFILES, **own}
    if name not in known:
        hint = suggestion(name, known) or f"; known are {', '.join(known)}"
        raise ValueError(f"unknown profile {shown(name)}{hint}")
    return known[name]
