"""What the programs of nodes may take: whether that can be had here, and telling the keeper."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ..cgroups.making import prepare
from ..cgroups.places import Refusal, find_place, find_place_at, read_group
from ..cgroups.values import CONTROLLERS, settings_of
from ..errors import BUILD_WITHOUT, PrivilegeError, joined, listed
from ..keeper.groups import NETWORK
from ..planning.plan import NodePlan
from ..sandboxes.connection import Sandbox


def check_nodes(nodes: Iterable[NodePlan], ignore: bool = False) -> list[str]:
    """Check that nodes can have the limits that they are to have, before anything is built.

    Returns:
        With `ignore` a warning where they cannot; else nothing.

    Raises:
        PrivilegeError: they cannot; says why, and the way out.
    """
    limited = _limited(nodes)
    found = find_place(_controllers(limited)) if limited else None
    if not isinstance(found, Refusal):
        return []
    line = f"{_attempt(limited)}: {found}"
    if not ignore:
        raise PrivilegeError(f"{line}{BUILD_WITHOUT}")
    return [line]


def limit_nodes(sandbox: Sandbox, nodes: Iterable[NodePlan]) -> None:
    """Have the keeper make control groups for the nodes that have limits; before their first programs start.

    Raises:
        PrivilegeError: this machine does not allow it; says why.
    """
    limited = _limited(nodes)
    if not limited:
        return
    try:
        _make_folder(sandbox, limited)
        settings = {node.name: settings_of(node.inside.limits) for node in limited if node.inside}
        sandbox.ask("limit", nodes=settings)
    except OSError as error:
        reason = f"{os.strerror(error.errno or 0)} ({error.strerror})"
        raise PrivilegeError(f"{_attempt(limited)}: {reason}; 'emu doctor' tells what there is") from error


def _make_folder(sandbox: Sandbox, limited: Sequence[NodePlan]) -> None:
    """Have a folder made for the network's control groups, near the group that the keeper is in.

    One that is there is made to hand on what it does not yet, as the group around it is.
    """
    controllers, folder = _controllers(limited), sandbox.groups
    if folder is None:
        place = find_place(controllers, sandbox.keeper_pid())
    elif read_group(folder).enabled.issuperset(controllers):
        return
    else:
        place = find_place_at(folder.parent, controllers)
    if isinstance(place, Refusal):
        raise PrivilegeError(f"{_attempt(limited)}: {place}")
    name = folder.name if folder is not None else f"{NETWORK}{sandbox.name}-{os.urandom(4).hex()}"
    above = prepare(place)
    try:
        if folder is None:
            sandbox.record_groups(place.path / name)  # first, or nobody would find what a killed keeper left
        sandbox.ask("group", fds=(above,), name=name, controllers=controllers)
    except OSError:
        if folder is None:
            sandbox.forget_groups()
        raise
    finally:
        os.close(above)


def _limited(nodes: Iterable[NodePlan]) -> list[NodePlan]:
    return [node for node in nodes if node.inside is not None and node.inside.limits]


def _kinds(nodes: Iterable[NodePlan]) -> list[str]:
    """Return the attributes that limit some nodes."""
    given = {key for node in nodes if node.inside is not None for key in node.inside.limits}
    return [key for key in CONTROLLERS if key in given]


def _controllers(nodes: Iterable[NodePlan]) -> list[str]:
    return [CONTROLLERS[key] for key in _kinds(nodes)]


def _attempt(nodes: Sequence[NodePlan]) -> str:
    return f"limit {joined(_kinds(nodes))} of {listed([node.name for node in nodes])}"
