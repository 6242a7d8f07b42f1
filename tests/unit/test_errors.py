"""What the texts of errors hold."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu import errors
from emu.errors import EmuError, KernelError, TopologyError, one_line, shown, suggestion


def test_all_faults_of_a_graph_are_in_the_text_each_after_the_other() -> None:
    error = TopologyError("lab", ["node A: this", "link A--B: that"])
    assert str(error) == "topology lab: 2 faults: node A: this; link A--B: that"
    assert error.exit_status == 2


def test_one_fault_is_one_fault() -> None:
    assert "lab: 1 fault: x" in str(TopologyError("lab", ["x"]))


def test_the_text_of_very_many_faults_tells_how_many_it_leaves_out() -> None:
    error = TopologyError("lab", (f"fault {number}" for number in range(5000)))
    assert len(error.faults) == 5000
    assert len(str(error)) < 2000
    assert str(error).endswith(" more")


def test_a_kernel_error_names_all_there_is_to_know() -> None:
    error = KernelError("ip address add", "HOST1", errno.EEXIST, "address already assigned")
    assert str(error) == "'ip address add' in HOST1: File exists (address already assigned)"
    assert (error.operation, error.node, error.errno) == ("ip address add", "HOST1", errno.EEXIST)


def test_exit_statuses_are_those_of_the_documentation() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EmuError)]
    assert {kind.__name__: kind.exit_status for kind in kinds} == {
        "EmuError": 1, "UsageError": 2, "TopologyError": 2, "PlanError": 2, "PluginError": 2,
        "PrivilegeError": 77, "LimitError": 71, "KernelError": 1, "NotRunning": 1, "TimedOut": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("two_segmnet", "; did you mean two_segment?"),
        ("TWO_SEGMENT", "; did you mean two_segment?"),
        ("host11", "; did you mean HOST11 or HOST1?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_suggestions_are_the_nearest_known_words(word: str, hint: str) -> None:
    assert suggestion(word, ["two_segment", "HOST1", "HOST11"]) == hint


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "value", [Unprintable(), 10**5000, np.zeros((50, 50)), "a\nb", "\ud800", [[["x" * 500]]], b"\0"], ids=type
)
def test_any_value_is_shown_as_a_short_line(value: object) -> None:
    assert shown(value).isprintable()
    assert len(shown(value)) <= 200


@given(st.text(st.characters(), max_size=40))
def test_one_line_is_printable_and_leaves_what_is(text: str) -> None:
    assert one_line(text).isprintable()
    assert one_line(text).encode().decode() == one_line(text)
    if text.isprintable():
        assert one_line(text) == text
