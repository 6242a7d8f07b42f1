"""The table of what links count: once, refreshed at a terminal, or as lines that go on and on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..tables import print_table
from .counter_log import Ticks
from .counters import LinkCounters

if TYPE_CHECKING:
    from rich.table import Table

_TITLES = ("FROM", "TO", "PACKETS", "BYTES", "DROPS", "MARKS", "QUEUE", "QUEUE BYTES")


def show_counters(sample: list[LinkCounters]) -> None:
    """Print the counters of each direction of the links, on standard output."""
    print_table(_TITLES, map(_cells, sample))


def watch_counters(read: Callable[[], list[LinkCounters]], interval: float, count: int | None) -> None:
    """Show the counters at an interval, with the rate since the time before, `count` times or for ever.

    At a terminal it is one table that changes in place; elsewhere each sample is lines of their own, which
    begin with the seconds since the start.
    """
    show = _refresh if sys.stdout.isatty() else _print_lines
    show(_samples(read, interval, count))


_Sample = tuple[float, list[tuple[LinkCounters, float]]]


def _samples(
    read: Callable[[], list[LinkCounters]], interval: float, count: int | None
) -> Iterator[_Sample]:  # fmt: skip
    """Yield samples: the seconds since the start, and each direction with its rate in bit/s."""
    ticks = Ticks(interval)
    before: dict[tuple[str, str], int] = {}
    then = 0.0
    done = 0
    while count is None or done < count:
        if done:
            time.sleep(ticks.until_next())
        now, sample = ticks.elapsed(), read()
        passed = now - then
        rated = []
        for one in sample:
            key = one.source, one.source_interface
            rated.append((one, 8 * (one.bytes - before[key]) / passed if key in before else 0.0))
            before[key] = one.bytes
        yield now, rated
        then = now
        done += 1


def _refresh(samples: Iterator[_Sample]) -> None:
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for _, sample in samples:
            live.update(_table(sample), refresh=True)


def _table(sample: list[tuple[LinkCounters, float]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for number, title in enumerate((*_TITLES, "RATE")):
        table.add_column(title, justify="left" if number < 2 else "right", no_wrap=True)
    for one, rate in sample:
        table.add_row(*(Text(str(cell)) for cell in (*_cells(one), rate_text(rate))))
    return table


def _print_lines(samples: Iterator[_Sample]) -> None:
    titles: Sequence[str] = ("TIME", *_TITLES, "RATE")
    widths: list[int] = []
    for elapsed, sample in samples:
        rows = [[f"{elapsed:.3f}", *map(str, _cells(one)), rate_text(rate)] for one, rate in sample]
        if not widths:
            columns = zip(titles, *rows, strict=True)
            widths = [max(map(len, column)) for column in columns]
            rows.insert(0, list(titles))
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            sys.stdout.write("  ".join(cells).rstrip() + "\n")
        sys.stdout.flush()


def _cells(one: LinkCounters) -> tuple[object, ...]:
    marks = "-" if one.ecn_marks is None else one.ecn_marks
    ends = _end(one.source, one.source_interface), _end(one.target, one.target_interface)
    return (*ends, one.packets, one.bytes, one.drops, marks, one.queue_packets, one.queue_bytes)


def _end(node: str, interface: str) -> str:
    """Return an interface's name, and before it that of its node where it does not hold it."""
    return interface if interface.startswith(node) else f"{node} {interface}"


def rate_text(rate: float) -> str:
    """Return a rate in bit/s with three digits and a unit of tc(8): `94.2mbit`."""
    return _in_units(rate, ("bit", "kbit", "mbit", "gbit", "tbit"))


def bytes_text(size: float) -> str:
    """Return a number of bytes with three digits and a unit: `8.12 GB`."""
    return _in_units(size, (" B", " kB", " MB", " GB", " TB"))


def _in_units(number: float, units: Sequence[str]) -> str:
    """Return a number with three digits, in the unit that fits; each is a thousand times the one before."""
    for unit in units[:-1]:
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}{units[-1]}"
