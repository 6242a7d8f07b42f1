"""The program that plays a schedule: inside of the sandbox, over a connection to its keeper.

`python -m emu.player FILE`, with the connection as standard input. What it prints, a line of JSON for each
step that it took, is its log.
"""

from __future__ import annotations

import gc
import itertools
import json
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from .errors import EmuError
from .finding import after_clearing, after_setting
from .link_control.applying import Moment, Shapings, change_shapings, features_of
from .link_control.states import set_down, set_up
from .planning.plan import End, Plan
from .processes.jobs import start_job
from .sandboxes.connection import Sandbox
from .sandboxes.folders import Base, Folder
from .schedules import Event, Step
from .schedules.checking import links_of, varying
from .schedules.steps import in_time, steps_of
from .sharing import SharedPlan

#: How often a replayed trace tells how it gets on, in seconds.
_TELL = 10.0
_SECOND = 10**9
#: How long before its time a step is prepared, in seconds.
_LEAD = 0.005


class _Until(Moment):
    """A moment by the monotonic clock; `real` is when what was to happen then had happened."""

    def __init__(self, due: float) -> None:
        self._due, self.real = due, 0.0

    def sleep(self, lead: float) -> None:
        """Wait until so many seconds before."""
        time.sleep(max(0.0, self._due - lead - time.monotonic()))

    def wait(self) -> None:
        """Wait for it."""
        self.sleep(0.0)

    def mark(self) -> None:
        """Take note of the time."""
        self.real = time.monotonic()


class Player:
    """Takes the steps of a schedule when it is time for them."""

    def __init__(self, shared: SharedPlan) -> None:
        self._shared = shared
        self._lateness: list[float] = []
        self._left_out = 0
        self._told = 0.0
        self._begin = 0.0

    def play(self, events: list[Event]) -> int:
        """Play all, and return the exit status: 1 when a step failed."""
        steps = steps_of(events)
        first = list(itertools.islice(steps, 1))  # traces are read before the clock runs
        features_of(self._shared.sandbox)
        gc.freeze()
        gc.disable()
        self._begin = time.monotonic()
        begun = False
        for upcoming, left_out in in_time(itertools.chain(first, steps), self._is_due):
            self._left_out += left_out
            if upcoming.time and not begun:  # what is to happen at once has happened when it is told
                begun = True
                _tell({"begin": time.time()})
            planned = upcoming.time / _SECOND
            moment = _Until(self._begin + planned)
            moment.sleep(_LEAD)
            try:
                job = self._take(upcoming, moment)
            except (EmuError, OSError, ValueError) as error:
                reason = str(error).removeprefix(f"{upcoming.event.target}: ")
                place = f"{upcoming.event.where}: " if upcoming.event.where else ""
                self._log(upcoming, moment, f"{place}{upcoming.event.target}: {reason}")
                return 1
            self._log(upcoming, moment, job=job)
        self._tell_lateness()
        return 0

    def _is_due(self, step: Step) -> bool:
        return self._begin + step.time / _SECOND <= time.monotonic()

    def _take(self, step: Step, moment: Moment) -> int | None:
        """Take a step, and return the number of the job that it started; None is none."""
        event, shared = step.event, self._shared
        if step.action == "run":
            assert event.node is not None
            moment.wait()
            job = start_job(shared.sandbox, event.node, str(step.values["command"]))
            moment.mark()
            return job.number
        if not step.quiet:
            shared.refresh()
        if step.action in ("down", "up"):
            ends = [end for number in links_of(event, shared.plan) for end in shared.plan.links[number].ends]
            (set_down if step.action == "down" else set_up)(shared, ends, moment)
        else:
            change_shapings(shared, event.target, lambda plan: _wanted(step, plan), moment)
        return None

    def _log(
        self, step: Step, moment: _Until, error: str | None = None, job: int | None = None
    ) -> None:  # fmt: skip
        """Tell of a step; of the many of a trace, now and then how late they were."""
        planned, real = step.time / _SECOND, (moment.real or time.monotonic()) - self._begin
        if step.quiet and error is None:
            self._lateness.append(real - planned)
            if real - self._told >= _TELL:
                self._tell_lateness()
            return
        record = {"planned": planned, "real": round(real, 6), "what": str(step), "error": error, "job": job}
        _tell({key: value for key, value in record.items() if value is not None})

    def _tell_lateness(self) -> None:
        if not self._lateness:
            return
        self._told = time.monotonic() - self._begin
        late = sorted(self._lateness)
        percentiles = {f"late_{share}": round(late[len(late) * share // 100], 6) for share in (50, 99)}
        _tell({"trace_steps": len(late), "left_out": self._left_out, **percentiles, "late_most": late[-1]})
        self._lateness, self._left_out = [], 0


def _wanted(step: Step, plan: Plan) -> Shapings:
    """Return what interfaces are to do after a step."""
    found: dict[End, Any] = {}
    for number in links_of(step.event, plan):
        if step.action == "clear":
            found |= after_clearing(plan, number, step.event.source)
        else:
            found |= after_setting(plan, number, step.values, step.event.source)
    return varying(step.event, step.values, found)


def _tell(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def main(path: str) -> int:
    """Play the schedule that a file holds, which is for nobody else and is removed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    file = Path(path)
    form = json.loads(file.read_text())
    file.unlink()
    line = socket.socket(fileno=0)
    shared = SharedPlan(Sandbox(Folder(Base(Path("/"), 0), form["name"], -1), line))
    try:
        return Player(shared).play([Event.from_dict(one) for one in form["events"]])
    except (EmuError, OSError, ValueError) as error:  # a trace may have changed since it was checked
        _tell({"error": str(error)})
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
