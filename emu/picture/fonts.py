"""How wide texts are, and fonts for letters that matplotlib's own font lacks."""

from __future__ import annotations

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterable, Iterator

#: What matplotlib brings along; every picture looks the same on every machine.
_OWN = "DejaVu Sans"


class Ruler:
    """Measures texts in the fonts that a picture uses."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.families = _families({char for text in texts for char in text})
        self._width = functools.cache(self._measured)

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Return the width of one line in points at a font size in points."""
        return self._width(text, bold) * size / 100

    def _measured(self, text: str, bold: bool) -> float:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        font = FontProperties(family=self.families, size=100, weight="bold" if bold else "normal")
        with quietly():
            return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Draw letters that no font of this machine has as boxes, and thin ones for bold, without a word."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            yield
    finally:
        logger.setLevel(level)


def _families(letters: set[str]) -> list[str]:
    """Return font families that together have the letters, as far as this machine has any."""
    from matplotlib import font_manager

    families = [_OWN]
    missing = letters - _letters_of(font_manager.findfont(_OWN))
    if missing:
        for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
            if entry.name in families or entry.name.startswith("Last Resort"):  # has a box for any letter
                continue
            found = missing & _letters_of(entry.fname)
            if found:
                families.append(entry.name)
                missing -= found
            if not missing:
                break
    return families


@functools.cache
def _letters_of(path: str) -> set[str]:
    from matplotlib.font_manager import get_font

    try:
        return {chr(code) for code in get_font(path).get_charmap()}
    except (OSError, RuntimeError):  # a font of bitmaps, or one that FreeType cannot read
        return set()
