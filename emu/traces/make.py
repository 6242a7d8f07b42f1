"""Make the traces that ship with emu: `python -m emu.traces.make`. The same ones come out each time.

They are synthetic, and imitate by simple means what kinds of links do; none holds data of anybody's
measurements. The comment at the head of each says what it imitates and how.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

_FOLDER = Path(__file__).parent


def _cellular(seed: int, mean: float, swing: float, seconds: int) -> Iterator[int]:
    """Yield delivery opportunities in ms: a rate in Mbit/s that wanders around its mean, and fades at times.

    The logarithm of the rate is a random walk that is drawn back to the mean (an Ornstein-Uhlenbeck
    process with steps of 20 ms); a fade of 0.1 to 0.6 s comes every 15 s on average.
    """
    chance = random.Random(seed)  # noqa: S311  # nothing secret
    level, owed, fade = 0.0, 0.0, 0
    for time in range(seconds * 1000):
        if time % 20 == 0:
            level += -0.02 * level + swing * 0.2 * chance.gauss(0, 1)
            if fade == 0 and chance.random() < 20 / 15_000:
                fade = chance.randint(5, 30)
            fade = max(fade - 1, 0)
        owed += 0 if fade else mean * math.exp(level - swing**2 / 2) / 12
        while owed >= 1:
            owed -= 1
            yield time


def _write_opportunities(name: str, about: str, times: Iterator[int], seconds: int) -> None:
    lines = [f"# {about}", *map(str, times), str(seconds * 1000)]
    (_FOLDER / f"{name}.trace").write_text("\n".join(lines) + "\n")


def _satellite() -> Iterator[str]:
    """Yield rows of a low satellite that is handed over to the next every 15 s."""
    chance = random.Random(3)  # noqa: S311  # nothing secret
    rate, delay = 120.0, 24.0
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
    for tenth in range(0, 300, 2):
        if chance.random() < 0.1:
            others = min(max(others + chance.choice((-1, 1)), 0), 6)
        rate = 65 / (1 + others) * chance.uniform(0.8, 1.0)
        yield f"{tenth / 10:g},{rate:.1f}mbit,{1.5 + others * chance.uniform(0.5, 2):.1f}ms,"


def make() -> None:
    """Write all of them beside this file."""
    about = "Synthetic, by emu/traces/make.py. Imitates {}; no data of real measurements."
    _write_opportunities(
        "lte-walk", about.format("LTE down to somebody who walks: 8 Mbit/s, wandering slowly, few fades"),
        _cellular(1, 8, 0.35, 30), 30,
    )  # fmt: skip
    _write_opportunities(
        "lte-drive", about.format("LTE down to a car: 6 Mbit/s, wandering widely, with fades"),
        _cellular(2, 6, 0.8, 30), 30,
    )  # fmt: skip
    tables = {
        "satellite-handover": (_satellite, "a low satellite with a handover every 15 s, down"),
        "wifi-crowded": (_crowded, "a wireless LAN of 65 Mbit/s that up to six others share"),
    }
    for name, (rows, what) in tables.items():
        lines = [f"# {about.format(what)}", "time,rate,delay,loss", *rows()]
        (_FOLDER / f"{name}.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    make()
