"""Whatever is said of links, of schedules and in traces is taken, or refused in one line that can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import emu
from emu.reading.schedule_files import events_in
from emu.schedules import check_schedule, parse_schedule
from emu.schedules.steps import steps_of
from emu.shaping import shaping_from
from emu.shaping.attributes import PARSERS
from emu.topologies.two_segment import two_segment
from emu.traces import read_trace

#: What stands in values, so that chance finds more than garbage.
WORDS = (
    "0", "1", "-1", "1e999", "nan", "inf", "5ms", "10mbit", "1%", "101%", "50kb", "normal", "gemodel",
    "state", "gap", "packets", "bytes", "distribution", "fq_codel", "red", "min", "ecn", "target", "none", "",
    "/", "up", "dsl", "lte-walk", "\0", "\ufeff", "²", "٣ms",
)  # fmt: skip
text = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text | st.binary(max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "at", "link", "node", "from", "do", "set", "ramp", "flap", "trace", "run", "over", "every", "for",
    "start", "events", "down", "up", "times", "rate", "delay", "loss", "jitter",
)  # fmt: skip
links = st.sampled_from([["HOST1", "ROUTER"], "ROUTER-veth1", ["HOST1"], "HOST1 ROUTER"])
keyed: st.SearchStrategy[Any] = st.recursive(
    values | links,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)


def refusal(attempt: Callable[[], object]) -> str | None:
    """Return the line of a refusal, None where there is none; anything but a ValueError is an error."""
    try:
        attempt()
    except ValueError as error:
        reason = str(error)
    else:
        return None
    assert reason
    assert reason.isprintable()
    assert len(reason) < 1000
    return reason


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=60)
@given(value=values)
@example(value=["1E303"])
def test_a_value_of_an_attribute(name: str, value: Any) -> None:
    def attempt() -> None:
        shaping_from({name: PARSERS[name](value)})

    refusal(attempt)


@settings(max_examples=300)
@given(keyed)
@example([{"at": 0, "link": ["HOST1", "ROUTER"], "ramp": {"delay": ["none", "1ms"]}, "over": 1}])
@example([{"at": 0, "link": ["HOST1", "ROUTER"], "ramp": {"loss": [["1%"], "2%"]}, "over": 1}])
@example([{"at": 0, "link": ["HOST1", "ROUTER"], "trace": "a" * 500}])
def test_a_schedule(given: Any) -> None:
    plan = emu.plan_for(two_segment())

    def attempt() -> None:
        events = parse_schedule(given)
        faults, _ = check_schedule(events, plan)
        assert all(fault.isprintable() for fault in faults)
        if not faults:
            for _, step in zip(range(100), steps_of(events), strict=False):
                assert str(step)

    refusal(attempt)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.lists(text, max_size=6).map("\n".join).map(str.encode))
@example(b"time,rate\n0,1mbit\n0.000001,2mbit\n")
@example(b"time,rate\n0,0mbit\n1,1mbit\n")
def test_a_trace(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(content)
    os.utime(path, ns=(0, hash(content)))
    reason = refusal(lambda: read_trace(str(path)))
    assert reason is None or str(path) in reason


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("lines", [["0", "12", "40"], ["time,rate", "0,1mbit", "1,2mbit"]])
def test_line_ends_and_marks_of_other_systems(
    tmp_path: Path, lines: list[str], encoding: str, end: str
) -> None:
    plain, path = tmp_path / "plain", tmp_path / "other"
    plain.write_text("\n".join(lines))
    path.write_bytes((end.join(lines) + end).encode(encoding))
    assert read_trace(str(path)).points == read_trace(str(plain)).points


def test_samples_with_line_ends_and_marks_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "samples"
    path.write_bytes("10\r\n12\r\n".encode("utf-8-sig"))
    assert shaping_from({"distribution": PARSERS["distribution"](str(path))}).delay == 11_000_000


@pytest.mark.parametrize("parse", [read_trace, PARSERS["distribution"]], ids=["trace", "samples"])
def test_what_is_no_file_of_a_bearable_size(tmp_path: Path, parse: Callable[[Any], Any]) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it
    (tmp_path / "folder").mkdir()
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(10 << 30)  # takes no room on the disk
    for name in ("pipe", "folder", "huge", "none", "x" * 300):
        reason = refusal(lambda name=name: parse(f"{tmp_path}/{name}"))  # type: ignore[misc]
        assert reason is not None
        assert f"/{name}"[:40] in reason


def test_a_trace_of_many_lines_is_refused_before_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emu.traces.reading._MOST_LINES", 1000)
    path = tmp_path / "long"
    path.write_text("1\n" * 1001)
    assert "at most 1,000 lines" in (refusal(lambda: read_trace(str(path))) or "")


def test_a_schedule_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "events.yaml"
    for content in (b"", b"\x00\xff", b"- [", b"x: 1", b"- {at: 0}\n---\n- {at: 1}", b"- &a [*a]"):
        path.write_bytes(content)
        with pytest.raises(emu.UsageError, match=r"events\.yaml") as error:
            events_in(path)
        assert str(error.value).isprintable()
