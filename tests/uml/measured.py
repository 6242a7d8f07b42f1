"""What measures time needs a machine that does nothing else, which workers side by side are not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import pytest

MEASURED = pytest.mark.skipif(
    not os.environ.get("EMU_MEASURE"), reason="measures time: 'make test-links', on a quiet machine"
)
T = TypeVar("T")
#: Under which name reports have what was measured.
NAME = "measured"


class Measure(Protocol):
    """Checks that something is what it was set to, and takes note of it."""

    def __call__(
        self, what: str, found: float, wanted: float, *, share: float = 0, within: float = 0
    ) -> None:  # fmt: skip
        """Check one thing: to a share of what was wanted, or within so much of it. `what` has the unit."""


def drawn(draw: Callable[[], T], fits: Callable[[T], bool]) -> T:
    """Return what is drawn, and what is drawn then where that does not fit: once that may be chance."""
    found = draw()
    return found if fits(found) else draw()


def measure_with(record_property: Callable[[str, object], None]) -> Measure:
    """Return what checks and takes note in a test's report."""

    def check(what: str, found: float, wanted: float, *, share: float = 0, within: float = 0) -> None:
        record_property(NAME, (what, wanted, found, share, within))
        assert found == pytest.approx(wanted, rel=share, abs=within)

    return check


def table_of(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """Yield a Markdown table of what was measured, a line at a time; nothing where nothing was."""
    found: list[Any] = [row for one in reports for name, row in one.user_properties if name == NAME]
    if found:
        yield "| | set to | measured | off by | at most |"
        yield "| --- | --- | --- | --- | --- |"
    for what, wanted, value, share, within in found:
        off = value - wanted
        apart, most = (f"{off / wanted:+.1%}", f"{share:.0%}") if share else (f"{off:+.2g}", f"{within:.2g}")
        yield f"| {what} | {wanted:.4g} | {value:.4g} | {apart} | {most} |"
