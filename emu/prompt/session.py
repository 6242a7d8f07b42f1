"""A session at the prompt: one network, its commands, and the lines that are run."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import EmuError, NotRunning, UsageError, shown, suggestion
from ..network import Network
from ..node import Node
from .jobs import Jobs

if TYPE_CHECKING:
    from ..plugin_manager import PluginManager


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
        self._reading: list[Path] = []
        #: What is called when the session ends.
        self.ending = contextlib.ExitStack()

    def words(self) -> list[str]:
        """Return what a line may begin with."""
        return [*self.plugins.commands, *(node.name for node in self.network)]

    def nodes(self, names: Iterable[str]) -> list[Node]:
        """Return the nodes of these names, or all when there are none."""
        return [self.network[name] for name in names] or list(self.network)

    def run_lines(self, lines: Iterable[str]) -> int:
        """Run lines one after the other, up to one that Ctrl-C ended.

        Returns:
            The status of the first that failed, or 0.
        """
        first_failure = 0
        for line in lines:
            try:
                status = self.run_line(line)
            except Leave as leave:
                leave.status = leave.status or first_failure
                raise
            first_failure = first_failure or status
            if status == INTERRUPTED:
                break
        return first_failure

    def run_line(self, line: str) -> int:
        """Run one line and return its exit status; an expected failure is a line on standard error.

        Raises:
            Leave: the line says so.
        """
        try:
            return self._run(line.strip())
        except EmuError as error:
            print_error(str(error))
            return error.exit_status
        except click.ClickException as error:
            print_error(error.format_message())
            return error.exit_code
        except click.Abort:
            return 130
        except RecursionError:  # 'time time time ...'
            print_error("run a line: it has lines in lines in lines, too many to follow")
            return 2
        except OSError as error:
            print_error(f"{line.strip()}: {error.strerror or error}")
            return 1

    def run_file(self, path: Path, lines: Iterable[str]) -> int:
        """Run the lines of a file; one that reads itself, by whatever way, is refused."""
        real = path.resolve()
        if real in self._reading:
            raise UsageError(f"read {path}: it is being read already")
        self._reading.append(real)
        try:
            return self.run_lines(lines)
        finally:
            self._reading.remove(real)

    def close(self) -> None:
        """Let go of what the session started."""
        self.ending.close()
        self.jobs.close()

    def _run(self, line: str) -> int:
        if not line or line.startswith("#"):
            return 0
        if "\0" in line:  # no program and no file can be told of it
            raise UsageError("run a line: it holds a zero byte")
        word, _, rest = line.partition(" ")
        with contextlib.suppress(NotRunning):
            self.network.refresh()  # another prompt may have changed it
        if word in self.plugins.commands:
            return self._run_command(word, rest)
        if word in self.network:
            return self._run_in_node(self.network[word], rest.strip())
        hint = suggestion(word, self.words()) or "; help lists the commands"
        print_error(f"no command or node {shown(word)}{hint}")
        return 127

    def _run_command(self, name: str, rest: str) -> int:
        command = self.plugins.commands[name]
        if getattr(command, "takes_line", False):
            words = [rest.strip()] if rest.strip() else []
        else:
            try:
                words = shlex.split(rest, comments=True)
            except ValueError as error:
                print_error(f"{name}: {error}")
                return 2
        leaving = contextlib.suppress(click.exceptions.Exit)  # --help leaves while the context is made
        with leaving, command.make_context(name, words, obj=self) as context:
            return int(command.invoke(context) or 0)
        return 0

    def _run_in_node(self, node: Node, command: str) -> int:
        if not command:
            print_error(f"{node.name}: what to run? For example: {node.name} ip address")
            return 2
        return self.jobs.run(node, command)


def print_error(text: str) -> None:
    """Print one line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"emu: {text}\n")
    sys.stderr.flush()
