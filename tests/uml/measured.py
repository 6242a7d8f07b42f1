"""What measures time needs a machine that does nothing else, which workers side by side are not."""

from __future__ import annotations

import os

import pytest

MEASURED = pytest.mark.skipif(
    not os.environ.get("EMU_MEASURE"), reason="measures time: 'make test-links', on a quiet machine"
)
