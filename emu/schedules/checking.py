"""Whether a schedule fits a plan: what it names is there, and what links get to do makes sense. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, suggestion
from ..finding import after_clearing, after_setting, link_number
from .model import End, Event

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..shaping import Shaping


def check_schedule(events: Sequence[Event], plan: Plan) -> tuple[list[str], list[tuple[End, Shaping, str]]]:
    """Return what is wrong with a schedule for a plan, and what links get to do in its course.

    A fault begins with the place of its event, and what links get to do ends with it. What an event sets
    rests on what those before it left.
    """
    faults: list[str] = []
    shapings: list[tuple[End, Shaping, str]] = []
    for event in events:
        try:
            links = links_of(event, plan)
            _check_source(event, links, plan)
            for values in _settings(event):
                for number in links:
                    wanted = varying(event, values, after_setting(plan, number, values, event.source))
                    plan = plan.with_shapings(wanted)
                    shapings += [(end, one, event.where) for end, one in wanted.items() if one is not None]
            if event.action == "clear":
                for number in links:
                    plan = plan.with_shapings(after_clearing(plan, number, event.source))
        except (UsageError, ValueError) as error:
            faults.append(f"{event.where}: {error}")
    return faults, shapings


def links_of(event: Event, plan: Plan) -> list[int]:
    """Return the numbers in the plan of the links that an event is about; of a node, all of its links.

    Raises:
        UsageError: there is no such link or node.
    """
    if event.link:
        first, second = event.link if len(event.link) == 2 else (event.link[0], None)
        return [link_number(plan, first, second, event.target)]
    names = {node.name for node in plan.nodes}
    if event.node not in names:
        raise UsageError(f"no node {event.node!r}{suggestion(str(event.node), names)}")
    return [number for number, link in enumerate(plan.links) if event.node in dict(link.ends)]


def varying(
    event: Event, values: Mapping[str, Any], shapings: Mapping[End, Shaping | None]
) -> dict[End, Shaping | None]:  # fmt: skip
    """Return what interfaces are to do once an event has set values, with rates that may change often."""
    if event.action not in ("trace", "ramp") or "rate" not in values:
        return dict(shapings)
    return {
        end: one and dataclasses.replace(one, varies=one.rate is not None) for end, one in shapings.items()
    }  # fmt: skip


def _check_source(event: Event, links: Sequence[int], plan: Plan) -> None:
    for number in links:
        ends = [name for name, _ in plan.links[number].ends]
        if event.source is not None and event.source not in ends:
            raise ValueError(f"from {event.source}: the ends of the link are {ends[0]} and {ends[1]}")


def _settings(event: Event) -> Iterator[dict[str, Any]]:
    """Yield attributes that an event sets, one after the other; of a ramp and a trace, some that tell all."""
    if event.action == "set":
        yield dict(event.options["set"])
    elif event.action == "ramp":
        for place in (0, 1):
            yield {name: pair[place] for name, pair in event.options["ramp"].items()}
    elif event.action == "trace":
        from ..traces import read_trace  # what most networks do without
        from .steps import values_at

        points = read_trace(event.options["trace"]).points
        first = {name: value for point in reversed(points) for name, value in values_at(point).items()}
        yield first
