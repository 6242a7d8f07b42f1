"""What links do to packets: rate, queue, delay, loss and the rest, per direction.

`attributes` reads what a graph says, `model` holds it, `profiles` knows usual kinds of links, `text`
shows it, and `emu.netlink.queueing` makes it of the kernel's queue disciplines.
"""

from __future__ import annotations

from .model import Shaping
from .reading import needs, shaping_from
from .text import attributes_of, describe

__all__ = ["Shaping", "attributes_of", "describe", "needs", "shaping_from"]
