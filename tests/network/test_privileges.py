"""Where namespaces are refused, emu says which, why and what to do; nothing of the attempt is left.

Each way of refusing is a command that runs another one. All work for any user: what forbids stands in a
user namespace of its own, with a `/run` of its own for the folders of running networks.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from .helpers import WITHIN, eventually, fresh_name
from .traces import named

EMU = [sys.executable, "-c", "from emu.cli import main; main()"]


def inside(preparation: str) -> list[str]:
    """Return a command that runs another one after a preparation, in new user and mount namespaces."""
    left = "status=$?; ls -A /run/emu 2>/dev/null; exit $status"
    return [*NAMESPACES, "sh", "-c", f'mount -t tmpfs none /run && {preparation}; "$@"; {left}', "sh"]


NAMESPACES = ["unshare", "--user", "--map-root-user", "--mount"]
WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
#: Forbids unshare(2), number 272 here, by a seccomp filter (include/uapi/linux/filter.h, seccomp.h).
SECCOMP = """
import ctypes, os, struct, sys
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""

#: What refuses: the command before, emu's exit status, what its message must hold.
REFUSALS: dict[str, tuple[list[str], int, list[str]]] = {
    "no network namespaces": (
        inside("echo 0 >/proc/sys/user/max_net_namespaces"),
        77, ["No space left on device", "network namespaces is zero", "sysctl user.max_net_namespaces="],
    ),
    "no user namespaces": (
        [*inside("echo 0 >/proc/sys/user/max_user_namespaces"), *WITHOUT_RIGHTS],
        77, ["No space left on device", "user namespaces is zero", "sysctl user.max_user_namespaces="],
    ),
    "root without rights": ([*inside("true"), *WITHOUT_RIGHTS], 77, ["uid_map", "Operation not permitted"]),
    "no /proc": (inside("mount -t tmpfs none /proc"), 1, ["/proc is not mounted", "mount -t proc"]),
    # Of a namespace inside, whose root may not uncover it: as in a container.
    "a covered /proc": (
        [*inside("mount -t tmpfs none /proc/bus"), *NAMESPACES],
        77, ["mount proc on /proc", "Operation not permitted"],
    ),
    "a seccomp filter": ([sys.executable, "-c", SECCOMP], 77, ["unshare", "Operation not permitted"]),
}  # fmt: skip


@pytest.fixture(params=list(REFUSALS.values()), ids=list(REFUSALS))
def refusal(request: pytest.FixtureRequest) -> tuple[list[str], int, list[str]]:
    found: tuple[list[str], int, list[str]] = request.param
    if SECCOMP in found[0] and platform.machine() != "x86_64":
        pytest.skip("the number of unshare(2) is that of x86-64")
    return found


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * WITHIN, check=False
    )  # fmt: skip


def test_run_says_in_one_line_what_is_refused(refusal: tuple[list[str], int, list[str]]) -> None:
    command, status, hints = refusal
    name = fresh_name()
    done = run([*command, *EMU, "run", "two_segment", "--name", name, "-c", "HOST1 true"])
    assert done.returncode == status, done.stderr
    line, *others = done.stderr.splitlines()
    assert others == []
    assert line.startswith("emu: ")
    for hint in hints:
        assert hint in line
    assert done.stdout == "", "a folder is left"
    eventually(lambda: named(name) == [])


def test_doctor_says_what_is_refused(refusal: tuple[list[str], int, list[str]]) -> None:
    command, _, hints = refusal
    done = run([*command, *EMU, "doctor"])
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "emu can build networks here: no"
    for hint in hints:
        assert hint in done.stdout


def test_doctor_finds_all_that_is_required_where_these_tests_run() -> None:
    devices, routes = (Path("/proc/net", name) for name in ("dev", "route"))
    before = {line.split()[0] for line in devices.read_text().splitlines()}, routes.read_text()
    done = run([*EMU, "doctor"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "emu can build networks here: yes"
    assert ({line.split()[0] for line in devices.read_text().splitlines()}, routes.read_text()) == before


def test_doctor_with_closed_standard_input_as_json() -> None:
    done = run(["sh", "-c", 'exec "$@" <&-', "sh", *EMU, "doctor", "--json"])
    assert done.returncode == 0, done.stderr
    found = {one["what"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert found["a small network"]["found"]
    assert all(one["found"] for one in found.values() if one["required"])
    assert all(one["cure"] for one in found.values() if one["found"] is False)


def test_python_gets_an_error_of_its_own() -> None:
    program = (
        "import emu, networkx\n"
        "try:\n"
        "    emu.Network(networkx.path_graph(2)).start()\n"
        "except emu.PrivilegeError as error:\n"
        "    print('refused:', error)\n"
    )
    command, _, hints = REFUSALS["no network namespaces"]
    done = run([*command, sys.executable, "-c", program])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")
    assert all(hint in done.stdout for hint in hints)
