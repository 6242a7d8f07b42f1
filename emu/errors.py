"""What can go wrong, and the exit status that goes with it.

Every expected failure is an `EmuError`: the command line prints it as one line on standard error and
leaves with its `exit_status`. Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Iterable, Sequence

#: How many faults of a graph its error's text holds; beyond that it helps nobody.
_FAULTS_SHOWN = 40
#: How much of a faulty value an error's text holds.
_VALUE_SHOWN = 60
#: What to do where a kernel, or what is allowed here, lacks something that a network can go without.
BUILD_WITHOUT = "; or --ignore-unsupported builds without, in Python ignore_unsupported=True"
#: How many names a line lists.
_NAMES_SHOWN = 5


class EmuError(Exception):
    """An expected failure. The text says what was attempted, why it failed and what to do next."""

    exit_status = 1


class UsageError(EmuError):
    """The caller asked for something that does not exist or cannot be understood."""

    exit_status = 2


class TopologyError(UsageError):
    """A graph that cannot become a network; `faults` holds every reason, each with its node or link.

    `what` is the part of it that has them.
    """

    def __init__(self, name: str, faults: Iterable[str], what: str = "topology") -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = f"{what} {one_line(name)}: {count} fault{'s' if count != 1 else ''}"
        more = f"; and {count - _FAULTS_SHOWN} more" if count > _FAULTS_SHOWN else ""
        super().__init__(f"{head}: {'; '.join(self.faults[:_FAULTS_SHOWN])}{more}")


class PlanError(UsageError):
    """A sound topology that cannot be planned: an address pool is too small, for example."""


class PluginError(EmuError):
    """A plugin that cannot be loaded, or a name that two plugins claim."""

    exit_status = 2


class PrivilegeError(EmuError):
    """This machine does not allow what a network needs; the text says how to get it."""

    exit_status = 77  # EX_NOPERM of sysexits.h


class LimitError(EmuError):
    """This machine has too little of what the network needs; the text says of what, and how to get more."""

    exit_status = 71  # EX_OSERR of sysexits.h


class KernelError(EmuError):
    """The kernel refused an operation.

    `operation` is the equivalent `ip` or `sysctl` command, `node` where it ran, `errno` the kernel's
    error number and `reason` the kernel's own explanation where it gave one.
    """

    def __init__(self, operation: str, node: str, errno: int, reason: str = "") -> None:
        self.operation, self.node, self.errno, self.reason = operation, node, errno, reason
        why = os.strerror(errno) + (f" ({reason})" if reason else "")
        super().__init__(f"{operation!r} in {node}: {why}")


class TimedOut(EmuError, TimeoutError):
    """What was waited for did not come in time."""


class NotRunning(EmuError):
    """The network ended, or was never there."""


class Terminated(SystemExit):
    """A signal ended the command. Whoever catches the SystemExit of a user's code lets this one pass."""


def one_line(text: str) -> str:
    """Return a text with every white space a space, and whatever cannot be printed as an escape."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in spaced)


def shown(value: object) -> str:
    """Return a value, of whatever type, as a short line for an error's text."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # other people's __repr__
        text = f"<{type(value).__name__}>"
    return one_line(text[:_VALUE_SHOWN]) + ("..." if len(text) > _VALUE_SHOWN else "")


def listed(names: Sequence[str]) -> str:
    """Return names as part of a line: all of a few, else the first and how many more there are."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def joined(words: Iterable[str]) -> str:
    """Return words as part of a sentence: `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def where(error: BaseException, within: str | None = None, hidden: Sequence[str] = ()) -> str:
    """Return an exception as one line, with the file and line that it came from.

    Args:
        error: the exception.
        within: the file in which to look for the line first, however deep below it the fault arose.
        hidden: parts of file names; frames of such files are passed over.
    """
    places = [
        (frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)
        if not any(part in frame.filename for part in hidden)
    ]  # fmt: skip
    places = [place for place in places if place[0] == within] or places
    place = f" ({places[-1][0]}:{places[-1][1]})" if places else ""
    text = str(error)
    if isinstance(error, SyntaxError):
        text = error.msg
        place = f" ({error.filename}:{error.lineno})" if error.filename else place
    return one_line(" ".join(f"{type(error).__name__}: {text}".split())) + place


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `"; did you mean X or Y?"` for the known words nearest to `word`, else an empty text."""
    return did_you_mean(nearest(word, known))


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return the known words that are much like `word`, two at most, the nearest first."""
    lowered = {name.lower(): name for name in known}
    return [lowered[name] for name in difflib.get_close_matches(word.lower(), lowered, n=2, cutoff=0.6)]


def did_you_mean(words: Sequence[str]) -> str:
    """Return `"; did you mean X or Y?"`; an empty text without words."""
    return f"; did you mean {' or '.join(words)}?" if words else ""
