"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from .uml.measured import Measure, measure_with, table_of

_HERE = Path(__file__).parent
#: What takes longest within one file. It begins first, so that no worker of several is left alone with it.
_FIRST = (_HERE / "uml", _HERE / "test_project.py")

# What is ignored above us, by a `nohup` or a shell's `&`, every command of the tests would ignore too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# What pytest loads puts its own terminal's size there for its workers; the tests' terminals have theirs.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest in front, and leave the order as it is otherwise."""
    items.sort(key=lambda item: not any(item.path.is_relative_to(path) for path in _FIRST))


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measure:
    """Return what checks that something is what it was set to, and takes note of both."""
    return measure_with(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]
    for line in table_of(reports):
        terminalreporter.write_line(line)
