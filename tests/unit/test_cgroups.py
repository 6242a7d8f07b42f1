"""What limits of nodes may be, and where a network's control groups go."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import emu
from emu.cgroups.places import Group, Place, Refusal, System, place_in, read_group, refusal_in
from emu.cgroups.values import parse_cpu, parse_memory, settings_of, show_memory
from emu.keeper.groups import Groups, remove_tree, sweep_network

ALL = frozenset({"cpu", "memory", "pids"})
TOP = Path("/sys/fs/cgroup")
SESSION = TOP / "user.slice/user-1000.slice/session-2.scope"
APP = TOP / "user.slice/user-1000.slice/user@1000.service/app.slice"
ROOT = Group(TOP, ALL, ALL, writable=False, occupied=True, outermost=True)


def plan_with(**attributes: Any) -> emu.Plan:
    graph = nx.path_graph(["HOST1", "HOST2"])
    graph.nodes["HOST1"].update(attributes)
    return emu.plan_for(graph)


# -- values --------------------------------------------------------------------------------------------


def test_memory_has_the_units_of_the_kernel_and_systemd() -> None:
    assert parse_memory("256M") == parse_memory("256 mb") == parse_memory("0.25GiB") == 256 << 20
    assert parse_memory(256 << 20) == parse_memory(str(256 << 20)) == 256 << 20


@pytest.mark.parametrize("size", [1 << 20, 3 << 29, 1 << 30, 5 << 40, (1 << 20) + 1])
def test_memory_is_shown_as_it_is_read(size: int) -> None:
    assert parse_memory(show_memory(size)) == size


def test_limits_are_files_of_a_control_group() -> None:
    assert settings_of({"cpu": parse_cpu("1.5"), "processes": 20}) == {
        "cpu.max": "150000 100000",
        "pids.max": "20",
    }
    assert settings_of({"cpu": parse_cpu(0.01)}) == {"cpu.max": "1000 100000"}
    assert settings_of({"memory": 1 << 20}) == {"memory.max": "1048576", "memory.swap.max": "0"}


def test_limits_survive_files_and_documents() -> None:
    plan = plan_with(cpu="0.5", memory="64M", processes="20")
    inside = plan.node("HOST1").inside
    assert inside is not None
    assert inside.limits == {"cpu": 0.5, "memory": 64 << 20, "processes": 20}
    assert inside.attributes() == {"cpu": 0.5, "memory": "64M", "processes": 20}
    assert emu.Plan.from_json(plan.to_json()) == plan
    assert plan_with(**inside.attributes()) == plan


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(emu.TopologyError) as caught:
        plan_with(cpu="half", memory=256, processes=0)
    assert str(caught.value) == (
        "topology graph: 3 faults: node HOST1: cpu 'half' is not a number; "
        "node HOST1: memory 256 is less than 1M; write '256M' for MiB; "
        "node HOST1: processes 0 is not a whole number between 1 and 4,194,304"
    )


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"cpu": 0}, "cpu 0 is not a number of CPUs between 0.01 and 10,000"),
        ({"cpu": "50%"}, "cpu '50%': unknown unit '%'"),
        ({"cpu": True}, "cpu True is not a number"),
        ({"memory": "lots"}, "memory 'lots' is not a number"),
        ({"memory": "5000000T"}, "memory '5000000T' is more than 1024T"),
        ({"memory": "512"}, "memory '512' is less than 1M; write '512M' for MiB"),
        ({"memory": "5k"}, "fault: node HOST1: memory '5k' is less than 1M"),
        ({"memory": "-1M"}, "memory '-1M' is negative"),
        ({"memory": "1 mile"}, "unknown unit 'mile'"),
        ({"processes": 1.5}, "processes 1.5 is not a whole number"),
    ],
)
def test_a_fault_is_one_clear_line(attributes: dict[str, Any], fault: str) -> None:
    with pytest.raises(emu.TopologyError) as caught:
        plan_with(**attributes)
    assert fault in str(caught.value)


# -- places --------------------------------------------------------------------------------------------


def test_root_on_a_machine_without_anything_else_divides_the_outermost_group() -> None:
    top = Group(TOP, ALL, writable=True, occupied=True, outermost=True)
    assert place_in([top], ["cpu", "pids"]) == Place(TOP, frozenset({"cpu", "pids"}))


def test_root_in_a_session_uses_the_nearest_group_that_hands_on_what_is_needed() -> None:
    session = Group(SESSION, ALL, occupied=True)
    around = Group(SESSION.parent, ALL, frozenset({"memory", "pids"}))
    groups = [session, around, Group(TOP, ALL, ALL, occupied=True, outermost=True)]
    assert place_in(groups, ["memory"]) == Place(SESSION.parent)
    assert place_in(groups, ["cpu"]) == Place(SESSION.parent, frozenset({"cpu"}))


def test_a_user_at_a_desktop_uses_the_group_around_the_terminals() -> None:
    groups = [Group(APP / "terminal.scope", ALL, occupied=True), Group(APP, ALL, ALL), ROOT]
    assert place_in(groups, ALL) == Place(APP)


def test_what_systemd_delegated_is_emptied_once() -> None:
    scope, aside = APP / "run-1.scope", APP / "run-1.scope" / "emu-callers"
    full = Group(scope, ALL, occupied=True, delegated=True)
    assert place_in([full, Group(APP, ALL, ALL), ROOT], ALL) == Place(scope, ALL, crowded=True)
    divided = [Group(aside, ALL, occupied=True), Group(scope, ALL, ALL, delegated=True), ROOT]
    assert place_in(divided, ALL) == Place(scope)


SYSTEMD = System(systemd=True)
FOREIGN = [Group(SESSION, ALL, writable=False), ROOT]


@pytest.mark.parametrize(
    ("groups", "system", "why", "cure"),
    [
        ([], System(version1=ALL), "cgroup v1 only", "systemd.unified_cgroup_hierarchy=1"),
        ([], System(), "cgroup v2 is not mounted", "'mount -t cgroup2 none /sys/fs/cgroup' as root"),
        (
            [Group(TOP, frozenset(), outermost=True)], System(version1=ALL),
            "cgroup v1 holds the cpu, memory and pids controllers", "cgroup_no_v1=all",
        ),
        (
            [Group(TOP, frozenset({"cpu", "pids"}), outermost=True)], System(root=True),
            "/sys/fs/cgroup has no memory controller", "'cgroup_enable=memory'",
        ),
        (
            [Group(TOP, frozenset({"cpu"}))], System(container=True),
            "this container is not given the memory and pids controllers", "on its host",
        ),
        (FOREIGN, SYSTEMD, "session-2.scope is not yours", "'systemd-run --user --scope -p Delegate"),
        (FOREIGN, System(), "session-2.scope is not yours", "as root 'cd /sys/fs/cgroup && echo +cpu"),
        ([ROOT], System(root=True), "/sys/fs/cgroup is read-only", "'mount -o remount,rw /sys/fs/cgroup'"),
        (
            [Group(APP, ALL - {"cpu"}), ROOT], SYSTEMD, "app.slice is not given the cpu controller",
            "'Delegate=cpu memory pids' below [Service] by 'sudo systemctl edit user@.service'",
        ),
        ([Group(APP, ALL, occupied=True)], SYSTEMD, "app.slice has processes of its own", "'systemd-run"),
        (
            [Group(TOP, ALL, occupied=True)], System(root=True, container=True),
            "/sys/fs/cgroup has processes of its own", "'mkdir -p /sys/fs/cgroup/own; for p in ",
        ),
    ],
)  # fmt: skip
def test_a_refusal_has_a_reason_and_a_way_out(
    groups: list[Group], system: System, why: str, cure: str
) -> None:
    assert place_in(groups, ALL) is None
    refusal = refusal_in(groups, ALL, system)
    assert isinstance(refusal, Refusal)
    assert why in refusal.why
    assert cure in refusal.cure


# -- folders -------------------------------------------------------------------------------------------


def write_group(path: Path, **files: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    given = {"procs": "", "controllers": "cpu memory pids\n", "subtree_control": "\n", "type": "domain\n"}
    for name, text in (given | files).items():
        (path / f"cgroup.{name}").write_text(text)


def test_a_group_is_read_from_its_files(tmp_path: Path) -> None:
    write_group(tmp_path, procs="1\n2\n", subtree_control="memory pids\n")
    found = read_group(tmp_path)
    assert (found.offered, found.enabled) == (ALL, ALL - {"cpu"})
    assert (found.occupied, found.outermost, found.writable, found.delegated) == (True, False, True, False)
    (tmp_path / "cgroup.type").unlink()
    (tmp_path / "cgroup.procs").write_text("")
    found = read_group(tmp_path)
    assert (found.occupied, found.outermost) == (False, True)


def test_only_groups_that_are_ours_are_swept(tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "emu-notes"
    other.mkdir()
    folder.mkdir()
    (other / "cgroup.procs").touch()
    for path in (other, folder, tmp_path / "emu-gone"):
        sweep_network(str(path))
    assert other.exists()
    assert folder.exists()


def test_a_folder_for_groups_is_ours_and_directly_below(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        for name in ("else", "emu-a/b", ""):
            with pytest.raises(OSError, match="control group"):
                Groups().make(fd, name, ["cpu"])
    finally:
        os.close(fd)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_whole_is_not_there(tmp_path: Path) -> None:
    groups = Groups()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileNotFoundError):  # such folders have no cgroup.subtree_control
            groups.make(fd, "emu-pair-1", ["cpu"])
    finally:
        os.close(fd)
    assert not groups
    assert not list(tmp_path.iterdir())


def test_groups_go_though_a_process_removes_one_of_its_own_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "emu-pair-1" / "inner").mkdir(parents=True)
    rmdir = os.rmdir

    def remove_too_late(path: str, *, dir_fd: int) -> None:
        rmdir(path, dir_fd=dir_fd)
        if path == "inner":
            raise FileNotFoundError(errno.ENOENT, "inner")

    monkeypatch.setattr("os.rmdir", remove_too_late)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        remove_tree("emu-pair-1", fd)
        remove_tree("emu-gone", fd)
    finally:
        os.close(fd)
    assert not list(tmp_path.iterdir())
