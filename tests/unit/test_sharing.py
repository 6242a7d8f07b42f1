"""A plan that several have in common: nobody's change is lost, whoever takes note of it first."""

from __future__ import annotations

import dataclasses
import errno
from types import SimpleNamespace
from typing import Any, cast

import networkx as nx
import pytest

import emu
from emu.errors import EmuError, KernelError
from emu.keeper.client import Client
from emu.keeper.requests import Requests
from emu.keeper.wire import Frame
from emu.link_control.applying import Moment, change_shapings
from emu.netlink.queueing import Place
from emu.netlink.rearranging import changes
from emu.planning.plan import Plan
from emu.sandboxes.connection import Sandbox
from emu.shaping import Shaping
from emu.sharing import Known, SharedPlan

PAIR = emu.plan_for(nx.Graph([("A", "B")]))
END, OTHER = PAIR.links[0].ends
PLACE = Place(*OTHER, 1)


class Line:
    """A connection to a keeper that has a plan and no network."""

    def __init__(self) -> None:
        self.refused: list[Any] = []
        self.keeper = SimpleNamespace(
            document=b"", version=0, since=0, amendments={}, exchange=lambda *_: (self.refused, [])
        )
        self.ask("put", PAIR.to_document(), version=0)

    def ask(self, do: str, blob: bytes = b"", **arguments: Any) -> Frame:
        found: list[Frame] = []

        class Caller:
            def tell(self, message: dict[str, Any], blob: bytes = b"") -> None:
                found.append(Frame(message, blob))

        client = cast("Client", Caller())
        getattr(Requests, f"do_{do}")(self.keeper, client, Frame({}, blob), **arguments)
        return found[0]

    def shared(self) -> SharedPlan:
        return SharedPlan(cast("Sandbox", self))


def noted(plan: Plan, note: str) -> Plan:
    return dataclasses.replace(plan, notes=(*plan.notes, note))


def test_a_change_in_between_is_kept_though_another_thread_has_seen_it() -> None:
    line = Line()
    mine, theirs = line.shared(), line.shared()
    meanwhile = ["theirs"]

    def make(plan: Plan) -> Plan:
        while meanwhile:
            theirs.change_plan("note", lambda old: noted(old, meanwhile.pop()), lambda *_: None)
            mine.refresh()  # as a thread that prints counters does
        return noted(plan, "mine")

    mine.change_plan("note", make, lambda *_: None)
    assert line.shared().plan.notes[-2:] == ("theirs", "mine")


def test_what_fails_is_taken_back() -> None:
    line = Line()
    mine, before = line.shared(), line.shared().plan

    def fail(*_: Plan) -> None:
        raise EmuError("note: no ink")

    with pytest.raises(EmuError, match=r"^note: no ink$"):
        mine.change_plan("note", lambda plan: noted(plan, "mine"), fail)
    assert line.shared().plan == before


def test_what_links_do_by_then_stays_when_something_is_taken_back() -> None:
    line = Line()
    mine, theirs, slow = line.shared(), line.shared(), Shaping(delay=1000)

    def fail(*_: Plan) -> None:
        theirs.refresh()
        assert theirs.amend_plan(Known(theirs.plan, 2), {END: slow})
        raise EmuError("no ink")

    with pytest.raises(EmuError, match=r"^no ink$"):
        mine.change_plan("note", lambda plan: noted(plan, "mine"), fail)
    assert line.shared().plan == PAIR.with_shapings({END: slow})


def test_a_schedule_that_sets_links_again_and_again_does_not_hold_up_other_changes() -> None:
    line = Line()
    mine, theirs, slow = line.shared(), line.shared(), Shaping(delay=1000)
    made: list[Plan] = []

    def make(plan: Plan) -> Plan:
        made.append(plan)
        theirs.refresh()
        assert theirs.amend_plan(Known(theirs.plan, 1), {END: slow})
        return noted(plan, "mine")

    mine.change_plan("note", make, lambda *_: None)
    assert made == [PAIR]
    assert mine.plan == line.shared().plan == noted(PAIR, "mine").with_shapings({END: slow})


def test_what_cannot_be_taken_back_is_told() -> None:
    line = Line()
    mine, theirs = line.shared(), line.shared()

    def fail(*_: Plan) -> None:
        theirs.change_plan("note", lambda plan: noted(plan, "theirs"), lambda *_: None)
        raise EmuError("no ink")

    with pytest.raises(EmuError, match="note: no ink; others changed the plan meanwhile"):
        mine.change_plan("note", lambda plan: noted(plan, "mine"), fail)
    assert line.shared().plan.notes[-2:] == ("mine", "theirs")


@pytest.fixture
def bare_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that can do everything, and where nothing is left of what links did before."""
    monkeypatch.setattr("emu.link_control.applying._check", lambda *_: frozenset({"netem", "tbf"}))
    monkeypatch.setattr("emu.link_control.applying.features_of", lambda _: frozenset({"netem", "tbf"}))
    monkeypatch.setattr("emu.link_control.applying.leftovers", lambda *_: {})


def test_a_link_that_the_kernel_refuses_is_as_before(bare_kernel: None) -> None:
    line = Line()
    mine = line.shared()
    line.refused.append((0, 22, "no such rate"))
    with pytest.raises(KernelError, match="no such rate"):
        change_shapings(mine, "link", lambda _: {END: Shaping(delay=1000)})
    assert line.shared().plan.interface(END).shaping is None


def test_a_link_that_somebody_is_just_adding_is_waited_for(
    bare_kernel: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, slow = Line(), Shaping(delay=1000)
    line.refused.append((0, errno.ENODEV, ""))
    monkeypatch.setattr("emu.link_control.applying.time.sleep", lambda _: line.refused.clear())
    assert change_shapings(line.shared(), "link", lambda _: {END: slow})
    assert line.shared().plan.interface(END).shaping == slow


def test_the_kernel_hears_of_a_link_in_the_order_of_the_plan(bare_kernel: None) -> None:
    """What was made of a plan that others have changed since is not sent."""
    line = Line()
    mine, theirs = line.shared(), line.shared()
    slow, narrow = Shaping(delay=1000), Shaping(rate=1000)
    sent: list[bytes] = []

    def exchange(messages: bytes, _: object) -> tuple[list[Any], list[bytes]]:
        sent.append(messages)
        return [], []

    line.keeper.exchange = exchange

    class Meanwhile(Moment):
        def wait(self) -> None:
            if not sent:
                theirs.amend_plan(next(theirs.tries("link")), {OTHER: narrow}, changes(PLACE, None, narrow))

    assert change_shapings(mine, "link", lambda _: {END: slow}, Meanwhile())
    plan = line.shared().plan
    assert (plan.interface(END).shaping, plan.interface(OTHER).shaping) == (slow, narrow)
    assert len(sent) == 2
