"""What goes on behind a prompt, while other threads end it and print."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from emu import EmuError
from emu.processes.terminal import TerminalJob
from emu.prompt.jobs import Jobs
from emu.prompt.own import Recording
from emu.prompt.session import Session
from emu.prompt.watcher import Watcher


class Job(Recording):
    """A job that runs until it is closed."""

    over = False

    def __init__(self, number: int) -> None:
        super().__init__("job")
        self.number = number

    def end(self) -> int:
        self.over = True
        return 0

    wait = end


def test_a_job_may_end_while_jobs_are_listed(session: Session) -> None:
    class Ending(Job):
        """It is removed when it ends, which a thread does at any moment: here while it is looked at."""

        @property
        def over(self) -> bool:  # type: ignore[override]
            session.jobs.remove(self)
            return True

    for job in (Ending(1), remaining := Job(2)):
        session.jobs.add(job)
    assert session.jobs.own() == [remaining]


def test_one_that_fails_at_the_end_does_not_keep_the_others(session: Session) -> None:
    class Failing(Job):
        def close(self) -> None:
            raise EmuError("write counters: no space left")

    jobs = Jobs(session.network)
    for job in (Failing(1), other := Job(2)):
        jobs.add(job)
    jobs.close()
    assert other.over


def test_a_program_that_has_ended_does_not_go_on() -> None:
    program: Any = SimpleNamespace(returncode=None, send_signal=lambda *_: None, close=lambda: None)
    terminal = TerminalJob(lambda _: program)
    assert terminal.state == "running"
    program.returncode = 0  # another thread has just noticed
    terminal.go_on()
    assert terminal.state == "exited"
    terminal.close()


def test_what_is_shown_in_silence_comes_behind_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = SimpleNamespace(wait=lambda: None)
    monkeypatch.setattr("emu.prompt.watcher.Watch", lambda _: nothing)
    watcher = Watcher(None, person=True)  # type: ignore[arg-type]
    with watcher.silence():
        with watcher.silence():
            thread = threading.Thread(target=watcher.show, args=("shown\n",), daemon=True)
            thread.start()
            thread.join(60)
            assert not thread.is_alive()
        watcher.tell("told")
        assert capsys.readouterr().out == ""
    assert capsys.readouterr().out == "shown\ntold\r\n"
