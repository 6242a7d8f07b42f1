"""Taking samples at an even interval, and writing them to a file until told to stop."""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from ..errors import EmuError, NotRunning, UsageError, shown
from .counters import LinkCounters

#: The longest pause between two samples, in seconds.
_LONGEST = 86_400.0


class Ticks:
    """Points in time at an even distance, by `time.monotonic`, from the moment it is made.

    They do not drift, since each is counted from the start. Those that pass while something else is done
    are left out.
    """

    def __init__(self, interval: float) -> None:
        if not (isinstance(interval, int | float) and math.isfinite(interval) and 0 < interval <= _LONGEST):
            limits = f"the interval must be a number of seconds above 0 and up to {_LONGEST:g}"
            raise UsageError(f"take samples every {shown(interval)} s: {limits}")
        self.interval = interval
        self._start = time.monotonic()
        self._number = 0

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start

    def until_next(self) -> float:
        """Go on to the next point, and return the seconds until then."""
        elapsed = self.elapsed()
        self._number = max(self._number + 1, math.floor(elapsed / self.interval))
        return max(0.0, self._number * self.interval - elapsed)


class CounterLog:
    """A CSV file to which the counters of all links are written at an interval, until it is stopped.

    It is a context manager: leaving it stops the log. The first column, `time`, is in seconds since the log
    began, on the monotonic clock; the others are the attributes of `LinkCounters`. Each sample is a row per
    direction of a link, and is in the file as soon as it is taken.
    """

    #: Why the file could not be written any more; None while it can.
    error: EmuError | None = None
    #: How many samples were written.
    samples: int = 0

    def __init__(
        self,
        path: str | os.PathLike[str],
        interval: float,
        read: Callable[[], list[LinkCounters]],
        failed: Callable[[EmuError], object] = lambda _: None,
    ) -> None:
        """Open the file and begin.

        Args:
            path: the file; what it held is lost.
            interval: seconds from one sample to the next.
            read: returns a sample; NotRunning ends the log.
            failed: called, in another thread, when the file cannot be written any more.

        Raises:
            EmuError: the file cannot be written.
            UsageError: the interval is no length of time.
        """
        self.path = Path(path)
        self._ticks, self._read, self._failed = Ticks(interval), read, failed
        self._stopping = threading.Event()
        try:
            file = self.path.open("w", newline="", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise self._explained(error) from error
        self._thread = threading.Thread(target=self._run, args=(file,), name=f"counters {path}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether samples are still being taken."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more samples and close the file; twice is fine.

        Raises:
            EmuError: not all could be written; the file holds what could.
        """
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Wait until no more samples are taken.

        Raises:
            EmuError: not all could be written; the file holds what could.
        """
        self._thread.join()
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, file: TextIO) -> None:
        try:
            with file:
                self._write(file)
        except NotRunning:
            pass
        except OSError as error:
            self.error = self._explained(error)
            self._failed(self.error)

    def _write(self, file: TextIO) -> None:
        """Write the titles, then samples until told to stop."""
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["time", *(field.name for field in dataclasses.fields(LinkCounters))])
        while True:
            elapsed = f"{self._ticks.elapsed():.6f}"
            rows.writerows([elapsed, *dataclasses.astuple(one)] for one in self._read())
            file.flush()
            self.samples += 1
            if self._stopping.wait(self._ticks.until_next()):
                return

    def _explained(self, error: Exception) -> EmuError:
        reason = getattr(error, "strerror", None) or error
        return EmuError(f"write counters to {self.path}: {reason}")
