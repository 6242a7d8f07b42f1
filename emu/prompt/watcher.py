"""The thread of a prompt that tells of the network's jobs: what they print, and how they end."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

from ..errors import EmuError
from ..playing import playing_of
from ..processes.daemons import TAIL
from ..processes.jobs import Job, JobFacts, read_jobs
from ..processes.watching import Watch
from ..sandboxes.connection import Sandbox

#: How long to wait at the end for what jobs have printed already, in seconds.
_LAST = 1.0
#: How much of the end of a log is fetched for its last lines, in bytes.
_TAIL_SIZE = 4096


class Watcher:
    """Shows what a prompt's own jobs print as it comes, and tells of ends: theirs, of daemons, of schedules.

    `person` says whether somebody sits at a terminal, who also wants to know of jobs that ended well. While
    something runs in front, news of ends wait until `report`.
    """

    def __init__(self, sandbox: Sandbox, person: bool) -> None:
        self._sandbox, self._person = sandbox, person
        self._watch = Watch(sandbox)
        #: The jobs whose output is shown, by their numbers.
        self.mine: set[int] = set()
        self._begun: dict[int, bytes] = {}
        self._known: dict[int, tuple[int, bool]] | None = None
        self._held: list[str] = []
        self._busy = False
        self._elsewhere = False
        self._silent, self._later = 0, list[tuple[TextIO, str]]()
        self._lock = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def adopt(self, start: Callable[[], Job]) -> None:
        """Start a job, show what it prints, and tell when it ends, however soon that is."""
        with self._lock:
            self.follow(start().number)

    def follow(self, number: int, position: int = 0) -> None:
        """Show what a job prints, from a position of its log on, and tell when it ends."""
        with self._lock:
            self.mine.add(number)
            self._watch.follow(number, position)

    def disown(self, number: int) -> None:
        """Show no more of a job; somebody else does."""
        self.mine.discard(number)
        self._watch.leave(number)

    def hold(self) -> None:
        """Tell nothing of ends until `report`: something runs in front."""
        with self._lock:
            self._busy = True

    def report(self) -> None:
        """Tell what was held back."""
        with self._lock:
            self._busy = False
            for text in self._held:
                self._tell(text)
            self._held.clear()

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Let nothing be printed by other threads meanwhile; it comes behind.

        What the network's jobs print waits in their logs. Who shows or tells something does not wait, since
        what goes on meanwhile may be waiting for them.
        """
        with self._lock:
            self._silent += 1
        try:
            yield
        finally:
            with self._lock:
                self._silent -= 1
                later, self._later = self._later, []
                for stream, text in later:
                    self._write(stream, text)
                self._lock.notify_all()

    @contextlib.contextmanager
    def shown_elsewhere(self) -> Iterator[None]:
        """Do not show what the network's jobs print meanwhile: somebody else does."""
        self._elsewhere = True
        try:
            yield
        finally:
            self._elsewhere = False

    def show(self, text: str) -> None:
        """Print what something that is no job of the network's prints."""
        with self._lock:
            self._write(sys.stdout, text)

    def tell(self, text: str) -> None:
        """Tell something now, or when nothing runs in front any more."""
        with self._lock:
            self._announce(text)

    def close(self) -> None:
        """Stop, when what jobs have printed until now has been shown, and which of them ended told."""
        deadline = time.monotonic() + _LAST
        try:
            jobs = read_jobs(self._sandbox)
        except (EmuError, OSError):
            jobs = []
        ends = {one.number: one.log[1] for one in jobs if one.number in self.mine}
        while self._thread.is_alive() and time.monotonic() < deadline:
            if all(self._watch.position(number) >= end for number, end in ends.items()):
                break
            time.sleep(0.005)
        self._watch.close()
        self._thread.join(_LAST)
        if self._known is not None and not self._thread.is_alive():
            self._compare(jobs)
        for number in list(self._begun):
            self._show(number, b"", last=True)

    def _run(self) -> None:
        try:
            while (update := self._watch.wait()) is not None:
                with self._lock:
                    self._lock.wait_for(lambda: not self._silent)
                    for number, data in update.output:
                        self._show(number, data)
                    if update.jobs is not None:
                        self._compare(update.jobs)
        except (EmuError, OSError, ValueError):  # the network or the prompt has ended
            return

    def _compare(self, jobs: Iterable[JobFacts]) -> None:
        """Tell which jobs ended, or were started again, since the last time."""
        before = self._known
        self._known = {one.number: (one.starts, one.ended is not None) for one in jobs}
        for job in jobs:
            ended = job.ended is not None
            told = before is None or before.get(job.number, (1, False)) == (job.starts, True)
            if not ended or told:
                continue
            if job.number in self.mine:
                if self._watch.position(job.number) >= job.log[1]:
                    self._show(job.number, b"", last=True)
                if self._person:
                    self._announce(str(job))
            elif job.daemon and not job.told:
                self._announce("\n  ".join([str(job), *self._tail(job)]))
            elif self._person and (schedule := playing_of(self._sandbox, job)) and schedule.state == "failed":
                self._announce(f"schedule {schedule.name}: {schedule.error}")

    def _tail(self, job: JobFacts) -> list[str]:
        """Return the last lines that a job printed."""
        handle = Job(self._sandbox, job.number)
        try:
            return handle.log(TAIL, position=max(job.log[0], job.log[1] - _TAIL_SIZE)).splitlines()
        except (EmuError, OSError):
            return []

    def _announce(self, text: str) -> None:
        if self._busy:
            self._held.append(text)
        else:
            self._tell(text)

    def _tell(self, text: str) -> None:
        if self._person:
            self._write(sys.stdout, self._lines(f"{text}\n"))
        else:
            self._write(sys.stderr, f"emu: {text}\n")

    def _write(self, stream: TextIO, text: str) -> None:
        if self._silent:
            self._later.append((stream, text))
        else:
            stream.write(text)
            stream.flush()

    def _show(self, number: int, data: bytes, last: bool = False) -> None:
        """Print what a job printed, whole lines only, but for the last."""
        text = self._begun.pop(number, b"") + data
        whole, newline, rest = text.rpartition(b"\n")
        if last and rest:
            whole, newline, rest = text, b"\n", b""
        if rest:
            self._begun[number] = rest
        if newline and not self._elsewhere:
            sys.stdout.write(self._lines((whole + b"\n").decode(errors="replace")))
            sys.stdout.flush()

    def _lines(self, text: str) -> str:
        # A terminal is in a raw mode while a line is edited or a program runs in front.
        return text.replace("\n", "\r\n") if self._person else text
