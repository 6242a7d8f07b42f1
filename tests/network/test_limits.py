"""Too little of something: a clear line before anything is built, or a clean end of what was begun."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

import emu
from emu.bench.line import line
from emu.errors import LimitError
from emu.keeper.wire import Frame
from emu.limits import _tasks_of
from emu.planning.plan import Plan
from emu.sandboxes.connection import Sandbox

from .helpers import EMU, ROOT, WITHIN, assert_free, fresh_name, surroundings
from .traces import Traces

#: The exit status of a LimitError.
STATUS = 71
#: `emu` as it is when nothing was foreseen, because somebody takes what there is meanwhile.
BLIND = [
    sys.executable, "-P", "-c",
    "import emu.cli, emu.running.network as it; it.check_limits = lambda plan: None; emu.cli.main()",
]  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> Plan:
    return emu.plan_for(line(100))


@pytest.fixture
def name() -> str:
    return fresh_name()


def shell(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script, with words as its arguments."""
    return subprocess.run(
        ["sh", "-c", textwrap.dedent(text), "sh", *words], env=surroundings(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=4 * WITHIN,
    )  # fmt: skip


def run_words(name: str, nodes: int) -> list[str]:
    return ["run", "star", "--set", f"hosts={nodes - 1}", "--name", name, "-4", "-c", "nodes"]


def assert_refused(done: subprocess.CompletedProcess[str], pattern: str, name: str) -> None:
    """Check that there is one line of a pattern, and nothing else."""
    assert re.fullmatch(f"emu: {pattern}\n", done.stderr), done.stderr
    assert done.returncode == STATUS
    Traces(name).assert_gone()


# -- foreseen --------------------------------------------------------------------------------------------


def test_open_files(name: str) -> None:
    done = shell('ulimit -n 150; exec "$@"', *EMU, *run_words(name, 100))
    pattern = (
        rf"build network {name} of 100 nodes: it needs 164 open files, and ulimit -Hn leaves 150: .*164.*"
    )
    assert_refused(done, pattern.replace(name, "star"), name)
    assert shell('ulimit -n 150; exec "$@"', *EMU, *run_words(name, 40)).returncode == 0


def test_open_files_of_programs(name: str) -> None:
    """Nodes keep what their first program was given; what connections take is left, so the network ends."""
    lines = ["for node in HOST*: {node} true", "HOST1 echo it works"]
    words = ["run", "star", "--set", "hosts=60", "--name", name, "-4", "-k"]
    words += [word for line in lines for word in ("-c", line)]
    done = shell('ulimit -n 130; exec "$@"', *EMU, *words)
    reason = "Too many open files (a node's first program takes 2 for good, and ulimit -Hn is 130)"
    assert re.search(rf"^emu: .*run '.*' in HOST\d+: {re.escape(reason)}$", done.stderr, re.MULTILINE)
    assert done.stdout == "it works\n"
    Traces(name).assert_gone()


def in_user_namespace(limit: int, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a user namespace of its own in which so many network namespaces may be made."""
    inside = f"echo {limit} > /proc/sys/user/max_net_namespaces; {script}"
    return shell('exec unshare --user --map-root-user sh -c "$@"', inside, "sh", *words)


def test_network_namespaces(name: str) -> None:
    done = in_user_namespace(50, 'exec "$@"', *EMU, *run_words(name, 60))
    needed = "it needs 61 network namespaces, and user.max_net_namespaces leaves 50"
    assert_refused(done, f"build network star of 60 nodes: {needed}: .*user.max_net_namespaces=61.*", name)


@pytest.mark.skipif(ROOT, reason="root may have as many processes as it likes")
def test_processes(name: str) -> None:
    done = shell('exec prlimit --nproc=2 "$@"', *EMU, *run_words(name, 10))
    needed = "it needs 8 processes and threads, and ulimit -u leaves"
    assert_refused(done, f"build network star of 10 nodes: {needed} [01]: .*ulimit -u [0-9]+.*", name)


# -- not foreseen ----------------------------------------------------------------------------------------


def test_open_files_that_others_took(name: str) -> None:
    """At every step of a build, one descriptor after the other."""
    statuses = set()
    for limit in (*range(10, 40, 5), 100, 200):
        done = shell(f'ulimit -n {limit}; exec "$@"', *BLIND, *run_words(name, 120))
        statuses.add(done.returncode)
        if done.returncode:
            assert re.fullmatch(r"emu: [^\n]*\n", done.stderr) or limit < 12, (limit, done.stderr)
        Traces(name).assert_gone()
    assert {0, STATUS} <= statuses


def test_network_namespaces_that_others_took(name: str) -> None:
    """The first of two networks leaves too few for the second; then there is room for a small one."""
    first, again = fresh_name(), fresh_name()
    script = f"""
        {" ".join(EMU)} run star --set hosts=29 --name {first} -d -4 &&
        {{ "$@"; status=$?; }}
        {" ".join(EMU)} run star --set hosts=9 --name {again} -4 -c 'pingall' >&2 || status=again
        {" ".join(EMU)} stop {first} && exit $status
        """
    done = in_user_namespace(50, script, *EMU, *run_words(name, 30))
    assert done.returncode == STATUS, done.stderr
    refused = (
        "emu: make 30 network namespaces: unshare: No space left on device; a limit of namespaces is reached"
    )
    assert refused in done.stderr
    for one in (first, name, again):
        Traces(one).assert_gone()


@pytest.mark.skipif(ROOT, reason="root may have as many processes as it likes")
def test_processes_that_others_took(name: str) -> None:
    """Others of the same user may run meanwhile; so each try may also find enough."""
    used = _tasks_of(os.getuid())
    for more in range(6):
        done = shell(f'exec prlimit --nproc={used + more} "$@"', *BLIND, *run_words(name, 10))
        if done.returncode:
            pattern = (
                "[^\n]*: Resource temporarily unavailable; a limit of processes and threads is reached: .*"
            )
            assert_refused(done, pattern, name)
        Traces(name).assert_gone()


def test_memory_of_the_process(name: str) -> None:
    """From too little to load anything to enough: one line or success, and nothing left."""
    statuses = set()
    for mebibytes in (25, 48, 51, 54, 4000):
        done = shell(f'ulimit -v {mebibytes << 10}; exec "$@"', *BLIND, *run_words(name, 200))
        statuses.add(done.returncode)
        Traces(name).assert_gone()
    assert 0 in statuses
    assert len(statuses) > 1


REQUESTS = ("arrange", "create", "read_sysctl", "sysctl", "netlink", "put")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make one kind of request fail, as by a kernel that has no memory left."""

    def fail(what: str) -> None:
        ask, ask_all = Sandbox.ask, Sandbox.ask_all

        def asked(self: Sandbox, do: str, *arguments: Any, **options: Any) -> Frame:
            if do == what:
                raise OSError(errno.ENOMEM, "Cannot allocate memory")
            return ask(self, do, *arguments, **options)

        def all_asked(self: Sandbox, do: str, requests: Any) -> Iterator[Frame]:
            for number, frame in enumerate(ask_all(self, do, requests)):
                if do == what and number == 0:
                    raise OSError(errno.ENOMEM, "Cannot allocate memory")
                yield frame

        monkeypatch.setattr(Sandbox, "ask", asked)
        monkeypatch.setattr(Sandbox, "ask_all", all_asked)

    yield fail
    monkeypatch.undo()


@pytest.mark.parametrize("request_", REQUESTS)
def test_memory_of_the_kernel(request_: str, failing: Any, name: str, plan: Plan) -> None:
    failing(request_)
    with pytest.raises(LimitError, match=r".*: Cannot allocate memory; there is too little memory: .*"):
        emu.Network(plan, name).start()
    Traces(name).assert_gone()


def test_the_next_run_works(failing: Any, name: str, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    failing("netlink")
    with pytest.raises(LimitError):
        emu.Network(plan, name).start()
    monkeypatch.undo()
    assert_free(name, plan)
