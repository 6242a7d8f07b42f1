"""Limits of nodes, on a kernel whose control groups of version 2 have all controllers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

import emu
from emu.cgroups.places import Place, find_place
from emu.errors import EmuError
from emu.sandboxes.sandbox import running_sandboxes

from ..network.helpers import EMU, eventually, surroundings
from ..others import REASON, can_run_python
from .test_hostile_host import as_user

GROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = "+cpu +memory +pids"
USER = 60001
MIB = 1 << 20
#: Takes 200 MiB at once.
HOG = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]


@pytest.fixture(scope="module", autouse=True)
def groups() -> None:
    subprocess.run(["mount", "-t", "cgroup2", "none", GROUPS], check=True)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    eventually(lambda: not list(GROUPS.rglob("emu-*")))


@pytest.fixture
def delegated() -> Iterator[Path]:
    """A group that systemd has made for a user, with a process that is not emu's in it."""
    group = GROUPS / "delegated"
    group.mkdir()
    (GROUPS / "cgroup.subtree_control").write_text(CONTROLLERS)
    for path in (group, group / "cgroup.procs", group / "cgroup.subtree_control"):
        os.chown(path, USER, USER)
    os.setxattr(group, "user.delegate", b"1")
    with subprocess.Popen(["sleep", "1000"]) as other:
        (group / "cgroup.procs").write_text(str(other.pid))
        yield group
        other.kill()
    eventually(lambda: not (group / "emu-callers").exists() or remove(group / "emu-callers"))
    group.rmdir()


def remove(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def pair(**limits: object) -> nx.Graph:
    graph: nx.Graph = nx.Graph(name="pair")
    graph.add_node("HOST1", **limits)
    graph.add_edge("HOST1", "HOST2")
    return graph


def own_group(node: emu.Node) -> Path:
    text: str = node.run(["cat", "/proc/self/cgroup"], capture_output=True, text=True).stdout
    return GROUPS / text.strip().removeprefix("0::/")


def test_processors() -> None:
    """A period is a tenth of a second, and what is used beyond the limit in one is taken from the next."""
    with emu.Network(pair(cpu=0.5)) as net:
        group = own_group(net["HOST1"])
        assert own_group(net["HOST2"]) == GROUPS
        net["HOST1"].start_job("while :; do :; done")

        def stat() -> dict[str, int]:
            lines = (group / "cpu.stat").read_text().splitlines()
            return {name: int(value) for name, value in map(str.split, lines)}

        eventually(lambda: stat()["nr_periods"] >= 20)
        found = stat()
        assert found["nr_throttled"] > 0
        assert found["usage_usec"] < 60_000 * found["nr_periods"]


def test_memory() -> None:
    with emu.Network(pair(memory="24M", run=[HOG])) as net:
        process = net["HOST1"].popen(HOG)
        assert process.wait() == -signal.SIGKILL
        assert process.starved == 24 * MIB
        assert net.job(1).wait() == -signal.SIGKILL
        assert net.job(1).facts().state == "exit 137, out of memory"
        command = [*EMU, "exec", net.name, "HOST1", *HOG]
        done = subprocess.run(command, env=surroundings(), capture_output=True, text=True, check=False)
        assert done.returncode == 137
        assert done.stderr == "emu: HOST1 is out of memory: a program was killed at its limit of 24M\n"
        later = net["HOST1"].popen(["sh", "-c", "exit 3"])
        assert (later.wait(), later.starved) == (3, 0)
        bystander = net["HOST1"].popen(["sh", "-c", "read line; exit 1"], stdin=subprocess.PIPE)
        assert net["HOST1"].popen(HOG).wait() == -signal.SIGKILL
        bystander.communicate(b"\n")
        assert (bystander.returncode, bystander.starved) == (1, 0)


def test_processes() -> None:
    with emu.Network(pair(processes=3)) as net, contextlib.ExitStack() as ending:
        programs = [net["HOST1"].popen(["sleep", "1000"]) for _ in range(3)]
        for program in programs:
            ending.callback(program.close)
        with pytest.raises(EmuError, match=r"in HOST1: .*3 processes at most"):
            net["HOST1"].popen(["sleep", "1000"])
        programs[0].kill()
        programs[0].wait()
        done = net["HOST1"].run(["sh", "-c", "sleep 1000 & echo"], capture_output=True, text=True)
        assert "fork" in done.stderr


def test_nothing_is_left_of_a_killed_keeper() -> None:
    with emu.Network(pair(memory="64M")) as net:
        process = net["HOST1"].popen(["sleep", "1000"])
        assert own_group(net["HOST1"]).parent.name.startswith(f"emu-{net.name}-")
        os.kill(net.sandbox.keeper_pid(), signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert list(GROUPS.rglob("emu-*"))
        eventually(lambda: not list(running_sandboxes()) and not list(GROUPS.rglob("emu-*")))


def test_nothing_is_left_of_programs_that_do_not_want_to_end_or_made_groups() -> None:
    with emu.Network(pair(memory="64M")) as net:
        inner = own_group(net["HOST1"]) / "inner"
        inner.mkdir()
        net["HOST1"].start_job("trap '' TERM HUP; touch /run/deaf; while :; do sleep 1000; done")
        net["HOST1"].wait_for(file="/run/deaf")


def test_a_node_that_is_added_while_the_network_runs() -> None:
    with emu.Network(pair()) as net:
        net.add_node("HOST3", memory="64M")
        group = own_group(net["HOST3"])
        assert (group / "memory.max").read_text() == f"{64 * MIB}\n"
        net["HOST3"].start_job("sleep 1000")
        net.remove_node("HOST3")
        assert not group.exists()


def test_a_node_that_is_added_is_limited_in_other_things_than_those_before() -> None:
    # As on a machine where nothing else has switched the controllers on.
    (GROUPS / "cgroup.subtree_control").write_text(CONTROLLERS.replace("+", "-"))
    with emu.Network(pair(memory="64M")) as net:
        net.add_node("HOST3", cpu=0.5, processes=10)
        group = own_group(net["HOST3"])
        assert group.parent == own_group(net["HOST1"]).parent
        assert (group / "cpu.max").read_text() == "50000 100000\n"
        assert (group / "pids.max").read_text() == "10\n"


def test_limits_that_failed_once_can_be_had_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with emu.Network(pair()) as net:
        there = GROUPS / f"emu-{net.name}-{bytes(4).hex()}"
        there.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr("os.urandom", bytes)
            with pytest.raises(emu.PrivilegeError, match="File exists"):
                net.add_node("HOST3", memory="64M")
        there.rmdir()
        net.add_node("HOST3", memory="64M")
        assert (own_group(net["HOST3"]) / "memory.max").read_text() == f"{64 * MIB}\n"


def test_a_user_in_a_group_that_systemd_delegates(delegated: Path) -> None:
    if not can_run_python():
        pytest.skip(REASON)

    def work() -> None:
        with emu.Network(pair(cpu=0.5, memory="64M", processes=50)) as net:
            group = own_group(net["HOST1"])
            assert group.parent.parent == delegated
            assert (group / "cpu.max").read_text() == "50000 100000\n"
            assert (group / "pids.max").read_text() == "50\n"
            # Now from the group that this process was moved to.
            assert find_place(["cpu", "memory", "pids"]) == Place(delegated)

    (delegated / "cgroup.procs").write_text("0")
    try:
        as_user(USER, work)
    finally:
        (GROUPS / "cgroup.procs").write_text("0")


def test_a_user_without_a_group_is_told_how_to_get_one() -> None:
    if not can_run_python():
        pytest.skip(REASON)
    code = "from emu.cgroups.places import find_place; print(find_place(['cpu', 'memory']))"
    words = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "sh"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=surroundings(), text=True, cwd="/"
    ) as shell:

        def find() -> str:
            assert shell.stdin is not None
            assert shell.stdout is not None
            shell.stdin.write(f'{sys.executable} -c "{code}"\n')
            shell.stdin.flush()
            return shell.stdout.readline()

        refusal = find()
        assert refusal.startswith("the control group /sys/fs/cgroup is not yours to divide; ")
        [cure] = re.findall(r"as root '([^']+)'", refusal)
        subprocess.run(["sh", "-c", cure], check=True)
        assert find() == f"{Place(GROUPS / 'emu')}\n"
    eventually(lambda: remove(GROUPS / "emu" / "shell"))
    (GROUPS / "emu").rmdir()


def test_a_network_that_does_without() -> None:
    subprocess.run(["umount", GROUPS], check=True)
    try:
        with pytest.raises(emu.PrivilegeError, match=r"mount -t cgroup2 .*--ignore-unsupported"):
            emu.Network(pair(memory="64M")).start()
        with emu.Network(pair(memory="64M"), ignore_unsupported=True) as net:
            assert len(net.unsupported) == 1
            assert net["HOST1"].run(["true"]).returncode == 0
    finally:
        subprocess.run(["mount", "-t", "cgroup2", "none", GROUPS], check=True)
