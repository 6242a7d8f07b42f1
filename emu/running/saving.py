"""Writing a network to a file that `emu run` builds again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..export import export_plan

if TYPE_CHECKING:
    from ..hooks.plugin_manager import PluginManager
    from ..planning.plan import Plan

#: The formats that are meant for it: one for people, one for programs.
FORMATS = (".yaml", ".yml", ".json")


def save_plan(plan: Plan, path: Path, plugins: PluginManager) -> None:
    """Write a plan to a file that leads to an equal plan, in the format that the suffix of `path` names.

    Raises:
        UsageError: no such format.
        EmuError: the file cannot be written; says why.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"save {path}: its name ends in none of {', '.join(FORMATS)}")
    # What links are down is the network's present state, and not how it is made.
    export_plan(dataclasses.replace(plan, down=()), path, plugins)
