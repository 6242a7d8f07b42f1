"""What every unit test may rely on: nothing leaves the process, and nothing it does is left behind."""

import os
import random
import socket
import subprocess
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

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
