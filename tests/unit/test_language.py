"""The language of keepers and clients has a number, which changes with it."""

from __future__ import annotations

import hashlib
import inspect

from emu.keeper.service import Keeper
from emu.keeper.wire import LANGUAGE

#: The number, and a digest of what can be asked, by which this notices that it is another language.
KNOWN = (1, "f009d2a6b4fe")


def test_the_language_has_another_number_when_its_requests_change() -> None:
    requests = sorted(name for name in dir(Keeper) if name.startswith("do_"))
    words = [(name, list(inspect.signature(getattr(Keeper, name)).parameters)) for name in requests]
    digest = hashlib.sha256(repr(words).encode()).hexdigest()[:12]
    assert (LANGUAGE, digest) == KNOWN, "count LANGUAGE in emu/keeper/wire.py up, and write both down here"
