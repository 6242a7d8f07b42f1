"""Reading the files that users name: regular, not empty, of a bearable size; or one line says why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from ..errors import UsageError, one_line, suggestion

#: No graph that can be built fills a larger file, in bytes.
LARGEST = 50_000_000


def content_of(path: Path, suffixes: Collection[str]) -> bytes:
    """Return a file's content.

    Args:
        path: the file.
        suffixes: of which of its neighbours to say "did you mean", in lower case.

    Raises:
        UsageError: there is no such file; or it is empty, too large or no regular file.
    """
    name = one_line(str(path))
    try:
        with open(path, "rb", opener=_opened_at_once) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UsageError(f"read {name}: it is no regular file")
            if facts.st_size > LARGEST:
                sizes = f"{facts.st_size / 1e6:.0f} MB, and a graph has {LARGEST / 1e6:.0f} MB at most"
                raise UsageError(f"read {name}: it has {sizes}")
            data = file.read(LARGEST)
    except FileNotFoundError:
        known = [one for one in _neighbours(path) if Path(one).suffix.lower() in suffixes]
        raise UsageError(f"read {name}: no such file{suggestion(path.name, known)}") from None
    except (OSError, ValueError) as error:  # not allowed; a name too long, or with a zero byte
        raise UsageError(f"read {name}: {getattr(error, 'strerror', None) or error}") from None
    if not data.strip():
        raise UsageError(f"read {name}: it is empty")
    return data


def _opened_at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe without a writer does not keep us waiting."""
    return os.open(path, flags | os.O_NONBLOCK)


def _neighbours(path: Path) -> list[str]:
    """Return the names in a file's folder, as far as they may be read."""
    try:
        return sorted(os.listdir(path.parent))
    except OSError:
        return []
