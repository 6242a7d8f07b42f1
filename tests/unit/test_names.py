"""Node names can be typed and are host names, whatever a graph calls its nodes."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Hashable
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emu.graph.names import (
    ALTNAME_BYTES,
    INTERFACE_NAME_BYTES,
    NODE_NAME_BYTES,
    host_names,
    interface_name,
    label_of,
    network_name_fault,
    node_names,
)

#: Labels of every kind: any text, and text of few letters, which collides often.
labels = st.one_of(
    st.text(max_size=200),
    st.text("aA-_. 1é", max_size=4),
    st.text("0x.", max_size=80),
    st.from_regex(r"[a-z][a-z0-9-]{0,70}", fullmatch=True),
    st.sampled_from(["localhost", "LOCALHOST", "ß", "SS", "ΟΔΟΣ", "οδος", "İ", "ﬁ", "北京", "東京" * 40]),
)


def names_of(given_labels: list[str]) -> list[str]:
    return list(node_names(enumerate(given_labels)).values())


def is_number(name: str) -> bool:
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True


@given(st.lists(labels, max_size=12))
@example(["0" * 63, "0" * 64, "0" * 61 + "-x"])
@example(["a..b", "a.-b", "-a-", "a-.b"])
@example(["é" * 50, "é" * 50, "é" * 51] + ["é" * 60] * 12)
@example(["²", "①", "½", "٣", "Ⅷ"])
def test_names_are_host_names_that_can_be_typed(given_labels: list[str]) -> None:
    names = names_of(given_labels)
    assert len({name.casefold() for name in names}) == len(given_labels)
    for name in names:
        assert all(char.isalpha() or char.isdecimal() or char in "-_." for char in name)
        assert not is_number(name)
        assert name.lower() != "localhost"
        assert name[0].isalnum()
        assert name[-1].isalnum()
        for form in host_names(name):
            assert len(form.encode()) <= NODE_NAME_BYTES
            assert all(part and part[0] != "-" and part[-1] != "-" for part in form.split("."))


@given(st.lists(labels, max_size=12))
def test_names_of_the_same_labels_are_the_same(given_labels: list[str]) -> None:
    assert names_of(given_labels) == names_of(given_labels)


@given(st.lists(labels, max_size=8))
def test_names_are_kept_as_they_are(given_labels: list[str]) -> None:
    names = names_of(given_labels)
    assert names_of(names) == names


@given(
    st.lists(labels, max_size=8),
    st.from_regex(r"[A-Za-z]([A-Za-z0-9_]{0,30}[A-Za-z0-9])?", fullmatch=True),
)
def test_a_good_label_is_kept_whatever_stands_before_it(given_labels: list[str], good: str) -> None:
    others = [one for one in given_labels if unicodedata.normalize("NFKC", one).casefold() != good.casefold()]
    if not is_number(good):
        assert names_of([*others, good])[-1] == good


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("HOST1", "HOST1"),
        ("São Paulo", "Sao-Paulo"),
        ("New York/JFK", "New-York-JFK"),
        ("(0, 1)", "0-1"),
        ("10", "n10"),
        ("10.0.0.1", "n10.0.0.1"),
        ("0x1f", "n0x1f"),
        ("", "node"),
        ("***", "node"),
        ("localhost", "localhost-2"),
        ("北京", "北京"),
        ("a" * 70, "a" * 63),
    ],
)
def test_names_stay_readable(label: str, name: str) -> None:
    assert names_of([label]) == [name]


def test_equal_labels_are_numbered_in_order() -> None:
    assert names_of(["R", "r", "R", "R-2"]) == ["R", "r-3", "R-4", "R-2"]


def test_ten_thousand_equal_labels_get_their_names() -> None:
    names = names_of(["r"] * 10_000)
    assert names[0] == "r"
    assert names[-1] == "r-10000"


@given(st.text("éÉß漢字aZ1-", min_size=1, max_size=20))
def test_other_forms_of_a_name_are_those_of_the_idna_codec(text: str) -> None:
    (name,) = names_of([text])
    assert all(form.isascii() for form in host_names(name)[1:])
    assert name.encode("idna").decode() in host_names(name)  # what Python looks up
    if not name.isascii():
        assert host_names(name)[1].removeprefix("xn--").encode().decode("punycode") == name.lower()


@pytest.mark.parametrize(
    ("name", "forms"), [("ΟΔΟΣ", ["οδοσ"]), ("οδος", ["οδος", "οδοσ"]), ("Straße", ["straße", "strasse"])]
)
def test_letters_that_resolvers_do_not_agree_on_stand_in_either_way(name: str, forms: list[str]) -> None:
    written = [one if one.isascii() else "xn--" + one.encode("punycode").decode() for one in forms]
    assert list(host_names(name)) == [name, *written]


@given(st.from_regex(r"[a-zé]{1,63}", fullmatch=True), st.integers(0, 2000))
def test_interfaces_are_named_for_their_node(node: str, position: int) -> None:
    name, altname = interface_name(node, position)
    assert len(name.encode()) <= INTERFACE_NAME_BYTES
    assert (altname or name) == f"{node}-veth{position}"
    if altname is not None:
        assert len(altname.encode()) <= ALTNAME_BYTES


class Plain:
    """Has nothing but its place in memory to tell it by."""


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("node", "label"),
    [
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred\ud800", "\\x1b[31mred\\ud800"),
        (frozenset({"b", "a", "c"}), "{a, b, c}"),
        (frozenset({frozenset({2, 1})}), "{{1, 2}}"),
        ((0, 1), "(0, 1)"),
        (None, "None"),
        (Plain(), "Plain"),
        (Broken(), "Broken"),
        (Fraction(10**5000), "Fraction"),  # str() refuses so many digits
        (float("nan"), "nan"),
        (b"HOST1", "b'HOST1'"),
    ],
)
def test_labels_are_one_line_and_the_same_in_each_process(node: Hashable, label: str) -> None:
    assert label_of(node) == label


@pytest.mark.parametrize("name", ["lab", "lab-2", "a.b_c", "1", "a" * 63])
def test_network_names(name: str) -> None:
    assert network_name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "-a", "a-", "a b", "é", "a\n", "a\0", "~", "a" * 64, ".hidden", "../x", "\ud800"],
)
def test_network_names_are_plain_file_names(name: str) -> None:
    assert re.search("network's name", network_name_fault(name) or "")
