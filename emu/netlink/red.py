"""Random early detection, and the kernel's clock for queue disciplines, by which it measures idle time."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from ..shaping.model import Queue
from ..shaping.queues import DISCIPLINES
from .messages import attribute, number

#: The kernel's unit of scheduling times (PSCHED_SHIFT in include/net/pkt_sched.h), in ns.
TICK = 64
_RED = struct.Struct("=IIIBBBB")
# enum TCA_RED_*
_RED_PARMS, _RED_STAB, _RED_MAX_P, _RED_FLAGS = 1, 2, 3, 4
_RED_KNOWN_FLAGS = 0xF
#: From where on every average is too much for the kernel (red_check_params in include/net/red.h).
_HIGHEST = 2**30 - 1


def ticks(size: int, rate: int) -> int:
    """Return how long a size takes at a rate, as tc counts: whole µs, in units of 64 ns."""
    return size * 8 * 10**6 // rate * 1000 // TICK


@dataclass(frozen=True, slots=True)
class Red:
    """Random early detection, with what tc fills in (tc-red(8); S. Floyd and V. Jacobson, 1993)."""

    limit: int
    low: int
    high: int
    packet: int
    burst: int
    chance: float
    flags: int
    rate: int

    @classmethod
    def of(cls, queue: Queue, limit: int, rate: int | None) -> Red:
        """Return it with defaults: max three times min or a quarter of the limit, packets of 1,000 bytes.

        In a queue too short for those they are as long as min: no average lets longer ones pass.
        """
        given = dict(queue.options)
        usual = 3 * int(given["min"]) if "min" in given else max(limit // 4, 2)
        high = int(given.get("max", min(usual, _HIGHEST)))
        low = int(given.get("min", max(high // 3, 1)))
        packet = int(given.get("avpkt", min(1000, max(low, 1))))
        burst = int(given.get("burst", max((2 * low + high) // (3 * packet), low // packet, 1)))
        flags = sum(DISCIPLINES["red"].options[name].value for name in given if given[name] is True)
        chance = float(given.get("probability", 0.02))
        return cls(limit, low, high, packet, burst, chance, flags, rate or 10**7)

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        weight = self._weight()
        cell, table = self._idle(weight)
        steps = max(self.high - self.low, 1)
        plog = next((i for i in range(32) if self.chance / steps * 2**i > 1), 32)
        parms = _RED.pack(self.limit, self.low, self.high, weight, plog, cell, 0)
        return b"".join([
            attribute(_RED_PARMS, parms), attribute(_RED_STAB, table),
            number(_RED_MAX_P, min(int(self.chance * 2**32), 2**32 - 1)),
            attribute(_RED_FLAGS, struct.pack("=II", self.flags, _RED_KNOWN_FLAGS)),
        ])  # fmt: skip

    def _weight(self) -> int:
        """Return minus the binary logarithm of the average's weight, by which the burst passes unharmed."""
        wanted = self.burst + 1 - self.low / self.packet
        most = max(31 - max(self.low, self.high).bit_length(), 1)
        for weight in range(1, most):
            share = 2.0**-weight
            if wanted <= (1 - (1 - share) ** self.burst) / share:
                return weight
        return most

    def _idle(self, weight: int) -> tuple[int, bytes]:
        """Return how the average decays while nothing arrives: a table, and the time of its steps."""
        each = max(ticks(self.packet, self.rate), 1)
        decay = -math.log(1 - 2.0**-weight) / each
        cell = next((i for i in range(32) if 31 / decay / 2**i < 512), 31)
        return cell, bytes([0, *(min(int((i << cell) * decay), 31) for i in range(1, 255)), 31])
