"""Export to pictures: PNG, SVG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import emu

if TYPE_CHECKING:
    from emu.planning.plan import Plan


@emu.hookimpl
def emu_register_exporters(register: Callable[..., None]) -> None:
    """Add the formats."""
    register(".png", write_picture, "picture, in pixels")
    register(".svg", write_picture, "picture, to scale at will")
    register(".pdf", write_picture, "picture, to print")


def write_picture(plan: Plan, path: Path) -> None:
    """Draw a plan.

    Raises:
        EmuError: matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401
    except ImportError as error:
        reason = "pictures need matplotlib: pip install 'emunet[picture]'"
        raise emu.EmuError(f"draw {path.name}: {reason} ({error})") from None
    from emu.picture.drawing import write_picture as draw

    draw(plan, path)
