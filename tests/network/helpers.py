"""What a running network consists of, seen from outside, and what of it is left afterwards.

All of this looks at the kernel, not at emu: `/proc`, netlink dumps (which only read) and mounts.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pty
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import emu
from emu.netlink.dumps import read_addresses, read_interfaces, read_routes

ROOT = os.geteuid() == 0
#: The folder that holds the package under test.
SOURCE = str(Path(emu.__file__).resolve().parent.parent)
EMU = [sys.executable, "-P", "-m", "emu"]
#: How long the end of a network may take, in seconds.
WITHIN = 2.0
#: Programs that do not end by being asked: one is deaf, one stopped, one has left its parents.
STUBBORN = (
    "trap '' TERM HUP INT; while :; do sleep 1; done",
    "kill -STOP $$; sleep 1000",
    "(setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & sleep 1000' >/dev/null 2>&1 &) &",
)
_NS_GET_ID = 0x8008B70D  # include/uapi/linux/nsfs.h: _IOR(0xb7, 13, __u64), since Linux 6.18
_VOLATILE = ("nf_conntrack_count", "route/flush")


def fresh_name() -> str:
    """Return a network's name that stands nowhere else on this machine."""
    return f"t{secrets.token_hex(6)}"


def surroundings(**changes: str | None) -> dict[str, str]:
    """Return the environment for a command: this one's, with changes; None takes a variable away."""
    found = {**os.environ, "PYTHONPATH": SOURCE, **changes}
    return {name: value for name, value in found.items() if value is not None}


def eventually(what: Callable[[], object], within: float = 10.0) -> None:
    """Wait until `what()` is true; AssertionError, with its name, after `within` seconds."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.01)


# -- the outer machine ----------------------------------------------------------------------------


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


# -- processes and namespaces -----------------------------------------------------------------------


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
        if self.keeper is not None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ending right now
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
        found = [f"process {pid}: {_command(pid)}" for pid in noted]
        found += [f"process {pid}: {_command(pid)}" for pid in named(self.name)]
        found += [f"folder {path}" for path in folders_of(self.name)]
        if self._witness is not None:
            found += [f"network namespace number {number}" for number in self._witness.alive()]
        links = {one.link for one in self.namespaces}
        for pid in filter(born, processes() if not found else ()):
            for path in itertools.chain(_descriptors(pid), _spaces(pid)):
                with contextlib.suppress(OSError):
                    if os.readlink(path) in links and namespace_at(path) in self.namespaces:
                        found.append(f"{path} -> {os.readlink(path)} of {_command(pid)}")
        return found

    def assert_gone(self, but: str = "", within: float = WITHIN) -> None:
        """Check that within two seconds nothing is left (`but` what begins with this)."""
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


def _command(pid: int) -> str:
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


# -- owners -----------------------------------------------------------------------------------------


class Owners:
    """A process that has all imported and makes a copy of itself for each owner of a network.

    Within an owner's code there are `name`, `emu`, `Network` (of two_segment under that name), `say`,
    which `expect` waits for, and `sleep`.
    """

    _PROGRAM = textwrap.dedent(
        """
        import os, signal, sys, time
        import emu, emu.network
        from emu.plugin_manager import default_plugins
        from emu.topologies.two_segment import two_segment
        plan = default_plugins().plan_for(two_segment())
        import emu.netlink.operations, emu.netlink.dumps
        emu.netlink.operations.operations_for(plan)

        def say(word):
            os.write(1, f"{name} {word}\\n".encode())

        def Network(graph=None, **options):
            return emu.Network(plan if graph is None else graph, name, **options)

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for line in sys.stdin:
            name, code = eval(line)
            if (pid := os.fork()) == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.dup2(os.open(os.devnull, os.O_RDWR), 0)
                try:
                    exec(code)
                except KeyboardInterrupt:
                    sys.exit(130)
                sys.exit(0)
            print(name, pid, flush=True)
        """
    )

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=surroundings(), start_new_session=True,
        )  # fmt: skip
        self._seen: set[str] = set()

    def start(self, name: str, code: str) -> int:
        """Run `code` in an owner of its own and return that one's process id."""
        assert self._process.stdin is not None
        print(repr((name, textwrap.dedent(code))), file=self._process.stdin, flush=True)
        return int(self._read(name))

    def expect(self, name: str, word: str) -> None:
        """Wait until an owner says `word`."""
        said = self._read(name)
        assert said == word, said

    def _read(self, name: str) -> str:
        assert self._process.stdout is not None
        while not (mine := [line for line in self._seen if line.startswith(name + " ")]):
            line = self._process.stdout.readline()
            assert line, "the owners' process has ended"
            self._seen.add(line.strip())
        self._seen.remove(mine[0])
        return mine[0].partition(" ")[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End, with all owners and their copies: they share the standard output."""
        assert self._process.stdin is not None
        output = os.readlink(f"/proc/{self._process.pid}/fd/1")
        self._process.stdin.close()
        self._process.wait()

        def gone() -> bool:
            left = [pid for pid in processes() if _links_to(f"/proc/{pid}/fd/1", output)]
            for pid in left:
                send_signal(pid, signal.SIGKILL)
            return not left

        eventually(gone)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _links_to(path: str, target: str) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(path) == target
    return False


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def start_stubborn(name: str) -> None:
    """Start programs in a network's nodes that do not end by being asked, and return once they run."""
    with emu.Network.attach(name) as network:
        host = network["HOST1"]
        for command in STUBBORN:
            host.popen(["sh", "-c", command], background=True, stdout=subprocess.DEVNULL).close()
    keeper = await_keeper(name)
    inside = os.readlink(f"/proc/{keeper}/ns/pid")

    def all_there() -> bool:
        states = []
        for pid in processes():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid") == inside:
                    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                    states.append((_command(pid), state))
        stopped = any(state == "T" for _, state in states)
        return stopped and sum(command.startswith("sleep 1000") for command, _ in states) >= 2

    eventually(all_there)


class Terminal:
    """A terminal with `emu run two_segment` in it."""

    def __init__(self, name: str, *options: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            words = [*EMU, "run", "two_segment", "--name", name, *options]
            os.execve(words[0], words, surroundings(TERM="xterm"))
        termios.tcsetwinsize(self.master, (24, 80))
        self.shown = b""
        self._status: int | None = None

    def await_text(self, pattern: str, within: float = 20.0) -> None:
        """Read until the terminal shows what matches a regular expression."""
        deadline = time.monotonic() + within
        while not re.search(pattern, self.plain(), re.DOTALL):
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.master], [], [], left)[0], f"no {pattern!r} in {self.plain()!r}"
            data = os.read(self.master, 4096)
            self.shown += data
            if b"\x1b[6n" in data:  # where is the cursor?
                os.write(self.master, b"\x1b[1;1R")

    def plain(self) -> str:
        """Return what the terminal has shown, without the sequences that move and colour."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown.decode(errors="replace"))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def close(self) -> None:
        """Close the terminal, as its window's closing does."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def wait(self, within: float = 20.0) -> int:
        """Wait for the command to end and return its status, reading what it still says."""
        deadline = time.monotonic() + within
        while self.master >= 0:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.master], [], [], left)[0], f"goes on: {self.plain()!r}"
            try:
                self.shown += os.read(self.master, 4096)
            except OSError:
                break
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def assert_free(name: str, plan: emu.Plan) -> None:
    """Check that a name can be had at once."""
    with emu.Network(plan, name) as again:
        assert again.name == name


def run_emu(*words: str, **changes: str | None) -> str:
    """Run an `emu` command and return what it prints on standard output."""
    done = subprocess.run(
        [*EMU, *words], env=surroundings(**changes), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
