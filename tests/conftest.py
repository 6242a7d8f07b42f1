"""What holds for all tests."""

import os
import signal
from pathlib import Path

import pytest

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
