"""Changing what a running link does: first in the plan that all share, then in the kernel."""

from __future__ import annotations

import contextlib
import errno
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import EmuError, KernelError
from ..netlink.arrangement import Layer, layers_of
from ..netlink.features import SHAPING, check_new_needs, find_features
from ..netlink.filtering import DropAtRandom
from ..netlink.queueing import Place, SetMtu, needs_at
from ..netlink.rearranging import changes
from ..shaping.model import DEFAULT_MTU
from ..shaping.possible import plain_loss, possible
from .leftovers import beside, duplicates, in_the_way, leftovers, root

if TYPE_CHECKING:
    from ..netlink.operations import Request
    from ..planning.plan import End, InterfacePlan, Plan
    from ..sandboxes.connection import Sandbox
    from ..shaping import Shaping
    from ..sharing import Shared

#: The features of each sandbox's kernel, found out once.
_features: weakref.WeakKeyDictionary[Sandbox, frozenset[str]] = weakref.WeakKeyDictionary()

#: How often to look for what is in the plan and not there yet, and the pause between, in seconds.
_PATIENCE, _PAUSE = 10, 0.05


class Moment:
    """When a change is to take effect, and when it had: now, where nobody says anything else."""

    def wait(self) -> None:
        """Return when it is time to tell the kernel; all is prepared."""

    def mark(self) -> None:
        """Take note that the kernel has done it."""


Shapings = Mapping["End", "Shaping | None"]


def change_shapings(
    shared: Shared, attempt: str, make: Callable[[Plan], Shapings], moment: Moment | None = None
) -> bool:
    """Change what some interfaces do to the packets that leave through them, and return whether any did.

    Packets in their queues stay there. What only makes sense on a kernel that lacks something is refused,
    unless the network is built without such things.

    Args:
        shared: the network's plan.
        attempt: what is being done, for errors.
        make: returns what the interfaces are to do, of the plan as it is now.
        moment: when.

    Raises:
        PrivilegeError: the kernel lacks what is new.
        EmuError: `make` raised it, the kernel refused something, or others keep changing the network.
    """
    moment, missed = moment or Moment(), 0
    for old in shared.tries(attempt):
        ends = _ends(old.plan, wanted := make(old.plan))
        new = {end: one for end, one in wanted.items() if one != ends[end].shaping}
        ending = [end for end, one in wanted.items() if not _acts(shared, one)]
        if not new:
            if shared.refresh():  # it may be otherwise by now
                continue
            moment.wait()
            _tidy(shared, attempt, ending)
            return False
        there = _check(shared, ends, new)
        requests = _requests(shared.sandbox, _changes(ends, new, there), there)
        moment.wait()
        try:
            stored = shared.amend_plan(old, new, requests)
        except KernelError as error:
            if error.errno in (errno.ENODEV, errno.ENOENT) and missed < _PATIENCE:  # somebody is adding it
                missed += 1
                time.sleep(_PAUSE)
                continue
            with contextlib.suppress(EmuError, OSError):
                _make_anew(shared, attempt, new)
            raise
        if stored:
            moment.mark()
            _tidy(shared, attempt, ending)
            return True
    raise AssertionError("tries end with an error")


def features_of(sandbox: Sandbox) -> frozenset[str]:
    """Return what a network's kernel can do to shape links; tried at the first call."""
    if sandbox not in _features:
        _features[sandbox] = find_features(sandbox, SHAPING)
    return _features[sandbox]


def _ends(plan: Plan, wanted: Iterable[End]) -> dict[End, InterfacePlan]:
    """Return the interfaces of which something is wanted, and those at the other ends."""
    found = {end: plan.interface(end) for end in wanted}
    return found | {one.peer: plan.interface(one.peer) for one in found.values()}


def _check(shared: Shared, ends: Mapping[End, InterfacePlan], new: Shapings) -> frozenset[str]:
    """Return what the kernel can do; PrivilegeError when something that is new needs more than that."""
    there = features_of(shared.sandbox)
    known = [one for end in new for one in needs_at(*end, ends[end].shaping)]
    needs = [one for end, shaping in new.items() for one in needs_at(*end, shaping)]
    if not shared.plan.optional_shaping:
        check_new_needs(known, needs, there)
    return there


@dataclass(frozen=True, slots=True)
class _Change:
    """What one direction did and is to do, as far as the kernel can, and by which queue disciplines.

    Without netem something else than queue disciplines loses packets, at the other end: `loss` is the new
    share, or None where that stays as it is.
    """

    place: Place
    peer: Place
    before: Shaping | None
    after: Shaping | None
    loss: float | None
    old: tuple[Layer, ...]
    new: tuple[Layer, ...]

    @property
    def begins(self) -> bool:
        """Whether there is something to queue packets for, and was nothing."""
        return bool(self.new) and not self.old

    @property
    def begins_to_duplicate(self) -> bool:
        """Whether it duplicates and did not: kernels let a netem do so only where it is the only one."""
        return not self.begins and duplicates(self.new)


def _changes(ends: Mapping[End, InterfacePlan], new: Shapings, there: frozenset[str]) -> list[_Change]:
    found, netem = [], "netem" in there
    for end, shaping in new.items():
        one = ends[end]
        before, after = possible(one.shaping, there), possible(shaping, there)
        loss = None if netem or plain_loss(before) == plain_loss(after) else plain_loss(after) or 0.0
        places = Place(*end, one.index), Place(*one.peer, ends[one.peer].index)
        layers = layers_of(before, there), layers_of(after, there)
        found.append(_Change(*places, before, after, loss, *layers))
    return found


def _requests(sandbox: Sandbox, all_changes: Sequence[_Change], there: frozenset[str]) -> list[Request]:
    """Return what makes a kernel that has the features `there` do what is new."""
    found: list[Request] = []
    before = leftovers(sandbox, {one.place: one.new for one in all_changes if one.begins}, in_the_way)
    duplicating = {one.place: one.old for one in all_changes if one.begins_to_duplicate}
    before |= leftovers(sandbox, duplicating, beside)
    for one in all_changes:
        found += before.get(one.place, ())
        found += changes(one.place, one.before, one.after, there)
        if one.loss is not None:
            found.append(DropAtRandom(one.peer.node, one.peer.name, one.peer.index, one.loss))
    return found


def _tidy(shared: Shared, attempt: str, ends: Collection[End]) -> None:
    """Take empty queue disciplines away where the plan has nothing for them to do."""
    for known in shared.tries(attempt):
        there = [(end, known.plan.interface(end)) for end in ends if end in known.plan.places.interfaces]
        idle = [Place(*end, one.index) for end, one in there if not _acts(shared, one.shaping)]
        found = leftovers(shared.sandbox, dict.fromkeys(idle, ()), in_the_way)
        requests = [one for gone in found.values() for one in gone]
        # Others may have something to do for them by now: so only with the plan that was looked at.
        if not requests or shared.amend_plan(known, {}, requests):
            return


def _make_anew(shared: Shared, attempt: str, ends: Collection[End]) -> None:
    """Make interfaces do what the plan says of them, whatever they do; packets that wait are lost.

    Of a change that the kernel refuses it has done a part, on which no other change could build.
    """
    there = features_of(shared.sandbox)
    for known in shared.tries(attempt):
        found = _ends(known.plan, [end for end in ends if end in known.plan.places.interfaces])
        places = {end: Place(*end, found[end].index) for end in ends if end in found}
        roots = leftovers(shared.sandbox, dict.fromkeys(places.values(), ()), root)
        requests: list[Request] = []
        for end, place in places.items():
            one, peer = found[end], Place(*found[end].peer, found[found[end].peer].index)
            requests.append(SetMtu(*end, one.index, (one.shaping and one.shaping.mtu) or DEFAULT_MTU))
            requests += roots.get(place, ())
            shaping = possible(one.shaping, there)
            requests += changes(place, None, shaping, there)
            if "netem" not in there and "numgen" in there:
                requests.append(DropAtRandom(peer.node, peer.name, peer.index, plain_loss(shaping) or 0.0))
        if shared.amend_plan(known, {}, requests):
            return


def _acts(shared: Shared, shaping: Shaping | None) -> bool:
    """Return whether a direction does something to packets that takes queue disciplines."""
    if shaping is None:
        return False
    there = features_of(shared.sandbox)
    return bool(layers_of(possible(shaping, there), there))
