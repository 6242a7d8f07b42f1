"""Samples at an even interval, and the file that they are written to."""

from __future__ import annotations

import csv
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.counting.counter_log import CounterLog, Ticks
from emu.counting.counter_table import bytes_text, rate_text
from emu.counting.counters import LinkCounters
from emu.errors import EmuError, NotRunning, UsageError

SAMPLE = LinkCounters("A", "A-veth0", "B", "B-veth0", 5, 420, 1, 2, 3, 4, 6, 7, 590, 8, None)


class Clock:
    """A clock that goes on only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_ticks_do_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    ticks = Ticks(0.1)
    for _ in range(1000):
        clock.now += 0.013  # what the work takes
        clock.now += ticks.until_next() + 0.0004  # and somebody wakes late
    assert ticks.elapsed() == pytest.approx(100.0, abs=0.001)


def test_ticks_that_passed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    ticks = Ticks(1.0)
    clock.now += 3.25
    assert ticks.until_next() == 0
    clock.now += 0.25
    assert ticks.until_next() == pytest.approx(0.5)


@pytest.mark.parametrize("interval", [0, -1, math.nan, math.inf, 1e9, "1", None])
def test_an_interval_is_a_length_of_time(interval: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="above 0"):
        CounterLog(tmp_path / "x.csv", interval, lambda: [])
    assert not (tmp_path / "x.csv").exists()


def reader(samples: int) -> tuple[Callable[[], list[LinkCounters]], threading.Event]:
    """Return what gives so many samples before the network ends, and what tells when that was."""
    left, ended = iter(range(samples)), threading.Event()

    def read() -> list[LinkCounters]:
        if next(left, None) is None:
            ended.set()
            raise NotRunning("the network has ended")
        return [SAMPLE, SAMPLE]

    return read, ended


def test_log_ends_with_the_network(tmp_path: Path) -> None:
    read, ended = reader(3)
    with CounterLog(tmp_path / "x.csv", 0.001, read):
        assert ended.wait(10)
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert len(rows) == 6
    assert rows[0]["target_interface"] == "B-veth0"
    assert (rows[0]["bytes"], rows[0]["queue_bytes"], rows[0]["ecn_marks"]) == ("420", "590", "")
    times = [float(row["time"]) for row in rows]
    assert times == sorted(times)
    assert times[0] < 1


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmuError) as refused:
        CounterLog(tmp_path / "none" / "x.csv", 1, lambda: [])
    assert str(refused.value) == f"write counters to {tmp_path}/none/x.csv: No such file or directory"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line() -> None:
    failures: list[EmuError] = []
    told = threading.Event()

    def failed(error: EmuError) -> None:
        failures.append(error)
        told.set()

    log = CounterLog("/dev/full", 0.001, lambda: [SAMPLE], failed)
    assert told.wait(10)
    with pytest.raises(EmuError, match=r"^write counters to /dev/full: No space left on device$"):
        log.stop()
    assert len(failures) == 1
    assert not log.running


def test_all_drops_are_the_sum() -> None:
    assert SAMPLE.drops == 6


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0bit"),
        (999, "999bit"),
        (999.7, "1kbit"),
        (94_213_000, "94.2mbit"),
        (2e9, "2gbit"),
        (5e12, "5tbit"),
    ],
)
def test_rate_text(rate: float, text: str) -> None:
    assert rate_text(rate) == text


def test_bytes_text() -> None:
    assert [bytes_text(size) for size in (0, 1514, 999_600, 8.12e9)] == ["0 B", "1.51 kB", "1 MB", "8.12 GB"]
