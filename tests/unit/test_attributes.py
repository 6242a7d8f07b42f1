"""What attributes may look like, and what is said of those that may not."""

from __future__ import annotations

import ipaddress
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.graph.attributes import KNOWN, Kind, Reader, parse_families, parse_kind, parse_routing, parse_weight
from emu.graph.pin_values import parse_addresses, parse_loopback, parse_macs, parse_prefixes, parse_routes

#: What graphs of other people carry; see also test_graph.
FOREIGN = [
    "pos", "dist", "distance", "club", "id", "name", "lat", "lon", "latitude", "longitude",
    "length", "type", "color", "colour", "capacity", "bandwidth", "delay", "cost", "size", "shape",
    "x", "y", "Country", "Internal", "LinkLabel", "LinkSpeed", "title", "value", "key", "source",
    "target", "community", "bipartite", "layer", "subset", "asn", "level", "width", "max",
    "height", "eight", "freight", "find", "mind", "table", "suffix", "notes", "votes", "tools", "hacks",
    "router", "routers", "packet", "packets", "roles", "mass", "maps", "seen", "send", "lost",
    "demands", "stats", "ecmp_fwd",
    "Latitude", "Longitude", "hyperedge", "Network", "GeoLocation", "DateObtained", "NetworkDate", "Layer",
    "Note", "Backbone", "Commercial", "Provenance",
]  # fmt: skip


@pytest.mark.parametrize("value", ["router", "ROUTER", "Router", Kind.ROUTER])
def test_a_kind_is_known_in_any_case(value: Any) -> None:
    assert parse_kind(value) is Kind.ROUTER


@pytest.mark.parametrize("value", [3, None, [], b"\0", "", "firewall", object(), float("nan")])
def test_an_unknown_kind_is_told_the_known_ones(value: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown kind .*known are host, router, switch"):
        parse_kind(value)


def test_a_misspelt_kind_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean switch"):
        parse_kind("swich")


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.int64(2), np.float32(2), np.uint8(2), Decimal(2), Fraction(2)],
    ids=lambda value: type(value).__name__,
)
def test_numbers_of_all_libraries_are_weights(value: Any) -> None:
    weight = parse_weight(value)
    assert weight == 2
    assert type(weight) is float


@pytest.mark.parametrize(
    "value",
    [
        0, -1, True, "1", b"1", None, [1], 1j, float("nan"), float("inf"), np.float64("nan"), Decimal("NaN"),
        Decimal("sNaN"), Decimal("Infinity"), np.array([1, 2]), np.True_, Fraction(-1, 3), 5e-324 * 0,
    ],
    ids=repr,
)  # fmt: skip
def test_other_things_are_no_weights(value: Any) -> None:
    with pytest.raises(ValueError, match=r"weight .* is not a"):
        parse_weight(value)


@pytest.mark.parametrize("value", [1e-101, 1e101, 10**200, 5e-324])
def test_weights_that_have_no_sums_are_none(value: float) -> None:
    with pytest.raises(ValueError, match=r"not between 1e-100 and 1e\+100"):
        parse_weight(value)


def test_a_number_beyond_floating_point_is_no_weight() -> None:
    with pytest.raises(ValueError, match="finite number above zero"):
        parse_weight(10**400)
    with pytest.raises(ValueError, match="finite number above zero"):
        parse_weight(Fraction(1, 10**400))


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2.0/24 2001:db8::/64", "192.0.2.0/24,2001:db8::/64", ["192.0.2.0/24", "2001:db8::/64"],
        (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/64")),
    ],
    ids=repr,
)  # fmt: skip
def test_prefixes_of_both_families(value: Any) -> None:
    assert [str(prefix) for prefix in parse_prefixes(value)] == ["192.0.2.0/24", "2001:db8::/64"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("192.0.2.1/24", "'192.0.2.1/24': has host bits set"),
        ("", "prefix '' is empty"),
        ([], "is empty"),
        ("192.0.2.0/33", "does not appear to be"),
        ("one", "'one': does not appear to be"),
        (["192.0.2.0/24", "198.51.100.0/24"], "more than one of a family"),
        (5, "'5': does not appear to be"),
        (b"192.0.2.0/24", "does not appear to be"),
        ({"a": 1}, "does not appear to be"),
        ([10**5000], "'<int>': does not appear"),
        ("fe80::%eth0/64", "zone"),
        ("224.0.0.0/24", "no interface can have"),
        ("127.0.0.0/8", "no interface can have"),
        ("0.0.0.0/0", "no interface can have"),
        ("255.255.255.0/24", "no interface can have"),
        ("::/0", "no interface can have"),
        ("ff02::/64", "no interface can have"),
        ("fe80::/64", "no interface can have"),
        ("::ffff:192.0.2.0/120", "no interface can have"),
    ],
)
def test_prefixes_that_no_segment_can_have(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_prefixes(value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "A=192.0.2.1 A=2001:db8::1 B=192.0.2.2",
        {"A": "192.0.2.1 2001:db8::1", "B": "192.0.2.2"},
        {"A": ["192.0.2.1", ipaddress.ip_address("2001:db8::1")], "B": ipaddress.ip_address("192.0.2.2")},
    ],
    ids=repr,
)
def test_addresses_per_node(value: Any) -> None:
    found = {node: " ".join(map(str, addresses)) for node, addresses in parse_addresses(value).items()}
    assert found == {"A": "192.0.2.1 2001:db8::1", "B": "192.0.2.2"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("192.0.2.1", "not NODE=ADDRESS"),
        (["192.0.2.1"], "not a mapping"),
        (7, "not a mapping"),
        ("A=192.0.2.300", "address '192.0.2.300': does not appear"),
        ("A=192.0.2.1/24", "does not appear"),
        ({"A": "192.0.2.1 192.0.2.2"}, "more than one of a family"),
        ({"A": None}, "'None': does not appear"),
        ({"A": 3232235777}, "does not appear"),
        ({"A": "fd00::1%eth0"}, "zone"),
    ],
)
def test_addresses_that_cannot_be(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_addresses(value)


@pytest.mark.parametrize(
    "value",
    [
        "A=02:00:00:00:00:01 B=02-00-00-00-00-0A",
        {"A": "02:00:00:00:00:01", "B": "02:00:00:00:00:0A"},
        {"A": ["02:00:00:00:00:01"], "B": ("02:00:00:00:00:0a",)},
    ],
    ids=repr,
)
def test_macs_per_node(value: Any) -> None:
    assert parse_macs(value) == {"A": "02:00:00:00:00:01", "B": "02:00:00:00:00:0a"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("02:00:00:00:00:01", "not NODE=MAC"),
        (7, "not a mapping"),
        ({"A": "02:00:00:00:00"}, "'02:00:00:00:00' is not six bytes"),
        ({"A": 2}, "'2' is not six bytes"),
        ({"A": "01:00:00:00:00:01"}, "single interface"),
        ({"A": "ff:ff:ff:ff:ff:ff"}, "single interface"),
        ({"A": "00:00:00:00:00:00"}, "single interface"),
        ("A=02:00:00:00:00:01 A=02:00:00:00:00:02", "more than one MAC"),
    ],
)
def test_macs_that_cannot_be(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_macs(value)


@pytest.mark.parametrize(
    "value",
    [
        "default=192.0.2.1,default=192.0.2.2 default=2001:db8::1 198.18.0.0/15=unreachable "
        "203.0.113.9=192.0.2.3",
        {
            "default": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
            "198.18.0.0/15": "unreachable",
            ipaddress.ip_address("203.0.113.9"): "192.0.2.3",
        },
        {
            "0.0.0.0/0": "192.0.2.1 192.0.2.2 192.0.2.1",
            "::/0": ipaddress.ip_address("2001:db8::1"),
            ipaddress.ip_network("198.18.0.0/15"): ["unreachable"],
            "203.0.113.9/32": "192.0.2.3",
        },
    ],
    ids=repr,
)
def test_routes_by_destination(value: Any) -> None:
    found = {str(prefix): " ".join(map(str, hops)) for prefix, hops in parse_routes(value).items()}
    assert found == {
        "0.0.0.0/0": "192.0.2.1 192.0.2.2", "::/0": "2001:db8::1", "198.18.0.0/15": "",
        "203.0.113.9/32": "192.0.2.3",
    }  # fmt: skip


def test_an_unreachable_default_is_one_of_both_families() -> None:
    assert list(map(str, parse_routes("default=unreachable"))) == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("192.0.2.0/24", "not DESTINATION=NEXT-HOP"),
        ("192.0.2.0/24 via 192.0.2.1", "not DESTINATION=NEXT-HOP"),
        (7, "not a mapping"),
        ({"203.0.113.1/24": "192.0.2.1"}, "destination '203.0.113.1/24': has host bits set"),
        ({"203.0.113.0/24": "ROUTER"}, "next hop 'ROUTER'"),
        ({"203.0.113.0/24": "fe80::1%eth0"}, "zone"),
        ({"203.0.113.0/24": None}, "next hop 'None'"),
        ({"203.0.113.0/24": "2001:db8::1"}, "of the other family, IPv6"),
        ({"203.0.113.0/24": ["192.0.2.1", "unreachable"]}, "not both"),
        ({"203.0.113.0/24": ["unreachable", "192.0.2.1"]}, "not both"),
        ({"224.0.0.0/4": "192.0.2.1"}, "not routed"),
        ({"127.0.0.1": "192.0.2.1"}, "not routed"),
        ({7: "192.0.2.1"}, "destination '7'"),
    ],
)
def test_routes_that_cannot_be(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_routes(value)


def test_loopbacks_of_both_families() -> None:
    assert list(map(str, parse_loopback("192.0.2.1 2001:db8::1"))) == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        ("192.0.2.1 192.0.2.2", "more than one of a family"),
        ("192.0.2.1/32", "does not appear"),
        (True, "'True': does not appear"),
        ("127.0.0.1", "no interface can have"),
        ("fe80::1", "no interface can have"),
    ],
)
def test_loopbacks_that_no_router_can_have(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_loopback(value)


@pytest.mark.parametrize("value", ["compressed", "FULL", "hosts", "none"])
def test_which_routes_there_are(value: str) -> None:
    assert parse_routing(value) == value.lower()


@pytest.mark.parametrize("value", ["some", 4, [], True, {"default": "192.0.2.1"}])
def test_unknown_routes_are_told_the_known_ones(value: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown routes .*known are compressed, full, hosts, none"):
        parse_routing(value)


@pytest.mark.parametrize("value", [(4, 6), [6, 4], {"4", "6"}, "4 6", "6,4", ("4", 6, 4)])
def test_both_families(value: Any) -> None:
    assert parse_families(value) == (4, 6)


@pytest.mark.parametrize("value", [5, "46", "", (), [None], 4.0, b"4", object()], ids=type)
def test_other_families_are_unknown(value: Any) -> None:
    with pytest.raises(ValueError, match="not one or both of 4 and 6"):
        parse_families(value)


@pytest.mark.parametrize("element", KNOWN)
@pytest.mark.parametrize("key", [*FOREIGN, 1, None, ("a", "b"), b"kind"])
def test_other_peoples_attributes_are_left_alone(element: str, key: Any) -> None:
    reader = Reader()
    if key in KNOWN[element]:
        return
    assert reader.read(element, "here", {key: object()}) == {}
    assert reader.faults == []


def test_one_line_names_what_was_left_alone() -> None:
    reader = Reader()
    for number in range(3):
        reader.read("node", f"node {number}", {"club": "Mr. Hi", "id": number})
    reader.read("link", "link", {"capacity": 1, 7: 1})
    assert reader.notes() == ("attributes left alone: node club, id; link 7, capacity",)


def test_what_others_call_rate_and_delay_is_left_alone_with_a_hint() -> None:
    reader = Reader()
    reader.read("link", "link A--B", {"bw": 10, "latency": "5ms", "bandwith": 1})
    reader.read("node", "node A", {"bw": 10})
    assert reader.faults == []
    hints = "link bandwith (did you mean rate?), bw (did you mean rate?), latency (did you mean delay?)"
    assert reader.notes() == (f"attributes left alone: node bw; {hints}",)


@pytest.mark.parametrize(
    ("element", "key", "known"),
    [
        ("node", "knid", "kind"),
        ("node", "Kind", "kind"),
        ("node", "kinds", "kind"),
        ("node", "lable", "label"),
        ("node", "prefx", "prefix"),
        ("node", "prefixes", "prefix"),
        ("link", "wegt", "weight"),
        ("link", "wieght", "weight"),
        ("link", "weigth", "weight"),
        ("link", "Weight", "weight"),
        ("link", "prefixs", "prefix"),
        ("link", "address", "addresses"),
        ("link", "adresses", "addresses"),
        ("link", "ewight", "weight"),
        ("link", "mac", "macs"),
        ("node", "loopbak", "loopback"),
        ("node", "loopbacks", "loopback"),
        ("node", "route", "routes"),
        ("graph", "loopback", "loopbacks"),
        ("graph", "pool", "pools"),
        ("graph", "familes", "families"),
        ("graph", "Name", "name"),
    ],
)
def test_misspelt_attributes_are_faults(element: str, key: str, known: str) -> None:
    reader = Reader()
    reader.read(element, "here", {key: "x"})
    assert reader.faults == [f"here: unknown attribute {key!r}; did you mean {known!r}?"]


def test_none_is_as_good_as_absent() -> None:
    reader = Reader()
    assert reader.read("node", "node A", {"kind": None, "label": None}) == {}
    assert reader.faults == []


@given(st.sampled_from(sorted(KNOWN)), st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=5))
def test_notes_and_faults_are_single_lines(element: str, attributes: dict[str, str]) -> None:
    reader = Reader()
    reader.read(element, "here", attributes)
    assert all(line.isprintable() for line in (*reader.notes(), *reader.faults))
