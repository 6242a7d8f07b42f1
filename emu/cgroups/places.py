"""Where the control groups of a network can be, and why there is no such place.

A group hands on to those below it the controllers that its `cgroup.subtree_control` names, and may only
name some while it has no processes of its own, unless it is the outermost. Sources:
Documentation/admin-guide/cgroup-v2.rst ("Delegation", "No Internal Process Constraint"), and systemd's
"Control Group APIs and Delegation".
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import joined
from .around import groups_around, lines_of
from .values import CONTROLLERS

_USUAL = "/sys/fs/cgroup"
#: What puts a program into a group of its own that systemd leaves to it.
DELEGATED = "systemd-run --user --scope -p Delegate=yes"


@dataclass(frozen=True, slots=True)
class Group:
    """A control group around a process.

    Attributes:
        path: its folder.
        offered: the controllers that it may hand on.
        enabled: those that it hands on.
        writable: whether we may make groups in it and move processes below it.
        occupied: whether it has processes of its own.
        outermost: whether it is the kernel's first, which may have them.
        delegated: whether systemd leaves it to its processes.
    """

    path: Path
    offered: frozenset[str]
    enabled: frozenset[str] = frozenset()
    writable: bool = True
    occupied: bool = False
    outermost: bool = False
    delegated: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A group that the groups of a network can be made in.

    Attributes:
        path: its folder.
        missing: the controllers that it has to hand on and does not yet.
        crowded: whether its processes have to be moved aside for that.
    """

    path: Path
    missing: frozenset[str] = frozenset()
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no place, and the way out: a command where there is one."""

    why: str
    cure: str

    def __str__(self) -> str:
        return f"{self.why}; {self.cure}"


@dataclass(frozen=True, slots=True)
class System:
    """What else of a machine tells the way out.

    Attributes:
        version1: the controllers that version 1 has.
        systemd: whether it is the first process.
        root: whether we are root.
        container: whether what we see of the groups is a part only.
    """

    version1: frozenset[str] = frozenset()
    systemd: bool = False
    root: bool = False
    container: bool = False


def place_in(groups: Sequence[Group], needed: Collection[str]) -> Place | None:
    """Return where groups with some controllers can be made, or None. Pure.

    That is the nearest group around the process that hands them on, or can be made to: the network stays
    within the limits that its caller has.
    """
    wanted = frozenset(needed)
    for group in groups:
        if not group.writable or not wanted <= group.offered:
            continue
        missing = wanted - group.enabled
        crowded = bool(missing) and group.occupied and not group.outermost
        if not crowded or group.delegated:
            return Place(group.path, missing, crowded)
    return None


def refusal_in(groups: Sequence[Group], needed: Collection[str], system: System) -> Refusal:
    """Return why there is no place for groups with some controllers. Pure."""
    if not groups:
        return _no_version2(system)
    lacking = sorted(set(needed) - groups[-1].offered)
    if lacking:
        return _not_offered(lacking, groups[-1].path, system)
    writable = [group for group in groups if group.writable]
    if not writable:
        return _not_ours(groups, system)
    fit = [group for group in writable if set(needed) <= group.offered]
    return _occupied(fit[0].path, system) if fit else _withheld(writable[-1], needed, system)


def _no_version2(system: System) -> Refusal:
    if system.version1:
        return Refusal("this machine has cgroup v1 only", _UNIFIED)
    return Refusal("cgroup v2 is not mounted", f"'mount -t cgroup2 none {_USUAL}' as root")


#: What makes version 2 have the controllers.
_UNIFIED = "start this machine's kernel with 'systemd.unified_cgroup_hierarchy=1', or with 'cgroup_no_v1=all'"


def _not_offered(lacking: list[str], path: Path, system: System) -> Refusal:
    if taken := sorted(system.version1.intersection(lacking)):
        return Refusal(f"cgroup v1 holds the {named(taken)}", _UNIFIED)
    if system.container:
        return Refusal(f"this container is not given the {named(lacking)}", "run emu on its host")
    options = " ".join(f"cgroup_enable={name}" for name in lacking)
    return Refusal(f"{path} has no {named(lacking)}", f"start this machine's kernel with '{options}'")


def _not_ours(groups: Sequence[Group], system: System) -> Refusal:
    outermost = groups[-1].path
    if system.root:
        return Refusal(f"{outermost} is read-only", f"'mount -o remount,rw {outermost}'")
    cure = f"'{DELEGATED}' before the command" if system.systemd else _by_hand(outermost)
    return Refusal(f"the control group {groups[0].path} is not yours to divide", cure)


def _by_hand(outermost: Path) -> str:
    """Return what root has to do where there is no systemd."""
    names = " ".join(f"+{name}" for name in CONTROLLERS.values())
    return (
        f"as root 'cd {outermost} && echo {names} >cgroup.subtree_control && mkdir -p emu/shell && "
        f"chown -R {os.geteuid()} emu && echo {names} >emu/cgroup.subtree_control && "
        f"echo {os.getppid()} >emu/shell/cgroup.procs'"
    )


def _withheld(group: Group, needed: Collection[str], system: System) -> Refusal:
    names = " ".join(CONTROLLERS.values())
    cure = f"hand it on by {group.path.parent}/cgroup.subtree_control"
    if system.systemd:
        cure = f"'Delegate={names}' below [Service] by 'sudo systemctl edit user@.service', then log in again"
    return Refusal(f"{group.path} is not given the {named(sorted(set(needed) - group.offered))}", cure)


def _occupied(path: Path, system: System) -> Refusal:
    why = f"the control group {path} has processes of its own"
    if system.systemd and not system.root:
        return Refusal(why, f"'{DELEGATED}' before the command")
    move = f"for p in $(cat {path}/cgroup.procs); do echo $p >{path}/own/cgroup.procs; done"
    return Refusal(why, f"'mkdir -p {path}/own; {move}'")


def named(controllers: Sequence[str]) -> str:
    """Return some controllers as a part of a sentence."""
    return f"{joined(controllers)} controller{'s' * (len(controllers) > 1)}"


# -- what there is -------------------------------------------------------------------------------------


def find_place(needed: Collection[str], pid: int | None = None) -> Place | Refusal:
    """Return where a process can have groups with some controllers, or why it cannot; by default this one."""
    groups = [read_group(path) for path in groups_around(pid=pid)]
    return place_in(groups, needed) or refusal_in(groups, needed, read_system(groups))


def find_place_at(path: Path, needed: Collection[str]) -> Place | Refusal:
    """Return how a group can hand on some controllers, or why it cannot."""
    groups = [read_group(path)]
    return place_in(groups, needed) or _withheld(groups[0], needed, read_system(groups))


def read_group(path: Path) -> Group:
    """Return how a control group of version 2 is."""
    files = [path / name for name in ("cgroup.procs", "cgroup.subtree_control")]
    return Group(
        path, _words(path / "cgroup.controllers"), _words(path / "cgroup.subtree_control"),
        writable=all(os.access(one, os.W_OK, effective_ids=True) for one in (path, *files)),
        occupied=bool(lines_of(path / "cgroup.procs")),
        outermost=not (path / "cgroup.type").exists(),
        delegated=_delegated(path),
    )  # fmt: skip


def _words(path: Path) -> frozenset[str]:
    return frozenset(" ".join(lines_of(path)).split())


def _delegated(path: Path) -> bool:
    """Tell whether systemd has marked a group as one to stay away from."""
    for name in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(path, name) == b"1":
                return True
        except OSError:
            continue
    return False


def read_system(groups: Sequence[Group]) -> System:
    """Return what else there is to know of this machine."""
    rows = [line.split() for line in lines_of("/proc/cgroups")]
    taken = frozenset(row[0] for row in rows if len(row) == 4 and row[1] not in ("0", "hierarchy"))
    return System(
        version1=taken.intersection(CONTROLLERS.values()),
        systemd=os.path.isdir("/run/systemd/system"),
        root=os.geteuid() == 0,
        container=bool(groups) and not groups[-1].outermost,
    )
