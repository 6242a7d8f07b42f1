"""Schedules in files of their own, YAML or JSON: every fault is told with its line."""

from __future__ import annotations

from pathlib import Path

from ..errors import one_line
from ..graph.file_paths import events_tree_from
from ..graph.yaml_form import read_events
from ..graph.yaml_tree import yaml_tree
from ..schedules import Event
from .files import content_of

_SUFFIXES = (".yaml", ".yml", ".json")


def events_in(path: Path) -> tuple[Event, ...]:
    """Return the events of a file; each knows its line. Relative paths count from the file's folder.

    Raises:
        UsageError: it cannot be read, or something in it is wrong; with the line.
    """
    file = one_line(str(path))
    tree = yaml_tree(content_of(path, _SUFFIXES), file)
    return read_events(events_tree_from(tree, path.parent), file)
