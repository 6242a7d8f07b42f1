"""What a network needs of this machine, against what there is: told before anything is built.

Sources: getrlimit(2), namespaces(7), proc(5), cgroups(7), Documentation/admin-guide/cgroup-v2.rst and
cgroup-v1/memory.rst. What others take meanwhile is not foreseen; `explain_refusal` tells.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cgroups.around import groups_around, lines_of
from .errors import LimitError
from .keeper.requests import RESERVE
from .planning.plan import Plan
from .planning.routes import RouteTable
from .sandboxes.privileges import has_capability, read_setting

#: Kernel memory in bytes, measured on Linux 6.18 by slab and per-CPU memory before and after: of a node
#: without links, and of a link. Control groups count only a part of it.
_NODE, _LINK = 225 << 10, 90 << 10
_NODE_COUNTED, _LINK_COUNTED = 95 << 10, 72 << 10
#: Of a route of each family with one next hop, and of each further one.
_ROUTE, _HOP = {4: 150, 6: 600}, {4: 130, 6: 600}
#: The keeper, the process that starts it, and the threads that make namespaces.
_TASKS = 8
_CAP_SYS_RESOURCE = 24
#: A v1 control group without a limit has one of nearly this many bytes.
_ENDLESS = 1 << 62


@dataclass(frozen=True, slots=True)
class Needs:
    """How much of everything a network takes.

    Memory is the kernel's, in bytes; `counted` is what control groups count of it.
    """

    files: int
    namespaces: int
    memory: int
    counted: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Room:
    """How much of one of the `Needs` there still is, and what sets the limit.

    `raising` says how to set it, with `{}` for the value, and `used` what is taken of the limit already.
    """

    kind: str
    what: str
    room: int
    raising: str
    used: int = 0

    def cure(self, needed: int) -> str:
        """Return how to make room for so much."""
        return self.raising.format(self.used + needed)

    def shown(self, count: int) -> str:
        """Return a count of it as people write it."""
        if self.kind not in _MEMORY:
            return f"{count:,}"
        return f"{count / (1 << 30):,.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):,.0f} MiB"


_THINGS = {
    "files": "open files", "namespaces": "network namespaces", "memory": "of kernel memory",
    "counted": "of kernel memory", "tasks": "processes and threads",
}  # fmt: skip
#: The bytes that a node takes with a link, by kind of memory.
_MEMORY = {"memory": _NODE + _LINK, "counted": _NODE_COUNTED + _LINK_COUNTED}


def needs_of(plan: Plan) -> Needs:
    """Return what a plan takes."""
    nodes, links = len(plan.nodes), len(plan.links)
    routes = 0
    for node in plan.nodes:
        for group in RouteTable.of(node.routes).groups:
            more = max(0, len(group.next_hops) - 1)
            routes += len(group) * (_ROUTE[group.version] + more * _HOP[group.version])
    return Needs(
        files=nodes + RESERVE, namespaces=nodes + 1, memory=nodes * _NODE + links * _LINK + routes,
        counted=nodes * _NODE_COUNTED + links * _LINK_COUNTED + routes, tasks=_TASKS,
    )  # fmt: skip


def nodes_for(room: Room) -> int:
    """Return how many nodes there is room for, each with one link; how many does not matter to `tasks`."""
    if room.kind == "tasks":
        return 0 if room.room < _TASKS else sys.maxsize
    if room.kind in _MEMORY:
        return max(0, room.room // _MEMORY[room.kind])
    return max(0, room.room - (RESERVE if room.kind == "files" else 1))


def shortages(needs: Needs, rooms: Sequence[Room]) -> list[str]:
    """Return for each thing of which there is too little: what is needed, what there is, the way out."""
    found = []
    for one in rooms:
        needed = getattr(needs, one.kind)
        if needed > one.room:
            want, have = one.shown(needed), one.shown(max(0, one.room))
            found.append(
                f"it needs {want} {_THINGS[one.kind]}, and {one.what} leaves {have}: {one.cure(needed)}"
            )
    return found


def check_limits(plan: Plan) -> None:
    """Check that this machine has room for a network.

    Raises:
        LimitError: it has not, with all that there is too little of.
    """
    found = shortages(needs_of(plan), list(find_rooms()))
    if found:
        count = len(plan.nodes)
        nodes = f"{count:,} node{'s' if count != 1 else ''}"
        raise LimitError(f"build network {plan.name} of {nodes}: {'; '.join(found)}; or make it smaller")


# -- what there is -------------------------------------------------------------------------------------


def find_rooms() -> Iterator[Room]:
    """Yield how much of everything there is; nothing for what has no limit, or none that shows."""
    yield from _files()
    limit = _setting("user/max_net_namespaces")
    if limit:  # 0 is how some machines forbid them, which is not a matter of room
        raising = "'sudo sysctl user.max_net_namespaces={}'"
        yield Room("namespaces", "user.max_net_namespaces", limit, raising)
    yield from _memory()
    yield from _tasks()


def _files() -> Iterator[Room]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return
    raising = "'ulimit -Hn {}'"
    if not has_capability(_CAP_SYS_RESOURCE):
        raising = "'* hard nofile {}' in /etc/security/limits.conf, then log in again"
    yield Room("files", "ulimit -Hn", hard, raising)


def _memory() -> Iterator[Room]:
    lines = [line.split() for line in lines_of("/proc/meminfo")]
    found = {words[0].rstrip(":"): int(words[1]) << 10 for words in lines if len(words) > 1}
    if "MemAvailable" in found:
        room = found["MemAvailable"] + found.get("SwapFree", 0)
        yield Room("memory", "this machine's memory", room, "end other programs, or add swap")
    for folder in groups_around("memory"):
        v2 = (folder / "memory.max").exists()
        limit = _number(folder / ("memory.max" if v2 else "memory.limit_in_bytes"))
        used = _number(folder / ("memory.current" if v2 else "memory.usage_in_bytes"))
        if limit is None or used is None or limit > _ENDLESS:
            continue
        used -= _reclaimable(folder / "memory.stat")
        yield Room("counted", f"the limit of {folder}", limit - used, "raise it to {} bytes", used)


def _reclaimable(path: Path) -> int:
    """Return how much of a group's memory holds files' contents that can be read again, in bytes."""
    pairs = (line.split() for line in lines_of(path))
    found = {words[0]: int(words[1]) for words in pairs if len(words) == 2}
    names = ("inactive_file", "active_file")
    return sum(found.get(f"total_{name}", found.get(name, 0)) for name in names)


def _tasks() -> Iterator[Room]:
    words = "".join(lines_of("/proc/loadavg")).split()  # the fourth is how many run, of how many there are
    all_tasks = int(words[3].partition("/")[2]) if len(words) > 3 else 0
    for key in ("kernel/pid_max", "kernel/threads-max"):
        limit = _setting(key)
        if limit is not None:
            name = key.replace("/", ".")
            yield Room("tasks", name, limit - all_tasks, f"'sudo sysctl {name}={{}}'", all_tasks)
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    # Only who may be near it is counted, which takes a look at every process.
    if soft != resource.RLIM_INFINITY and os.getuid() != 0 and soft - _TASKS < all_tasks:
        used = _tasks_of(os.getuid())
        yield Room("tasks", "ulimit -u", soft - used, "end some, or 'ulimit -u {}'", used)
    for folder in groups_around("pids"):
        limit, current = _number(folder / "pids.max"), _number(folder / "pids.current")
        if limit is not None and current is not None:
            yield Room("tasks", f"the limit of {folder}", limit - current, "raise it to {}", current)


def _tasks_of(uid: int) -> int:
    """Return how many processes and threads a user has."""
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        found = dict(line.partition(":")[::2] for line in lines_of(f"/proc/{name}/status"))
        if found.get("Uid", "-1").split()[0] == str(uid):
            count += int(found["Threads"])
    return count


# -- files ---------------------------------------------------------------------------------------------


def _number(path: Path) -> int | None:
    """Return the number that a file holds; None where there is none, or the word for none."""
    text = "".join(lines_of(path)).strip()
    return int(text) if text.isdigit() else None


def _setting(key: str) -> int | None:
    text = read_setting(key) or ""
    return int(text) if text.isdigit() else None
