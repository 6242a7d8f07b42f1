"""Rates, times, sizes and chances as tc(8) writes them, read exactly and shown again.

Inside of emu a rate is an integer of bit/s, a time one of ns, a size one of bytes, and a chance a number
from 0 to 1. Units stand in any case of letters, as in tc: `mbit` and `MBit` are one. Beyond tc a space may
stand before a unit, and `/s` behind one of bits: `10 Mbit/s`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from ..errors import shown, suggestion

#: Numbers without a unit are not written like this in a large one.
_LARGE = 10**5
_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?)\s*([a-z%/]*)", re.IGNORECASE)
_SI = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

#: tc(8), PARAMETERS: `bit` are bits per second, `bps` bytes; prefixes are SI, those with an `i` binary.
RATES = {
    f"{prefix}{unit}": factor * bits
    for unit, bits in (("bit", 1), ("bit/s", 1), ("bps", 8)) for prefix, factor in (_SI | _BINARY).items()
}  # fmt: skip
TIMES = {
    **dict.fromkeys(("s", "sec", "secs"), 10**9),
    **dict.fromkeys(("ms", "msec", "msecs"), 10**6),
    **dict.fromkeys(("us", "usec", "usecs"), 10**3),
    **dict.fromkeys(("ns", "nsec", "nsecs"), 1),
}
#: Sizes count in powers of 1,024, also those in bits.
SIZES = {
    **{f"{prefix}{b}": 2**power for prefix, power in (("k", 10), ("m", 20), ("g", 30)) for b in ("", "b")},
    "b": 1,
    **{f"{prefix}bit": 2**power // 8 for prefix, power in (("k", 10), ("m", 20), ("g", 30))},
}
PACKETS = dict.fromkeys(("p", "packet", "packets"), 1)
_UNITS = frozenset((*RATES, *TIMES, *SIZES, "%"))

#: From where on a rate is a mistake: 100 Gbit/s with room for what comes.
LARGEST_RATE = 10**12
#: The kernel keeps times as signed 64-bit ns; an hour is more than any packet waits.
LONGEST = 3600 * 10**9


def parse_rate(value: Any) -> int:
    """Return a rate in bit/s: a number with a unit, `"100mbit"`, `"1.5 Gbit/s"`, `"250kbps"` (bytes).

    The least is 8 bit/s, a byte per second; the most 1 Tbit/s.
    """
    rate = round(quantity(value, "rate", RATES, "mbit", bare_zero=True))
    if rate == 0:
        raise ValueError(
            f"rate {shown(value)} lets nothing through; the least is 8bit, and 'down' cuts a link"
        )
    if not 8 <= rate <= LARGEST_RATE:
        raise ValueError(f"rate {shown(value)} is not between 8bit and 1tbit")
    return rate


def parse_time(value: Any, what: str = "time") -> int:
    """Return a time in ns: a number with a unit, `"20ms"`, `"1.5s"`, `"250us"`; an hour at most."""
    time = round(quantity(value, what, TIMES, "ms", bare_zero=True))
    if time > LONGEST:
        raise ValueError(f"{what} {shown(value)} is more than an hour")
    return time


def parse_size(value: Any, what: str = "size") -> int:
    """Return a size in bytes: a number of bytes, or with a unit, `"64kb"` (65,536 bytes), `"1mb"`."""
    size = round(quantity(value, what, {"": 1, **SIZES}, "kb"))
    return _counted(size, value, what)


def parse_count(value: Any, what: str = "number") -> int:
    """Return a whole number that is not negative."""
    count = quantity(value, what, {"": 1}, "")
    if count.denominator != 1:
        raise ValueError(f"{what} {shown(value)} is not a whole number")
    return _counted(int(count), value, what)


def parse_chance(value: Any, what: str = "chance") -> float:
    """Return a chance from 0 to 1: a percentage, `"1%"`, or its number alone, 1."""
    percent = quantity(value, what, {"": 1, "%": 1}, "%")
    if percent > 100:
        raise ValueError(f"{what} {shown(value)} is more than 100 %")
    return float(percent / 100)


def words_of(text: str) -> list[str]:
    """Return the words of a text, each number in one with the unit that follows it.

    >>> words_of("pie target 5 ms ecn"), words_of("1 % 25%")
    (['pie', 'target', '5ms', 'ecn'], ['1%', '25%'])
    """
    words: list[str] = []
    for word in text.split():
        last = _NUMBER.fullmatch(words[-1]) if words else None
        if last and not last[2] and word.lower() in _UNITS:
            words[-1] += word
        else:
            words.append(word)
    return words


def quantity(
    value: Any, what: str, units: dict[str, int], example: str, bare_zero: bool = False
) -> Fraction:  # fmt: skip
    """Return the product of a number and its unit.

    Args:
        value: a text, or a number where the unit `""` is known.
        what: what it is, for the error's text.
        units: each unit's factor, in small letters.
        example: a unit to name to whom gives none.
        bare_zero: whether 0 may stand without a unit.

    Raises:
        ValueError: it is not of that form, or negative.
    """
    text = value if isinstance(value, str) else _text_of_number(value)
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{what} {shown(value)} is not a number{' with a unit' if '' not in units else ''}")
    number, unit = Fraction(found[1]), found[2].lower()
    if number < 0:
        raise ValueError(f"{what} {shown(value)} is negative")
    if unit not in units and not (bare_zero and not unit and number == 0):
        if not unit:
            if number >= _LARGE:  # surely meant in the smallest unit
                example = min((one for one in units if one), key=units.__getitem__)
            raise ValueError(f"{what} {shown(value)} has no unit; write {found[1] + example!r}, for example")
        known = [one for one in units if one and "/" not in one]
        hint = suggestion(unit, known) or f"; known are {', '.join(known)}"
        raise ValueError(f"{what} {shown(value)}: unknown unit {unit!r}{hint if known else ''}")
    return number * units.get(unit, 1)


def _text_of_number(value: Any) -> str:
    """Return what may be a number of any library as text; of other things what no number looks like."""
    if isinstance(value, bool) or value is None:
        return "no number"
    try:
        return repr(int(value)) if value == int(value) else repr(float(value))
    except (TypeError, ValueError, ArithmeticError):
        return "no number"


def _counted(number: int, value: Any, what: str) -> int:
    if number > 2**32 - 1:
        raise ValueError(f"{what} {shown(value)} is more than the kernel takes, {2**32 - 1}")
    return number


def show_rate(rate: int) -> str:
    """Return a rate as tc(8) reads it, exactly and in the largest unit of which it is one or more.

    >>> show_rate(100_000_000), show_rate(1_500_000), show_rate(1234567)
    ('100mbit', '1.5mbit', '1.234567mbit')
    """
    return _shown(rate, (("gbit", 10**9), ("mbit", 10**6), ("kbit", 10**3), ("bit", 1)))


def show_time(time: int) -> str:
    """Return a time as tc(8) reads it, exactly and in the largest unit of which it is one or more.

    >>> show_time(20_000_000), show_time(1_500_000_000), show_time(16_666_667)
    ('20ms', '1.5s', '16.666667ms')
    """
    return _shown(time, (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))) if time else "0s"


def show_size(size: int) -> str:
    """Return a size as tc(8) reads it.

    >>> show_size(65536), show_size(1514)
    ('64kb', '1514b')
    """
    factor, unit = next(
        ((f, u) for f, u in ((2**20, "mb"), (2**10, "kb")) if size and size % f == 0), (1, "b")
    )  # fmt: skip
    return f"{size // factor}{unit}"


def show_chance(chance: float) -> str:
    """Return a chance as a percentage, with the digits that tell it from its neighbours.

    >>> show_chance(0.01), show_chance(0.333)
    ('1%', '33.3%')
    """
    return f"{chance * 100:.10g}%"


def _shown(number: int, units: tuple[tuple[str, int], ...]) -> str:
    """Return a number in the largest unit, a power of ten, of which it is one or more; with all decimals."""
    unit, factor = next((one for one in units if number >= one[1]), units[-1])
    whole, rest = divmod(number, factor)
    decimals = f".{rest:0{len(str(factor)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}{decimals}{unit}"
