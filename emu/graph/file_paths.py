"""Paths in a file count from the folder that it is in. Pure, but for a look at which files there are."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .inside import from_json
from .yaml_tree import Item, Mapping, Scalar, Sequence

if TYPE_CHECKING:
    import networkx as nx

#: Where paths stand in a schedule, `*` for any key or item; also within mappings of a link's ends.
_IN_SCHEDULE = (("*", "trace"), ("*", "set", "distribution"))
_IN_SCHEDULE_WITH_START = tuple(("events", *place) for place in _IN_SCHEDULE)
#: Likewise in what a graph says of itself.
_IN_GRAPH = (
    ("profiles", "*", "distribution"),
    *(("schedule", *place) for place in (*_IN_SCHEDULE, *_IN_SCHEDULE_WITH_START)),
)
_IN_LINK = (("trace",), ("distribution",))


def graph_tree_from(tree: Item, folder: Path) -> Item:
    """Return a graph's YAML with whole paths, of which relative ones count from a folder."""
    found: Item = _with_whole(tree, (*_IN_GRAPH, *(("links", "*", *place) for place in _IN_LINK)), folder)
    return found


def events_tree_from(tree: Item, folder: Path) -> Item:
    """Return a schedule's YAML with whole paths, of which relative ones count from a folder."""
    found: Item = _with_whole(tree, (*_IN_SCHEDULE, *_IN_SCHEDULE_WITH_START), folder)
    return found


def count_paths_from(graph: nx.Graph, folder: Path) -> None:
    """Make the paths in a graph that was read from a file whole; relative ones count from a folder."""
    for name in ("profiles", "schedule"):
        if name in graph.graph:
            graph.graph[name] = from_json(graph.graph[name])
    graph.graph.update(_with_whole(graph.graph, _IN_GRAPH, folder))
    for *_, attributes in graph.edges(data=True):
        if "trace" in attributes or "distribution" in attributes:
            attributes.update(_with_whole(attributes, _IN_LINK, folder))


def _with_whole(item: Any, places: tuple[tuple[str, ...], ...], folder: Path) -> Any:
    for place in places:
        item = _changed(item, place, partial(_whole, name=place[-1], folder=folder))
    return item


def _whole(text: str, name: str, folder: Path) -> str:
    """Return a path as a whole one. What has no `/` is a path only as a trace, where there is such a file."""
    text = text.strip()
    if "/" not in text:
        if name != "trace" or not (os.path.isfile(folder / text) or os.path.isfile(text)):
            return text
        from ..traces import known_traces  # what most networks do without

        if text in known_traces():
            return text
    return str(folder.absolute() / text)


def _changed(item: Any, place: tuple[str, ...], change: Callable[[str], str]) -> Any:
    """Return a tree, or lists and mappings, with the text at a place changed; of a mapping there, each."""
    if not place:
        alone = isinstance(item, Scalar | str)
        return _text(item, change) if alone else _rebuilt(item, lambda _, one: _text(one, change))
    first, rest = place[0], place[1:]
    if first != "*" and isinstance(item, Sequence):  # as most links are
        return item
    return _rebuilt(item, lambda key, one: _changed(one, rest, change) if first in ("*", key) else one)


def _text(item: Any, change: Callable[[str], str]) -> Any:
    if isinstance(item, Scalar):
        return dataclasses.replace(item, text=change(item.text))
    return change(item) if isinstance(item, str) else item


def _rebuilt(item: Any, change: Callable[[Any, Any], Any]) -> Any:
    """Return a mapping or a list with every value changed by its key, which is None in a list."""
    if isinstance(item, Mapping):
        pairs = [(key, change(getattr(key, "text", None), value)) for key, value in item.pairs]
        return Mapping(item.line, pairs)
    if isinstance(item, Sequence):
        return Sequence(item.line, [change(None, one) for one in item.items])
    if isinstance(item, dict):
        return {key: change(key, value) for key, value in item.items()}
    return [change(None, one) for one in item] if isinstance(item, list | tuple) else item
