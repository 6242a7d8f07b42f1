"""The plan of a running network, which all who are attached to it have in common."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .errors import EmuError
from .planning.plan import End, Plan
from .sandboxes.connection import Sandbox
from .shaping import Shaping

#: How often to begin anew when others change the network meanwhile.
_ATTEMPTS = 20


class Shared:
    """A running network's plan as its keeper has it, and how to change it without losing others' changes.

    The keeper holds the plan as one document, which takes long to write for a large network, and amendments
    to it: what links do now, by interface.
    """

    _version = 0
    plan: Plan

    @property
    def sandbox(self) -> Sandbox:
        """The connection to the keeper."""
        raise NotImplementedError

    def refresh(self) -> bool:
        """Take over the plan as others, such as another prompt, have changed it since, if they have."""
        frame = self.sandbox.ask("get", known=self._version)
        message = frame.message
        if message["version"] == self._version:
            return False
        plan = Plan.from_document(frame.blob) if frame.blob else self.plan
        self._adopt(amended(plan, message["amendments"]), message["version"])
        return True

    def tries(self, attempt: str) -> Iterator[Plan]:
        """Yield the plan, first as it is known here, and again while others change it at the same time.

        Raises:
            EmuError: they go on and on.
        """
        for number in range(_ATTEMPTS):
            if number:
                self.refresh()
            yield self.plan
        raise EmuError(f"{attempt}: others change the network at the same time; try again")

    def replace_plan(self, plan: Plan) -> bool:
        """Make `plan` the network's, for every prompt; False when somebody else has changed it meanwhile.

        Nothing of the network itself is changed.
        """
        answer = self.sandbox.ask("put", plan.to_document(), version=self._version).message
        if answer["stored"]:
            self._adopt(plan, answer["version"])
        return bool(answer["stored"])

    def change_plan(
        self,
        attempt: str,
        make: Callable[[Plan], Plan | None],
        carry_out: Callable[[Plan, Plan], None],
    ) -> None:
        """Change the network's plan, and the network with it: both or, after an error, neither.

        Args:
            attempt: what is being done, for errors.
            make: returns the new plan of the present one, or None where there is nothing to change.
            carry_out: does in the kernel what leads from one to the other; undoes it when it fails.

        Raises:
            EmuError: others keep changing the network.
        """
        self.refresh()
        for old in self.tries(attempt):
            new = make(old)
            if new is None:
                return
            if self.replace_plan(new):
                try:
                    carry_out(old, new)
                except BaseException:
                    self.replace_plan(old)
                    raise
                return

    def amend_plan(self, shapings: Mapping[End, Shaping | None]) -> bool:
        """Make this what interfaces do in the network's plan; False and True as of `replace_plan`."""
        amendments = {
            json.dumps(end): None if one is None else dataclasses.asdict(one) for end, one in shapings.items()
        }
        answer = self.sandbox.ask("amend", version=self._version, amendments=amendments).message
        if answer["stored"]:
            self._adopt(self.plan.with_shapings(shapings), answer["version"])
        return bool(answer["stored"])

    @property
    def version(self) -> int:
        """Counts the changes of the plan; 0 is that of no plan."""
        return self._version

    def _adopt(self, plan: Plan, version: int) -> None:
        self.plan, self._version = plan, version


class SharedPlan(Shared):
    """The plan of a network over a connection to its keeper, and no more."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self._version = sandbox, -1
        self.refresh()

    @property
    def sandbox(self) -> Sandbox:
        """The connection to the keeper."""
        return self._sandbox


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
