"""What every unit test may rely on: nothing leaves the process, and nothing it does is left behind."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from emu import Network, Node
from emu.hooks.plugin_manager import default_plugins
from emu.netlink.dumps import InterfaceState, RouteState
from emu.prompt.session import Session
from emu.topologies.two_segment import two_segment

# The machine may be busy, so a slow example is no failure. The bans below are the same for each example.
settings.register_profile("emu", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("emu")


class Banned(BaseException):
    """Not an Exception: nothing that catches those may hide it."""


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ban sockets and other processes: what is tested here is pure."""

    def refuse(*args: Any, **options: Any) -> NoReturn:
        raise Banned(f"a unit test may not open sockets or start programs: {args!r}")

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "execve", "execv"):
        if hasattr(os, name):
            monkeypatch.setattr(os, name, refuse)


@pytest.fixture
def seed() -> random.Random:
    """A random source that gives the same numbers each time."""
    return random.Random(20)


class Ended:
    """A program that has ended already."""

    pid, args, stdout, starved = 7, ["sh"], None, 0

    def __init__(self, status: int) -> None:
        self.returncode = status

    def __enter__(self) -> Ended:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def wait(self) -> int:
        return self.returncode

    def poll(self) -> int:
        return self.returncode

    def send_signal(self, number: int, group: bool = False) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make nodes of networks run nothing; return the list of what they are asked to run."""
    lines: list[str] = []

    def popen(node: Node, args: Any, **options: Any) -> Any:
        lines.append(args[-1])
        return Ended(3 if args[-1].startswith("false") else 0)

    interfaces = [InterfaceState(2, "HOST1-veth0", (), True, True, 1500, "02:00:00:00:00:01")]
    monkeypatch.setattr(Node, "popen", popen)
    monkeypatch.setattr(Network, "jobs", lambda _: [])
    monkeypatch.setattr(Node, "read_interfaces", lambda _: interfaces)
    monkeypatch.setattr(Node, "read_addresses", lambda _: [])
    monkeypatch.setattr(
        Node, "read_routes", lambda _: [RouteState(4, "10.9.0.0/16", (), "boot", "unreachable")]
    )
    return lines


@pytest.fixture
def network(ran: list[str]) -> Network:
    """Return a network of which nothing is running."""
    found = Network(two_segment())
    found._begun = True
    return found


@pytest.fixture
def session(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:  # fmt: skip
    """Yield a session in a folder of its own, in which `sh` runs nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda args, **_: subprocess.CompletedProcess(args, 0))
    monkeypatch.setattr(Network, "iperf", lambda network, *_, **__: network.sandbox)  # it would wait for one
    monkeypatch.setattr("emu.prompt.jobs.has_terminal", lambda: False)
    found = Session(network, default_plugins())
    yield found
    found.close()
