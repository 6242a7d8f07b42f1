"""The attributes of a link that say what it does to packets, and what their values may look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import did_you_mean, nearest, shown, suggestion
from .model import Chance, Distribution, Limit, Loss, Reorder, Slot
from .queues import parse_queue
from .tables import QUANTILES, parse_sample, read_samples, table_from, thinned
from .units import (
    PACKETS,
    SIZES,
    TIMES,
    parse_chance,
    parse_count,
    parse_rate,
    parse_size,
    parse_time,
    quantity,
    show_time,
    words_of,
)

#: The chances of each loss model, in tc's order; for those that are not given the last are 1-h = 100 % and
#: 1-k = 0 %, as tc has it, and those of the Markov chain 100 %, 0 …
_MODELS = {"random": (1, 2), "gemodel": (1, 4), "state": (1, 5)}
#: What an IPv4 interface carries at least (RFC 791), and the kernel at most (ETH_MAX_MTU).
_LEAST_MTU, _LARGEST_MTU = 68, 65535


def parse_delay(value: Any) -> int:
    """Return the time that a packet is on its way: `"20ms"`, `"250us"`."""
    return parse_time(value, "delay")


def parse_jitter(value: Any) -> int:
    """Return how much the delay varies: `"2ms"`; with a distribution, its standard deviation."""
    return parse_time(value, "jitter")


def parse_delay_correlation(value: Any) -> float:
    """Return how much a packet's delay depends on that of the one before: `"25%"`.

    Linux takes only the last digits of its correlated numbers, so that delays hardly differ from independent
    ones.
    """
    return parse_chance(value, "delay_correlation")


def parse_distribution(value: Any) -> Distribution | tuple[float, float, Distribution]:
    """Return how the jitter is distributed: a name, or samples of the delay, in a file or one by one.

    Names are uniform, normal, pareto and paretonormal. A file (with a `/` in its path) holds times such as
    `12.5ms`, or numbers of ms. Samples are a text or a list of such times, `"10ms 12ms 19ms"`. Where `delay`
    or `jitter` are not given they are the samples' mean and standard deviation.
    """
    if isinstance(value, str) and "/" not in value and len(words := words_of(value)) < 2:
        name = value.strip().lower()
        if name not in QUANTILES:
            known = f"; known are {', '.join(QUANTILES)}, and files by a path with a '/'"
            raise ValueError(f"distribution {shown(value)} is unknown{suggestion(name, QUANTILES) or known}")
        return Distribution(name)
    if isinstance(value, str) and "/" in value:
        path = Path(value.strip()).absolute()
        return _of_samples(str(path), read_samples(path))
    if isinstance(value, str):
        value = words
    elif not isinstance(value, list | tuple):
        raise ValueError(f"distribution {shown(value)} is neither a name nor a path nor a list of delays")
    samples = thinned(parse_sample(one) for one in value)
    return _of_samples(" ".join(map(show_time, samples)), samples)


def _of_samples(name: str, samples: Sequence[float]) -> tuple[float, float, Distribution]:
    mean, spread, table = table_from(samples)
    return mean, spread, Distribution(name, table)


def parse_loss(value: Any) -> Loss:
    """Return the packets that are lost: `"1%"`, or a model with its chances as in tc-netem(8).

    `"1% 25%"` is a loss that depends on the one before; `"gemodel p [r [1-h [1-k]]]"` is the model of
    Gilbert and Elliott; `"state p13 [p31 [p32 [p23 [p14]]]]"` a Markov chain of four states.
    """
    words = _words(value)
    model = words.pop(0) if words and words[0] in _MODELS else "random"
    least, most = _MODELS[model]
    if not least <= len(words) <= most:
        raise ValueError(f"loss {shown(value)}: {model} has {least} to {most} chances")
    chances = [parse_chance(word, f"loss {shown(value)}:") for word in words]
    return Loss(model, _completed(model, chances))


def _completed(model: str, chances: list[float]) -> tuple[float, ...]:
    """Return the chances with those that tc fills in, where the first says what the others are."""
    if model == "gemodel":  # p, r = 1 - p, 1-h = 1, 1-k = 0
        usual = [0.0, 1 - chances[0], 1.0, 0.0]
    elif model == "state":  # p13, p31 = 1 - p13, p32 = 0, p23 = 1, p14 = 0
        usual = [0.0, 1 - chances[0], 0.0, 1.0, 0.0]
    else:
        usual = [0.0, 0.0]
    return tuple(chances + usual[len(chances) :])


def parse_duplicate(value: Any) -> Chance:
    """Return the packets that arrive twice: `"1%"`; `"1% 25%"` with a correlation."""
    return _chance(value, "duplicate")


def parse_corrupt(value: Any) -> Chance:
    """Return the packets in which a bit is changed: `"0.1%"`; `"0.1% 25%"` with a correlation."""
    return _chance(value, "corrupt")


def parse_reorder(value: Any) -> Reorder:
    """Return the packets that overtake those that wait: `"25%"`, `"25% 50%"` with a correlation.

    `"25% gap 5"`: of every fifth packet only.
    """
    words = _words(value)
    gap = 1
    if "gap" in words[:-1]:
        place = words.index("gap")
        gap = parse_count(words[place + 1], "reorder: gap")
        words = words[:place] + words[place + 2 :]
    if gap < 1:
        raise ValueError(f"reorder {shown(value)}: a gap is 1 at least")
    found = _chance(" ".join(words), "reorder")
    return Reorder(found.chance, found.correlation, gap)


def parse_slot(value: Any) -> Slot:
    """Return in what bursts packets go: `"800us 1ms"`, a burst after every 0.8 to 1 ms.

    `"800us packets 8 bytes 64kb"`: at most so many in each. `"distribution normal 1ms 0.2ms"`: the time
    between drawn from a distribution.
    """
    words = _words(value)
    counts = {"packets": 0, "bytes": 0}
    for name in counts:
        if name in words[:-1]:
            place = words.index(name)
            counts[name] = (parse_size if name == "bytes" else parse_count)(words[place + 1], f"slot: {name}")
            words = words[:place] + words[place + 2 :]
    distribution = None
    if words[:1] == ["distribution"]:
        named = parse_distribution(words[1]) if len(words) == 4 else None
        if not isinstance(named, Distribution):
            raise ValueError(f"slot {shown(value)}: a distribution has a name, a time and a spread")
        distribution, words = named, words[2:]
    if not 1 <= len(words) <= 2:
        raise ValueError(f"slot {shown(value)} is not one time or two")
    times = [parse_time(word, "slot") for word in words]
    if distribution is None and times[0] > times[-1]:
        raise ValueError(f"slot {shown(value)}: the first time is more than the second")
    return Slot(times[0], times[-1], counts["packets"], counts["bytes"], distribution)


def parse_limit(value: Any) -> Limit:
    """Return how much the queue holds: `100` packets, `"64kb"`, or `"50ms"` at the link's rate."""
    units = {"": 1, **PACKETS, **SIZES, **TIMES}
    number = quantity(value, "limit", units, "ms")
    unit = re.split(r"[\d.\s]", str(value).strip().lower())[-1]  # the `e` of 1e3kb is none of it
    name = "time" if unit in TIMES else "bytes" if unit in SIZES else "packets"
    if name == "packets" and number.denominator != 1:
        raise ValueError(f"limit {shown(value)} is not a whole number of packets")
    if not 1 <= number < 2**32 and name != "time":
        raise ValueError(f"limit {shown(value)} is not between 1 and {2**32 - 1}")
    if number == 0:
        raise ValueError(f"limit {shown(value)}: a queue holds something")
    return Limit(round(number), name)


def parse_mtu(value: Any) -> int:
    """Return the largest packet that the link carries, in bytes: 68 to 65535; IPv6 needs 1280."""
    mtu = parse_count(value, "mtu")
    if not _LEAST_MTU <= mtu <= _LARGEST_MTU:
        raise ValueError(f"mtu {shown(value)} is not between {_LEAST_MTU} and {_LARGEST_MTU}")
    return mtu


def parse_seed(value: Any) -> int:
    """Return what netem's random numbers begin with, so that they come out alike: a whole number.

    That takes Linux 6.6.
    """
    return parse_count(value, "seed")


def parse_profile(value: Any) -> str:
    """Return the name of a profile: one of emu's own, or one of the graph's attribute `profiles`."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"profile {shown(value)} is not a name")
    return value.strip()


#: Attribute → its parser.
PARSERS: dict[str, Callable[[Any], Any]] = {
    "rate": parse_rate,
    "delay": parse_delay,
    "jitter": parse_jitter,
    "delay_correlation": parse_delay_correlation,
    "distribution": parse_distribution,
    "loss": parse_loss,
    "duplicate": parse_duplicate,
    "reorder": parse_reorder,
    "corrupt": parse_corrupt,
    "slot": parse_slot,
    "limit": parse_limit,
    "queue": parse_queue,
    "mtu": parse_mtu,
    "seed": parse_seed,
    "profile": parse_profile,
}

#: What others call some of them, Mininet's TCLink for one.
CALLED = {"bw": "rate", "bandwidth": "rate", "latency": "delay", "max_queue_size": "limit"}


def meant_by(word: str, known: Iterable[str] = PARSERS) -> list[str]:
    """Return which of the known names a word may mean, two at most: those like it, or that others call so."""
    names = list(known)
    called = {other: ours for other, ours in CALLED.items() if ours in names}
    if word.lower() in called:
        return [called[word.lower()]]
    return list(dict.fromkeys(called.get(one, one) for one in nearest(word, [*called, *names])))


def unknown_attribute(name: Any) -> str:
    """Return what to say of a name that no attribute has."""
    if name == "trace":
        return "a trace is no state of a link; it is for a graph's links, or an event of a schedule"
    hint = did_you_mean(meant_by(str(name)))
    return f"links have no {shown(name)}" + (hint or f"; known are {', '.join(PARSERS)}")


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return words_of(value.lower())
    return [str(one).lower() for one in value] if isinstance(value, list | tuple) else [repr(value)]


def _chance(value: Any, what: str) -> Chance:
    words = _words(value)
    if not 1 <= len(words) <= 2:
        raise ValueError(f"{what} {shown(value)} is not a chance, or a chance and its correlation")
    chances = [parse_chance(word, what) for word in words]
    return Chance(*chances)
