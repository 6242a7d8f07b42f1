"""Names that plugins claim, and who claimed them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import PluginError, UsageError, suggestion

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """What a plugin registered, and the plugin."""

    item: T
    owner: str


class Registry(Generic[T]):
    """Name → item. A name that two plugins claim belongs to neither, and asking for it is an error."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, list[Entry[T]]] = {}

    def add(self, name: str, item: T, owner: str) -> None:
        """Register an item under a name; doing that twice is fine."""
        entries = self._entries.setdefault(name, [])
        if not any(entry.owner == owner and entry.item is item for entry in entries):
            entries.append(Entry(item, owner))

    def conflicts(self) -> list[str]:
        """Return a line for each name that more than one plugin claims."""
        return [self._conflict(name) for name, entries in self._entries.items() if len(entries) > 1]

    def _conflict(self, name: str) -> str:
        owners = [entry.owner for entry in self._entries[name]]
        who = " and by ".join(owners) if len(set(owners)) > 1 else f"two things of {owners[0]}"
        return f"{self.what} {name!r} is claimed by {who}; remove or rename one"

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(name for name, entries in self._entries.items() if len(entries) == 1))

    def entry(self, name: str) -> Entry[T]:
        """Return the one entry of that name.

        Raises:
            UsageError: there is none; suggests the nearest.
            PluginError: there are several; names their owners.
        """
        entries = self._entries.get(name, [])
        if not entries:
            hint = suggestion(name, self._entries) or f"; known are {', '.join(self) or 'none'}"
            raise UsageError(f"no {self.what} {name!r}{hint}")
        if len(entries) > 1:
            raise PluginError(self._conflict(name))
        return entries[0]

    def __getitem__(self, name: str) -> T:
        return self.entry(name).item
