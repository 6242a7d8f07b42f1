"""Timed events on the links and nodes of a running network.

`reading` takes what users write apart, `model` holds it, `checking` tells what is wrong with it for a plan,
and `steps`, which nobody needs who plays none, says what is to be done when.
"""

from __future__ import annotations

from .checking import check_schedule
from .model import Event, Step
from .reading import parse_moment, parse_schedule, parse_trace, with_events

__all__ = [
    "Event",
    "Step",
    "check_schedule",
    "parse_moment",
    "parse_schedule",
    "parse_trace",
    "with_events",
]
