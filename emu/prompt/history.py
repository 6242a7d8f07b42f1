"""Lines that were typed at prompts, also on other days."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory


def open_history() -> History:
    """Return the history; one of this prompt only where no file can be written, or shall be."""
    path = history_path()
    if path is not None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            return _FileHistory(str(path))
    return InMemoryHistory()


def history_path() -> Path | None:
    """Return where the prompt's history is kept (XDG Base Directory Specification); None: nowhere.

    The environment variable EMU_HISTORY names another file, or none where it is empty.
    """
    chosen = os.environ.get("EMU_HISTORY")
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path(os.path.expanduser("~"), ".local", "state")
    return base / "emu" / "history"


class _FileHistory(FileHistory):
    def store_string(self, string: str) -> None:
        """Write a line; one for which the disk has no room is known to this prompt only."""
        with contextlib.suppress(OSError):
            super().store_string(string)
