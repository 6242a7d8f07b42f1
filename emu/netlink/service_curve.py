"""A rate that late timers cost nothing, in front of which a queue of any kind can be: HFSC with one class.

HFSC (I. Stoica, H. Zhang, T. S. E. Ng, "A Hierarchical Fair Service Curve Algorithm for Link-Sharing,
Real-Time and Priority Services", SIGCOMM 1997; tc-hfsc(7)) lets a class send what lies below a curve of
time. While packets wait, the curve goes on, so that whatever was sent too late is made up for; when nothing
waits it begins anew, so that nothing is saved up. A bucket of tokens (tbf, htb) does both, but no further
than it is large.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..shaping.possible import STEEPEST
from ..shaping.units import show_rate
from .messages import CREATE, NEW, NEWTCLASS, REPLACE, attribute, text, traffic
from .operations import Single

# include/uapi/linux/rtnetlink.h and pkt_sched.h
_TCA_KIND, _TCA_OPTIONS, _TCA_HFSC_RSC = 1, 2, 1
#: The minor number of the class; it is the one that all packets are put into.
_CLASS = 1


@dataclass(frozen=True, slots=True)
class Hfsc:
    """The rate, in bit/s; it is the class's, see `SetCurve`."""

    rate: int

    kind = "hfsc"

    def words(self) -> list[str]:
        """Return the options as tc takes them."""
        return ["default", str(_CLASS)]

    def options(self) -> bytes:
        """Return the options as the kernel takes them, struct tc_hfsc_qopt."""
        return struct.pack("=H", _CLASS)


@dataclass(frozen=True, slots=True)
class SetCurve(Single):
    """Add the class of an `Hfsc`, or with `replace` change it, and leave the packets in it where they are."""

    name: str
    index: int
    major: int
    rate: int
    replace: bool = False

    def commands(self) -> tuple[str, ...]:
        """Return the equal command."""
        verb = "replace" if self.replace else "add"
        place = f"dev {self.name} parent {self.major:x}: classid {self.major:x}:{_CLASS}"
        return (f"tc -n {self.node} class {verb} {place} hfsc rt rate {show_rate(self.rate)}",)

    def _message(self) -> tuple[int, int, bytes]:
        """Return the message, with a curve of one slope (struct tc_service_curve)."""
        own = self.major << 16 | _CLASS
        curve = struct.pack("=3I", 0, 0, min(self.rate, STEEPEST) // 8)
        body = traffic(self.index, own, self.major << 16) + text(_TCA_KIND, Hfsc.kind)
        body += attribute(_TCA_OPTIONS, attribute(_TCA_HFSC_RSC, curve))
        return NEWTCLASS, CREATE | REPLACE if self.replace else NEW, body
