"""What a plan needs is compared with what there is, and the error says how to get more."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu import limits
from emu.bench.line import line
from emu.cgroups import around
from emu.errors import LimitError
from emu.hooks.plugin_manager import PluginManager
from emu.limits import Needs, Room, find_rooms, needs_of, nodes_for, shortages
from emu.planning.plan import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return PluginManager().plan_for(line(50))


def test_needs_grow_with_nodes_links_and_routes(plan: Plan) -> None:
    less, more = needs_of(plan), needs_of(PluginManager().plan_for(line(100)))
    assert more.files - less.files == more.namespaces - less.namespaces == 100
    assert 1.9 < more.memory / less.memory < 2.1
    assert 0.2 < less.counted / less.memory < 0.8
    full = PluginManager().plan_for(line(50, routes="full"))
    routes = sum(len(node.routes) for node in full.nodes)
    assert routes > 4000
    assert 100 < (needs_of(full).memory - less.memory) / routes < 400


@pytest.mark.parametrize(
    ("room", "text"),
    [
        (
            Room("files", "ulimit -Hn", 99, "'ulimit -Hn {}'"),
            "it needs 1,064 open files, and ulimit -Hn leaves 99: 'ulimit -Hn 1064'",
        ),
        (
            Room("memory", "this machine's memory", 300 << 20, "add some"),
            "it needs 1.5 GiB of kernel memory, and this machine's memory leaves 300 MiB: add some",
        ),
        (
            Room("tasks", "ulimit -u", -2, "'ulimit -u {}'", used=50),
            "it needs 8 processes and threads, and ulimit -u leaves 0: 'ulimit -u 58'",
        ),
    ],
    ids=["files", "memory", "tasks"],
)
def test_what_is_too_little_is_told_with_the_way_out(room: Room, text: str) -> None:
    needs = Needs(files=1064, namespaces=1001, memory=1536 << 20, counted=1, tasks=8)
    enough = Room("namespaces", "user.max_net_namespaces", 1001, "raise it")
    assert shortages(needs, [enough, room]) == [text]
    assert shortages(needs, [enough]) == []


def test_a_network_of_as_many_nodes_as_there_is_room_for_fits(plan: Plan) -> None:
    needs = needs_of(plan)
    for kind in ("files", "namespaces", "memory", "counted"):
        room = Room(kind, "", getattr(needs, kind), "")
        assert nodes_for(room) in (len(plan.nodes), len(plan.nodes) - 1)
        assert shortages(needs, [room]) == []
        assert len(shortages(needs, [Room(kind, "", getattr(needs, kind) - 1, "")])) == 1


def test_everything_that_is_too_little_is_one_line(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [Room("files", "ulimit -Hn", 9, "a way"), Room("counted", "a group", 1 << 20, "another")]
    monkeypatch.setattr(limits, "find_rooms", lambda: iter(rooms))
    with pytest.raises(LimitError) as caught:
        limits.check_limits(plan)
    text = str(caught.value)
    assert text.startswith(
        "build network line of 100 nodes: it needs 164 open files, and ulimit -Hn leaves 9: a way; "
    )
    assert text.endswith("a group leaves 1 MiB: another; or make it smaller")
    rooms.clear()
    limits.check_limits(plan)


# -- control groups ------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Files of a machine, by path, that take the place of this one's; `{}` is the folder of groups."""
    files: dict[str, str] = {}
    real = around.lines_of

    def lines(path: str | Path) -> list[str]:
        text = files.get(str(path))
        return real(path) if text is None else text.replace("{}", str(tmp_path)).splitlines()

    monkeypatch.setattr(around, "lines_of", lines)
    monkeypatch.setattr(limits, "lines_of", lines)
    return files


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)


def test_the_tightest_group_around_counts(machine: dict[str, str], tmp_path: Path) -> None:
    machine["/proc/self/cgroup"] = "0::/user.slice/mine\n"
    machine["/proc/self/mountinfo"] = "30 24 0:26 / {}/v2 rw - cgroup2 cgroup2 rw\n"
    write(
        tmp_path / "v2" / "user.slice" / "mine",
        memory_dot_max="max\n",
        memory_dot_current="5\n",
        pids_dot_max="max",
    )
    write(
        tmp_path / "v2" / "user.slice", memory_dot_max=f"{1 << 30}", memory_dot_current=f"{1 << 29}",
        memory_dot_stat=f"inactive_file {1 << 28}\nanon 7\n", pids_dot_max="100", pids_dot_current="97",
    )  # fmt: skip
    found = {one.what: one.room for one in find_rooms() if "the limit of" in one.what}
    assert found == {f"the limit of {tmp_path}/v2/user.slice": 3}
    (memory,) = [one for one in find_rooms() if one.kind == "counted"]
    assert (memory.room, memory.used) == (3 << 28, 1 << 28)


def test_version_1_and_a_group_that_is_mounted_as_the_outermost(
    machine: dict[str, str], tmp_path: Path
) -> None:
    machine["/proc/self/cgroup"] = "8:pids:/\n4:cpu,memory:/docker/abc/inner\n0::/\n"
    machine["/proc/self/mountinfo"] = (
        "31 24 0:27 /docker/abc {}/v1 rw shared:9 - cgroup cgroup rw,cpu,memory\n"
        "32 24 0:28 / /nonexistent rw - cgroup cgroup rw,pids\n"
    )
    write(
        tmp_path / "v1" / "inner",
        memory_dot_limit_in_bytes="9223372036854771712",
        memory_dot_usage_in_bytes="0",
    )
    write(
        tmp_path / "v1", memory_dot_limit_in_bytes="1000000", memory_dot_usage_in_bytes="600000",
        memory_dot_stat="inactive_file 1\ntotal_inactive_file 200000\ntotal_active_file 100000\n",
    )  # fmt: skip
    (found,) = [one for one in find_rooms() if one.kind == "counted"]
    assert (found.what, found.room) == (f"the limit of {tmp_path}/v1", 700_000)


def test_memory_of_the_machine(machine: dict[str, str]) -> None:
    machine["/proc/meminfo"] = (
        "MemTotal: 999 kB\nMemAvailable: 200 kB\nSwapFree: 100 kB\nHugePages_Total: 0\n"
    )
    assert [one.room for one in find_rooms() if one.kind == "memory"] == [300 << 10]


def test_a_machine_that_shows_nothing_has_no_limits(machine: dict[str, str]) -> None:
    for path in ("/proc/meminfo", "/proc/self/cgroup", "/proc/loadavg"):
        machine[path] = ""
    assert {one.kind for one in find_rooms()} <= {"files", "namespaces", "tasks"}
