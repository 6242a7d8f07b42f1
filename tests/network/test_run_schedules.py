"""`emu run` with schedules: what it waits for, and how it tells of one that failed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .helpers import EMU, WITHIN, fresh_name, surroundings

#: A link is gone before the last event also on a busy machine; the first event that fails is the end.
EVENTS = [{"at": f"{n / 10}s", "link": ["HOST1", "ROUTER"], "do": "up"} for n in range(10 * int(WITHIN))]
FAILING = ["remove link HOST1 ROUTER", "py net.schedules()[0].wait_quietly()"]


@pytest.fixture
def schedule(tmp_path: Path) -> str:
    file = tmp_path / "events.json"
    file.write_text(json.dumps(EVENTS))
    return str(file)


def run(*words: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EMU, "run", "two_segment", "--name", fresh_name(), *words], env=surroundings(), input=lines,
        capture_output=True, text=True, timeout=4 * WITHIN, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("until", [[], ["--until", "end"]], ids=["lines", "until"])
def test_a_schedule_that_failed_by_the_end_is_told_and_is_the_status(schedule: str, until: list[str]) -> None:
    done = run("--schedule", schedule, *until, *(word for line in FAILING for word in ("-c", line)))
    assert done.returncode == 1
    *_, error = done.stderr.splitlines()
    assert error.startswith(f"emu: schedule two_segment: {schedule}:")
    assert "HOST1--ROUTER" in error


def test_a_schedule_that_failed_by_the_end_of_standard_input_is_told(schedule: str) -> None:
    done = run("--schedule", schedule, lines="\n".join(FAILING))
    assert done.returncode == 1
    assert "emu: schedule two_segment: " in done.stderr


def test_a_schedule_that_goes_on_well_is_no_failure(schedule: str) -> None:
    done = run("--schedule", schedule, "-c", "HOST1 true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "out"),
    [([], ""), (["-c", "HOST1 echo here"], "here\n"), (["--detach"], "")],
    ids=["nothing", "lines", "detached"],
)
def test_the_end_of_no_schedule_is_not_waited_for(words: list[str], out: str) -> None:
    done = run("--until", "end", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, out, 1)
    assert done.stderr.startswith("emu: run")


def test_the_end_of_a_schedule_that_lines_begin_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "events.yaml"
    file.write_text("- {at: 0.1s, link: [HOST1, ROUTER], do: down}\n")
    done = run("--until", "end", "-c", f"schedule {file}")
    assert (done.returncode, done.stderr) == (0, "")
