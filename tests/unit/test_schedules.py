"""Schedules and traces: what they consist of, and what is wrong with them, told in a line with its place."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import emu
from emu.playing import await_begin
from emu.reading.schedule_files import events_in
from emu.reading.sources import graph_from
from emu.schedules import check_schedule, parse_schedule
from emu.schedules.steps import in_time, steps_of
from emu.shaping import attributes_of, needs
from emu.topologies.two_segment import two_segment
from emu.traces import known_traces, read_trace, trace_path
from emu.traces.make import make

LINK = ["HOST1", "ROUTER"]
LOOSE = {"at": 1, "link": LINK, "do": "down"}


def planned(*events: Any, **attributes: Any) -> emu.Plan:
    graph = two_segment()
    graph.graph["schedule"] = list(events)
    graph.edges["HOST1", "ROUTER"].update(attributes)
    return emu.plan_for(graph)


def times(*events: Any) -> list[tuple[float, str]]:
    return [(step.time / 1e9, str(step).removeprefix("link HOST1--ROUTER ")) for step in
            steps_of(parse_schedule(list(events)))]  # fmt: skip


def test_steps_of_all_events_come_in_order_of_time() -> None:
    flap = {"at": 1, "link": LINK, "flap": {"down": "100ms", "up": "900ms", "times": 2}}
    ramp = {"at": 1.5, "link": LINK, "ramp": {"delay": ["0s", "10ms"]}, "over": "1s", "every": "500ms"}
    assert times(flap, ramp) == [
        (1, "down"), (1.1, "up"), (1.5, "set delay=0s"), (2, "down"), (2, "set delay=5ms"), (2.1, "up"),
        (2.5, "set delay=10ms"),
    ]  # fmt: skip


def test_what_keeps_the_rate_of_a_trace_is_asked_for_before_anything_is_built() -> None:
    plan = planned(trace={"ROUTER": "lte-walk"})
    _, shapings = check_schedule(plan.schedule, plan)
    assert {need[:2] for _, one, _ in shapings for need in needs(one)} == {("hfsc", "rate")}


@pytest.mark.parametrize(("ramp", "varies"), [("delay", False), ("rate", True)])
def test_only_a_rate_that_changes_takes_another_queue(ramp: str, varies: bool) -> None:
    graph = two_segment()
    graph.edges["HOST1", "ROUTER"].update(rate="10mbit", delay="5ms")
    values = {"rate": ["10mbit", "1mbit"], "delay": ["5ms", "9ms"]}[ramp]
    event = {"at": 0, "link": ["HOST1", "ROUTER"], "ramp": {ramp: values}, "over": "1s"}
    faults, shapings = check_schedule(parse_schedule([event]), emu.plan_for(graph))
    assert not faults
    assert {shaping.varies for _, shaping, _ in shapings} == {varies}


def test_an_mtu_stays_with_both_ends_when_one_direction_is_cleared() -> None:
    did: list[dict[str, Any]] = [
        {"set": {"mtu": 2000, "delay": "1ms"}}, {"do": "clear", "from": "HOST1"},
        {"set": {"rate": "1mbit"}, "from": "HOST1"},
    ]  # fmt: skip
    plan = planned(*({"at": number, "link": LINK, **event} for number, event in enumerate(did)))
    _, shapings = check_schedule(plan.schedule, plan)
    assert attributes_of(shapings[-2][1]) == {"rate": "1mbit", "mtu": "2000"}


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_schedule_has_begun_when_it_says_so_in_however_many_pieces(size: int) -> None:
    text = b'{"what": "link A--B down"}\n{"begin": 12.5}\n' + b"more\n" * 50
    pieces = iter([text[at : at + size] for at in range(0, len(text), size)])
    await_begin(pieces)
    assert b"more" in b"".join(pieces)


def test_a_start_puts_all_off() -> None:
    (event,) = parse_schedule({"start": "2s", "events": [LOOSE]})
    assert event.at == 3 * 10**9


def test_a_plan_keeps_its_schedule_and_a_link_s_trace() -> None:
    plan = planned(LOOSE, trace={"ROUTER": "lte-walk"})
    assert [event.told() for event in plan.schedule] == [
        "link ROUTER-veth0 trace lte-walk from=ROUTER", "link HOST1--ROUTER down",
    ]  # fmt: skip
    assert emu.Plan.from_json(plan.to_json()) == plan
    again = parse_schedule([event.to_attribute() for event in plan.schedule])
    assert again == plan.schedule


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({**LOOSE, "link": ["HOST1", "HOST9"]}, "no node 'HOST9'"),
        ({**LOOSE, "link": ["HOST1", "HOST2"]}, "there is none"),
        ({**LOOSE, "at": 0.5}, "time goes back"),
        ({**LOOSE, "at": -1}, "negative"),
        ({**LOOSE, "do": "dwn"}, "did you mean down?"),
        ({**LOOSE, "form": "HOST1"}, "for or from?"),
        ({"at": 1, "node": "HOST1", "set": {"loss": "1%"}, "from": "HOST1"}, "goes with a link, not"),
        ({"at": 2, "link": LINK, "set": {"dely": "1ms"}}, "did you mean delay?"),
        ({"at": 2, "link": LINK, "set": {"max_queue_size": 9}}, "did you mean limit?"),
        ({"at": 2, "link": LINK, "set": {"rate": ""}}, "rate '' is not a number"),
        ({"at": 2, "link": LINK, "set": {"jitter": "1ms"}}, "jitter without a delay"),
        ({"at": 2, "link": LINK, "run": "true"}, "run belongs to a node"),
        ({"at": 2, "link": LINK, "ramp": {"mtu": [1, 2]}, "over": 1}, "little by little"),
        ({"at": 2, "link": LINK, "trace": "no-such"}, "no such trace"),
        ({"at": 2, "link": LINK, "trace": "./no-such"}, f"trace {Path.cwd()}/no-such: no such trace"),
        ("down", "is not an event"),
    ],
)
def test_faults_are_told_before_anything_is_built(event: Any, reason: str) -> None:
    with pytest.raises(emu.TopologyError) as error:
        planned(LOOSE, event)
    assert "schedule event 2: " in str(error.value)
    assert reason in str(error.value)


def test_a_file_s_faults_have_their_line(tmp_path: Path) -> None:
    path = tmp_path / "events.yaml"
    path.write_text("# two\n- {at: 1s, link: [A, B], do: up}\n\n- {at: 1s, link: [A, B], do: pu}\n")
    with pytest.raises(emu.UsageError, match=r"events\.yaml:4: "):
        events_in(path)
    path.write_text("# two\n- {at: 1s, link: [A, B], do: up}\n")
    assert [event.where for event in events_in(path)] == [f"{path}:2"]


@pytest.mark.parametrize(
    ("schedule", "place"),
    [
        ("[{at: 1, link: [A, B], do: up},\n\n {at: 2, link: [A, C], do: up}]", "4: link A--C: no node 'C'"),
        ("\n  start: 1s\n  events:\n  - {at: 1, link: [A, B], do: up}\n  - {at: 0}", "6: schedule event 2: "),
        ("\n  start: -1\n  events: []", "3: start -1 is negative"),
        ("3", "2: schedule 3 is not a list of events"),
    ],
)
def test_faults_of_a_schedule_in_a_topology_have_their_line(
    tmp_path: Path, schedule: str, place: str
) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(f"links: [[A, B]]\nschedule: {schedule}\n")
    with pytest.raises(emu.TopologyError) as error:
        emu.plan_for(graph_from(str(path)))
    assert f"lab.yaml:{place}" in str(error.value)
    if "no node" in place:  # only known beside the whole topology
        assert str(error.value).startswith("schedule of ")


def test_a_trace_whose_name_has_two_lines_is_told_of_in_one(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.csv"
    path.write_text("time,rate\n0,fast\n")
    with pytest.raises(ValueError, match=r"two lines.csv:2: rate 'fast'"):
        read_trace(str(path))


@pytest.mark.parametrize("name", sorted(known_traces()))
def test_traces_that_ship_can_be_replayed(name: str) -> None:
    trace = read_trace(name)
    assert trace.duration >= 20 * 10**9
    steps = steps_of(parse_schedule([{"at": 0, "link": LINK, "trace": name}]))
    head = list(itertools.islice(steps, 2 * len(trace.points)))
    assert head[-1].time > trace.duration
    assert trace_path(name).read_text().startswith("# Synthetic")


def test_traces_that_ship_are_those_that_the_script_makes(tmp_path: Path) -> None:
    make(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == known_traces().keys()
    for path in known_traces().values():
        assert (tmp_path / path.name).read_text() == path.read_text()


def test_as_many_packets_leave_as_there_are_opportunities(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    opportunities = [0, 0, 3, 12, 12, 400, 401, 415, 430]
    path.write_text("\n".join(map(str, opportunities)))
    trace = read_trace(str(path))
    ends = [*(point.time for point in trace.points[1:]), trace.duration]
    bits = sum((point.rate or 0) * (end - point.time) for point, end in zip(trace.points, ends, strict=True))
    assert bits / 10**9 / 8 / 1514 == pytest.approx(len(opportunities), rel=0.001)


def test_of_a_trace_s_overdue_steps_the_last_is_taken_with_what_all_set(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,rate,delay\n0,1mbit,1ms\n1,2mbit,\n2,,5ms\n3,3mbit,\n4,4mbit,\n")
    ramp = {"at": 0, "link": LINK, "ramp": {"loss": ["0%", "1 %"]}, "over": "200ms"}
    events = [ramp, {"at": 1, "link": LINK, "trace": str(path), "for": "5s"}]
    # What is due three seconds after the beginning: of other events, each step is taken.
    steps = in_time(steps_of(parse_schedule(events)), lambda step: step.time <= 4 * 10**9)
    assert [(step.time / 10**9, dict(step.values), left_out) for step, left_out in steps] == [
        (0, {"loss": "0%"}, 0), (0.1, {"loss": "0.5%"}, 0), (0.2, {"loss": "1%"}, 0),
        (1, {"rate": "1mbit", "delay": "1ms"}, 0),
        (4, {"rate": "3mbit", "delay": "5ms"}, 2),
        (5, {"rate": "4mbit"}, 0),
    ]  # fmt: skip


def test_of_two_traces_at_the_same_time_the_last_overdue_steps_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,rate\n0,1mbit\n1,2mbit\n2,3mbit\n3,4mbit\n4,5mbit\n")
    ways = [{"at": 0, "link": LINK, "trace": str(path), "for": "5s", "from": end} for end in LINK]
    steps = in_time(steps_of(parse_schedule(ways)), lambda step: step.time <= 3 * 10**9)
    taken = [(step.time / 10**9, step.event.source, step.values["rate"], out) for step, out in steps]
    assert taken == [
        (0, "HOST1", "1mbit", 0), (0, "ROUTER", "1mbit", 0),
        (3, "HOST1", "4mbit", 4), (3, "ROUTER", "4mbit", 0),
        (4, "HOST1", "5mbit", 0), (4, "ROUTER", "5mbit", 0),
    ]  # fmt: skip


def test_a_trace_without_anything_new_ends(tmp_path: Path) -> None:
    path = tmp_path / "even.csv"
    path.write_text("time,rate\n0,1mbit\n1,1mbit\n")
    events = parse_schedule([{"at": 0, "link": LINK, "trace": str(path)}])
    assert len(list(itertools.islice(steps_of(events), 3))) == 1


def _binary(path: Path) -> None:
    path.write_bytes(b"\x00\xff\xfe" * 10)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (_text(""), "without a line"),
        (_text("5\n3\n"), ":2: 3 ms comes after 5 ms"),
        (_text("0\n0\n"), "all its opportunities"),
        (_text("time,rate\n1,1mbit\n0.5,2mbit\n"), ":3: its time is not after"),
        (_text("time,rate\n1,fast\n2,1mbit\n"), ":2: rate 'fast'"),
        (_text("time,rate\n1,1mbit,3\n"), ":2: not as many cells"),
        (_text("time,speed\n1,1mbit\n"), ":1: a column 'speed'"),
        (_text("1\n" + "2" * 50), ":2: "),
        (_binary, "not a text file"),
    ],
)
def test_a_bad_trace_is_one_clear_line(tmp_path: Path, write: Callable[[Path], object], reason: str) -> None:
    path = tmp_path / "bad"
    write(path)
    with pytest.raises(ValueError, match="bad") as error:
        read_trace(str(path))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
