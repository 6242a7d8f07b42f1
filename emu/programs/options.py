"""Command lines of the node programs, read as the C library's getopt reads them."""

from __future__ import annotations

import getopt
import signal
import sys
from collections.abc import Callable
from typing import TextIO


class Refusal(Exception):
    """The program cannot do what was asked. The text is printed after its name; `status` is its exit."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


class Options:
    """The options that were given.

    Options and operands may be mixed, and letters bundled: `-c1`, `-qc 1`, `HOST2 -c 1`.
    """

    def __init__(self, program: str, package: str, words: list[str], flags: str, valued: str) -> None:
        """Read a command line.

        Args:
            program: the program's name.
            package: the Debian package of the full program, for what this one lacks.
            words: the command line without the program's name.
            flags: letters of options without a value.
            valued: letters of options with a value.

        Raises:
            Refusal: names an option that the program lacks, or one without its value.
        """
        try:
            pairs, self.operands = getopt.gnu_getopt(words, flags + "h" + ":".join(valued) + ":", ["help"])
        except getopt.GetoptError as error:
            if error.opt in list(valued):
                raise Refusal(f"option requires an argument -- '{error.opt}'") from None
            option = f"-{error.opt}" if len(error.opt) == 1 else f"--{error.opt}"
            takes = " ".join(f"-{letter}" for letter in valued + flags)
            text = f"emu's own {program} has no option {option}; it takes {takes}"
            raise Refusal(f"{text}; install {package} for the rest") from None
        self._given: dict[str, list[str]] = {}
        for option, value in pairs:
            self._given.setdefault(option.lstrip("-")[0], []).append(value)
        self.help = "h" in self

    def __contains__(self, letter: str) -> bool:
        return letter in self._given

    def values(self, letter: str) -> list[str]:
        """Return every value that was given for an option."""
        return self._given.get(letter, [])

    def whole(self, letter: str, low: int, high: int, default: int) -> int:
        """Return an option's last value as a whole number from `low` to `high`."""
        if letter not in self:
            return default
        text = self.values(letter)[-1]
        try:
            number = int(text)
        except ValueError:
            raise Refusal(f"invalid argument: '{text}': -{letter} takes a whole number") from None
        if not low <= number <= high:
            raise Refusal(f"invalid argument: '{text}': out of range: {low} <= value <= {high}")
        return number

    def seconds(self, letter: str, default: float) -> float:
        """Return an option's last value in seconds, with or without decimals."""
        return parse_seconds(self.values(letter)[-1], letter) if letter in self else default


def parse_seconds(text: str, letter: str) -> float:
    """Return a time in seconds, at least 0 and at most a year, that was given for an option."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 365 * 86400:  # also refuses nan
        raise Refusal(f"invalid argument: '{text}': -{letter} takes seconds, such as 0.5")
    return number


def run_program(name: str, body: Callable[[list[str]], int]) -> int:
    """Run a program's body on this process's command line; return its exit status."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `ping HOST2 | head -1` ends ping without a word
    try:
        return body(sys.argv[1:])
    except Refusal as refusal:
        complain(f"{name}: {refusal}")
        return refusal.status
    except OSError as error:
        complain(f"{name}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def say(text: str) -> None:
    """Print at once: what is printed may go into a pipe that is being watched."""
    _write(sys.stdout, text + "\n")


def complain(text: str) -> None:
    """Print on standard error."""
    _write(sys.stderr, text + "\n")


def _write(stream: TextIO | None, text: str) -> None:
    if stream is not None:  # it was closed by whoever started the program
        stream.write(text)
        stream.flush()
