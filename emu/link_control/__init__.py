"""Links of a running network: what they do to packets, and whether they carry any, changed in place.

`handle` is what users hold, `applying` makes the kernel do what a plan says of a link from now on, and
`states` sets interfaces down and up.
"""

from __future__ import annotations

from .handle import RunningLink

__all__ = ["RunningLink"]
