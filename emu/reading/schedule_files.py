"""Schedules in files of their own, YAML or JSON: every fault is told with its line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..errors import one_line
from ..graph.yaml_form import read_value
from ..graph.yaml_tree import Item, Mapping, Scalar, Sequence, yaml_tree
from ..schedules import Event, parse_schedule
from .files import content_of

_SUFFIXES = (".yaml", ".yml", ".json")


def events_in(path: Path) -> tuple[Event, ...]:
    """Return the events of a file; each knows its line.

    Raises:
        UsageError: it cannot be read, or something in it is wrong; with the line.
    """
    file = one_line(str(path))
    tree = yaml_tree(content_of(path, _SUFFIXES), file)
    events = read_value(tree, parse_schedule, file)
    return tuple(
        dataclasses.replace(event, where=f"{file}:{item.line}")
        for event, item in zip(events, _items(tree), strict=True)
    )


def _items(tree: Item) -> list[Item]:
    if isinstance(tree, Mapping):
        found = [value for key, value in tree.pairs if isinstance(key, Scalar) and key.text == "events"]
        tree = found[0] if found else tree
    return tree.items if isinstance(tree, Sequence) else []
