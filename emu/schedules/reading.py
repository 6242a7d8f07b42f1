"""Schedules as users write them: a list of events, each a mapping. Pure, but for traces that are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import shown, suggestion
from ..shaping.attributes import PARSERS, unknown_attribute
from ..shaping.merging import is_nothing
from ..shaping.tables import with_whole_path
from ..shaping.units import TIMES, parse_chance, parse_count, quantity, show_time, words_of
from .model import Event

#: What an event may say, beside what its action needs.
_COMMON = ("at", "link", "node", "from", "do")
#: Actions with options, and the keys beside their own that go with each.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "set": (), "ramp": ("over", "every"), "flap": (), "trace": ("for",), "run": (),
}  # fmt: skip
_PLAIN = ("down", "up", "clear")
_KEYS = (*_COMMON, *_ACTIONS, "over", "every", "for")
#: What can change little by little.
RAMPS = ("rate", "delay", "jitter", "loss")
#: How far away an event may be, in ns: a year. What is further was not meant.
_FURTHEST = 366 * 86_400 * 10**9
#: How often a ramp moves on where nothing is said, and at most, in ns.
_EVERY, _OFTEN = 100 * 10**6, 5 * 10**6
_EXAMPLE = "one looks like {at: 5s, link: [HOST1, ROUTER], set: {delay: 50ms}}"


def parse_schedule(value: Any) -> tuple[Event, ...]:
    """Return the events of a schedule: a list of mappings, or one of `start` and `events`.

    `[{"at": "5s", "link": ["HOST1", "ROUTER"], "set": {"delay": "50ms"}}]`. Times count from when the network
    is built, or from `start` after that.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(f"schedule {shown(value)} is not a list of events; {_EXAMPLE}") from None
    start = 0
    if isinstance(value, Mapping):
        if strange := next((key for key in value if key not in ("start", "events")), None):
            raise ValueError(f"unknown key {shown(strange)}: a schedule is a list, or has start and events")
        start = parse_moment(value.get("start", 0), "start")
        value = value.get("events", [])
    if not isinstance(value, Sequence):
        raise ValueError(f"schedule {shown(value)} is not a list of events; {_EXAMPLE}")
    found: list[Event] = []
    for number, one in enumerate(value, start=1):
        place = one.where if isinstance(one, Event) and one.where else f"schedule event {number}"
        try:
            event = one if isinstance(one, Event) else _event(one, start, place)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if found and event.at < found[-1].at:
            raise ValueError(f"{place}: its time goes back, to before that of the event above it")
        found.append(event)
    return tuple(found)


def with_events(graph: Any, events: Sequence[Event]) -> None:
    """Add events to what a graph says is to happen, in order of time."""
    given = parse_schedule(graph.graph.get("schedule") or ())
    graph.graph["schedule"] = tuple(sorted([*given, *events], key=lambda event: event.at))


def parse_moment(value: Any, what: str) -> int:
    """Return a time in ns: a number of seconds, or with a unit; a year at most."""
    time = round(quantity(value, what, {"": 10**9, **TIMES, "min": 60 * 10**9, "h": 3600 * 10**9}, "s"))
    if time > _FURTHEST:
        raise ValueError(f"{what} {shown(value)} is more than a year")
    return time


def _event(given: Any, start: int, place: str) -> Event:
    if not isinstance(given, Mapping):
        raise ValueError(f"{shown(given)} is not an event; {_EXAMPLE}")
    if strange := next((key for key in given if key not in _KEYS), None):
        hint = suggestion(str(strange), _KEYS) or f"; known are {', '.join(_KEYS)}"
        raise ValueError(f"unknown key {shown(strange)} of an event{hint}")
    if "at" not in given:
        raise ValueError(f"an event without a time; {_EXAMPLE}")
    action = _action(given)
    link, node = _link(given.get("link")), given.get("node")
    if bool(link) == (node is not None) or (action == "run" and node is None):
        raise ValueError("run belongs to a node" if action == "run" else "an event has a link or a node")
    source = given.get("from")
    if source is not None and not link:
        raise ValueError("from goes with a link, not with a node: a link has two directions")
    if source is not None and action not in ("set", "ramp", "clear", "trace"):
        raise ValueError("from is for what a link does to packets: set, ramp, clear, trace")
    options = _options(action, given)
    return Event(
        start + parse_moment(given["at"], "at"), action, link, None if node is None else str(node),
        None if source is None else str(source), options, place,
    )  # fmt: skip


def _action(given: Mapping[str, Any]) -> str:
    """Return what an event does; it does one thing."""
    found = [name for name in _ACTIONS if name in given]
    if "do" in given:
        word = str(given["do"])
        if word not in _PLAIN:
            raise ValueError(
                f"do {shown(word)}{suggestion(word, _PLAIN) or '; known are ' + ', '.join(_PLAIN)}"
            )
        found.append(word)
    if len(found) != 1:
        known = ", ".join([*_ACTIONS, *(f"do: {name}" for name in _PLAIN)])
        raise ValueError(f"an event does one thing, of {known}{f'; not {len(found)}' if found else ''}")
    more = ("over", "every", "for")
    if strange := next((key for key in more if key in given and key not in _ACTIONS.get(found[0], ())), None):
        raise ValueError(f"{strange} does not go with {found[0]}")
    return found[0]


def _link(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not 1 <= len(words) <= 2:
        raise ValueError(f"link {shown(value)} is not two nodes, nor an interface")
    return tuple(map(str, words))


def _options(action: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what belongs to an action, checked as far as it can be without a network."""
    if action in _PLAIN:
        return {}
    value = given[action]
    if action == "run":
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"run {shown(value)} is not a command line")
        return {"run": value}
    if action == "trace":
        found = {"trace": parse_trace(value)}
        return found if "for" not in given else {**found, "for": _span(given["for"], "for")}
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"{action} {shown(value)} is not a mapping; {_EXAMPLE}")
    return {"set": _set, "ramp": _ramp, "flap": _flap}[action](value, given)


def parse_trace(value: Any) -> str:
    """Return which trace a link replays: the name of one of emu's own, or the path of a file.

    A file holds times in ms at which packets of 1,500 bytes may leave, a line each, as of mahimahi; or it is
    a CSV with the columns time (in s) and some of rate, delay and loss, with units.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"trace {shown(value)} is neither a name nor a path")
    from ..traces import known_traces, read_trace, trace_path  # what most networks do without

    name = value.strip()
    read_trace(name)
    return name if name in known_traces() else str(trace_path(name))


def _span(value: Any, what: str) -> str:
    if parse_moment(value, what) == 0:
        raise ValueError(f"{what} is no time at all")
    return f"{value}s" if isinstance(value, int | float) else str(value)


def _set(value: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any]:
    for name, one in value.items():
        _parse(name, one)
    return {"set": {name: with_whole_path(name, _as_text(one)) for name, one in value.items()}}


def _as_text(value: Any) -> Any:
    """Return a value as JSON can hold it and its parser takes it."""
    if isinstance(value, Mapping):
        return {str(key): _as_text(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_as_text(one) for one in value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _parse(name: str, value: Any) -> Any:
    """Return the parsed value of an attribute; of a mapping of ends, of each."""
    if name not in PARSERS:
        raise ValueError(unknown_attribute(name))
    if isinstance(value, Mapping):
        return [_parse(name, one) for one in value.values()]
    return None if is_nothing(value) else PARSERS[name](value)


def _ramp(value: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    for name, pair in value.items():
        if name not in RAMPS:
            raise ValueError(f"ramp {shown(name)}: only {', '.join(RAMPS)} can change little by little")
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"ramp {name} {shown(pair)} is not two values, [10ms, 100ms]")
        for one in pair:
            if name == "loss" and len(words_of(str(one))) > 1:
                raise ValueError("ramp loss: only independent loss can change little by little")
            number_of(name, one)
    if "over" not in given:
        raise ValueError("a ramp goes over a time, over: 10s")
    every = parse_moment(given["every"], "every") if "every" in given else _EVERY
    if every < _OFTEN:
        raise ValueError(f"every {shown(given.get('every'))} is less than 5ms")
    ramp = {str(name): tuple(_as_text(one) for one in pair) for name, pair in value.items()}
    return {"ramp": ramp, "over": _span(given["over"], "over"), "every": show_time(every)}


def number_of(name: str, value: Any) -> float:
    """Return a value that can change little by little as a number."""
    return parse_chance(value, name) if name == "loss" else float(PARSERS[name](value))


def _flap(value: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any]:
    if strange := next((key for key in value if key not in ("down", "up", "times")), None):
        raise ValueError(f"flap has no {shown(strange)}; it has down, up and times")
    if "down" not in value or ("up" not in value and value.get("times", 1) != 1):
        raise ValueError("flap has how long the link is down, and up, {down: 200ms, up: 1s, times: 5}")
    times = parse_count(value.get("times", 1), "times")
    if not 1 <= times <= 1_000_000:
        raise ValueError("flap: times is between 1 and 1,000,000")
    spans = {name: _span(value[name], name) for name in ("down", "up") if name in value}
    return {"flap": {**spans, "times": times}}
