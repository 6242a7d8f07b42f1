"""Traces as files: delivery opportunities as mahimahi has them, or a CSV of time, rate, delay and loss."""

from __future__ import annotations

import csv
import functools
import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import one_line, shown, suggestion
from ..shaping.units import LONGEST, TIMES, parse_chance, parse_rate, parse_time, quantity

_FOLDER = Path(__file__).parent
_SUFFIXES = (".csv", ".trace")
#: What a line of mahimahi's stands for, in bits: a packet of 1,500 bytes (mm-link(1)), and Ethernet's header,
#: which counts in a link's rate.
_OPPORTUNITY = (1500 + 14) * 8
#: How long a step of such a trace is at least, in ms.
STEP = 10
#: How far rows of a CSV are apart at least, in ns: nothing is changed more often.
_LEAST_STEP = 100_000
#: How large a file may be, in bytes, and how many lines it may have.
_LARGEST, _MOST_LINES = 64 << 20, 5_000_000
_COLUMNS = ("time", "rate", "delay", "loss")


@dataclass(frozen=True, slots=True)
class Point:
    """What a link does from a time on: ns, bit/s, ns, and 0 to 1; None is as before."""

    time: int
    rate: int | None = None
    delay: int | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Points in order of time, and after how many ns it begins anew."""

    name: str
    points: tuple[Point, ...]
    duration: int


def known_traces() -> dict[str, Path]:
    """Return the traces that ship with emu, by name."""
    return {path.stem: path for path in sorted(_FOLDER.iterdir()) if path.suffix in _SUFFIXES}


def trace_path(name: str) -> Path:
    """Return the file of a trace: one that ships with emu, or a path.

    Raises:
        ValueError: there is none.
    """
    known = known_traces()
    if name in known:
        return known[name]
    path = Path(name).absolute()
    called = one_line(str(path)) if "/" in name else shown(name)  # relative to the working directory
    try:
        if path.is_file():
            return path
    except OSError as error:  # not allowed, or a name too long
        raise ValueError(f"trace {called}: {error.strerror}") from None
    hint = suggestion(name, known) or f"; emu has {', '.join(known)}, and a file is named by its path"
    raise ValueError(f"trace {called}: no such trace or file{'' if '/' in name else hint}")


def read_trace(name: str) -> Trace:
    """Return a trace by its name or path.

    Raises:
        ValueError: it cannot be read, or something in it is wrong; with its line.
    """
    path = trace_path(name)
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise ValueError(f"{one_line(str(path))}: {error.strerror}") from None
    except ValueError as error:  # the name of a file may have several lines
        raise ValueError(one_line(str(error))) from None


@functools.lru_cache(maxsize=64)
def _read(path: Path, _changed: int, size: int) -> Trace:
    if size > _LARGEST:
        raise ValueError(f"{path}: a trace has at most {_LARGEST >> 20} MiB, this one {size >> 20}")
    try:
        with open(path, encoding="utf-8-sig") as file:
            return _of_lines(path, _lines_of(path, file))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file") from None


def _lines_of(path: Path, file: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers."""
    for number, line in enumerate(file, start=1):
        if number > _MOST_LINES:
            raise ValueError(f"{path}: a trace has at most {_MOST_LINES:,} lines")
        if "\0" in line:
            raise ValueError(f"{path}: not a text file")
        if (said := line.strip()) and not said.startswith("#"):
            yield number, said


def _of_lines(path: Path, lines: Iterator[tuple[int, str]]) -> Trace:
    first = next(lines, None)
    if first is None:
        raise ValueError(f"{path}: a trace without a line")
    if any(char.isalpha() for char in first[1]):
        return _of_table(path, first, lines)
    return _of_opportunities(path, itertools.chain([first], lines))


def _of_opportunities(path: Path, lines: Iterator[tuple[int, str]]) -> Trace:
    """Return a trace of mahimahi's: a line is the ms at which a packet may leave; the last ends a round."""
    times = array("Q")  # millions of them
    for number, word in lines:
        if not (word.isascii() and word.isdecimal()) or len(word) > 10:
            raise ValueError(f"{path}:{number}: {shown(word)} is not a number of ms, nor is line 1 a CSV's")
        if times and int(word) < times[-1]:
            raise ValueError(f"{path}:{number}: {word} ms comes after {times[-1]} ms")
        times.append(int(word))
    if times[-1] == 0:
        raise ValueError(f"{path}: all its opportunities are at 0 ms")
    return Trace(path.stem, tuple(_rates(times)), times[-1] * 10**6)


def _rates(times: Sequence[int]) -> Iterator[Point]:
    """Yield rates that let as many packets go as there are opportunities.

    A step ends at the first opportunity after `STEP` ms or more, so that in each there is one at least:
    a gap is a slow step, at whose end a packet has left.
    """
    begin, count = 0, 0
    for place, time in enumerate(times):
        count += 1
        following = times[place + 1] if place + 1 < len(times) else None
        full = time - begin >= STEP and following != time
        if full or (following is None and time > begin):
            yield Point(begin * 10**6, rate=max(count * _OPPORTUNITY * 1000 // (time - begin), 8))
            begin, count = time, 0


def _of_table(path: Path, first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Trace:
    """Return a trace of a CSV file; each row holds until the next, the last as long as the one before it."""
    head = [name.strip().lower() for name in next(csv.reader([first[1]]))]
    if strange := next((name for name in head if name not in _COLUMNS), None):
        hint = suggestion(strange, _COLUMNS) or f"; known are {', '.join(_COLUMNS)}"
        raise ValueError(f"{path}:{first[0]}: a column {shown(strange)}{hint}")
    if "time" not in head or len(head) < 2 or len(set(head)) < len(head):
        raise ValueError(f"{path}:{first[0]}: the columns are time and some of rate, delay and loss")
    points: list[Point] = []
    for number, line in lines:
        try:
            point = _row(dict(zip(head, next(csv.reader([line])), strict=True)))
        except (ValueError, csv.Error) as error:
            reason = "not as many cells as columns" if "argument" in str(error) else str(error)
            raise ValueError(f"{path}:{number}: {reason}") from None
        if points and point.time < points[-1].time + _LEAST_STEP:
            reason = "less than 0.1 ms after" if point.time > points[-1].time else "not after"
            raise ValueError(f"{path}:{number}: its time is {reason} that of the line before")
        points.append(point)
    if len(points) < 2:
        raise ValueError(f"{path}: a trace has two rows at least")
    return Trace(path.stem, tuple(points), 2 * points[-1].time - points[-2].time)


def _row(cells: dict[str, str]) -> Point:
    given = {name: text.strip() for name, text in cells.items() if text.strip()}
    if "time" not in given:
        raise ValueError("a row without a time")
    time = round(quantity(given["time"], "time", {**TIMES, "": 10**9}, "s"))
    if time > 1000 * LONGEST:
        raise ValueError(f"time {shown(given['time'])} is too far away")
    return Point(
        time,
        parse_rate(given["rate"]) if "rate" in given else None,
        parse_time(given["delay"], "delay") if "delay" in given else None,
        parse_chance(given["loss"], "loss") if "loss" in given else None,
    )
