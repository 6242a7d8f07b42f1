"""Schedules that are under way: each is a program of the network's own, which goes on without us."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import EmuError, PrivilegeError, TimedOut, UsageError
from .link_control.applying import features_of
from .netlink.features import check_new_needs
from .netlink.queueing import needs_at
from .processes.jobs import Job, JobFacts, read_jobs, start_job
from .schedules import check_schedule, parse_schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .sandboxes.connection import Sandbox
    from .schedules import Event
    from .sharing import Shared

#: What lists show of a schedule begins with it.
_TITLE = "schedule "
_BEGIN = b'"begin"'
_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent)


@dataclass(frozen=True, slots=True)
class Done:
    """One step of a schedule that was taken: when it was to be and when it had taken effect, in seconds.

    `error` is why it failed, and the schedule with it; `job` is the number of the program that it started.
    """

    planned: float
    real: float
    what: str
    error: str | None = None
    job: int | None = None

    @property
    def late(self) -> float:
        """How much later than planned, in seconds."""
        return self.real - self.planned


@dataclass(frozen=True, slots=True)
class Replayed:
    """Steps of traces that were taken in some time, and how late, in seconds: median, 99th percentile, most.

    Steps were left out where the next one was due already: the machine was too busy.
    """

    steps: int
    left_out: int
    median: float
    percentile_99: float
    most: float


class Playing:
    """A schedule of a running network."""

    def __init__(self, sandbox: Sandbox, number: int, name: str) -> None:
        self._sandbox, self._job = sandbox, Job(sandbox, number)
        #: The number of the job that it is, and what it is called.
        self.number, self.name = number, name

    def __repr__(self) -> str:
        return f"<Schedule {self.number} {self.name}>"

    @property
    def log(self) -> list[Done]:
        """The steps that were taken, as far as the network keeps them: the last 1,500 at least."""
        return [
            Done(one["planned"], one["real"], one["what"], one.get("error"), one.get("job"))
            for one in self._records() if "what" in one
        ]  # fmt: skip

    @property
    def replayed(self) -> list[Replayed]:
        """How traces get on, told every 10 s; of the steps of a trace the log has the first one only."""
        return [
            Replayed(one["trace_steps"], one["left_out"], one["late_50"], one["late_99"], one["late_most"])
            for one in self._records() if "trace_steps" in one
        ]  # fmt: skip

    @property
    def state(self) -> str:
        """`running`, `done`, `cancelled` or `failed`."""
        facts = self._job.facts()
        if facts.told:  # from then on, whenever its process ends
            return "cancelled"
        if not facts.over:
            return "running"
        return "failed" if facts.status else "done"

    @property
    def failed_programs(self) -> list[JobFacts]:
        """Programs that it started and that ended by themselves and badly; it goes on without them."""
        started = {one.job for one in self.log}
        return [job for job in read_jobs(self._sandbox) if job.number in started and job.failed]

    @property
    def error(self) -> str | None:
        """Why it failed; None where it has not."""
        records = list(self._records())
        if found := next((one["error"] for one in records if one.get("error")), None):
            return str(found)
        if self.state != "failed":
            return None
        last = self._job.log(lines=1).strip()
        return last if last and _record(last) is None else "its process was ended"

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is over.

        Raises:
            EmuError: it failed; the network goes on.
            TimedOut: after `timeout` seconds.
        """
        try:
            self._job.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"wait for schedule {self.name}: it is not over in {timeout:g} s") from None
        if error := self.error:
            raise EmuError(f"schedule {self.name}: {error}")

    def wait_quietly(self) -> None:
        """Wait until it is over, whatever became of it."""
        self._job.wait()

    def cancel(self) -> None:
        """Let nothing more happen; links stay as they are now."""
        self._job.terminate()

    def _records(self) -> list[dict[str, Any]]:
        lines = map(_record, self._job.log().splitlines())
        return [record for record in lines if record is not None]


def _record(line: str) -> dict[str, Any] | None:
    """Return what a line of the log tells; None for what is none of the player's own, or cut off."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def read_events(events: Any) -> tuple[Event, ...]:
    """Return events as Python has them; UsageError when they are none."""
    try:
        return parse_schedule(events)
    except ValueError as error:
        raise UsageError(f"schedule: {error}") from None


def play(shared: Shared, events: Sequence[Event], name: str) -> Playing:
    """Begin a schedule on a running network, and return when its clock runs; what is for time 0 has happened.

    Raises:
        UsageError: it does not fit the network; with every fault.
        PrivilegeError: the kernel lacks what it takes.
    """
    shared.refresh()
    faults, shapings = check_schedule(events, shared.plan)
    if faults:
        raise UsageError(f"schedule {name}: {'; '.join(faults)}")
    needs = [need for end, shaping, event in shapings for need in needs_at(*end, shaping, event)]
    if needs and not shared.plan.optional_shaping:
        try:
            check_new_needs((), needs, features_of(shared.sandbox))
        except PrivilegeError as error:
            raise PrivilegeError(f"schedule {name}: {error}") from None
    return begin(shared.sandbox, events, name)


def begin(sandbox: Sandbox, events: Sequence[Event], name: str) -> Playing:
    """Begin a schedule that was checked, and return as `play` does."""
    number = sandbox.ask("number").message["number"]
    path = f"/run/emu/schedule-{number}"
    form = {"name": sandbox.name, "events": [dataclasses.asdict(event) for event in events]}
    sandbox.ask("write", json.dumps(form).encode(), path=path)
    words = [sys.executable, "-P", "-m", "emu.player", path]
    parts = [_PACKAGE_PARENT, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(parts)}
    with sandbox.connect() as line:
        job = start_job(sandbox, None, words, env=env, cwd="/", title=f"{_TITLE}{name}", stdin=line.fileno())
    playing = Playing(sandbox, job.number, name)
    await_begin(job.follow())
    return playing


def await_begin(printed: Iterable[bytes]) -> None:
    """Wait until a player has printed that its clock runs, behind what happened at once, or has ended."""
    end = b""
    for data in printed:
        end = end[1 - len(_BEGIN) :] + data  # it may come in two pieces
        if _BEGIN in end:
            return


def playing_on(sandbox: Sandbox) -> list[Playing]:
    """Return the schedules of a network, in the order in which they began."""
    found = (playing_of(sandbox, one) for one in read_jobs(sandbox))
    return [one for one in found if one is not None]


def playing_of(sandbox: Sandbox, job: JobFacts) -> Playing | None:
    """Return the schedule that a job is; None where it is something else."""
    if job.node is not None or not job.command.startswith(_TITLE):
        return None
    return Playing(sandbox, job.number, job.command.removeprefix(_TITLE))
