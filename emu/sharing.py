"""The plan of a running network, which all who are attached to it have in common."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import EmuError
from .keeper.wire import Frame
from .netlink.delivery import Parcel
from .planning.plan import End, Plan
from .sandboxes.connection import Sandbox
from .shaping import Shaping

if TYPE_CHECKING:
    from .netlink.operations import Request

#: How often to begin anew when others change the network meanwhile.
_ATTEMPTS = 100


class Known(NamedTuple):
    """A plan, and the number of its version: how often it was changed; 0 is that of no plan."""

    plan: Plan
    version: int


class Shared:
    """A running network's plan as its keeper has it, and how to change it without losing others' changes.

    The keeper holds the plan as one document, which takes long to write for a large network, and amendments
    to it: what links do now, by interface.
    """

    #: Replaced as a whole, so that threads find a plan with its own number.
    _known: Known

    @property
    def plan(self) -> Plan:
        """The plan as it was last found."""
        return self._known.plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._known = Known(plan, 0)

    @property
    def sandbox(self) -> Sandbox:
        """The connection to the keeper."""
        raise NotImplementedError

    def refresh(self) -> bool:
        """Take over the plan as others, such as another prompt, have changed it since, if they have."""
        known = self._known
        frame = self.sandbox.ask("get", known=known.version)
        if frame.message["version"] == known.version:
            return False
        found = _known_in(frame, known.plan)
        if found.version > self._known.version:  # or another thread was faster
            self._known = found
        return True

    def tries(self, attempt: str) -> Iterator[Known]:
        """Yield the plan, first as it is known here, and again while others change it at the same time.

        What is made of one of them is for `replace_plan` or `amend_plan` together with it.

        Raises:
            EmuError: they go on and on.
        """
        for number in range(_ATTEMPTS):
            if number:
                self.refresh()
            yield self._known
        raise EmuError(f"{attempt}: others change the network at the same time; try again")

    def replace_plan(self, old: Known, plan: Plan) -> Known | None:
        """Make `plan` the network's in the place of `old`, for every prompt, and return it with its version.

        None when somebody else has replaced it meanwhile; what others made links do stays. Nothing of the
        network itself is changed.
        """
        answer = self.sandbox.ask("put", plan.to_document(), version=old.version).message
        if not answer["stored"]:
            return None
        self._known = stored = Known(amended(plan, answer["amendments"]), answer["version"])
        return stored

    def change_plan(
        self,
        attempt: str,
        make: Callable[[Plan], Plan | None],
        carry_out: Callable[[Plan, Plan], None],
    ) -> None:
        """Change the network's plan, and the network with it: both or, after an error, neither.

        What links do by then, as others may have changed it, stays. A plan that others have changed otherwise
        keeps what failed, which the error tells.

        Args:
            attempt: what is being done, for errors.
            make: returns the new plan of the present one, or None where there is nothing to change.
            carry_out: does in the kernel what leads from one to the other; undoes it when it fails.

        Raises:
            EmuError: others keep changing the network.
        """
        self.refresh()
        for old in self.tries(attempt):
            new = make(old.plan)
            if new is None:
                return
            if stored := self.replace_plan(old, new):
                try:
                    carry_out(old.plan, new)
                except BaseException as error:
                    if not self._take_back(attempt, stored.plan, old.plan):
                        why = str(error) or type(error).__name__
                        text = (
                            f"{attempt}: {why}; others changed the plan meanwhile, and it keeps what failed"
                        )
                        raise EmuError(text) from error
                    raise
                return

    def _take_back(self, attempt: str, failed: Plan, plan: Plan) -> bool:
        """Make `plan` the network's in the place of one that failed; False when others have changed that.

        What links do by now stays.
        """
        with contextlib.suppress(EmuError):
            for known in self.tries(attempt):
                if _with_shapings_of(known.plan, failed) != failed:
                    return False
                if self.replace_plan(known, _with_shapings_of(plan, known.plan)) is not None:
                    return True
        return False

    def amend_plan(
        self, old: Known, shapings: Mapping[End, Shaping | None], requests: Sequence[Request] = ()
    ) -> bool:
        """Make this what interfaces do in the network's plan, and tell the kernel, both at once.

        Returns:
            False when others have changed the plan meanwhile; then nothing is done.

        Raises:
            KernelError: the kernel refused a request; the plan is as before.
        """
        amendments = {
            json.dumps(end): None if one is None else dataclasses.asdict(one) for end, one in shapings.items()
        }
        parcel = Parcel(requests)
        answer = self.sandbox.ask(
            "amend", parcel.blob, version=old.version, amendments=amendments, batches=parcel.batches
        ).message
        parcel.check(answer["refused"])
        if answer["stored"]:
            self._known = Known(old.plan.with_shapings(shapings), answer["version"])
        return bool(answer["stored"])


class SharedPlan(Shared):
    """The plan of a network over a connection to its keeper, and no more."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known = _known_in(sandbox.ask("get"))

    @property
    def sandbox(self) -> Sandbox:
        """The connection to the keeper."""
        return self._sandbox


def _with_shapings_of(plan: Plan, other: Plan) -> Plan:
    """Return a plan whose links do what those of another do, as far as they are in both."""
    there = other.places.interfaces
    ends = [end for end in plan.places.interfaces if end in there]
    return plan.with_shapings({end: other.interface(end).shaping for end in ends})


def _known_in(frame: Frame, plan: Plan | None = None) -> Known:
    """Return what a keeper's answer says of the plan; `plan` is the one that it leaves out."""
    document = Plan.from_document(frame.blob) if plan is None or frame.blob else plan
    return Known(amended(document, frame.message["amendments"]), frame.message["version"])


def amended(plan: Plan, amendments: Mapping[str, Any]) -> Plan:
    """Return a plan with what a keeper says that interfaces do now."""
    if not amendments:
        return plan
    return plan.with_shapings(
        {_end(key): None if value is None else Shaping.from_dict(value) for key, value in amendments.items()}
    )


def _end(key: str) -> End:
    node, name = json.loads(key)
    return node, name
