"""A session at the prompt: one network, its commands, and the lines that are run."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..arguments import LineCommand
from ..errors import EmuError, NotRunning, UsageError, shown, suggestion
from ..processes.terminal import shell_status
from ..running.network import Network
from ..running.node import Node
from .choosing import is_pattern, names_matching
from .jobs import NOT_FOUND, Jobs
from .piping import nobody_reads, piped, split_pipe

if TYPE_CHECKING:
    from ..hooks.plugin_manager import PluginManager


class Leave(Exception):
    """The way out of the prompt; `status` is that of the first line that failed before."""

    status = 0


#: The status of a program that Ctrl-C ended.
INTERRUPTED = 128 + signal.SIGINT


class Session:
    """What a prompt command gets as its `click` object: the network, and how to run lines on it."""

    def __init__(self, network: Network, plugins: PluginManager) -> None:
        self.network, self.plugins = network, plugins
        self.jobs = Jobs(network)
        #: Whether lines that are not typed stop at one that fails, and whether each is shown before it runs.
        self.stops, self.echoes = True, False
        self._reading: list[Path] = []
        #: Where the line that runs comes from, as errors tell it, and whether they have told of this line.
        self._place, self._told = "", False

    def words(self) -> list[str]:
        """Return what a line may begin with, without the words that `help` does not list."""
        commands = self.plugins.commands
        return [
            *(name for name in commands if not commands[name].hidden), *(node.name for node in self.network)
        ]  # fmt: skip

    def nodes(self, names: Iterable[str]) -> list[Node]:
        """Return the nodes of these names and patterns, or all when there are none."""
        found = dict.fromkeys(name for word in names for name in names_matching(self.network, word))
        return [self.network[name] for name in found] or list(self.network)

    def run_lines(self, lines: Iterable[str], source: str = "") -> int:
        """Run lines one after the other, up to one that fails or, where not `stops`, that Ctrl-C ended.

        Args:
            lines: the lines.
            source: where they come from: errors, and a line on each failure, name it and the line's number.

        Returns:
            The status of the first that failed, or 0.
        """
        first_failure = 0
        for number, line in enumerate(lines, 1):
            try:
                with self._at(f"{source}:{number}: " if source else self._place):
                    status = self._run_of_script(line, bool(source))
            except Leave as leave:
                leave.status = leave.status or first_failure
                raise
            first_failure = first_failure or status
            if status == INTERRUPTED or (status and self.stops):
                break
        return first_failure

    @contextlib.contextmanager
    def _at(self, place: str) -> Iterator[None]:
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def _run_of_script(self, line: str, tells: bool) -> int:
        """Run a line that nobody typed; `tells` of one that failed without a word of ours."""
        if self.echoes and line.strip():
            sys.stdout.flush()
            sys.stderr.write(f"+ {line.strip()}\n")
            sys.stderr.flush()
        self._told = False
        status = self.run_line(line)
        if status == 128 + signal.SIGPIPE and nobody_reads():
            raise BrokenPipeError
        if status and tells and not self._told:
            self._fail(f"status {status}: {line.strip()}", status)
        return status

    def run_line(self, line: str) -> int:
        """Run one line and return its exit status; an expected failure is a line on standard error.

        Raises:
            Leave: the line says so.
        """
        try:
            return self._run(line.strip())
        except EmuError as error:
            return self._fail(str(error), error.exit_status)
        except click.ClickException as error:
            return self._fail(self._explained(error), error.exit_code)
        except click.Abort:
            return INTERRUPTED
        except RecursionError:  # 'time time time ...'
            return self._fail("run a line: it has lines in lines in lines, too many to follow", 2)
        except OSError as error:
            if isinstance(error, BrokenPipeError) and nobody_reads():  # they have enough
                raise
            return self._fail(f"{line.strip()}: {error.strerror or error}", 1)

    def _fail(self, text: str, status: int) -> int:
        """Print why a line failed, and where it stands; return its status."""
        self._told = True
        print_error(f"{self._place}{text}")
        return status

    def run_file(self, path: Path, lines: Iterable[str]) -> int:
        """Run the lines of a file; one that reads itself, by whatever way, is refused."""
        real = path.resolve()
        if real in self._reading:
            raise UsageError(f"read {path}: it is being read already")
        self._reading.append(real)
        try:
            return self.run_lines(lines, str(path))
        finally:
            self._reading.remove(real)

    def close(self) -> None:
        """Let go of what the session started."""
        self.jobs.close()

    def _run(self, line: str) -> int:
        if not line or line.startswith("#"):
            return 0
        if "\0" in line:  # no program and no file can be told of it
            raise UsageError("run a line: it holds a zero byte")
        word, rest = (*line.split(None, 1), "")[:2]
        with contextlib.suppress(NotRunning):
            self.network.refresh()  # another prompt may have changed it
        if self.is_command(word):
            return self._run_command(word, rest)
        if word in self.network or is_pattern(word) or "," in word:
            return self.run_in_nodes(word, rest)
        return self._fail(f"no command or node {shown(word)}{self._hint(word)}", 127)

    def _hint(self, word: str) -> str:
        """Return what to do instead of a line that begins with a word that is nothing."""
        if word in self.plugins.programs or shutil.which(word):
            node = next(iter(self.network)).name
            return f"; a program runs in a node: {node} {word} …"
        return suggestion(word, self.words()) or "; help lists the commands"

    def is_command(self, word: str) -> bool:
        """Tell whether a line's first word is a command and no node.

        The commands that `help` lists come first, then the nodes, then other words for commands.
        """
        commands = self.plugins.commands
        return word in commands and not (word in self.network and commands[word].hidden)

    def _run_command(self, name: str, rest: str) -> int:
        command = self.plugins.commands[name]
        if isinstance(command, LineCommand):
            return self._invoke(command, name, [rest.strip()] if rest.strip() else [])
        rest, pipe = split_pipe(rest)
        try:
            words = shlex.split(rest, comments=True)
        except ValueError as error:
            return self._fail(f"{name}: {error}", 2)
        if words[-1:] == ["&"]:
            raise UsageError(f"{name}: it runs in front; a program in a node goes behind: NODE COMMAND… &")
        if not pipe:
            return self._invoke(command, name, words)
        status = 0
        with self.jobs.silence(), piped(pipe) as shell:
            status = self._invoke(command, name, words)
        return status or shell_status(shell.returncode)

    def _invoke(self, command: click.Command, name: str, words: list[str]) -> int:
        leaving = contextlib.suppress(click.exceptions.Exit)  # --help leaves while the context is made
        try:
            with leaving, command.make_context(name, words, obj=self) as context:
                return int(command.invoke(context) or 0)
        except UsageError as error:
            if way := self._way_to_node(name):
                raise UsageError(f"{error}{way}") from error
            raise
        return 0

    def _way_to_node(self, name: str) -> str:
        """Return what to type for the node that has the name of a command, if one has."""
        return f"; 'in {name} COMMAND…' runs programs in the node" if name in self.network else ""

    def _explained(self, error: click.ClickException) -> str:
        """Return what is wrong with the words of a command, and where its help or its node is."""
        text = error.format_message().rstrip(".")
        context = getattr(error, "ctx", None)
        if context is None:
            return text
        path = context.command_path
        return f"{path}: {text}; 'help {path}' tells how it is used{self._way_to_node(path)}"

    def run_in_nodes(self, word: str, command: str) -> int:
        """Run a shell command line in the nodes that a word stands for; return the first failure's status.

        In one node it has the terminal; in several it runs at once, and its output is labelled.
        """
        nodes = [self.network[name] for name in names_matching(self.network, word)]
        command = command.strip()
        if not command:
            raise UsageError(f"{word}: what to run? For example: {word} ip address")
        in_background = command.endswith("&") and not command.endswith("&&")
        if len(nodes) == 1 or in_background:
            statuses = [self.jobs.run(node, command) for node in nodes]
            return next((status for status in statuses if status), 0)
        from .several import run_in_several

        status = run_in_several(nodes, command)
        if status == NOT_FOUND:
            self.jobs.explain(command)
        return status


def print_error(text: str) -> None:
    """Print one line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"emu: {text}\n")
    sys.stderr.flush()
