"""Distributions of jitter as tables, which is how netem takes them.

A table holds samples at equal steps of probability, as deviations from the mean in units of 1/8192 of the
jitter (NETEM_DIST_SCALE in include/uapi/linux/pkt_sched.h); netem draws one for each packet
(net/sched/sch_netem.c, tabledist). They are 16-bit numbers, so nothing is further than four times the
jitter from the mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import NormalDist, fmean, pstdev
from typing import Any

from ..errors import shown
from .units import LONGEST, TIMES, quantity, words_of

SCALE = 8192
_MOST = 2**15 - 1
#: The size of the tables that come with tc.
SIZE = 4096
#: How many samples a file may hold; ten million are a minute's work.
_LARGEST_FILE = 64 << 20


def _normal(chance: float) -> float:
    return float(NormalDist().inv_cdf(chance))


def _pareto(chance: float) -> float:
    """Return the quantile of a Pareto distribution with shape 3, less its mean of 1.5, times 4/3.

    That is the one of tc: its spread would be 2/√3 of the jitter, since 4/3 is 1 over the variance, and is
    0.82 of it, since the tail is cut off.
    """
    return float((1 - chance) ** (-1 / 3) - 1.5) * 4 / 3


def _paretonormal(chance: float) -> float:
    """Return a quarter normal, three quarters Pareto, as tc has it: of tables that are clipped already."""
    return 0.25 * _normal(chance) + 0.75 * min(_pareto(chance), _MOST / SCALE)


def _uniform(chance: float) -> float:
    return 2 * chance - 1


QUANTILES = {
    "uniform": _uniform, "normal": _normal, "pareto": _pareto, "paretonormal": _paretonormal,
}  # fmt: skip


@cache
def table_of(name: str) -> tuple[int, ...]:
    """Return the table of a distribution that has a name."""
    quantile = QUANTILES[name]
    return tuple(_clipped(quantile((step + 0.5) / SIZE)) for step in range(SIZE))


def table_from(samples: Iterable[float]) -> tuple[float, float, tuple[int, ...]]:
    """Return the mean and the spread (standard deviation) of samples, and their distribution as a table.

    Raises:
        ValueError: there are fewer than two, or they are all the same.
    """
    ordered = sorted(samples)
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        raise ValueError("samples of a distribution: two different ones at least")
    mean, spread = fmean(ordered), pstdev(ordered)
    steps = ((step + 0.5) / SIZE for step in range(SIZE))
    return mean, spread, tuple(_clipped((_quantile(ordered, step) - mean) / spread) for step in steps)


def parse_sample(value: Any) -> float:
    """Return a sample of a delay in ns: a time with a unit, or a number of ms."""
    time = quantity(value, "sample", {**TIMES, "": 10**6}, "ms")
    if time > LONGEST:
        raise ValueError(f"sample {shown(value)} is more than an hour")
    return float(time)


def thinned(samples: Iterable[float]) -> list[int]:
    """Return samples in order and in whole ns; of many, quantiles that have the same table."""
    ordered = sorted(samples)
    if len(ordered) > SIZE:
        ordered = [_quantile(ordered, (step + 0.5) / SIZE) for step in range(SIZE)]
    return [round(one) for one in ordered]


def read_samples(path: Path) -> list[float]:
    """Return the delays that a file of text holds, in ns: times with units, or numbers of ms.

    Raises:
        ValueError: it cannot be read, or something in it is no time; with its line.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"{path}: more than {_LARGEST_FILE >> 20} MiB of samples")
        if path.exists() and not path.is_file():
            raise ValueError(f"{path}: it is no regular file")
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        for word in words_of(re.sub(r"[,;]", " ", line.partition("#")[0])):
            try:
                found.append(parse_sample(word))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
    return found


def with_whole_path(name: str, value: Any) -> Any:
    """Return an attribute's value with the whole path of the file of samples that it names, or of each.

    So it names the same file wherever it is read.
    """
    if name == "distribution" and isinstance(value, Mapping):
        return {key: with_whole_path(name, one) for key, one in value.items()}
    if name == "distribution" and isinstance(value, str) and "/" in value:
        return str(Path(value.strip()).absolute())
    return value


def _quantile(ordered: Sequence[float], chance: float) -> float:
    """Return a quantile of ordered samples, interpolated between neighbours."""
    place = chance * len(ordered) - 0.5
    low = min(max(math.floor(place), 0), len(ordered) - 1)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * min(max(place - low, 0), 1)


def _clipped(deviation: float) -> int:
    return max(-_MOST - 1, min(_MOST, round(deviation * SCALE)))
