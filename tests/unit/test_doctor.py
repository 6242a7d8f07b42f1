"""What `emu doctor` and refusals say, on machines that are made up."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from emu import machine
from emu.kernel_parts import Kernel
from emu.limits import Room
from emu.machine import Finding
from emu.plugins import doctor
from emu.sandboxes import privileges

ALL, NONE = "CapEff:\tffffffffffffffff\n", "CapEff:\t0000000000000000\n"
PLAIN = {
    "/proc/self/status": NONE,
    "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda rw\n",
    "/proc/self/uid_map": "0 0 4294967295\n",
}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The files of a machine on which a user without privileges meets nothing that forbids."""
    found = dict(PLAIN)
    monkeypatch.setattr(privileges, "_read", found.get)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os.path, "exists", lambda path: path.startswith(("/proc/", "/dev/")) or path in found)
    for name in ("container", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    return found


def explained(number: int) -> str:
    return privileges.explain_refusal("make namespaces", OSError(number, f"unshare: {os.strerror(number)}"))


@pytest.mark.parametrize(
    ("number", "file", "content", "hints"),
    [
        (
            errno.EPERM, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n",
            ["AppArmor", "'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0'", "as root"],
        ),
        (
            errno.EPERM, "/proc/sys/kernel/unprivileged_userns_clone", "0\n",
            ["root only", "'sudo sysctl kernel.unprivileged_userns_clone=1'", "as root"],
        ),
        (
            errno.ENOSPC, "/proc/sys/user/max_user_namespaces", "0\n",
            ["limit of user namespaces is zero", "'sudo sysctl user.max_user_namespaces=", "as root"],
        ),
        (
            errno.ENOSPC, "/proc/sys/user/max_pid_namespaces", "0\n",
            ["limit of PID namespaces is zero", "'sudo sysctl user.max_pid_namespaces="],
        ),
        (errno.ENOSPC, "/proc/sys/user/max_pid_namespaces", "7\n", ["a limit of namespaces is reached"]),
        (errno.EPERM, "/.dockerenv", "", ["docker", "--privileged", "seccomp=unconfined"]),
        (errno.EACCES, "/run/.containerenv", "", ["podman", "unmask=ALL"]),
        (errno.EPERM, "/run/systemd/container", "lxc\n", ["lxc", "security.nesting"]),
        (errno.EPERM, "/run/systemd/container", "oddity\n", ["oddity", "with the right to make namespaces"]),
        (errno.EPERM, "/proc/self/status", NONE + "Seccomp:\t2\n", ["seccomp"]),
        (errno.EPERM, "/proc/self/uid_map", "0 5 1\n", ["has no id in this", "--map-current-user"]),
        (errno.EPERM, "/proc/self/mountinfo", "1 0 0:2 / /proc rw - proc none rw\n", ["chroot", "--bind"]),
        (errno.EUSERS, "/proc/version", "", ["nested too deep"]),
        (errno.EPERM, "/proc/version", "", ["'emu doctor'"]),
    ],
)  # fmt: skip
def test_refusal_is_explained(
    files: dict[str, str], number: int, file: str, content: str, hints: list[str]
) -> None:  # fmt: skip
    files[file] = content
    line = explained(number)
    assert line.startswith(f"make namespaces: unshare: {os.strerror(number)}; ")
    assert "\n" not in line
    for hint in hints:
        assert hint in line


def test_privileged_user_is_not_told_of_what_concerns_others(files: dict[str, str]) -> None:
    files["/proc/self/status"] = ALL
    files["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = "1\n"
    assert "AppArmor" not in explained(errno.EPERM)


@pytest.mark.usefixtures("files")
def test_root_without_capabilities_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "root lacks CAP_SYS_ADMIN and CAP_SETFCAP here" in explained(errno.EPERM)


def test_the_kernel_s_own_words_are_there_once() -> None:
    with_path = OSError(errno.EACCES, "Permission denied", "/run/x")
    assert privileges.refusal_text(with_path) == "Permission denied (/run/x)"
    assert privileges.refusal_text(OSError(errno.EACCES, "/run/x")) == "/run/x: Permission denied"


def finding(what: str, required: bool, found: bool | None, cure: str = "'sudo get it'") -> Finding:
    return Finding(what, required, found, "state", "cost", cure)


def run_doctor(
    monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *arguments: str
) -> tuple[int, str]:  # fmt: skip
    monkeypatch.setattr(doctor, "examine", lambda: iter(findings))
    result = CliRunner().invoke(doctor.doctor, arguments, standalone_mode=False)
    assert result.exception is None
    return result.return_value, result.output


@pytest.mark.parametrize(
    ("required", "found", "status", "answer"),
    [
        (True, True, 0, "yes"), (True, False, 1, "no"), (True, None, 1, "no"),
        (False, False, 0, "yes"), (False, None, 0, "yes"),
    ],
)  # fmt: skip
def test_what_is_required_decides(
    monkeypatch: pytest.MonkeyPatch, required: bool, found: bool | None, status: int, answer: str
) -> None:
    code, output = run_doctor(monkeypatch, [finding("thing", required, found)])
    assert code == status
    assert output.splitlines()[-1] == f"emu can build networks here: {answer}"
    assert ("MISSING" in output) == (found is False)
    assert ("sudo get it" in output) == (found is False)


def test_one_cure_for_several_things_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, output = run_doctor(monkeypatch, [finding("one", True, False), finding("two", True, False)])
    assert "- one, two: 'sudo get it'" in output


def test_json_has_every_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [finding("one", True, False), finding("two", False, None)]
    status, output = run_doctor(monkeypatch, findings, "--json")
    assert status == 1
    found = [json.loads(line) for line in output.splitlines()]
    assert [(one["what"], one["required"], one["found"]) for one in found] == [
        ("one", True, False), ("two", False, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("release", "fit"), [("5.2.21-generic", False), ("5.3", True), ("6.18.4-fc", True)])
def test_kernel_version(monkeypatch: pytest.MonkeyPatch, release: str, fit: bool) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    version = next(iter(machine.find_kernel()))
    assert version.required
    assert (version.found, version.state) == (fit, release)


def test_limits_say_how_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [
        Room("files", "ulimit -Hn", 1024, "'ulimit -Hn {}'"),
        Room("namespaces", "user.max_net_namespaces", 100, "'sysctl {}'"),
        Room("counted", "the limit of a group", 1 << 30, "raise it to {} bytes"),
        Room("tasks", "ulimit -u", 3, "'ulimit -u {}'"),
    ]
    monkeypatch.setattr(machine, "find_rooms", lambda: iter(rooms))
    files, namespaces, memory, tasks, largest = machine.find_limits()
    assert files.state == "1,024 left: 960 nodes"
    assert (files.found, files.required) == (True, False)
    assert namespaces.state == "100 left: 99 nodes"
    assert (namespaces.found, namespaces.required, namespaces.cure) == (False, False, "'sysctl 100000'")
    assert re.fullmatch(r"1\.0 GiB left: \d,\d{3} nodes", memory.state)
    assert (tasks.found, tasks.required) == (False, True)
    assert largest.state == "0 nodes, by ulimit -u"
    del rooms[3]
    assert list(machine.find_limits())[-1].state == "99 nodes, by user.max_net_namespaces"
    rooms[:] = [Room("namespaces", "user.max_net_namespaces", 3, "'sysctl {}'")]
    namespaces, _ = machine.find_limits()
    assert (namespaces.found, namespaces.required) == (False, True)


def test_missing_program_names_the_package_of_this_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: {"dnf": "/usr/bin/dnf"}.get(name))
    cures = {one.what: one.cure for one in machine.find_programs() if one.found is False}
    assert cures["tc"] == "'sudo dnf install iproute-tc'"
    assert cures["ping"] == "'sudo dnf install iputils'"


def test_what_the_kernel_can_do_is_what_trying_it_said() -> None:
    kernel = Kernel("6.1", loadable=frozenset({"sch_netem"}), config=frozenset({"NET_SCH_NETEM", "VETH"}))
    found = {one.what: one for one in machine.find_link_features(frozenset({"veth", "tbf"}), kernel)}
    assert (found["veth"].found, found["veth"].required, found["veth"].state) == (True, True, "there")
    assert (found["netem"].found, found["netem"].required) == (False, False)
    assert (found["netem"].state, found["netem"].cure) == ("module not loaded", "'sudo modprobe sch_netem'")
    assert found["cake"].state == "CONFIG_NET_SCH_CAKE is not set"
    # What is missing for the same reason has one way out together.
    assert found["cake"].cure == found["red"].cure
    assert "CONFIG_NET_SCH_CAKE" in found["cake"].cure
    assert "CONFIG_NET_SCH_RED" in found["cake"].cure
    assert "NETEM" not in found["cake"].cure


def test_what_was_not_tried_is_not_missing() -> None:
    states = {(one.found, one.state) for one in machine.find_link_features(None, Kernel("6.1"))}
    assert states == {(None, "not tried")}


def test_what_links_can_have_is_a_table_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [
        finding("machine thing", True, True),
        *machine.find_link_features(frozenset({"veth"}), Kernel("6.1")),
    ]
    status, output = run_doctor(monkeypatch, findings)
    assert status == 0
    first, _, second = output.partition("What this kernel can do for links:")
    assert "machine thing" in first
    assert "netem" not in first
    lines = second.splitlines()
    (netem,) = (line for line in lines if line.startswith("netem  "))
    assert "MISSING: absent" in netem
    assert "delay" in netem
