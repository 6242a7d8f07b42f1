"""Prefixes and addresses that a graph pins: what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .attributes import Address, Prefix

if TYPE_CHECKING:
    from .checked_graph import Interface, Segment


def link_name(first: str, second: str) -> str:
    """Return what to call the link between two nodes."""
    return f"link {first}--{second}"  # names never hold two of them


def long_name(interface: Interface) -> str:
    """Return an interface's name with its node's in it."""
    return interface.altname or (interface.name if interface.link is not None else f"{interface.node}'s lo")


def segment_name(segment: Segment, interfaces: Sequence[Interface]) -> str:
    """Return what to call a segment: by its first switch, its link's two ends, or its router."""
    if segment.switches:
        return f"switch {segment.switches[0]}"
    if segment.loopback:
        return f"loopback of {interfaces[segment.interfaces[0]].node}"
    first, second = (interfaces[end].node for end in segment.interfaces)
    return link_name(first, second)


def pin_faults(segments: Sequence[Segment], interfaces: Sequence[Interface]) -> Iterator[str]:
    """Yield a line for each prefix that overlaps another, and each address that is taken or does not fit."""
    places = [segment_name(segment, interfaces) for segment in segments]
    for segment, place in zip(segments, places, strict=True):
        for prefix in segment.pinned:
            other = _of_family(segment, prefix.version)
            if other != prefix:
                yield f"{place}: one segment has two prefixes, {other} and {prefix}"
    yield from _overlaps(segments, places)
    owners: dict[Address, Interface] = {}
    for segment in segments:
        for interface in (interfaces[end] for end in segment.interfaces):
            for address in interface.pinned:
                if fault := _address_fault(address, segment):
                    yield f"{long_name(interface)}: address {address} {fault}"
                if (owner := owners.setdefault(address, interface)) is not interface:
                    yield f"{long_name(owner)} and {long_name(interface)} both have address {address}"


def mac_faults(interfaces: Sequence[Interface]) -> Iterator[str]:
    """Yield a line for each MAC address that two interfaces of a segment have, those of switches included."""
    owners: dict[str, Interface] = {}
    for one in interfaces:
        if one.mac is not None and (owner := owners.setdefault(one.mac, one)) is not one:
            yield f"{long_name(owner)} and {long_name(one)} are on one segment and both have MAC {one.mac}"


def unused_pins(
    segments: Sequence[Segment], interfaces: Sequence[Interface], families: Sequence[int]
) -> Iterator[str]:  # fmt: skip
    """Yield a line for each segment whose pinned prefixes are all of a family that the network lacks."""
    for segment in segments:
        if segment.pinned and not {prefix.version for prefix in segment.pinned} & set(families):
            place = segment_name(segment, interfaces)
            what = "address" if segment.loopback else "prefix"
            yield f"{place}: {what} {segment.pinned[0]} is unused, as the network has IPv{families[0]} only"


def _of_family(segment: Segment, version: int) -> Prefix | None:
    return next((prefix for prefix in segment.pinned if prefix.version == version), None)


def _overlaps(segments: Sequence[Segment], places: Sequence[str]) -> Iterator[str]:
    pinned = sorted(
        (
            (prefix, place)
            for segment, place in zip(segments, places, strict=True) for prefix in segment.pinned
            if prefix == _of_family(segment, prefix.version)
        ),
        key=lambda pair: (pair[0].version, int(pair[0].network_address), pair[0].prefixlen),
    )  # fmt: skip
    widest: tuple[Prefix, str] | None = None
    for prefix, place in pinned:
        if widest is not None and prefix.version == widest[0].version and prefix[0] in widest[0]:
            yield f"{widest[1]} and {place}: prefixes {widest[0]} and {prefix} overlap"
        else:
            widest = prefix, place


def _address_fault(address: Address, segment: Segment) -> str | None:
    """Return why a segment's interface cannot have an address, or None."""
    prefix = _of_family(segment, address.version)
    if prefix is None:
        return "needs a prefix pinned on its link"
    if address not in prefix:
        return f"is outside the link's prefix {prefix}"
    if prefix.num_addresses > 2 and address == prefix.network_address:
        return "is the prefix's own"
    if prefix.num_addresses > 2 and address.version == 4 and address == prefix.broadcast_address:
        return f"is the broadcast address of {prefix}"
    return None
