"""A link of a running network, as users hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from ..errors import UsageError
from ..finding import after_clearing, after_setting, link_number
from .applying import change_shapings
from .states import set_down, set_up

if TYPE_CHECKING:
    from ..planning.plan import End, Plan
    from ..shaping import Shaping
    from ..sharing import Shared


class RunningLink:
    """A link of a running network: what it does to packets, and whether it carries any.

    A change takes effect at once, and loses no packet but those that it says are to be lost: what waits in
    a queue goes on waiting there, mostly for as long as the rate of when it came says.
    """

    def __init__(self, shared: Shared, first: str, second: str | None = None) -> None:
        """Find a link by its two nodes, or by the name of an interface.

        Raises:
            UsageError: there is no such link, or there are several.
        """
        what = first if second is None else f"{first}--{second}"
        self._shared, self._attempt = shared, f"link {what}"
        number = link_number(shared.plan, first, second, self._attempt)
        #: Its two ends, each a node and the name of its interface.
        self.ends = shared.plan.links[number].ends

    def __repr__(self) -> str:
        return f"<Link {self.ends[0][1]} {self.ends[1][1]}>"

    @property
    def shaping(self) -> dict[str, Shaping | None]:
        """What the link does to packets now, by the node that they leave."""
        self._shared.refresh()
        self._number(plan := self._shared.plan)
        return {end[0]: plan.interface(end).shaping for end in self.ends}

    def set(self, source: str | None = None, **attributes: Any) -> Self:
        """Set attributes anew, those of links in a graph: `set(delay="50ms", loss="1%")`.

        What is not named stays as it is. None takes an attribute away, and a profile the place of all that
        was there. A mapping of the link's nodes has a value for what leaves each:
        `set(rate={"HOST1": "1mbit"})`.

        Args:
            source: the node of the one direction that is meant; both where it is not given.
            attributes: what to set.

        Raises:
            UsageError: an attribute is unknown or has a fault, or contradicts another one.
            PrivilegeError: the kernel lacks what it takes.
            KernelError: the kernel refused; all is as before.
        """
        change_shapings(self._shared, self._attempt, lambda plan: self.wanted(plan, attributes, source))
        return self

    def clear(self, source: str | None = None) -> Self:
        """Take all attributes away, of one direction or both. Packets that wait are not lost.

        One direction alone keeps the MTU, which is that of both ends.
        """
        change_shapings(self._shared, self._attempt, lambda plan: self.cleared(plan, source))
        return self

    def down(self) -> Self:
        """Set both ends down. What waits in its queues is lost; routes stay as they are elsewhere.

        Raises:
            KernelError: the link is gone.
        """
        self._shared.refresh()
        self._number(self._shared.plan)
        set_down(self._shared, self.ends)
        return self

    def up(self) -> Self:
        """Set both ends up, with the addresses and routes that their nodes had through them.

        Raises:
            KernelError: the link is gone.
        """
        self._shared.refresh()
        self._number(self._shared.plan)
        set_up(self._shared, self.ends)
        return self

    def wanted(
        self, plan: Plan, attributes: Mapping[str, Any], source: str | None = None
    ) -> dict[End, Shaping | None]:  # fmt: skip
        """Return what the ends are to do in a plan once attributes are set; UsageError as of `set`."""
        try:
            return after_setting(plan, self._number(plan), attributes, source)
        except ValueError as error:
            raise UsageError(f"{self._attempt}: {error}") from None

    def cleared(self, plan: Plan, source: str | None = None) -> dict[End, Shaping | None]:
        """Return what the ends are to do in a plan without attributes."""
        found = after_clearing(plan, self._number(plan), source)
        if not found:
            raise UsageError(f"{self._attempt}: {source} is no end of it")
        return found

    def _number(self, plan: Plan) -> int:
        """Return the link's number in a plan; UsageError when it is there no more."""
        number = plan.places.links.get(self.ends[0])
        if number is None or plan.links[number].ends != self.ends:
            raise UsageError(f"{self._attempt}: it is there no more")
        return number
