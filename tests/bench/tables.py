"""Tables of figures: as Markdown for people, as JSON for programs."""

from __future__ import annotations

import dataclasses
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: A figure in its basic unit: seconds, bytes, or a plain number; None where there is none.
Figure = float | int | str | None

_FORMATS: dict[str, Callable[[Any], str]] = {
    "ms": lambda value: f"{value * 1e3:,.1f} ms" if value < 0.1 else f"{value * 1e3:,.0f} ms",
    "µs": lambda value: f"{value * 1e6:,.1f} µs",
    "s": lambda value: f"{value:,.2f} s",
    "MB": lambda value: f"{value / 1e6:,.0f} MB",
    "kB": lambda value: f"{value / 1e3:,.0f} kB",
    "Mbit/s": lambda value: f"{value / 1e6:,.1f} Mbit/s" if value < 1e9 else f"{value / 1e6:,.0f} Mbit/s",
    "%": lambda value: f"{value * 100:.1f} %",
    "": lambda value: f"{value:,}" if isinstance(value, int) else f"{value:,.2f}",
}


@dataclass
class Table:
    """A table; each column has a title and a unit, in which its figures are shown.

    `notes` are sentences below it: what was left out, what is compared.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: list[list[Figure]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"## {self.title}", "", _row([title for title, _ in self.columns])]
        lines.append("|" + "---|" * len(self.columns))
        lines += [
            _row(_shown(figure, unit) for figure, (_, unit) in zip(row, self.columns, strict=True))
            for row in self.rows
        ]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def data(self) -> dict[str, Any]:
        """Return the table for JSON, its figures in seconds and bytes."""
        return dataclasses.asdict(self)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(figure: Figure, unit: str) -> str:
    return "-" if figure is None else figure if isinstance(figure, str) else _FORMATS[unit](figure)


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return the median of the ratios, pair by pair: each pair was measured one right after the other."""
    return median(a / b for a, b in zip(of, to, strict=True))


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    from emu import __version__

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "emu": __version__, "processor": _processor(), "cores": os.cpu_count(), "memory": memory,
        "kernel": os.uname().release, "python": sys.version.split()[0], "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def machine_line() -> str:
    """Return the same as a sentence."""
    facts = machine()
    return (
        f"emu {facts['emu']} on {facts['processor']}, {facts['cores']} cores, "
        f"{facts['memory'] / 2**30:.0f} GiB, Linux {facts['kernel']}, Python {facts['python']}, "
        f"{facts['date']}"
    )


def _processor() -> str:
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else os.uname().machine
