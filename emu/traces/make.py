"""Make the traces that ship with emu: `python -m emu.traces.make`. The same ones come out each time.

They are synthetic, and imitate by simple means what kinds of links do; none holds data of anybody's
measurements. The comment at the head of each says what it imitates and how.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

#: How long a step of a cellular link is, in ms; for how many of them a fade lasts; how many seconds are
#: between two fades on average.
_STEP, _FADE, _BETWEEN = 20, (5, 30), 15


def _cellular(seed: int, mean: float, swing: float, seconds: int) -> Iterator[float]:
    """Yield a rate in Mbit/s for each step: it wanders around its mean, and fades to nothing at times.

    The logarithm of the rate is a random walk that is drawn back to the mean (an Ornstein-Uhlenbeck process).
    """
    chance = random.Random(seed)  # noqa: S311  # nothing secret
    level, fade = 0.0, 0
    for _ in range(seconds * 1000 // _STEP):
        level += -0.02 * level + swing * 0.2 * chance.gauss(0, 1)
        if fade == 0 and chance.random() < _STEP / (_BETWEEN * 1000):
            fade = chance.randint(*_FADE)
        fade = max(fade - 1, 0)
        yield 0.0 if fade else mean * math.exp(level - swing**2 / 2)


def _opportunities(rates: Iterator[float]) -> Iterator[int]:
    """Yield the ms at which packets of 1,500 bytes may leave, and the one at which a round ends."""
    owed, time = 0.0, 0
    for rate in rates:
        for _ in range(_STEP):
            owed += rate / 12
            while owed >= 1:
                owed -= 1
                yield time
            time += 1
    yield time


def _walk() -> Iterator[str]:
    """Yield rows of somebody who walks: 8 Mbit/s, of which a fade leaves a twentieth, as none is no rate."""
    yield "time,rate"
    for step, rate in enumerate(_cellular(1, 8, 0.35, 30)):
        yield f"{step * _STEP / 1000:g},{rate or 0.4:.2f}mbit"


def _satellite() -> Iterator[str]:
    """Yield rows of a low satellite that is handed over to the next every 15 s."""
    chance = random.Random(3)  # noqa: S311  # nothing secret
    rate, delay = 120.0, 24.0
    yield "time,rate,delay,loss"
    for tenth in range(600):
        if tenth % 150 == 0:
            rate, delay = chance.uniform(60, 180), chance.uniform(20, 32)
        lost = 5 if tenth % 150 == 0 else 0
        now = max(rate * chance.gauss(1, 0.08), 20)
        yield f"{tenth / 10:g},{now:.1f}mbit,{delay + abs(chance.gauss(0, 1.5)):.1f}ms,{lost}%"


def _crowded() -> Iterator[str]:
    """Yield rows of a wireless LAN on which others come and go."""
    chance = random.Random(4)  # noqa: S311  # nothing secret
    others = 2
    yield "time,rate,delay"
    for tenth in range(0, 300, 2):
        if chance.random() < 0.1:
            others = min(max(others + chance.choice((-1, 1)), 0), 6)
        rate = 65 / (1 + others) * chance.uniform(0.8, 1.0)
        yield f"{tenth / 10:g},{rate:.1f}mbit,{1.5 + others * chance.uniform(0.5, 2):.1f}ms"


_ABOUT = "Synthetic, by emu/traces/make.py. Imitates {}; no data of real measurements."


def make(folder: Path = Path(__file__).parent) -> None:
    """Write all of them into a folder, the one of this file."""
    about = _ABOUT.format("LTE down to a car: 6 Mbit/s, wandering widely, with fades")
    lines = [f"# {about}", *map(str, _opportunities(_cellular(2, 6, 0.8, 20)))]
    (folder / "lte-drive.trace").write_text("\n".join(lines) + "\n")
    tables = {
        "lte-walk": (_walk, "LTE down to somebody who walks: 8 Mbit/s, wandering slowly, few fades"),
        "satellite-handover": (_satellite, "a low satellite with a handover every 15 s, down"),
        "wifi-crowded": (_crowded, "a wireless LAN of 65 Mbit/s that up to six others share"),
    }
    for name, (rows, what) in tables.items():
        lines = [f"# {_ABOUT.format(what)}", *rows()]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    make()
