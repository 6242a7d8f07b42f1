"""How a node looks to its programs, which of them run from the beginning, and what they may take. Pure.

The attributes `run`, `private`, `env`, `cwd` and `user` of a node, and what their values may look like;
those of `emu.cgroups.values` as well.
"""

from __future__ import annotations

import dataclasses
import json
import os.path
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..cgroups.values import PARSERS as LIMITS
from ..cgroups.values import show_memory
from ..errors import shown, suggestion
from .pin_values import words

#: How long a daemon may take to get ready, in seconds, where nothing else is said.
PATIENCE = 10.0
#: Folders that a node has of its own anyway, or that others rest on.
_TAKEN = ("/dev", "/proc", "/sys", "/run/emu", "/run/netns")

#: A command: a line for the shell, or its words.
Command = str | tuple[str, ...]


class Restart(StrEnum):
    """When a daemon that ended is started again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be so, all of it.

    Attributes:
        tcp: a TCP port on which somebody listens.
        udp: a UDP port that somebody has.
        file: a path that exists, as the node sees it.
        log: a regular expression that matches a line of what the program printed.
        command: a command that succeeds.
        timeout: how long to wait for it, in seconds.
    """

    tcp: int | None = None
    udp: int | None = None
    file: str | None = None
    log: str | None = None
    command: Command | None = None
    timeout: float = PATIENCE

    def __str__(self) -> str:
        named = {
            "tcp": "TCP port",
            "udp": "UDP port",
            "file": "file",
            "log": "log line",
            "command": "command",
        }
        given = {key: getattr(self, key) for key in named}
        parts = [f"{named[key]} {command_text(one)}" for key, one in given.items() if one is not None]
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that a node runs from the beginning to the end of the network."""

    command: Command
    ready: Conditions | None = None
    restart: Restart = Restart.NEVER
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None

    def __str__(self) -> str:
        return command_text(self.command)


@dataclass(frozen=True, slots=True)
class Inside:
    """How a node looks from inside; see the attributes of the same names."""

    run: tuple[Daemon, ...] = ()
    private: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    user: str | None = None
    #: In CPUs, in bytes, and in number.
    cpu: float | None = None
    memory: int | None = None
    processes: int | None = None

    @property
    def limits(self) -> dict[str, float | int]:
        """What its programs may take together, by the attributes that say it."""
        return {key: value for key in LIMITS if (value := getattr(self, key)) is not None}

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Inside | None:
        """Return what a node's parsed attributes say, or None where they say nothing of it."""
        given = {key: attributes[key] for key in PARSERS if attributes.get(key)}
        return cls(**given) if given else None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Inside:
        """Return what a plan's document says: each field as a graph could have it."""
        return cls(**{key: PARSERS[key](value) for key, value in data.items() if value})

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of a graph that say this, of JSON's types."""
        found = {key: _plain(getattr(self, key)) for key in PARSERS if getattr(self, key)}
        return found | ({"memory": show_memory(self.memory)} if self.memory else {})


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, with what is as usual left out."""
    if isinstance(value, Daemon | Conditions):
        fields = dataclasses.fields(value)
        usual = type(value)("") if isinstance(value, Daemon) else type(value)()
        named = {one.name: getattr(value, one.name) for one in fields}
        return {key: _plain(one) for key, one in named.items() if one != getattr(usual, key)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else str(value) if isinstance(value, StrEnum) else value


def command_text(command: object) -> str:
    """Return a command, or a part of one, as it would be typed."""
    return shlex.join(command) if isinstance(command, tuple) else str(command)


# -- values --------------------------------------------------------------------------------------------


def parse_run(value: Any) -> tuple[Daemon, ...]:
    """Return the daemons of a node: a command line, or a list of command lines, word lists and mappings."""
    given = from_json(value)
    many = given if isinstance(given, list | tuple) else [given]
    if all(isinstance(one, str) for one in many) and any(one.startswith("-") for one in many):
        raise ValueError(f"run {shown(value)}: the words of one command are a list in the list: [[...]]")
    return tuple(_daemon(one) for one in many)


def _daemon(value: Any) -> Daemon:
    if not isinstance(value, Mapping):
        return Daemon(_command(value))
    _check_keys(value, [one.name for one in dataclasses.fields(Daemon)], "a daemon")
    given = {key: one for key, one in value.items() if one not in (None, "", {})}
    if "command" not in given:
        raise ValueError(f"run {shown(value)} has no command")
    restart = str(given.get("restart", Restart.NEVER)).lower()
    if restart not in list(Restart):
        raise ValueError(f"restart {shown(restart)} is none of {', '.join(Restart)}")
    return Daemon(
        _command(given["command"]),
        parse_conditions(given["ready"]) if "ready" in given else None,
        Restart(restart),
        parse_env(given.get("env", {})),
        parse_cwd(given["cwd"]) if "cwd" in given else None,
    )


def parse_conditions(value: Any) -> Conditions:
    """Return conditions: a mapping of their names to values, or a TCP port alone.

    Raises:
        ValueError: there is no such condition, or it cannot be met.
    """
    if not isinstance(value, Mapping):
        value = {"tcp": value}
    _check_keys(value, _CONDITIONS, "a condition")
    given = {key: _CONDITIONS[key](one) for key, one in value.items() if one is not None}
    if not given.keys() - {"timeout"}:
        raise ValueError(f"{shown(dict(value))} has no condition; there are {', '.join(_CONDITIONS)}")
    return Conditions(**given)


def _check_keys(value: Mapping[Any, Any], known: Any, what: str) -> None:
    for key in value:
        if key not in known:
            hint = suggestion(str(key), known) or f"; known are {', '.join(known)}"
            raise ValueError(f"{what} has no {shown(key)}{hint}")


def _command(value: Any) -> Command:
    if isinstance(value, str) and value.strip() and "\0" not in value:
        return value.strip()
    if isinstance(value, list | tuple) and value and all(isinstance(one, str | int | float) for one in value):
        found = tuple(str(one) for one in value)
        if found[0] and not any("\0" in one for one in found):
            return found
    raise ValueError(f"command {shown(value)} is neither a command line nor a list of words")


def _port(value: Any) -> int:
    digits = isinstance(value, int | str) and re.fullmatch(r"\d{1,5}", str(value), re.ASCII)
    if digits and 0 < int(value) < 65536:
        return int(value)
    raise ValueError(f"port {shown(value)} is not a number from 1 to 65535")


def _pattern(value: Any) -> str:
    try:
        re.compile(str(value))
    except re.error as error:
        raise ValueError(f"log {shown(value)} is not a regular expression: {error}") from None
    return str(value)


def _seconds(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ValueError(f"timeout {shown(value)} is not a number of seconds")
    return found


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise ValueError(f"path {shown(value)} does not begin with /")
    return value


_CONDITIONS: dict[str, Callable[[Any], Any]] = {
    "tcp": _port, "udp": _port, "file": _path, "log": _pattern, "command": _command, "timeout": _seconds,
}  # fmt: skip


def parse_private(value: Any) -> tuple[str, ...]:
    """Return the paths of folders that a node has of its own: `"/var/log /etc/frr"`, or a list of them."""
    found = tuple("/" + os.path.normpath(_path(one)).strip("/") for one in words(from_json(value)))
    for path in found:
        if path == "/" or any(path == taken or path.startswith(f"{taken}/") for taken in _TAKEN):
            raise ValueError(f"private {path}: it cannot be covered")
    return tuple(dict.fromkeys(found))


def parse_env(value: Any) -> dict[str, str]:
    """Return environment variables: a mapping, or the text `"NAME=VALUE NAME=VALUE"`."""
    given = from_json(value)
    if isinstance(given, str):
        try:
            pairs = [word.partition("=") for word in shlex.split(given)]
        except ValueError as error:
            raise ValueError(f"env {shown(value)}: {error}") from None
        if not all(equals for _, equals, _ in pairs):
            raise ValueError(f"env {shown(value)} is not NAME=VALUE, one or several")
        given = {name: text for name, _, text in pairs}
    if not isinstance(given, Mapping):
        raise ValueError(f"env {shown(value)} is not a mapping, or the text NAME=VALUE")
    found = {}
    for name, one in given.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise ValueError(f"env {shown(name)} is not a variable's name")
        if not isinstance(one, str | int | float) or "\0" in str(one):
            raise ValueError(f"env {name}: {shown(one)} is not a text")
        found[name] = str(one)
    return found


def parse_cwd(value: Any) -> str:
    """Return the folder in which programs begin."""
    return _path(value)


def parse_user(value: Any) -> str:
    """Return who runs the programs, by name or number; whether there is such a user is another question."""
    if isinstance(value, bool) or not re.fullmatch(r"[^\s:]{1,32}", str(value)):
        raise ValueError(f"user {shown(value)} is not a name or a number")
    return str(value)


def from_json(value: Any) -> Any:
    """Return the list or mapping that a text is, which is how files hold one that know only texts."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


#: Attribute of a node → its parser.
PARSERS: dict[str, Callable[[Any], Any]] = {
    "run": parse_run,
    "private": parse_private,
    "env": parse_env,
    "cwd": parse_cwd,
    "user": parse_user,
    **LIMITS,
}
