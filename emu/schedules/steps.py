"""What a schedule consists of: single steps in order of time, as they come, since a trace has no end."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..shaping.units import parse_count, show_chance, show_rate, show_time
from ..traces import Point, Trace, read_trace
from .model import Event, Step
from .reading import number_of, parse_moment

#: How to show what can change little by little.
_SHOWN: dict[str, Callable[[Any], str]] = {
    "rate": lambda value: show_rate(round(value)), "delay": lambda value: show_time(round(value)),
    "jitter": lambda value: show_time(round(value)), "loss": show_chance,
}  # fmt: skip


def steps_of(events: Sequence[Event]) -> Iterator[Step]:
    """Yield the steps of all events in order of time; those for one time in the order of their events."""
    return heapq.merge(*(_steps(event) for event in events), key=lambda step: step.time)


def in_time(
    steps: Iterator[Step], is_due: Callable[[Step], bool]
) -> Iterator[tuple[Step, int]]:  # fmt: skip
    """Yield steps, each when it is asked for, and how many were left out before it.

    Of a trace's steps that are all overdue only the last is taken, with what the others set: whoever was held
    up is in time again at once, instead of running after. Traces that run at the same time take turns, so all
    are looked at until a step of something else comes.
    """
    ahead = next(steps, None)
    while ahead is not None:
        last, left_out = {id(ahead.event): ahead}, 0
        quiet, ahead = ahead.quiet, next(steps, None)
        while quiet and ahead is not None and ahead.quiet and is_due(ahead):
            if before := last.pop(id(ahead.event), None):
                ahead, left_out = _with_values(ahead, before), left_out + 1
            last[id(ahead.event)] = ahead
            ahead = next(steps, None)
        for step in last.values():
            yield step, left_out
            left_out = 0


def _with_values(step: Step, before: Step) -> Step:
    """Return a step that also sets what one before it did."""
    return dataclasses.replace(step, values={**before.values, **step.values})


def _steps(event: Event) -> Iterator[Step]:
    if event.action == "ramp":
        yield from _ramp(event)
    elif event.action == "flap":
        yield from _flap(event, event.options["flap"])
    elif event.action == "trace":
        yield from _replay(event, read_trace(event.options["trace"]))
    elif event.action == "run":
        yield Step(event.at, event, "run", {"command": event.options["run"]})
    else:
        yield Step(event.at, event, event.action, event.options.get("set", {}))


def _ramp(event: Event) -> Iterator[Step]:
    """Yield as many values, at equal times, as lead from the first to the last."""
    over, every = (parse_moment(event.options[name], name) for name in ("over", "every"))
    count = max(1, -(-over // every))
    pairs = {name: [number_of(name, one) for one in pair] for name, pair in event.options["ramp"].items()}
    for number in range(count + 1):
        share = number / count
        values = {name: _SHOWN[name](a + (b - a) * share) for name, (a, b) in pairs.items()}
        yield Step(event.at + over * number // count, event, "set", values)


def _flap(event: Event, options: Mapping[str, Any]) -> Iterator[Step]:
    down, up = (parse_moment(options.get(name, 0), name) for name in ("down", "up"))
    for number in range(parse_count(options["times"])):
        begin = event.at + number * (down + up)
        yield Step(begin, event, "down")
        yield Step(begin + down, event, "up")


def _replay(event: Event, trace: Trace) -> Iterator[Step]:
    """Yield a step for each point of a trace, again and again; what does not change is left out."""
    length = event.options.get("for")
    end = None if length is None else event.at + parse_moment(length, "for")
    begin = event.at
    before: dict[str, str] = {}
    lively = True
    while lively:
        lively = begin == event.at  # a round without a change is one of many
        for number, point in enumerate(trace.points):
            time = begin + point.time
            if end is not None and time >= end:
                return
            values = values_at(point)
            changed = {name: value for name, value in values.items() if before.get(name) != value}
            before = {**before, **values}
            if changed:
                lively = True
                yield Step(time, event, "set", changed, quiet=bool(number) or begin > event.at)
        begin += trace.duration


def values_at(point: Point) -> dict[str, str]:
    """Return the attributes that a point of a trace gives a link."""
    given = {"rate": point.rate, "delay": point.delay, "loss": point.loss}
    return {name: _SHOWN[name](value) for name, value in given.items() if value is not None}
