"""What a graph can pin: prefixes, addresses, MAC addresses and routes, and what their values look like."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import one_line, shown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Routes that somebody wrote: each destination's next hops; none says that it is unreachable.
PinnedRoutes = dict[Prefix, tuple[Address, ...]]

#: What no interface can have as its own address: loopback, multicast, broadcast, unspecified,
#: IPv6's link-local (every interface has one of its own) and IPv4-mapped addresses (RFC 6890).
_SPECIAL: tuple[Prefix, ...] = tuple(
    ipaddress.ip_network(prefix)
    for prefix in (
        "0.0.0.0/32", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
        "::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
#: Every address of a family.
WHOLE: dict[int, Prefix] = {4: ipaddress.IPv4Network("0.0.0.0/0"), 6: ipaddress.IPv6Network("::/0")}
#: In place of next hops: the destination is unreachable.
UNREACHABLE = "unreachable"


def parse_prefixes(value: Any) -> tuple[Prefix, ...]:
    """Return the pinned prefixes, at most one of each family: `"192.0.2.0/24"` or several of them."""
    prefixes = tuple(_parse(ipaddress.ip_network, word, "prefix") for word in words(value))
    if not prefixes:
        raise ValueError(f"prefix {shown(value)} is empty")
    for prefix in prefixes:
        if _is_special(prefix):
            raise ValueError(f"prefix {prefix} has addresses that no interface can have")
    _one_per_family(prefixes, value)
    return prefixes


def parse_addresses(value: Any) -> dict[Any, tuple[Address, ...]]:
    """Return the pinned addresses per end of a link, by what the value calls its nodes.

    `{"HOST1": "192.0.2.1"}`, or for file formats that only know text `"HOST1=192.0.2.1 ROUTER=…"`.
    """
    found: dict[Any, tuple[Address, ...]] = {}
    for node, word in _pairs(value, "addresses", "NODE=ADDRESS"):
        address: Address = _parse(ipaddress.ip_address, word, "address")
        found[node] = (*found.get(node, ()), address)
        _one_per_family(found[node], value)
    return found


def parse_loopback(value: Any) -> tuple[Address, ...]:
    """Return a router's pinned loopback addresses, at most one of each family: `"192.0.2.1"`."""
    addresses = tuple(_parse(ipaddress.ip_address, word, "loopback") for word in words(value))
    if not addresses:
        raise ValueError(f"loopback {shown(value)} is empty")
    for address in addresses:
        if _is_special(ipaddress.ip_network(address)):
            raise ValueError(f"loopback {address} is an address that no interface can have")
    _one_per_family(addresses, value)
    return addresses


def parse_macs(value: Any) -> dict[Any, str]:
    """Return the pinned MAC addresses per end of a link, by what the value calls its nodes.

    `{"HOST1": "02:00:00:00:00:01"}`, or as text `"HOST1=02:00:00:00:00:01 ROUTER=…"`.
    """
    found: dict[Any, str] = {}
    for node, word in _pairs(value, "macs", "NODE=MAC"):
        mac = word.lower().replace("-", ":")
        if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac):
            raise ValueError(f"MAC {shown(word)} is not six bytes such as 02:00:00:00:00:01")
        if int(mac[:2], 16) & 1 or not int(mac.replace(":", ""), 16):  # the group bit of IEEE 802
            raise ValueError(f"MAC {mac} is not that of a single interface")
        if node in found:
            raise ValueError(f"{shown(value)} has more than one MAC for an end")
        found[node] = mac
    return found


def parse_interfaces(value: Any) -> dict[Any, int]:
    """Return the pinned numbers of interfaces per end of a link, by what the value calls its nodes.

    `{"HOST1": 0, "ROUTER": 2}` for HOST1-veth0 and ROUTER-veth2, or as text `"HOST1=0 ROUTER=2"`.
    """
    found: dict[Any, int] = {}
    for node, word in _pairs(value, "interfaces", "NODE=NUMBER"):
        if not re.fullmatch(r"\d{1,5}", word, re.ASCII):
            raise ValueError(f"interface {shown(word)} is not a number from 0 to 99999")
        if node in found:
            raise ValueError(f"{shown(value)} has more than one number for an end")
        found[node] = int(word)
    return found


def parse_routes(value: Any) -> PinnedRoutes:
    """Return the routes of a node's own: next hops by destination, which may be `default`.

    `{"203.0.113.0/24": "192.0.2.254"}`; with several next hops a list of them, or `"unreachable"`. As
    text `"203.0.113.0/24=192.0.2.254 default=192.0.2.1"`.
    """
    found: dict[Prefix, list[Address | None]] = {}
    for destination, word in _pairs(value, "routes", "DESTINATION=NEXT-HOP"):
        hop: Address | None = None if word == UNREACHABLE else _parse(ipaddress.ip_address, word, "next hop")
        for prefix in _destinations(_word(destination), hop):
            hops = found.setdefault(prefix, [])
            if hops and None in (hop, hops[0]):
                raise ValueError(f"route {prefix} is unreachable or has next hops, not both")
            hops += [] if hop in hops else [hop]
    return {prefix: tuple(hop for hop in hops if hop is not None) for prefix, hops in found.items()}


def _destinations(word: str, hop: Address | None) -> list[Prefix]:
    """Return the prefix that a route leads to; `default` is of its next hop's family, else of both."""
    if word == "default":
        return [WHOLE[hop.version]] if hop is not None else list(WHOLE.values())
    prefix: Prefix = _parse(ipaddress.ip_network, word, "destination")
    if hop is not None and hop.version != prefix.version:
        raise ValueError(f"route {prefix}: next hop {hop} is of the other family, IPv{hop.version}")
    if prefix.prefixlen and _is_special(prefix):
        raise ValueError(f"destination {prefix} has addresses that are not routed")
    return [prefix]


def words(value: Any) -> list[str]:
    """Return the words of a text, or of a list of what may be addresses."""
    if isinstance(value, str):
        return [word for word in re.split(r"[\s,;]+", value) if word]
    if isinstance(value, list | tuple | set | frozenset):
        return [_word(word) for word in value]
    return [_word(value)]


def _word(value: Any) -> str:
    """Return the text of what may be an address; others are shown as they are, and then refused."""
    return str(value) if isinstance(value, str | Address | Prefix) else shown(value)


def _pairs(value: Any, what: str, form: str) -> list[tuple[Any, str]]:
    """Return keys and words of a mapping, or of the text that stands for one."""
    if isinstance(value, str):
        parts = [word.rpartition("=") for word in words(value)]
        if not all(equals for _, equals, _ in parts):
            raise ValueError(f"{what} {shown(value)} is not {form}, one or several")
        return [(key, word) for key, _, word in parts]
    if isinstance(value, Mapping):
        return [(key, word) for key, given in value.items() for word in words(given)]
    raise ValueError(f"{what} {shown(value)} is not a mapping, or the text {form}")


def _parse(parser: Callable[[str], Any], word: str, what: str) -> Any:
    try:
        if "%" in word:
            raise ValueError("a zone belongs to one machine")
        return parser(word)
    except ValueError as error:
        reason = str(error).removeprefix(repr(word)).removeprefix(word).strip()
        raise ValueError(f"{what} {shown(word)}: {one_line(reason)}") from None


def _is_special(prefix: Prefix) -> bool:
    return any(prefix.version == special.version and prefix.overlaps(special) for special in _SPECIAL)


def _one_per_family(found: tuple[Prefix, ...] | tuple[Address, ...], value: Any) -> None:
    versions = [one.version for one in found]
    if len(set(versions)) < len(versions):
        raise ValueError(f"{shown(value)} names more than one of a family")
