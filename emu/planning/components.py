"""Which parts a graph falls into; networkx knows that too, but takes longer to load than this to run."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def components(neighbours: Mapping[T, Iterable[T]]) -> Iterator[list[T]]:
    """Yield what is joined with each other, part by part, each in the order of a breadth-first search."""
    seen: set[T] = set()
    for first in neighbours:
        if first in seen:
            continue
        seen.add(first)
        part = [first]
        for one in part:
            for other in neighbours[one]:
                if other not in seen:
                    seen.add(other)
                    part.append(other)
        yield part
