"""What may be said of links, what comes of it, and what is said of the rest."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.errors import TopologyError
from emu.graph.attributes import BY_END
from emu.planning.plan import Plan
from emu.reading.sources import graph_from
from emu.shaping import Shaping, attributes_of, describe, model
from emu.shaping.attributes import PARSERS
from emu.shaping.model import limit_in
from emu.shaping.profiles import PROFILES
from emu.shaping.tables import SCALE, SIZE, table_of
from emu.shaping.units import parse_rate, parse_time, show_rate, show_time

from .shaped import DIRECTIONS, shaping


def graph(**attributes: Any) -> nx.Graph:
    """Return a host and a router with a link between them, and another host behind."""
    found: nx.Graph = nx.Graph(name="lab", families=4)
    found.add_node("HOST1", kind="host")
    found.add_node("ROUTER", kind="router")
    found.add_edge("HOST1", "ROUTER", **attributes)
    found.add_edge("ROUTER", "HOST2")
    return found


def directions(of: nx.Graph) -> tuple[Shaping | None, Shaping | None]:
    """Return what leaves HOST1 and what leaves ROUTER towards it."""
    plan = emu.plan_for(of)
    return plan.node("HOST1").interfaces[0].shaping, plan.node("ROUTER").interfaces[0].shaping


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100mbit", 10**8), ("1.5gbit", 15 * 10**8), ("100GBit", 10**11), ("250kbps", 2 * 10**6),
        ("1mibit", 2**20), ("9600bit", 9600), ("0.1 mbit", 10**5),
        ("10 Mbit/s", 10**7), ("10mbit/s", 10**7), ("1 Gbit/s", 10**9), ("10 mbps", 8 * 10**7),
    ],
)  # fmt: skip
def test_rates_have_the_units_of_tc(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@given(st.integers(8, 10**12))
def test_a_rate_that_is_shown_is_read_back(rate: int) -> None:
    assert parse_rate(show_rate(rate)) == rate


@given(st.integers(0, 3600 * 10**9))
def test_a_time_that_is_shown_is_read_back(time: int) -> None:
    assert parse_time(show_time(time)) == time


@pytest.mark.parametrize(
    ("time", "text"),
    [(0, "0s"), (1, "1ns"), (999, "999ns"), (1500, "1.5us"), (250_000, "250us"), (16_666_667, "16.666667ms"),
     (999_999_999, "999.999999ms"), (1_000_000_001, "1.000000001s")],
)  # fmt: skip
def test_times_are_shown_exactly_in_the_largest_unit(time: int, text: str) -> None:
    assert show_time(time) == text


def test_rates_are_shown_exactly_in_the_largest_unit() -> None:
    assert [show_rate(rate) for rate in (8, 64_000, 1_234_567, 10**12)] == [
        "8bit", "64kbit", "1.234567mbit", "1000gbit",
    ]  # fmt: skip


@pytest.mark.parametrize("attributes", DIRECTIONS, ids=str)
def test_what_is_printed_is_short_and_whole(attributes: dict[str, Any]) -> None:
    found = shaping(**attributes)
    assert str(found) == describe(found)
    assert "mtu=None" not in repr(found)
    names = {name: getattr(model, name) for name in model.__dict__ if name[0].isupper()}
    assert eval(repr(found), names) == found  # our own text


def test_what_does_nothing_says_so() -> None:
    assert (str(Shaping()), repr(Shaping())) == ("nothing", "Shaping()")


@pytest.mark.parametrize("attributes", DIRECTIONS, ids=str)
def test_what_is_shown_is_read_back_also_from_json(attributes: dict[str, Any]) -> None:
    found = shaping(**attributes)
    assert shaping(**attributes_of(found)) == found
    assert Shaping.from_dict(json.loads(json.dumps(dataclasses.asdict(found)))) == found
    assert all(name in describe(found) for name in attributes)


@pytest.mark.parametrize("attributes", DIRECTIONS, ids=str)
def test_a_space_may_stand_before_every_unit(attributes: dict[str, Any]) -> None:
    """What is read is the same, also within values of several words."""
    spaced = {
        name: re.sub(r"(?<![\w-])([\d.]+)([a-z%]+)", r"\1 \2", value) if isinstance(value, str) else value
        for name, value in attributes.items() if name != "distribution" or "/" not in str(value)
    }  # fmt: skip
    assert shaping(**attributes | spaced) == shaping(**attributes)


def test_a_space_may_stand_before_the_units_of_samples(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("10 ms\n12 ms, 14; 16 ms 18000 us\n")
    assert (found := shaping(distribution=str(path))).delay == 14_000_000
    assert shaping(distribution="10 ms 12 ms 14 ms 16 ms 18 ms").jitter == found.jitter


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"rate": 10}, "rate 10 has no unit; write '10mbit', for example"),
        ({"rate": 0}, "rate 0 lets nothing through"),
        ({"rate": "0mbit"}, "rate '0mbit' lets nothing through; the least is 8bit"),
        ({"rate": "7bit"}, "rate '7bit' is not between 8bit and 1tbit"),
        ({"rate": "-1mbit"}, "rate '-1mbit' is negative"),
        ({"rate": "10mbits"}, "unknown unit 'mbits'; did you mean mbit"),
        ({"rate": "10 MB/s"}, "unknown unit 'mb/s'; did you mean mbps"),
        ({"rate": "1mbit", "limit": "64 kb/s"}, "unknown unit 'kb/s'"),
        ({"rate": float("nan")}, "rate nan is not a number with a unit"),
        ({"rate": [1]}, "rate [1] is not a number with a unit"),
        ({"delay": "5"}, "delay '5' has no unit"),
        ({"delay": "2h"}, "unknown unit 'h'"),
        ({"delay": "3601s"}, "more than an hour"),
        ({"loss": "101%"}, "more than 100 %"),
        ({"loss": "-1%"}, "negative"),
        ({"loss": "gemodel"}, "gemodel has 1 to 4 chances"),
        ({"loss": "1% 2% 3%"}, "random has 1 to 2 chances"),
        ({"jitter": "1ms"}, "jitter without a delay"),
        ({"delay": "1ms", "distribution": "normal"}, "distribution without jitter"),
        ({"reorder": "1%"}, "reorder without a delay"),
        ({"delay": "1ms", "reorder": "1% gap 0"}, "a gap is 1 at least"),
        ({"limit": 10}, "limit without a rate: there is no queue"),
        ({"rate": "1mbit", "limit": 0}, "limit 0 is not between 1"),
        ({"rate": "1mbit", "limit": "10 m packets"}, "is not a number"),
        ({"rate": "1mbit", "limit": "1mb", "queue": "pfifo"}, "pfifo has a limit in packets"),
        ({"queue": "red"}, "queue red without a rate"),
        ({"rate": "1mbit", "queue": "red min 9kb max 8kb"}, "min is not less than max"),
        ({"rate": "1mbit", "queue": "fq_codle"}, "did you mean fq_codel"),
        ({"rate": "1mbit", "queue": "fq_codel limit 3"}, "an attribute of the link, 'limit'"),
        ({"rate": "1mbit", "queue": "pie ecn noecn"}, "ecn and noecn exclude each other"),
        ({"rate": "1mbit", "queue": "pie target"}, "target has no value"),
        ({"delay": "1ms", "jitter": "1ms", "distribution": "gauss"}, "distribution 'gauss' is unknown"),
        ({"distribution": "/nowhere/at/all"}, "/nowhere/at/all: No such file"),
        ({"distribution": [1, 1]}, "two different ones"),
        ({"slot": "2ms 1ms"}, "the first time is more than the second"),
        ({"delay": "5s", "jitter": "4s"}, "jitter: a spread of 4s is more than netem takes"),
        ({"slot": "distribution normal 1s 3s"}, "slot: a spread of 3s is more than netem takes"),
        ({"rate": "1mbit", "queue": "fq timer_slack 5s"}, "timer_slack '5s' is more than the kernel takes"),
        ({"mtu": 67}, "mtu 67 is not between 68 and 65535"),
        ({"delay": "1ms", "seed": 3}, "seed without"),
        ({"profile": "dls"}, "unknown profile 'dls'; did you mean dsl"),
        ({"rate": {"HOST": "1mbit"}}, "rate names 'HOST', which is not an end of it"),
        ({"mtu": {"HOST1": 1400, "ROUTER": 1500}}, "both ends have the same"),
        ({"delay": {"HOST1": "5ms"}, "jitter": "1ms"}, "from ROUTER: jitter without a delay"),
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_one_line_with_the_link(attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TopologyError) as raised:
        emu.plan_for(graph(**attributes))
    assert any(reason in fault and fault.startswith("link HOST1--ROUTER") for fault in raised.value.faults)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "drawn", [{"slot": "distribution normal 1ms 1ms"}, {"slot": "1ms 2ms"}, {"loss": "1%"}]
)
def test_what_is_drawn_may_have_a_seed(drawn: dict[str, Any]) -> None:
    assert shaping(**drawn, seed=3).seed == 3


def test_directions_may_differ() -> None:
    there, back = directions(graph(rate={"HOST1": "1mbit", "ROUTER": "10mbit"}, delay="5ms"))
    assert (there, back) == (shaping(rate="1mbit", delay="5ms"), shaping(rate="10mbit", delay="5ms"))
    assert directions(graph(loss={"HOST1": "1%"})) == (shaping(loss="1%"), None)
    directed: nx.DiGraph = nx.DiGraph(graph())
    directed.edges["HOST1", "ROUTER"]["delay"] = "5ms"
    assert directions(directed) == (shaping(delay="5ms"), None)


def test_every_attribute_may_differ_by_direction() -> None:
    assert set(PARSERS) < BY_END
    for parser in PARSERS.values():
        with pytest.raises(ValueError, match=r"\{\}"):
            parser({})  # or YAML could not tell it from a mapping of ends


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_go_down_to_the_host_and_have_a_source(name: str) -> None:
    there, back = directions(graph(profile=name))
    assert there is not None
    assert back is not None
    assert (show_rate(there.rate or 0), show_rate(back.rate or 0)) == (
        PROFILES[name].up["rate"], PROFILES[name].down["rate"],
    )  # fmt: skip
    assert PROFILES[name].source


def test_profiles_of_ones_own_and_what_a_link_says_itself() -> None:
    own = graph(profile="lab", delay="1ms")
    own.graph["profiles"] = {"lab": {"rate": {"up": "1mbit", "down": "2mbit"}, "delay": "9ms"}}
    assert directions(own) == (shaping(rate="1mbit", delay="1ms"), shaping(rate="2mbit", delay="1ms"))


def test_between_routers_somebody_has_to_say_which_end_is_the_customers() -> None:
    between = graph(profile={"HOST1": "dsl up", "ROUTER": "dsl down"})
    between.nodes["HOST1"]["kind"] = "router"
    assert [one and one.rate for one in directions(between)] == [384_000, 1_500_000]
    between.edges["HOST1", "ROUTER"]["profile"] = "dsl"
    with pytest.raises(TopologyError, match="which end is the customer's"):
        emu.plan_for(between)


@pytest.mark.parametrize(
    ("limit", "meant"), [("1e3kb", "1000kb"), ("1.5e1 ms", "15ms"), ("2e2p", 200), ("1e2", 100)]
)
def test_a_limit_with_an_exponent_is_in_the_unit_that_it_says(limit: str, meant: str | int) -> None:
    assert shaping(rate="1mbit", limit=limit) == shaping(rate="1mbit", limit=meant)


def test_the_default_queue_holds_a_round_trip_and_says_so() -> None:
    assert "limit 100p (by default)" in describe(shaping(rate="10mbit", delay="50ms"))
    assert "limit 20p (by default)" in describe(shaping(rate="64kbit"))


@pytest.mark.parametrize("queue", ["fq maxrate 10mbit", "cake bandwidth 1gbit"])
def test_a_queue_with_a_rate_of_its_own_has_room_for_what_waits(queue: str) -> None:
    assert "limit 10000p (by default)" in describe(shaping(queue=queue))
    assert limit_in(shaping(queue=queue), "packets") == 10_000


@pytest.mark.parametrize(("name", "spread"), [("normal", 1), ("uniform", 3**-0.5)])
def test_tables_have_the_mean_and_the_spread_that_they_should(name: str, spread: float) -> None:
    values = [one / SCALE for one in table_of(name)]
    assert fmean(values) == pytest.approx(0, abs=0.001)
    assert pstdev(values) == pytest.approx(spread, rel=0.01)


@pytest.mark.parametrize("name", ["normal", "pareto", "paretonormal"])
def test_tables_are_those_of_tc(name: str) -> None:
    path = next(Path("/usr/lib").glob(f"**/tc/{name}.dist"), None)
    if path is None:
        pytest.skip("iproute2's tables are not installed")
    lines = (line for line in path.read_text().splitlines() if not line.startswith("#"))
    theirs = sorted(int(word) for line in lines for word in line.split())
    middle = slice(len(theirs) // 50, -len(theirs) // 50)  # tc's are made of random numbers
    assert max(abs(a - b) for a, b in zip(theirs[middle], table_of(name)[middle], strict=True)) < 0.06 * SCALE


def test_samples_say_delay_jitter_and_distribution(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("# ms\n10 12 14\n16ms, 18000us\n")
    found = shaping(distribution=str(path))
    assert (found.delay, found.jitter) == (14_000_000, 2_828_427)
    assert found == dataclasses.replace(
        shaping(distribution=[10, 12, 14, 16, 18]), distribution=found.distribution
    )  # fmt: skip
    path.write_text("10\nten\n")
    with pytest.raises(ValueError, match=r"samples\.txt:2: sample 'ten' is not a number"):
        shaping(distribution=str(path))


def test_samples_are_saved_so_that_they_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("10 12 14 16ms 18000us\n")
    from_file = shaping(distribution=str(path))
    assert attributes_of(from_file)["distribution"] == str(path)
    assert shaping(**attributes_of(from_file)) == from_file
    assert f"distribution {path}" in describe(from_file)
    listed = shaping(distribution="10ms 12ms 14ms 16ms 18ms", delay="1s")
    assert "distribution of 5 samples" in describe(listed)
    assert listed == shaping(distribution=[10, 12, 14.0, "16ms", "18ms"], delay="1s")


@given(st.lists(st.floats(0, 4_000), min_size=2, max_size=30), st.sampled_from([1, 500]))
def test_samples_given_one_by_one_are_read_back_exactly(samples: list[float], times: int) -> None:
    if max(samples) - min(samples) < 0.001:
        samples.append(samples[0] + 1)
    found = shaping(distribution=samples * times)
    assert len(attributes_of(found)["distribution"].split()) <= SIZE
    assert shaping(**attributes_of(found)) == found


def test_a_plan_with_shaping_comes_back_from_json() -> None:
    plan = emu.plan_for(graph(delay="5ms", distribution=[1, 2, 5], queue="fq_codel ecn", rate="1mbit"))
    assert Plan.from_json(plan.to_json()) == plan


def test_none_takes_away_what_a_profile_has() -> None:
    usual = directions(graph(profile="dsl"))[0]
    assert usual is not None
    assert usual.delay
    assert directions(graph(profile="dsl", delay="none"))[0] == dataclasses.replace(usual, delay=0)
    there, back = directions(graph(profile="dsl", rate={"ROUTER": "none"}))
    assert (there, back) == (usual, Shaping(delay=usual.delay))
    assert directions(graph(profile="dsl", rate="none", delay="none")) == (None, None)
    assert directions(graph(profile="none", loss=" None ")) == (None, None)


def test_none_and_hints_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("links: [{ends: [A, B], rate: 1mbit, profile: datacenter, delay: none}]")
    shown = emu.plan_for(graph_from(str(path))).node("A").interfaces[0].shaping
    assert shown == Shaping(rate=10**6)
    path.write_text("links: [{ends: [A, B], bandwith: 1mbit}]")
    with pytest.raises(TopologyError, match=r"no 'bandwith'; did you mean rate\?"):
        graph_from(str(path))
