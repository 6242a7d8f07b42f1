"""What `ping` counts and prints, in the form of iputils. Pure."""

from __future__ import annotations

import math


class Tally:
    """Counts of a run. Times are in whole microseconds, as iputils keeps them."""

    def __init__(self) -> None:
        self.sent = self.received = self.duplicates = self.corrupted = self.errors = 0
        self.lowest = self.highest = self.total = self.squares = 0
        #: Eight times the exponentially weighted moving average, as in TCP (RFC 6298).
        self._average = 0
        #: Most requests that were under way at once.
        self.pipe = 0
        self._acknowledged = 0

    def count_time(self, micros: int) -> None:
        """Take in the round-trip time of a sound reply."""
        first = self.received + self.duplicates == 1
        self.lowest = micros if first else min(self.lowest, micros)
        self.highest = max(self.highest, micros)
        self.total += micros
        self.squares += micros * micros
        self._average = micros * 8 if first else self._average + micros - self._average // 8

    def acknowledge(self, sequence: int) -> None:
        """Note that a request was answered, by a reply or an error; counts what is still under way."""
        if (behind := (self.sent - sequence) & 0xFFFF) <= 0x7FFF:
            self.pipe = max(self.pipe, behind + 1)

    def summary(self, name: str, spent: float, timed: bool) -> str:
        """Return the statistics of a run.

        Args:
            name: the destination, as it was given.
            spent: seconds from the first to the last request.
            timed: whether round-trip times were measured.
        """
        parts = [f"{self.sent} packets transmitted", f"{self.received} received"]
        extras = {"duplicates": self.duplicates, "corrupted": self.corrupted, "errors": self.errors}
        parts += [f"+{count} {what}" for what, count in extras.items() if count]
        if self.sent:
            loss = (self.sent - self.received) * 100 / self.sent
            parts += [f"{loss:g}% packet loss", f"time {spent * 1000:.0f}ms"]
        tail = [self._times()] if self.received and timed else []
        tail += [f"pipe {self.pipe}"] if self.pipe > 1 else []
        return f"\n--- {name} ping statistics ---\n{', '.join(parts)}\n{', '.join(tail)}"

    def _times(self) -> str:
        count = self.received + self.duplicates
        mean = self.total // count
        deviation = math.isqrt(max(0, self.squares // count - mean * mean))
        values = (self.lowest, mean, self.highest, deviation)
        return f"rtt min/avg/max/mdev = {'/'.join(map(millis, values))} ms"

    def snapshot(self, timed: bool) -> str:
        """Return the counts in one line."""
        loss = (self.sent - self.received) * 100 // self.sent if self.sent else 0
        text = f"{self.received}/{self.sent} packets, {loss}% loss"
        if self.received and timed:
            mean = self.total // (self.received + self.duplicates)
            values = (self.lowest, mean, self._average // 8, self.highest)
            text += f", min/avg/ewma/max = {'/'.join(map(millis, values))} ms"
        return text


def millis(micros: int) -> str:
    """Return microseconds as milliseconds with three decimals."""
    return f"{micros // 1000}.{micros % 1000:03d}"


def brief_millis(micros: int) -> str:
    """Return microseconds as milliseconds with three digits or more: 0.045, 1.23, 12.3, 123."""
    for decimals, limit in ((3, 1_000), (2, 9_995), (1, 99_950)):
        if micros < limit:
            return f"{micros / 1000:.{decimals}f}"
    return f"{(micros + 500) // 1000}"


def damage(received: bytes, expected: bytes, start: int) -> str:
    """Return what is wrong with a reply's payload from `start` on; "" if nothing is."""
    text = " (truncated)" if len(received) < len(expected) else ""
    for index in range(start, min(len(received), len(expected))):
        if received[index] != expected[index]:
            wrong = f"should be 0x{expected[index]:x} but was 0x{received[index]:x}"
            return f"{text}\nwrong data byte #{index} {wrong}"
    return text
