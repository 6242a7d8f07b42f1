"""Whatever the surroundings, a network is built, does the same and goes; else one line says why."""

from __future__ import annotations

import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import emu
from emu.hooks.plugin_manager import default_plugins
from emu.topologies.two_segment import two_segment

from ..others import REASON, can_run_python
from .helpers import EMU, ROOT, SOURCE, WITHIN, eventually, fresh_name, outer_unchanged, surroundings
from .traces import folders_of, named

#: What is done in each network.
LINES = (
    "addresses",
    "routes",
    "HOST1 echo hello from $(hostname)",
    "HOST2 cat /proc/sys/net/ipv4/ip_forward",
    "HOST1 ping -c 1 HOST2 >/dev/null && echo reached",
)


@pytest.fixture(scope="module", autouse=True)
def same_outer_machine() -> Iterator[None]:
    with outer_unchanged():
        yield


@pytest.fixture
def name() -> str:
    return fresh_name()


def run(
    name: str, setting: str = "", *, env: dict[str, str | None] | None = None, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run the lines in a network of that name, in a shell that has executed `setting`."""
    words = [python, *EMU[1:], "run", "two_segment", "--name", name]
    for line in LINES:
        words += ["-c", line]
    return subprocess.run(
        ["/bin/sh", "-c", f'{setting}\nexec "$@"', "sh", *words], env=surroundings(**(env or {})),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * WITHIN, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def usual() -> str:
    """What is printed where nothing is odd."""
    done = run(fresh_name())
    assert done.returncode == 0, done.stderr
    assert "hello from HOST1\n0\nreached\n" in done.stdout
    return done.stdout


def assert_usual(done: subprocess.CompletedProcess[str], name: str, usual: str) -> None:
    assert (done.returncode, done.stderr, done.stdout) == (0, "", usual)
    assert_nothing_of(name)


def assert_nothing_of(name: str) -> None:
    eventually(lambda: not named(name) and not folders_of(name))


PLACES = ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "TMPDIR", "PATH")
VARIABLES: dict[str, dict[str, str | None]] = {
    "no variables": dict.fromkeys([*PLACES, "TERM", "SHELL", "USER", "LOGNAME", "LANG"]),
    "empty variables": dict.fromkeys(PLACES, ""),
    "places that are missing": dict.fromkeys(PLACES[:-1], "/nonexistent/place"),
    "places that are relative": dict.fromkeys(PLACES[:-1], "tests"),
    "places that are no folders": dict.fromkeys(PLACES[:-1], "/etc/passwd"),
    "places that are somebody else's": dict.fromkeys(PLACES[:-1], "/proc"),
    "the C locale": {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Python's odd switches": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"},
}


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES.keys())
def test_variables(variables: dict[str, str | None], name: str, usual: str) -> None:
    assert_usual(run(name, env=variables), name, usual)


SETTINGS = {
    "a umask of 077": "umask 077",
    "a umask of 000": "umask 000",
    "a umask of 777": "umask 777",
    "256 descriptors": "ulimit -Sn 256",
    "a closed standard input": "exec <&-",
    "nothing but standard output": "exec <&- 2>&-",
    "no controlling terminal": 'exec setsid -w "$@"',
    "ignored signals": "trap '' HUP INT QUIT TERM PIPE CHLD USR1",
    "a working directory that is gone": 'cd "$FOLDER" && rmdir "$FOLDER"',
    "a working directory that cannot be entered": 'cd "$FOLDER" && chmod 0 .',
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings(setting: str, name: str, usual: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert_usual(run(name, setting, env={"FOLDER": str(folder)}), name, usual)


def test_nothing_open_at_all(name: str, tmp_path: Path) -> None:
    """Programs get what a closed descriptor is worth: they can neither read it nor write it."""
    mark = tmp_path / "mark"
    words = [*EMU, "run", "two_segment", "--name", name, "-c", f"HOST1 echo it ran >{mark}; cat; echo >&2"]
    nothing = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    done = subprocess.run([*nothing, *words], env=surroundings(), check=False)
    assert done.returncode == 0
    assert mark.read_text() == "it ran\n"
    assert_nothing_of(name)


def test_bytes_that_are_no_text(name: str) -> None:
    """In a non-UTF-8 locale, and in arguments and variables: they arrive as they are."""
    variables = {os.fsencode(key): os.fsencode(value) for key, value in surroundings().items()}
    variables |= {b"LC_ALL": b"POSIX", b"ODD": b"caf\xe9", b"PYTHONUTF8": b"0"}
    line = b"HOST1 printf '%s %s' \xff\xe9 \"$ODD\""
    done = subprocess.run(
        [*map(os.fsencode, EMU), b"run", b"two_segment", b"--name", name.encode(), b"-c", line],
        env=variables, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"\xff\xe9 caf\xe9")


def test_a_runtime_folder_with_a_long_path(name: str, usual: str, tmp_path: Path) -> None:
    """A Unix socket's address holds 107 bytes (unix(7))."""
    folder = tmp_path.joinpath(*["d" * 60] * 5)
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    assert_usual(run(name, env={"XDG_RUNTIME_DIR": str(folder)}), name, usual)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(ROOT, reason="root writes where it likes")
def test_a_runtime_folder_that_cannot_be_written(name: str, usual: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert_usual(run(name, env={"XDG_RUNTIME_DIR": str(tmp_path)}), name, usual)


@pytest.mark.parametrize("mode", [0o755, 0o777])
@pytest.mark.skipif(ROOT, reason="root's folder is /run/emu")
def test_a_folder_that_others_may_enter_is_refused(mode: int, name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "other").touch()  # an empty one would be removed, and made as it should be
    (tmp_path / "emu").chmod(mode)
    done = run(name, env={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert done.returncode == 2
    assert re.fullmatch(r"emu: use .*/emu: it is not a folder of yours with mode 0700; .*\n", done.stderr)


@pytest.mark.parametrize("limit", [20, 40, 60])
def test_too_few_descriptors(limit: int, name: str) -> None:
    done = run(name, f"ulimit -n {limit}")
    assert done.returncode not in (0, 2)
    assert re.fullmatch(r"emu: .*(ulimit|open files).*\n", done.stderr)
    assert_nothing_of(name)


def test_just_enough_descriptors(name: str, usual: str) -> None:
    assert_usual(run(name, "ulimit -n 100"), name, usual)


# -- Python's surroundings -----------------------------------------------------------------------------


@pytest.fixture
def broken_modules(tmp_path: Path) -> Path:
    """A folder with modules that have the names of those that emu uses and that cannot be imported."""
    for module in ("json", "socket", "struct", "selectors", "ctypes", "signal", "emu", "encodings", "click"):
        (tmp_path / f"{module}.py").write_text("raise ImportError('the wrong one')")
    return tmp_path


def test_modules_in_the_working_directory(name: str, usual: str, broken_modules: Path) -> None:
    assert_usual(run(name, f"cd {broken_modules}"), name, usual)


def test_a_python_that_is_told_lies(name: str, broken_modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper and emu's own programs in nodes import what is theirs."""
    variables = {
        "PYTHONPATH": str(broken_modules), "PYTHONHOME": "/nonexistent", "PYTHONSTARTUP": "/nonexistent",
        "PYTHONINSPECT": "1", "PYTHONWARNINGS": "error", "PYTHONUTF8": "0", "PYTHONPROFILEIMPORTTIME": "1",
        "PYTHONIOENCODING": "ebcdic", "PYTHONEXECUTABLE": "/nonexistent", "PYTHONPLATLIBDIR": "nonexistent",
    }  # fmt: skip
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    with emu.Network(two_segment(), name) as network:
        done = network["HOST1"].run(["/run/emu/bin/ping", "-c", "1", "HOST2"], capture_output=True, text=True)
        assert done.stderr == ""
        assert "1 packets transmitted, 1 received" in done.stdout
    assert_nothing_of(name)


def test_an_interpreter_in_a_virtual_environment(name: str, usual: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    path = os.pathsep.join([SOURCE, sysconfig.get_path("purelib")])
    done = run(name, env={"PYTHONPATH": path}, python=str(tmp_path / "venv" / "bin" / "python"))
    assert_usual(done, name, usual)


@pytest.mark.skipif(not os.access("/usr/bin/python3", os.X_OK), reason="there is no other interpreter here")
def test_an_interpreter_that_does_not_know_where_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that a program has embedded."""
    plan = default_plugins().plan_for(two_segment())
    monkeypatch.setattr(sys, "executable", "")
    with emu.Network(plan, name) as network:
        assert network["HOST1"].run(["true"]).returncode == 0


def test_an_interpreter_that_is_gone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(emu.EmuError, match="start the keeper with /nonexistent/python"):
        emu.Network(two_segment(), name).start()
    assert_nothing_of(name)


def test_more_open_files_than_select_takes(name: str) -> None:
    """In a process that has 1,100 files open: select(2) takes descriptors below 1,024."""
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1500:
        pytest.skip("the hard limit of open files is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1500, hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        with emu.Network(two_segment(), name) as network:
            done = network["HOST1"].run(["cat"], input="text", capture_output=True, text=True)
            assert done.stdout == "text"
            assert len(network["HOST1"].addresses) == 1
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


# -- the machine's /run --------------------------------------------------------------------------------


@pytest.mark.skipif(not ROOT, reason="only root can fill /run, and mounts a private one for it")
@pytest.mark.parametrize("uid", [0, 60001])
def test_sockets_in_run(uid: int, name: str, tmp_path: Path) -> None:
    """A resolver's or a cache's socket would carry look-ups to the outer network: none is in sight."""
    if uid and not can_run_python():
        pytest.skip(REASON)
    tmp_path.chmod(0o755)
    shutil.copytree(Path(SOURCE, "emu"), tmp_path / "emu", symlinks=False)
    script = f"""
        mount -t tmpfs none /run
        mkdir -p /run/nscd /run/systemd/resolve /run/dbus /run/user/60001 /run/netns
        chown 60001 /run/user/60001 && chmod 700 /run/user/60001
        "$1" -c 'import os, socket, sys
        for path in sys.argv[1:] + [f"/run/{{number}}" for number in range(500)]:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(path)
            sock.listen()
            os.chmod(path, 0o777)
            os.set_inheritable(sock.detach(), True)
        ' /run/nscd/socket /run/systemd/resolve/io.systemd.Resolve /run/dbus/system_bus_socket
        export XDG_RUNTIME_DIR=/run/user/{uid} HOME=/nonexistent PYTHONPATH={tmp_path}
        shift
        exec setpriv --reuid={uid} --regid={uid} --clear-groups "$@"
    """
    lines = ["-c", "HOST1 find /run -type s", "-c", "HOST1 getent hosts HOST2 | cut -d' ' -f1"]
    apart = ["unshare", "-m", "sh", "-ec", textwrap.dedent(script), "sh"]
    done = subprocess.run(
        [*apart, sys.executable, *EMU, "run", "two_segment", "--name", name, *lines],
        env=surroundings(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == (f"/run/user/60001/emu/{name}/socket\n" if uid else "") + "198.51.100.1\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_the_folder_is_nobody_elses_business(name: str, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with emu.Network(two_segment(), name):
            folder = Path(folders_of(name)[0])
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / "socket")]
            assert modes == [0o700, 0o700, 0o600]
    finally:
        os.umask(old)
