"""What a running network consists of, seen from outside, and what of it is left afterwards.

All of this looks at the kernel, not at emu.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

from .helpers import SOURCE, WITHIN, eventually

_NS_GET_ID = 0x8008B70D  # include/uapi/linux/nsfs.h: _IOR(0xb7, 13, __u64), since Linux 6.18


class Namespace(NamedTuple):
    """A namespace: `net:[4026531840]`, and a number that is never used again where the kernel has one."""

    link: str
    number: int


def namespace_at(path: str) -> Namespace | None:
    """Return the namespace that a link below `/proc` leads to, if it is one."""
    with contextlib.suppress(OSError):
        link = os.readlink(path)
        if link.partition(":")[0] in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"):
            fd = os.open(path, os.O_RDONLY)
            try:
                return Namespace(link, int.from_bytes(fcntl.ioctl(fd, _NS_GET_ID, bytes(8)), sys.byteorder))
            except OSError:  # an older kernel
                return Namespace(link, 0)
            finally:
                os.close(fd)
    return None


def processes() -> list[int]:
    """Return all process ids."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def born(pid: int) -> str:
    """Return when a process began, so that another one of that number is told apart; "" for none.

    One that has ended and waits for the machine's first process to notice is none.
    """
    try:
        state, parent, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" and parent == "1" else rest[17]


def named(name: str) -> list[int]:
    """Return the processes that have a network's name among their arguments."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def keeper_of(name: str) -> int | None:
    """Return the process id of a network's keeper, found without emu's help: it heads a PID namespace."""
    for pid in named(name):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            numbers = next(line.split() for line in lines if line.startswith("NSpid:"))
            if len(numbers) > 2 and numbers[-1] == "1":
                return pid
    return None


def await_keeper(name: str) -> int:
    """Wait for a network's keeper and return its process id."""
    eventually(lambda: keeper_of(name))
    keeper = keeper_of(name)
    assert keeper is not None
    return keeper


def folders_of(name: str) -> list[str]:
    """Return the folders that a network of that name has."""
    bases = ["/run/emu", *map(str, Path("/tmp").glob("emu-*")), *map(str, Path("/run/user").glob("*/emu"))]
    bases.append(os.path.join(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "emu"))
    return [path for base in bases if os.path.lexists(path := os.path.join(base, name))]


class Traces:
    """All that a running network consists of, noted while it runs, to be looked for afterwards."""

    def __init__(self, name: str) -> None:
        """Note a network; one that does not run any more, or not yet, leaves its name only."""
        self.name = name
        self.keeper = keeper_of(name)
        self.processes: dict[int, str] = {}
        self.namespaces: set[Namespace] = set()
        self._witness: Witness | None = None
        self._looked: float | None = None
        if self.keeper is not None:
            # It may be ending right now: a process without memory is nobody's to look at.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                self._note(self.keeper)

    def _note(self, keeper: int) -> None:
        inside = os.readlink(f"/proc/{keeper}/ns/pid")
        for pid in filter(born, processes()):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid") == inside:
                    self.processes[pid] = born(pid)
                    self.namespaces.update(_namespaces_of(pid))
        ours = {namespace_at(f"/proc/self/ns/{kind}") for kind in os.listdir("/proc/self/ns")}
        self.namespaces -= ours
        networks = [path for path in _descriptors(keeper) if os.readlink(path).startswith("net:")]
        self._witness = Witness(networks)

    def left(self) -> list[str]:
        """Return what is left of the network."""
        noted = (pid for pid, when in self.processes.items() if when == born(pid) != "")
        found = [f"process {pid}: {command_of(pid)}" for pid in noted]
        found += [f"process {pid}: {command_of(pid)}" for pid in named(self.name)]
        found += [f"folder {path}" for path in folders_of(self.name)]
        if self._witness is not None:
            found += [f"network namespace number {number}" for number in self._witness.alive()]
        links = {one.link for one in self.namespaces}
        # Whoever began after the network had ended has nothing of it, but may have a namespace of a number
        # that is free again.
        self._looked = self._looked or time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
        older = (pid for pid in processes() if (when := born(pid)) and int(when) <= self._looked)
        for pid in older if not found else ():
            for path in itertools.chain(_descriptors(pid), _spaces(pid)):
                with contextlib.suppress(OSError):
                    if os.readlink(path) in links and namespace_at(path) in self.namespaces:
                        found.append(f"{path} -> {os.readlink(path)} of {command_of(pid)}")
        return found

    def assert_gone(self, but: str = "", within: float = WITHIN) -> None:
        """Check that in time nothing is left (`but` what begins with this)."""
        deadline = time.monotonic() + within
        while left := [one for one in self.left() if not but or not one.startswith(but)]:
            assert time.monotonic() < deadline, f"left of {self.name}: {left}"
            time.sleep(0.01)
        if self._witness is not None:
            self._witness.close()


def _spaces(pid: int) -> list[str]:
    return [f"/proc/{pid}/ns/{kind}" for kind in ("mnt", "pid", "net", "ipc", "uts", "user")]


def _descriptors(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    return []


def _namespaces_of(pid: int) -> set[Namespace]:
    found = {namespace_at(path) for path in itertools.chain(_descriptors(pid), _spaces(pid))}
    return {one for one in found if one is not None}


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return "gone meanwhile"


class Witness:
    """A process in a network namespace of its own that has given numbers to others (RTM_NEWNSID).

    Such a number holds no namespace, and the kernel forgets it with the namespace: the one proof of a
    namespace's end that does not depend on who may look into which process.
    """

    _PROGRAM = textwrap.dedent(
        """
        import os, socket, struct, sys
        sys.path.append(sys.argv[1])
        from emu.keeper.namespaces import CLONE_NEWNET, CLONE_NEWUSER, enter_user_namespace_of, unshare

        def request(kind, attribute, value, *number):
            body = bytes(4) + struct.pack("=HHi", 8, attribute, value)
            body += b"".join(struct.pack("=HHi", 8, 1, one) for one in number)
            sock.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
            answer = sock.recv(4096)
            return struct.unpack_from("=HHIIi", answer, 4)[4] if answer[4:6] == b"\\2\\0" else 0

        ids = os.geteuid(), os.getegid()
        unshare(CLONE_NEWNET | (CLONE_NEWUSER if ids[0] else 0))
        if ids[0]:
            enter_user_namespace_of(*ids)
        fds = [int(word) for word in sys.argv[2:]]
        numbers = {}
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
            for number, fd in enumerate(fds, 1):
                error = request(88, 3, fd, number)
                assert error == 0, os.strerror(-error)
                os.close(fd)
        print("ready", flush=True)
        for line in sys.stdin:
            alive = []
            for number in range(1, len(fds) + 1):
                with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
                    error = request(90, 1, number)
                    assert error in (0, -2), os.strerror(-error)
                    if error == 0:
                        alive.append(number)
            print(*alive, flush=True)
        """
    )

    def __init__(self, paths: list[str]) -> None:
        fds = [os.open(path, os.O_RDONLY) for path in paths]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", self._PROGRAM, SOURCE, *map(str, fds)],
                pass_fds=fds, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        finally:
            for fd in fds:
                os.close(fd)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def alive(self) -> list[int]:
        """Return the numbers of the namespaces that are still there."""
        if self._process.stdin is None or self._process.stdout is None or self._process.stdin.closed:
            return []
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [int(word) for word in self._process.stdout.readline().split()]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def __del__(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()
