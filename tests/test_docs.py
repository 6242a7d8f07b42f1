"""The documentation: the site builds, nothing is missing in it, and what it shows is what happens."""

from __future__ import annotations

import functools
import os
import re
import secrets
import select
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import networkx as nx
import pytest

import emu
from emu.cgroups.places import Place, find_place
from emu.cgroups.values import CONTROLLERS
from emu.cli import cli
from emu.graph.attributes import KNOWN
from emu.hooks import hookspecs
from emu.hooks.plugin_manager import default_plugins
from emu.netlink.features import FEATURES, find_features

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROMPT = "emu> "
#: How long one command of a page may take on a busy machine, in seconds.
DEADLINE = 240


def cli_commands() -> dict[str, click.Command]:
    return dict(default_plugins().cli_group(cli).commands)


def prompt_commands() -> dict[str, click.Command]:
    known = default_plugins().commands
    return {name: known[name] for name in known if not known[name].hidden}


# -- the site ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # Not --quiet: it would hide the warnings from --strict too.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def page(site: Path, name: str) -> str:
    return (site / name / "index.html").read_text()


def test_site_needs_no_network(site: Path) -> None:
    for path in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"?(https?:[^\" >]+)", path.read_text()
        )
        assert not loaded, path


def test_no_mark_is_left(site: Path) -> None:
    assert not [path for path in site.rglob("*.html") if "<!-- emu:" in path.read_text()]


def test_who_reads_the_files_themselves_is_told_what_is_missing() -> None:
    """On a page that the site fills in, the first such place says so, and where else to look."""
    first = {path: re.search(r"^<!-- emu: .*\n(.*)", path.read_text(), re.MULTILINE) for path in PAGES}
    assert not [path for path, found in first.items() if found and not found[1].startswith("*")]


def test_reference_has_every_command_line_command(site: Path) -> None:
    text = page(site, "reference/command-line")
    assert not [name for name in cli_commands() if f"<code>emu {name}</code>" not in text]


def test_reference_has_every_prompt_command(site: Path) -> None:
    text = page(site, "reference/prompt")
    assert not [name for name in prompt_commands() if f'id="{name}"' not in text]


def test_reference_has_every_option(site: Path) -> None:
    text = page(site, "reference/command-line") + page(site, "reference/prompt")
    commands = [*cli_commands().values(), *prompt_commands().values()]
    options = {
        word for command in commands for option in command.params
        if isinstance(option, click.Option) and not option.hidden for word in option.opts
    }  # fmt: skip
    assert not [word for word in options if not re.search(rf"<code>[^<]*{re.escape(word)}\b", text)]


def test_reference_has_every_hook(site: Path) -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("emu_")]
    text = page(site, "reference/hooks")
    assert len(hooks) > 5
    assert not [name for name in hooks if f'id="{name}"' not in text]


def test_reference_has_every_attribute(site: Path) -> None:
    text = page(site, "reference/graph")
    assert not [name for known in KNOWN.values() for name in known if f"<code>{name}</code>" not in text]


def test_reference_has_every_topology_and_format(site: Path) -> None:
    topologies, formats = page(site, "reference/topologies"), page(site, "reference/graph")
    assert not [name for name in default_plugins().topologies if f'id="{name}"' not in topologies]
    assert not [suffix for suffix in default_plugins().exporters if f"<code>{suffix}</code>" not in formats]


@pytest.mark.parametrize("name", sorted(cli_commands()))
def test_help_has_an_example(name: str) -> None:
    assert re.search(rf"^\s*(?:.* \| )?emu {name}\b", cli_commands()[name].help or "", re.MULTILINE)


def test_every_command_and_option_is_explained() -> None:
    commands = {**prompt_commands(), **{f"emu {name}": command for name, command in cli_commands().items()}}
    silent = [name for name, command in commands.items() if not command.help]
    silent += [
        f"{name} {option.opts[0]}" for name, command in commands.items() for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]  # fmt: skip
    assert not silent


def test_what_pages_tell_to_install_and_make_is_there() -> None:
    text = "".join(path.read_text() for path in PAGES)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert not set(re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)) - set(targets)
    assert not set(re.findall(r"emunet\[(\w+)\]", text)) - set(extras)


# -- what pages show --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block: a file where it has a title, a session where its language is `console`."""

    language: str
    title: str
    text: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A command of a session, what it prints, and what is typed at the prompt that it opens."""

    command: str
    output: str
    typed: tuple[tuple[str, str], ...]


_BLOCK = re.compile(
    r"^(?:<!-- needs: (?P<needs>[^\n]+) -->\n\n)?"
    r"```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


_NAMED = re.compile(r"emu run .*--name (\w+)")
#: What is put behind networks' names: the same user may be running these tests once more.
_OURS = f"_{secrets.token_hex(3)}"


def blocks(path: Path) -> list[Block]:
    text = path.read_text()
    for name in set(_NAMED.findall(text)):
        text = re.sub(rf"\b{name}\b", name + _OURS, text)
    return [
        Block(one["language"], one["title"] or "", one["text"], tuple((one["needs"] or "").split()))
        for one in _BLOCK.finditer(text)
    ]


def steps(session: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        head, *conversation = re.split(rf"^{re.escape(PROMPT)}", part, flags=re.MULTILINE)
        command, _, output = head.partition("\n")
        typed = [line.partition("\n")[::2] for line in conversation]
        yield Step(command, output, tuple((line, shown) for line, shown in typed))


def shows(shown: str, printed: str) -> bool:
    """Tell whether a page shows what was printed; `...` stands for any text."""
    pattern = ".*".join(re.escape(piece) for piece in _tidy(shown).split("..."))
    return re.fullmatch(pattern, _tidy(printed), re.DOTALL) is not None


def _tidy(text: str) -> str:
    # Somebody's network may have had the name.
    text = re.sub(r"^(\w+)-\d+(: \d+ nodes\. )", r"\1\2", text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def check(shown: str, printed: str, what: str) -> None:
    assert shows(shown, printed), f"{what}\n--- shown\n{shown}\n--- printed\n{printed}"


class Terminal:
    """A program on a terminal of its own, read up to the next `emu>`."""

    def __init__(self, command: str, folder: Path, env: dict[str, str]) -> None:
        self.master, theirs = os.openpty()
        self.process = subprocess.Popen(
            ["sh", "-c", command], cwd=folder, env=env,
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.pidfd = os.pidfd_open(self.process.pid)

    def type(self, line: str) -> str:
        """Type a line and return what is printed up to the next prompt."""
        os.write(self.master, line.encode() + b"\n")
        return self.read().removeprefix(f"{line}\n").removeprefix(f"{line}\n")  # the echo

    def read(self) -> str:
        """Return what is printed up to the next prompt, or to the program's end."""
        text, deadline = "", time.monotonic() + DEADLINE
        while not text.endswith(PROMPT):
            left = deadline - time.monotonic()
            ready = select.select([self.master, self.pidfd], [], [], max(0.0, left))[0]
            assert ready, f"no prompt after: {text}"
            if self.master not in ready:  # what it left in the background may hold the terminal
                break
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:  # the other end is closed
                break
            text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode()).replace("\r", "")
        return text.removesuffix(PROMPT)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.pidfd)
        self.process.kill()
        self.process.wait()


def converse(step: Step, folder: Path, env: dict[str, str]) -> None:
    terminal = Terminal(step.command, folder, env)
    try:
        check(step.output, terminal.read(), step.command)
        for line, shown in step.typed:
            check(shown, terminal.type(line), f"{step.command}: {line}")
        assert terminal.process.wait(DEADLINE) == 0, step.command
    finally:
        terminal.close()


def perform(step: Step, folder: Path, env: dict[str, str]) -> None:
    if step.typed:
        converse(step, folder, env)
        return
    done = subprocess.run(
        ["sh", "-c", step.command], cwd=folder, env=env, timeout=DEADLINE, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{step.command}\n{done.stdout}"
    check(step.output, done.stdout, step.command)


def surroundings(folder: Path) -> dict[str, str]:
    """Return the environment of a reader who has emu installed; what they install goes to `folder`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "XDG_STATE"))}
    return env | {
        "PATH": f"{BIN}:{env['PATH']}",
        "HOME": str(folder),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(folder / "installed"),
        "PIP_TARGET": str(folder / "installed"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round
        "PIP_QUIET": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A reader's empty folder; networks that the page leaves running when it fails are ended."""
    yield tmp_path
    env = surroundings(tmp_path)
    text = "".join(block.text for block in blocks(request.getfixturevalue("path")))
    for name in set(_NAMED.findall(text)):
        subprocess.run([BIN / "emu", "stop", name], env=env, capture_output=True, check=False)


@functools.cache
def is_there(need: str) -> bool:
    """Tell whether there is a program of that name, a feature of the kernel for links, or room for limits."""
    if need == "cgroups":
        return isinstance(find_place(CONTROLLERS.values()), Place)
    if need not in FEATURES:
        return shutil.which(need) is not None
    with emu.Network(nx.path_graph(2)) as net:
        return need in find_features(net.sandbox, [need])


WITH_BLOCKS = [
    path for path in PAGES if any(block.title or block.language == "console" for block in blocks(path))
]


@pytest.mark.parametrize("path", WITH_BLOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_shows_what_happens(path: Path, folder: Path) -> None:
    env = surroundings(folder)
    for block in blocks(path):
        if block.title:
            file = folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        elif block.language == "console" and all(map(is_there, block.needs)):
            for step in steps(block.text):
                perform(step, folder, env)


@pytest.mark.parametrize("path", WITH_BLOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_is_a_file_that_is_used(path: Path) -> None:
    found = blocks(path)
    sessions = "".join(block.text for block in found if block.language == "console")
    examples = [block for block in found if block.language == "python"]
    assert not [block.text for block in examples if not block.title]
    used = {name for name in ("conftest.py",) if "$ pytest" in sessions}
    used |= {block.title for block in examples if "pip install" in sessions and "/" in block.title}
    assert not [block.title for block in examples if block.title not in used and block.title not in sessions]
