"""What a real network did, to be replayed on a link: rate, delay and loss over time.

`reading` takes files apart; the files beside it ship with emu, and `make` is what made them.
"""

from __future__ import annotations

from .reading import Point, Trace, known_traces, read_trace, trace_path

__all__ = ["Point", "Trace", "known_traces", "read_trace", "trace_path"]
