"""`python -m emu.bench`: what `emu bench` starts in its sandbox."""

from __future__ import annotations

import sys

from emu.errors import EmuError

from .parts import run

if __name__ == "__main__":
    options = {word for word in sys.argv[1:] if word.startswith("--")}
    names = [word for word in sys.argv[1:] if word not in options]
    try:
        run(names, quick="--quick" in options, as_json="--json" in options)
    except EmuError as error:
        sys.exit(f"emu: {error}")
