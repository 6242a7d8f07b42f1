"""Options of the commands that take a TOPOLOGY: what they change of the plan."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from emu.arguments import Seconds
from emu.cli import main
from emu.graph.attributes import Routing


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return int(caught.value.code or 0)


def planned(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    assert run("plan", "grid", "--json", *options) == 0
    return json.loads(capsys.readouterr().out)


def prefixes(plan: Any) -> list[Any]:
    return [ipaddress.ip_network(prefix) for segment in plan["segments"] for prefix in segment["prefixes"]]


def routes(plan: Any, kind: str) -> int:
    return sum(
        len(group["destinations"])
        for node in plan["nodes"] if node["kind"] == kind for group in node["routes"]
    )  # fmt: skip


@pytest.mark.parametrize("pools", [["172.16.0.0/12"], ["172.16.0.0/12", "2001:db8::/32"]])
def test_pools_of_either_family(capsys: pytest.CaptureFixture[str], pools: list[str]) -> None:
    found = prefixes(planned(capsys, *(word for pool in pools for word in ("--pool", pool))))
    wanted = [ipaddress.ip_network(pool) for pool in (*pools, "fd00::/16")]
    assert all(any(one.version == pool.version and one[0] in pool for pool in wanted) for one in found)
    assert {one.version for one in found} == {4, 6}


@pytest.mark.parametrize(
    ("option", "lengths"), [("--packed", {30, 31}), ("--readable", {24}), ("--loopbacks", {24})]
)
def test_prefixes_are_as_narrow_as_the_option_says(
    capsys: pytest.CaptureFixture[str], option: str, lengths: set[int]
) -> None:  # fmt: skip
    assert {one.prefixlen for one in prefixes(planned(capsys, "-4", option))} == lengths


def test_loopbacks_are_given_to_all_routers_and_nobody_else(capsys: pytest.CaptureFixture[str]) -> None:
    for options, count in ((["--loopbacks"], 2), (["--loopbacks", "-6"], 1), ([], 0)):
        for node in planned(capsys, *options)["nodes"]:
            assert len(node["loopback"]) == (count if node["kind"] == "router" else 0)


def test_fewer_routes_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    plans = {each.value: planned(capsys, "--routes", each.value) for each in Routing}
    full, compressed, hosts, none = (plans[each] for each in ("full", "compressed", "hosts", "none"))
    assert plans["compressed"] == planned(capsys)
    assert routes(full, "router") > routes(compressed, "router") > routes(hosts, "router") == 0
    assert routes(full, "host") == routes(compressed, "host") == routes(hosts, "host") > 0
    assert routes(none, "host") == routes(none, "router") == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--pool", "10.0.0.1/8"], "'10.0.0.1/8': has host bits set"),
        (["--pool", "here"], "'here'"),
        (["--pool", "10.0.0.0/8", "--pool", "172.16.0.0/12"], "more than one of a family"),
        (["--pool", "10.0.0.0/30", "--readable"], "the pool 10.0.0.0/30 has 4 addresses"),
        (["--routes", "some"], "'some' is not one of"),
    ],
)
def test_what_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:  # fmt: skip
    assert run("plan", "grid", *options) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("word", "seconds"), [("5", 5), (".5", 0.5), ("100ms", 0.1), ("2min", 120), ("1e1", 10)]
)
def test_seconds_may_have_a_unit(word: str, seconds: float) -> None:
    assert Seconds().convert(word, None, None) == seconds
