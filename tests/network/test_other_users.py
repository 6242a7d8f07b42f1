"""Networks of several users of one machine: nobody gets at another's, and nobody fools root."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import emu
from emu.topologies.two_segment import two_segment

from ..others import REASON, can_run_python
from .helpers import EMU, ROOT, SOURCE, WITHIN, assert_free, eventually, fresh_name, run_emu, surroundings
from .traces import Traces, await_keeper

pytestmark = pytest.mark.skipif(not ROOT, reason="only root can become other users")

#: Users that nobody else is, also where these tests run twice at the same time.
OWNER, STRANGER, VICTIM = range(first := 2_000_000 + 3 * secrets.randbelow(1_000_000), first + 3)


@pytest.fixture(scope="module")
def copy() -> Iterator[str]:
    """A copy of the package that every user can read."""
    folder = tempfile.mkdtemp(prefix="emu-copy-")
    os.chmod(folder, 0o755)
    shutil.copytree(Path(SOURCE, "emu"), Path(folder, "emu"), ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    if not can_run_python():
        shutil.rmtree(folder)
        pytest.skip(REASON)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def no_folders() -> Iterator[None]:
    """Leave nothing of those users behind in /tmp."""
    yield
    for uid in (OWNER, STRANGER, VICTIM):
        path = f"/tmp/emu-{uid}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)


@pytest.fixture
def name() -> str:
    return fresh_name()


def words_as(uid: int, *words: str) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *words]


def as_user(uid: int, copy: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as another user, who has neither a home nor a runtime folder."""
    return subprocess.run(
        words_as(uid, *words), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env=surroundings(PYTHONPATH=copy, HOME="/nonexistent", XDG_RUNTIME_DIR=None), timeout=4 * WITHIN,
    )  # fmt: skip


def emu_as(uid: int, copy: str, *words: str) -> subprocess.CompletedProcess[str]:
    return as_user(uid, copy, *EMU, *words)


# -- strangers ---------------------------------------------------------------------------------------------


@pytest.fixture
def theirs(name: str, copy: str) -> Iterator[str]:
    """The name of a running network of another user."""
    done = emu_as(OWNER, copy, "run", "two_segment", "--name", name, "--detach")
    assert done.returncode == 0, done.stderr
    traces = Traces(name)
    yield name
    with contextlib.suppress(emu.NotRunning):
        emu.Network.attach(name).stop()
    traces.assert_gone()


def test_a_stranger_neither_sees_nor_reaches_a_network(theirs: str, copy: str) -> None:
    assert theirs in emu_as(OWNER, copy, "ps").stdout
    assert emu_as(STRANGER, copy, "ps").stdout == "no network is running\n"
    for words in (["attach", theirs], ["exec", theirs, "HOST1", "id"], ["shell", theirs], ["stop", theirs]):
        done = emu_as(STRANGER, copy, *words)
        assert done.returncode == 1
        assert done.stderr == f"emu: no network '{theirs}' is running; none is running\n"
    emu_as(STRANGER, copy, "stop", "--all")
    assert theirs in emu_as(OWNER, copy, "ps").stdout


def test_a_stranger_gets_at_nothing_by_himself(theirs: str, copy: str) -> None:
    attempts = f"""
        import os, socket
        keeper, folder = {await_keeper(theirs)}, "/tmp/emu-{OWNER}/{theirs}"
        for attempt in (
            lambda: os.kill(keeper, 9),
            lambda: os.kill(keeper, 19),
            lambda: os.listdir(f"/proc/{{keeper}}/fd"),
            lambda: os.open(f"/proc/{{keeper}}/ns/net", os.O_RDONLY),
            lambda: os.listdir(folder),
            lambda: socket.socket(socket.AF_UNIX).connect(f"{{folder}}/socket"),
            lambda: os.rename("/tmp/emu-{OWNER}", "/tmp/emu-{OWNER}-mine"),
        ):
            try:
                attempt()
            except PermissionError:
                print("refused")
        """
    done = as_user(STRANGER, copy, sys.executable, "-c", textwrap.dedent(attempts))
    assert (done.stdout, done.stderr) == ("refused\n" * 7, "")


def test_root_may(theirs: str) -> None:
    listed = next(line.split() for line in run_emu("ps").splitlines() if line.startswith(theirs + " "))
    assert listed[1] == str(OWNER)
    assert run_emu("exec", theirs, "HOST2", "hostname") == "HOST2\n"
    assert "192.0.2.1/24" in run_emu("attach", theirs, "-c", "addresses HOST1")
    # Every network of one's own, in a /run that has none: others on this machine may have theirs.
    apart = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]
    subprocess.run([*apart, *EMU, "stop", "--all"], env=surroundings(), check=True)
    traces = Traces(theirs)
    run_emu("stop", theirs)
    traces.assert_gone()


def test_roots_network_is_not_for_others(name: str, copy: str) -> None:
    with emu.Network(two_segment(), name):
        assert emu_as(STRANGER, copy, "ps").stdout == "no network is running\n"
        done = emu_as(STRANGER, copy, "stop", name)
        assert done.stderr == f"emu: no network '{name}' is running; none is running\n"


# -- folders that somebody has prepared ---------------------------------------------------------------------

TRAPS = {
    "a folder of a stranger": f"mkdir -m 700 /tmp/emu-{VICTIM}",
    "a folder of a stranger that all may use": f"mkdir -m 777 /tmp/emu-{VICTIM}",
    "a link to a folder of a stranger": (
        f"mkdir -m 777 /tmp/emu-{STRANGER} && ln -s emu-{STRANGER} /tmp/emu-{VICTIM}"
    ),
    "a link to a folder of the victim's": f"ln -s emu-{OWNER} /tmp/emu-{VICTIM}",
    "a link to nothing": f"ln -s nothing /tmp/emu-{VICTIM}",
    "a file": f"touch /tmp/emu-{VICTIM}",
    "a pipe": f"mkfifo -m 666 /tmp/emu-{VICTIM}",
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS.keys())
def test_a_trap_in_tmp(trap: str, name: str, copy: str) -> None:
    as_user(VICTIM, copy, "mkdir", "-m", "700", f"/tmp/emu-{OWNER}")  # in which the victim keeps something
    assert as_user(STRANGER, copy, "sh", "-ec", trap).returncode == 0
    done = emu_as(VICTIM, copy, "run", "two_segment", "--name", name, "-c", "nodes")
    assert done.returncode == 2
    reason = "it is not a folder of yours with mode 0700; remove it, or set XDG_RUNTIME_DIR"
    assert done.stderr == f"emu: use /tmp/emu-{VICTIM}: {reason}\n"
    done = emu_as(VICTIM, copy, "ps")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no network is running\n", "")


@contextlib.contextmanager
def hostile(copy: str, code: str) -> Iterator[subprocess.Popen[str]]:
    """Run a stranger's code until the block is left; it says when it is ready."""
    prelude = f"""
        import array, json, os, socket, struct, sys, threading, time
        base = "/tmp/emu-{STRANGER}"
        os.makedirs(base, 0o700)

        def listen(name):
            os.mkdir(f"{{base}}/{{name}}", 0o700)
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(f"{{base}}/{{name}}/socket")
            sock.listen(100)
            return sock

        def frame(message):
            text = json.dumps(message).encode()
            return struct.pack("!II", len(text), 0) + text

        def serve(name, answer):
            def run(sock):
                while True:
                    with sock.accept()[0] as connection:
                        try:
                            connection.recv(4096)
                            answer(connection)
                            connection.recv(4096)
                        except OSError:
                            pass
            threading.Thread(target=run, args=(listen(name),), daemon=True).start()
        """
    end = "print('ready', flush=True); time.sleep(1000)"
    program = "\n".join([textwrap.dedent(prelude), textwrap.dedent(code), end])
    process = subprocess.Popen(
        words_as(STRANGER, sys.executable, "-c", program), env=surroundings(PYTHONPATH=copy), cwd="/",
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


ANSWERS = """
    right = {"started": time.time(), "detached": True, "nodes": 1, "programs": 0, "failed": 0}
    serve("a-silent", lambda connection: time.sleep(1000))
    serve("b-garbage", lambda connection: connection.sendall(os.urandom(1000)))
    serve("c-wrong", lambda connection: connection.sendall(frame({**right, "nodes": "\\x1b[2J"})))
    serve("d-huge", lambda connection: connection.sendall(frame({**right, "nodes": 10 ** 400})))
    serve("e-nan", lambda connection: connection.sendall(frame({**right, "started": float("nan")})))
    serve("f-list", lambda connection: connection.sendall(struct.pack("!II", 2, 0) + b"[]"))
    serve("g-endless", lambda connection: [connection.sendall(bytes(1 << 20)) for _ in range(1 << 20)])
    serve("h-error", lambda connection: connection.sendall(frame({"errno": 1, "about": "x"})))
    def drip(connection):
        for byte in frame(right) * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    serve("i-slow", drip)
    def give(connection):
        fds = array.array("i", [0] * 200)
        connection.sendmsg([frame(right)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    serve("j-gifts", give)
    for number in range(200):
        listen(f"k-{number}")  # and never accept
    os.makedirs(f"{base}/\\x1b[31m-red")
    os.makedirs(f"{base}/two\\nlines")
    os.symlink("/root", f"{base}/l-link")
    os.mkfifo(f"{base}/m-pipe")
    os.makedirs(f"{base}/n-pipe")
    os.mkfifo(f"{base}/n-pipe/socket")
    os.makedirs(f"{base}/o-link")
    os.symlink("/run/emu/NAME/socket", f"{base}/o-link/socket")
    os.makedirs(f"{base}/p-nothing")
"""


def test_root_is_not_fooled_by_hostile_keepers(name: str, copy: str) -> None:
    """What does not answer is listed as such, what answers nonsense is not, and nobody is waited for."""
    with emu.Network(two_segment(), name), hostile(copy, ANSWERS.replace("NAME", name)):
        shown = run_emu("ps")
        rows = {line.split()[0]: line.split()[1:4] for line in shown.splitlines()}
        assert rows[name] == ["root", "3", "0"]
        assert rows["j-gifts"] == [str(STRANGER), "1", "0"]
        assert rows["a-silent"] == rows["i-slow"] == [str(STRANGER), "?", "?"]
        strangers = [found for found, (owner, *_) in rows.items() if owner == str(STRANGER)]
        assert {found[0] for found in strangers} & set("bcdefhlmnop") == set()
        assert "\x1b" not in shown
        with pytest.raises(emu.NotRunning):
            emu.Network.attach("nothing-of-the-kind")
    assert os.path.isdir("/root")
    assert os.path.isdir(f"/tmp/emu-{STRANGER}/p-nothing")  # what is another's is swept by him


def test_root_ends_no_process_that_a_hostile_keeper_names(copy: str) -> None:
    """It hands over a descriptor of a process of root's, as keepers might; the kernel knows better."""
    with subprocess.Popen(["sleep", "60"]) as innocent:
        code = f"""
            right = {{"started": time.time(), "detached": True, "nodes": 1, "programs": 0, "failed": 0}}
            def name_another(connection):
                fds = array.array("i", [os.pidfd_open({innocent.pid})])
                message = [frame({{**right, "fds": 1}})]
                connection.sendmsg(message, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            serve("lure", name_another)
            """
        with hostile(copy, code) as keeper:
            run_emu("stop", "lure")
            eventually(lambda: keeper.poll() is not None)
            assert keeper.returncode == -signal.SIGKILL
        assert innocent.poll() is None
        innocent.kill()


@pytest.mark.parametrize("trap", ["folder", "link"])
def test_root_sweeps_nothing_that_is_not_roots(trap: str, name: str, copy: str, tmp_path: Path) -> None:
    base = Path("/tmp/emu-0")
    if trap == "folder":
        done = as_user(STRANGER, copy, "sh", "-ec", f"mkdir {base} {base}/keep; touch {base}/keep/precious")
        precious = base / "keep" / "precious"
    else:
        (tmp_path / "keep").mkdir()
        precious = tmp_path / "keep" / "precious"
        precious.touch()
        done = as_user(STRANGER, copy, "ln", "-sT", str(tmp_path), str(base))
    if done.returncode:
        pytest.skip("root's own folder is in use")
    try:
        run_emu("ps")
        assert_free(name, emu.plan_for(two_segment()))
        assert precious.exists()
    finally:
        base.unlink() if base.is_symlink() else shutil.rmtree(base)
