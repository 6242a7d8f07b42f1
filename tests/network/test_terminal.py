"""What a person at a terminal does: keys, windows, jobs. Typed into tmux, read from its screen."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .helpers import SOURCE, eventually, fresh_name

EMU = shlex.join([sys.executable, "-m", "emu"])

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux ('apt install tmux')")


class Screen:
    """A tmux of its own with one window, 100 columns by 30 lines, that runs a command."""

    def __init__(self, folder: Path, command: str) -> None:
        self.socket = str(folder / "tmux")
        self.env = {
            **os.environ,
            "PYTHONPATH": SOURCE,
            "HOME": str(folder),
            "TERM": "screen",
            "SHELL": "/bin/sh",
        }
        for name in ("TMUX", "XDG_STATE_HOME"):
            self.env.pop(name, None)
        self.tmux("-f", os.devnull, "new-session", "-d", "-c", str(folder), "-x", "100", "-y", "30", command)

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, *words], env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        """Press keys: names such as C-c and Enter, or text."""
        self.tmux("send-keys", *keys)

    def line(self, text: str) -> None:
        """Type a line."""
        self.tmux("send-keys", "-l", text)
        self.type("Enter")

    def text(self) -> str:
        """Return what is on the screen."""
        return self.tmux("capture-pane", "-p").rstrip()

    def wait(self, pattern: str, within: float = 60.0) -> str:
        """Wait until the screen matches a pattern, and return the screen."""
        deadline = time.monotonic() + within
        while not re.search(pattern, text := self.text(), re.MULTILINE):
            assert time.monotonic() < deadline, f"no {pattern!r} on the screen:\n{text}"
            time.sleep(0.02)
        return text

    def wait_prompt(self, after: str = "") -> str:
        """Wait until the last line is an empty prompt, behind what `after` matches."""
        return self.wait(rf"{after}[\s\S]*^emu>\Z" if after else r"^emu>\Z")

    def clear(self) -> None:
        """Empty the screen, the prompt included."""
        self.type("C-l")
        self.wait(r"\A\s*emu>\Z")


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """A prompt on two_segment, in a shell that tells its exit status."""
    # The shell does not end with a Ctrl-C that is for emu, nor do programs inherit that.
    run = f"trap : INT; {EMU} run two_segment --name {fresh_name()}"
    screen = Screen(tmp_path, f"{run}; echo status $?; exec sleep 1000")
    try:
        screen.wait_prompt()
        yield screen
    finally:
        screen.tmux("kill-server")


def test_ctrl_c_ends_the_program_and_not_the_prompt(screen: Screen) -> None:
    screen.line("HOST1 echo started; exec sleep 1000")
    screen.wait("^started")
    screen.type("C-c")
    screen.wait_prompt("started")
    screen.line("HOST1 hostname")
    screen.wait_prompt("^HOST1")


def test_ctrl_c_on_an_unfinished_line_drops_it(screen: Screen) -> None:
    screen.type("HOST1 nonsense", "C-c")
    screen.wait_prompt()
    screen.line("HOST2 hostname")
    screen.wait_prompt("^HOST2")


def test_ping_says_goodbye_on_ctrl_c(screen: Screen) -> None:
    screen.line("HOST1 ping HOST2")
    screen.wait("icmp_seq=2")
    screen.type("C-c")
    screen.wait_prompt(r"packets transmitted, \d+ received, 0% packet loss")


def test_ctrl_z_puts_a_program_aside_and_fg_brings_it_back(screen: Screen) -> None:
    screen.line("HOST1 sh -c 'trap \"echo awake\" CONT; sleep 1000 & echo started; while :; do wait; done'")
    screen.wait("^started")
    screen.type("C-z")
    screen.wait_prompt(r"^\[1\] stopped  HOST1 sh -c")
    screen.line("HOST2 hostname")
    screen.wait_prompt("^HOST2")
    screen.line("jobs")
    screen.wait_prompt(r"jobs\nJOB .*\n1 +HOST1 +here +stopped")
    screen.line("fg")
    screen.wait("^awake")
    screen.type("C-c")
    screen.wait_prompt("^awake")
    screen.clear()
    screen.line("jobs")
    assert "stopped" not in screen.wait_prompt("jobs")


#: A program that says when it begins, and when it goes on. What is to stop starts no others meanwhile: where
#: one stops between vfork() and its own program, the shell that waits for it cannot (vfork(2)).
SLEEPER = "trap 'echo awake' CONT; sleep 1000 & echo started; while :; do wait; done"


def test_a_stopped_program_goes_on_in_the_background(screen: Screen) -> None:
    screen.line(f"HOST1 {SLEEPER}")
    screen.wait("^started")
    screen.type("C-z")
    screen.wait_prompt(r"^\[1\] stopped  HOST1 trap")
    screen.clear()
    screen.line("bg")
    screen.wait_prompt(r"^\[1\] HOST1 trap .* &\n[\s\S]*^awake$")  # above the prompt
    screen.line("HOST2 hostname")
    screen.wait_prompt("^HOST2$")
    screen.clear()
    screen.line("fg")
    screen.wait("^HOST1 trap")
    screen.type("C-c")
    screen.wait_prompt(r"\^C")
    screen.line("jobs")
    screen.wait_prompt("^no jobs")


def test_who_reads_the_terminal_stops_in_the_background(screen: Screen) -> None:
    screen.line("HOST1 echo on; cat; echo left")
    screen.wait("^on$")
    screen.line("first")
    screen.wait("^first\nfirst")
    screen.type("C-z")
    screen.wait_prompt(r"^\[1\] stopped  HOST1 echo on")
    screen.clear()
    screen.line("bg 1")
    screen.wait(r"^\[1\] HOST1 echo on; cat; echo left &\n\[1\] stopped  HOST1 echo on")
    screen.line("fg")
    screen.wait(r"emu> fg\nHOST1 echo on; cat; echo left\Z")
    screen.line("second")
    screen.wait("^second\nsecond")
    screen.type("C-d")
    screen.wait_prompt("^left")


def test_a_program_put_aside_is_waited_for_behind_a_pipe(screen: Screen, tmp_path: Path) -> None:
    screen.line("HOST1 mkfifo told; echo started; read word <told; seq 3")
    screen.wait("^started")
    screen.type("C-z")
    screen.wait_prompt(r"^\[1\] stopped  HOST1 mkfifo")
    screen.line("bg")
    screen.wait_prompt(r"^\[1\] HOST1 mkfifo .* &")
    screen.line("wait 1 | (touch waiting; cat)")
    eventually((tmp_path / "waiting").exists, within=60.0)
    (tmp_path / "told").write_text("go on\n")
    screen.wait_prompt("^1\n2\n3$")


def test_ctrl_z_stops_what_fg_brought_from_the_background(screen: Screen) -> None:
    screen.line(f"HOST1 {SLEEPER} &")
    screen.wait_prompt("^started")
    screen.line("fg")
    screen.wait("fg\nHOST1 trap")
    screen.type("C-z")
    screen.wait_prompt(r"^\[1\] stopped  HOST1 trap")
    screen.clear()
    screen.line("jobs")
    screen.wait_prompt(r"^1 +HOST1 +job +stopped")
    screen.line("bg")
    screen.wait_prompt(r"^\[1\] HOST1 trap .* &\n[\s\S]*^awake$")
    screen.line("kill 1")
    screen.wait_prompt(r"^\[1\] exit 143  HOST1 trap")


def test_a_program_in_the_background_is_a_job(screen: Screen) -> None:
    screen.line("HOST1 sleep 1000 &")
    screen.wait_prompt(r"^\[1\] \d+")
    screen.line("jobs")
    screen.wait_prompt(r"^1 +HOST1 +job +running +0:00:0\d +sleep 1000")
    screen.line("kill 1")
    screen.wait_prompt(r"^\[1\] exit 143  HOST1 sleep 1000")  # at once


def test_a_shell_has_jobs_of_its_own(screen: Screen) -> None:
    screen.line("HOST1 bash --norc")
    screen.wait(r"bash-[\d.]+[#$]")
    # A key that is pressed while bash has the terminal, before or after the program, says nothing to it.
    screen.line("sh -c 'trap \"echo awake\" CONT; sleep 1000 & echo started; while :; do wait; done'")
    screen.wait("^started")
    screen.type("C-z")
    screen.wait(r"\[1\]\+ +Stopped +sh -c")
    screen.line("jobs; hostname; tty")
    screen.wait(r"^HOST1\n/dev/pts/\d+")
    screen.line("fg")
    screen.wait("^awake")
    screen.type("C-c")
    screen.wait(r"\^C\n+bash-[\d.]+[#$]\Z")
    screen.line("exit 3")
    screen.wait_prompt("exit 3")


def test_the_window_is_as_large_as_it_looks(screen: Screen) -> None:
    screen.line("HOST1 trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.05; done")
    screen.wait("^30 100\nready")
    screen.tmux("resize-window", "-x", "90", "-y", "40")
    screen.wait("^40 90")
    screen.type("C-c")
    screen.wait_prompt("40 90")
    screen.line("HOST2 stty size")
    screen.wait_prompt("HOST2 stty size\n40 90")


def test_a_full_screen_program(screen: Screen, tmp_path: Path) -> None:
    """As vi is one: it draws anywhere, reads single keys, and gives the screen back."""
    program = tmp_path / "full.py"
    program.write_text(
        "import curses\n"
        "def main(screen):\n"
        "    screen.addstr(curses.LINES - 1, 40, f'{curses.COLS} wide')\n"
        "    screen.refresh()\n"
        "    key = screen.getkey()\n"
        "    screen.addstr(5, 5, 'got ' + key)\n"
        "    screen.refresh()\n"
        "    screen.getkey()\n"
        "curses.wrapper(main)\n"
    )
    screen.line(f"HOST1 {sys.executable} {program.name}")
    text = screen.wait("100 wide")
    assert len(text.splitlines()) == 30
    screen.type("x")
    screen.wait("^     got x")
    screen.type("q")
    screen.wait_prompt("full.py")
    assert "got x" not in screen.text()


def test_pipes_and_quotes(screen: Screen) -> None:
    screen.line("HOST1 yes 'a  b' | head -n 2")
    screen.wait_prompt("^a  b\na  b$")
    screen.line("HOST1 ip -o route > route; wc -l < route; rm route")
    screen.wait_prompt("^2$")


def test_names_are_completed(screen: Screen) -> None:
    screen.type("RO", "Tab")
    screen.wait(r"^emu> ROUTER\Z")
    screen.line("hostname")
    screen.wait_prompt("emu> ROUTER hostname\nROUTER")
    screen.type("nod", "Tab")
    screen.wait(r"^emu> nodes\Z")
    screen.type("Enter")
    screen.wait_prompt("emu> nodes[\\s\\S]*^ROUTER +router")
    screen.type("HOST1 tracer", "Tab")
    screen.wait(r"^emu> HOST1 traceroute\Z")
    screen.type("HOST", "Tab")
    screen.wait("^ +HOST1\\n +HOST1-veth0\\n +HOST2")  # more than one: they are shown


def test_history_outlives_the_prompt(screen: Screen) -> None:
    screen.line("HOST1 echo remembered")
    screen.wait_prompt("^remembered")
    screen.type("C-d")
    screen.wait("^status 0")
    screen.tmux("respawn-window", "-k", f"{EMU} run two_segment --name {fresh_name()}")
    screen.wait_prompt()
    screen.type("Up")
    screen.wait("^emu> HOST1 echo remembered")


def test_ctrl_d_leaves_with_status_0(screen: Screen) -> None:
    screen.line("HOST1 false")
    screen.wait_prompt("HOST1 false")
    screen.type("C-d")
    screen.wait("^status 0")


def test_the_prompt_notices_that_the_network_has_ended(tmp_path: Path) -> None:
    name = fresh_name()
    screen = Screen(tmp_path, f"{EMU} run two_segment --name {name}; echo status $?; exec sleep 1000")
    try:
        screen.wait_prompt()
        subprocess.run([*shlex.split(EMU), "stop", name], check=True)
        screen.wait(f"^emu: network {name} has ended\\nstatus 1")
    finally:
        screen.tmux("kill-server")


def test_what_a_job_prints_goes_above_the_prompt(screen: Screen) -> None:
    screen.line("HOST1 echo first; echo second; sleep 1000 &")
    screen.wait(r"^first\nsecond\n[\s\S]*emu>\Z")
    screen.line("HOST1 hostname")
    screen.wait_prompt("^HOST1$")
    screen.type("C-d")
    screen.wait("^status 0")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[tuple[Screen, str]]:
    """A bash beside a detached two_segment, and the network's name."""
    name = fresh_name()
    subprocess.run([*shlex.split(EMU), "run", "two_segment", "--name", name, "--detach"], check=True)
    screen = Screen(tmp_path, "PS1='outside> ' bash --norc --noprofile -i")
    try:
        screen.wait("outside>")
        yield screen, name
    finally:
        screen.tmux("kill-server")
        subprocess.run([*shlex.split(EMU), "stop", name], check=True)


def test_exec_has_the_terminal(outside: tuple[Screen, str]) -> None:
    screen, name = outside
    screen.line(f"{EMU} exec {name} HOST1 sh -c 'tty; stty size; hostname; sleep 1000'")
    screen.wait(r"^/dev/pts/\d+\n30 100\nHOST1")
    screen.type("C-c")
    screen.wait(r"outside>\Z")
    screen.line("echo status $?")
    screen.wait("^status 130")


def test_exec_tells_how_its_program_was_killed(outside: tuple[Screen, str]) -> None:
    screen, name = outside
    screen.line(f"{EMU} exec {name} HOST1 sh -c 'kill -KILL $$'; echo status $?")
    screen.wait("^status 137")


def test_exec_stops_and_goes_on_as_a_job_of_the_shell(outside: tuple[Screen, str]) -> None:
    screen, name = outside
    screen.line(f'{EMU} exec {name} HOST1 sh -c "{SLEEPER}"')
    screen.wait("^started")
    screen.type("C-z")
    screen.wait(r"^\[1\]\+ +Stopped")
    screen.line("fg")
    screen.wait("^awake")
    screen.type("C-c")
    screen.wait(r"outside>\Z")
    screen.line("echo status $?")
    screen.wait("^status 130")


def test_exec_behind_a_shell_leaves_the_terminal_to_it(outside: tuple[Screen, str]) -> None:
    screen, name = outside
    screen.line(f"{EMU} exec {name} HOST1 sh -c 'cat; echo started; sleep 1000' &")
    screen.wait("^started|outside> started")
    screen.line("clear; jobs; kill %1; wait %1; echo status $?")
    screen.wait(r"^\[1\]\+ +Running[\s\S]*^status 143")


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("echo started; exec sleep 1000", 143),
        ('trap "seq 5000; exit 3" TERM; sleep 1000 & echo started; while :; do wait; done', 3),
        ('trap "" TERM; echo started; read key', 129),
    ],
    ids=["at once", "with many words", "by a hangup"],
)
def test_a_stopped_exec_can_be_ended(outside: tuple[Screen, str], program: str, status: int) -> None:
    screen, name = outside
    screen.line(f"{EMU} exec {name} HOST1 sh -c '{program}'")
    screen.wait("^started")
    screen.type("C-z")
    screen.wait(r"^\[1\]\+ +Stopped")
    screen.line("kill %1")

    def ended() -> bool:
        screen.type("Enter")  # bash tells of jobs before it asks for a line
        time.sleep(0.3)  # or, where the shell is slow, what it tells would be gone from the screen again
        return f"Exit {status}" in screen.text()

    eventually(ended, within=60.0)


def test_two_prompts_on_one_network(outside: tuple[Screen, str]) -> None:
    screen, name = outside
    screen.line(f"{EMU} attach {name}")
    screen.wait_prompt()
    screen.line("HOST1 ip link set HOST1-veth0 down")
    screen.wait_prompt("down")
    other = subprocess.run(
        [*shlex.split(EMU), "attach", name, "-c", "links"], capture_output=True, text=True, check=True
    )
    assert re.search(r"HOST1-veth0 +ROUTER-veth0 +down", other.stdout)
    screen.type("C-d")
    screen.wait(r"outside>\Z")
    done = subprocess.run(
        [*shlex.split(EMU), "exec", name, "HOST2", "hostname"], capture_output=True, check=True
    )
    assert done.stdout == b"HOST2\n"


def test_the_sandbox_shell_knows_the_nodes(outside: tuple[Screen, str]) -> None:
    screen, name = outside
    screen.line(f"PS1='inside> ' SHELL=/bin/sh {EMU} shell {name}")
    screen.wait(r"^inside>\Z")
    screen.line("ip netns exec HOST1 ip -br address show HOST1-veth0")
    screen.wait("192.0.2.1/24")
    screen.line("exit")
    screen.wait(r"outside>\Z")


def test_a_log_that_is_followed_shows_each_line_once_and_ends_quietly(screen: Screen) -> None:
    screen.line("HOST2 for i in $(seq 1000); do echo line-$i; sleep 0.1; done &")
    screen.wait("^line-3$")
    screen.clear()
    screen.line("log -f -n 0 1")
    shown = re.findall(r"line-\d+$", screen.wait("log -f(?:.*\n)+line-[0-9]+\nline-"), re.MULTILINE)
    assert len(shown) == len(set(shown))
    screen.type("C-c")
    screen.line("kill 1")
    screen.line("HOST1 hostname")
    assert "Traceback" not in screen.wait_prompt("^HOST1")


def test_ctrl_z_stops_neither_the_prompt_nor_what_it_does_itself(screen: Screen) -> None:
    screen.type("C-z")
    screen.line("links -s -i 0.2 | head -n 30")
    screen.wait("veth")
    screen.type("C-z")
    assert "topped" not in screen.wait_prompt("veth")
