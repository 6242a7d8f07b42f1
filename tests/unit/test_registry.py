"""Names that plugins claim."""

from __future__ import annotations

import pytest

from emu.errors import PluginError, UsageError
from emu.hooks.registry import Registry


def registry(*names: tuple[str, str]) -> Registry[object]:
    found: Registry[object] = Registry("topology")
    for name, owner in names:
        found.add(name, object(), owner)
    return found


def test_a_name_gives_its_item_and_its_owner() -> None:
    found: Registry[int] = Registry("topology")
    found.add("ring", 7, "rings")
    assert "ring" in found
    assert (found["ring"], found.entry("ring").owner, list(found)) == (7, "rings", ["ring"])
    assert found.conflicts() == []


def test_names_are_listed_in_order() -> None:
    assert list(registry(("b", "x"), ("a", "x"))) == ["a", "b"]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="no topology 'rign'; did you mean ring"):
        registry(("ring", "x"), ("star", "x"))["rign"]


def test_without_a_near_one_all_are_named() -> None:
    with pytest.raises(UsageError, match="no topology 'zzz'; known are ring, star"):
        registry(("ring", "x"), ("star", "x"))["zzz"]
    with pytest.raises(UsageError, match="known are none"):
        registry()["zzz"]


def test_a_name_that_two_claim_belongs_to_neither_and_both_are_named() -> None:
    found = registry(("ring", "one"), ("ring", "two"), ("star", "one"))
    line = "topology 'ring' is claimed by one and by two; remove or rename one"
    assert found.conflicts() == [line]
    assert list(found) == ["star"]
    with pytest.raises(PluginError) as caught:
        found["ring"]
    assert str(caught.value) == line


def test_one_that_claims_a_name_twice_is_named_once() -> None:
    assert registry(("ring", "one"), ("ring", "one")).conflicts() == [
        "topology 'ring' is claimed by two things of one; remove or rename one"
    ]


def test_registering_the_same_thing_twice_is_fine() -> None:
    found: Registry[int] = Registry("topology")
    found.add("ring", 7, "rings")
    found.add("ring", 7, "rings")
    assert found["ring"] == 7
