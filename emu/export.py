"""Writing a plan to a file in a format that a plugin registered."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EmuError, UsageError

if TYPE_CHECKING:
    from .hooks.plugin_manager import PluginManager
    from .planning.plan import Plan


def export_plan(plan: Plan, path: Path, plugins: PluginManager) -> None:
    """Write a plan in the format that the suffix of `path` names.

    The file appears whole or not at all: it is written in a folder beside it and then moved.

    Raises:
        UsageError: no plugin writes such files.
        EmuError: the file cannot be written; says why.
    """
    suffix = path.suffix.lower()
    if suffix not in plugins.exporters:
        known = ", ".join(plugins.exporters)
        fault = f"no file format {path.suffix!r}" if suffix else "its name ends in no file format"
        raise UsageError(f"write {path}: {fault}; known are {known}")
    write, _ = plugins.exporters[suffix]
    try:
        target = path.resolve()  # a symbolic link stays one
        if target.exists() and not target.is_file():
            raise UsageError(f"write {path}: there is something else of that name")
        if target.exists() and not os.access(target, os.W_OK):
            raise EmuError(f"write {path}: the file is write-protected")
        with tempfile.TemporaryDirectory(prefix=".emu-", dir=target.parent) as folder:
            draft = Path(folder) / f"{target.stem}{suffix}"
            write(plan, draft)
            if target.exists():
                shutil.copymode(target, draft)
            os.replace(draft, target)
    except OSError as error:
        raise EmuError(f"write {path}: {error.strerror or error}") from error
