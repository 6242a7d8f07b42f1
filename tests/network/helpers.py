"""What the tests of running networks share: commands, and the state of the outer machine.

The outer machine's state is read, and nothing is sent: netlink dumps, `/proc` and mounts.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import emu
from emu.netlink.dumps import read_addresses, read_interfaces, read_routes

ROOT = os.geteuid() == 0
#: The folder that holds the package under test.
SOURCE = str(Path(emu.__file__).resolve().parent.parent)
EMU = [sys.executable, "-P", "-m", "emu"]
#: How long what must come may take on a busy machine, in seconds.
WITHIN = 60.0
#: What others on the machine change: by traffic, and by modules of the kernel that come with their programs.
_VOLATILE = ("nf_conntrack_count", "route/flush", "available_congestion_control", "available_ulp")


def fresh_name() -> str:
    """Return a network's name that stands nowhere else on this machine."""
    return f"t{secrets.token_hex(6)}"


def surroundings(**changes: str | None) -> dict[str, str]:
    """Return the environment for a command: this one's, with changes; None takes a variable away."""
    found = {**os.environ, "PYTHONPATH": SOURCE, **changes}
    return {name: value for name, value in found.items() if value is not None}


def eventually(what: Callable[[], object], within: float = WITHIN) -> None:
    """Wait until `what()` is true; AssertionError, with its name, after `within` seconds."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.01)


def outer() -> dict[str, object]:
    """Return the state of the outer machine that no network may change."""
    found: dict[str, object] = {"mounts": Path("/proc/self/mountinfo").read_text().splitlines()}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        found["interfaces"] = read_interfaces(sock)
        found["addresses"] = [(one.interface, one.address) for one in read_addresses(sock)]
        found["routes"] = read_routes(sock)
    found["netns"] = sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else []
    found["sysctls"] = dict(_settings())
    return found


def _settings() -> Iterator[tuple[str, str]]:
    for path in Path("/proc/sys/net").rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and not str(path).endswith(_VOLATILE):
                yield str(path), path.read_text(errors="replace")


@contextlib.contextmanager
def outer_unchanged() -> Iterator[None]:
    """Check that the outer machine is the same afterwards."""
    before = outer()
    yield
    deadline = time.monotonic() + WITHIN
    while (after := outer()) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert after == before


def assert_free(name: str, plan: emu.Plan) -> None:
    """Check that a name can be had at once."""
    with emu.Network(plan, name) as again:
        assert again.name == name


def run_emu(*words: str, **changes: str | None) -> str:
    """Run an `emu` command and return what it prints on standard output."""
    done = subprocess.run(
        [*EMU, *words], env=surroundings(**changes), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=4 * WITHIN, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
