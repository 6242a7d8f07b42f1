"""An event of a schedule, and a step that it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..shaping.units import show_time

#: An interface: its node and its name.
End = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens once, or begins to: `at` in ns from the beginning of the schedule.

    Attributes:
        at: when, in ns.
        action: `set`, `ramp`, `clear`, `down`, `up`, `flap`, `trace` or `run`.
        link: two nodes, or one interface; empty for what concerns a node.
        node: the node, whose links are all meant unless it runs something.
        source: of which direction alone it is.
        options: what belongs to the action.
        where: where it stands, for errors.
    """

    at: int
    action: str
    link: tuple[str, ...] = ()
    node: str | None = None
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str = field(default="", compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Event:
        """Return what a plan's JSON form has of one."""
        return cls(**{**data, "link": tuple(data["link"]), "options": _frozen(data["options"])})

    def to_attribute(self) -> dict[str, Any]:
        """Return it as a graph's attribute `schedule` has it."""
        found: dict[str, Any] = {"at": show_time(self.at)}
        if self.link:
            found["link"] = list(self.link) if len(self.link) > 1 else self.link[0]
        if self.node is not None:
            found["node"] = self.node
        if self.source is not None:
            found["from"] = self.source
        if self.action in ("down", "up", "clear"):
            return {**found, "do": self.action}
        return {**found, **{key: _plain(value) for key, value in self.options.items()}}

    @property
    def target(self) -> str:
        """What it is about, for people."""
        return f"link {'--'.join(self.link)}" if self.link else f"node {self.node}"

    def told(self) -> str:
        """Return all that it says, but when, in a line: `link A--B ramp rate=5mbit..1mbit over=10s`."""
        words = [self.target, self.action]
        for key, value in self.options.items():
            if isinstance(value, Mapping):
                words += _pairs(value, ".." if self.action == "ramp" else " ")
            else:
                words.append(str(value) if key == self.action else f"{key}={value}")
        return " ".join(words + ([f"from={self.source}"] if self.source else []))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do at a time, in ns from the beginning: `set`, `clear`, `down`, `up` or `run`.

    `values` are attributes to set, or the `command`. A `quiet` step is one of many that are not logged.
    """

    time: int
    event: Event
    action: str
    values: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False

    def __str__(self) -> str:
        if self.action == "run":
            return f"{self.event.target} run {self.values['command']}"
        source = [f"from={self.event.source}"] if self.event.source else []
        action = f"trace {self.event.options['trace']}" if self.event.action == "trace" else self.action
        return " ".join([self.event.target, action, *_pairs(self.values), *source])


def _pairs(values: Mapping[str, Any], between: str = " ") -> list[str]:
    """Return attributes as words, `rate=1mbit`, of ends `rate={A: 1mbit}`, with something between parts."""
    return [f"{name}={_text(value, between)}" for name, value in values.items()]


def _text(value: Any, between: str) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_text(one, between)}' for key, one in value.items())}}}"
    return between.join(map(str, value)) if isinstance(value, tuple) else str(value)


def _frozen(value: Any) -> Any:
    """Return what JSON made of options as they were: lists are tuples."""
    if isinstance(value, Mapping):
        return {key: _frozen(one) for key, one in value.items()}
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
