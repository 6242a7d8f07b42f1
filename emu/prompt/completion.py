"""Completion at the prompt: commands, nodes, interfaces, attributes, options, programs and files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from ..arguments import LineCommand
from .choosing import is_pattern
from .words import NetworkWords, Words, programs

if TYPE_CHECKING:
    from .session import Session

#: Behind these a shell expects a program.
_BEFORE_PROGRAMS = {"|", "||", "&&", ";", "&", "!", "(", "{", "exec", "time", "nohup", "env"}

#: Behind these what a command prints goes to another program or a file.
_PIPES = {"|", ">", ">>"}

#: Words that are typed as they stand, in a command's usage.
_LITERAL = re.compile(r"\b[a-z]+\b")


class LineCompleter(Completer):
    """Completes what a line may begin with, then what belongs to the command or to a node's shell.

    A plugin's command gets its choices, files and options from the parameters that it declares, and what
    else it wants from their `shell_complete` (see click's documentation); a text may be the name of a node or
    an interface.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.names = NetworkWords(session)
        self.paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the word before the cursor could become."""
        del complete_event  # it is the same however it was asked for
        *before, word = document.text_before_cursor.lstrip().replace("\t", " ").split(" ")
        yield from self._of_line([one for one in before if one], word)

    def _of_line(self, before: Sequence[str], word: str) -> Iterator[Completion]:
        """Yield the completions of a word of a line, behind these others."""
        if not before:
            yield from _whole(word, self.names.first(word))
            return
        first = before[0]
        if self.session.is_command(first):
            command = self.session.plugins.commands[first]
            pipes = [number for number, one in enumerate(before) if one in _PIPES]
            if pipes and not isinstance(command, LineCommand):
                yield from self._of_shell(before[pipes[-1] :], word)
            else:
                yield from self._of_command(command, list(before[1:]), word)
        elif first in self.session.network or is_pattern(first) or "," in first:
            yield from self._of_shell(before[1:], word, first)

    # -- in a node's shell, and in the outer one ---------------------------------------------------------

    def _of_shell(self, before: Sequence[str], word: str, node: str | None = None) -> Iterator[Completion]:
        if "/" not in word and (not before or before[-1] in _BEFORE_PROGRAMS):
            yield from _whole(word, Words(programs(self.session.plugins.programs)).beginning(word))
        elif node is not None and not word.startswith("-"):
            own = self.session.network[node].interfaces if node in self.session.network else ()
            words = Words([*self.names.nodes(word), *(one.name for one in own)])
            yield from _whole(word, words.beginning(word))
        yield from self._files(word)

    def _files(self, word: str) -> Iterator[Completion]:
        return iter(self.paths.get_completions(Document(word), CompleteEvent()))

    # -- behind a command ------------------------------------------------------------------------------

    def _of_command(self, command: click.Command, before: list[str], word: str) -> Iterator[Completion]:
        if isinstance(command, LineCommand):
            yield from self._of_rest(command, before, word)
            return
        if isinstance(command, click.Group):
            if before:
                inner = command.commands.get(before[0])
                yield from self._of_command(inner, before[1:], word) if inner else ()
            else:
                yield from _whole(word, Words(command.commands).beginning(word))
            return
        option, position = _place(command, before)
        if option is None and word.startswith("-"):
            yield from _whole(word, Words(_options(command)).beginning(word))
            return
        parameter = option or _argument_at(command, position)
        if parameter is not None:
            yield from self._of_parameter(command, parameter, before, word)

    def _of_rest(self, command: click.Command, before: list[str], word: str) -> Iterator[Completion]:
        """Yield completions of what is another line, a shell's, or what the command itself says."""
        argument = next(one for one in command.params if isinstance(one, click.Argument))
        if items := argument.shell_complete(self._context(command, before), word):
            yield from (Completion(item.value, start_position=-len(word)) for item in items)
        elif command.name == "sh":
            yield from self._of_shell(before, word)
        elif command.name == "for":
            behind = max((n for n, one in enumerate(before, 1) if one.endswith(":")), default=0)
            yield from (
                self._of_line(before[behind:], word) if behind else _whole(word, self.names.nodes(word))
            )
        else:
            yield from self._of_line(before, word)

    def _of_parameter(
        self, command: click.Command, parameter: click.Parameter, before: list[str], word: str
    ) -> Iterator[Completion]:
        items = parameter.shell_complete(self._context(command, before), word)
        yield from _whole(word, [item.value for item in items if item.type == "plain"])
        if any(item.type in ("file", "dir") for item in items):
            yield from self._files(word)
        elif not items and isinstance(parameter.type, click.types.StringParamType):
            yield from self._of_text(command, parameter.metavar or "NODE", word)

    def _of_text(self, command: click.Command, metavar: str, word: str) -> Iterator[Completion]:
        """Yield what a text may be, as its name in the command's usage says."""
        if "=" in word and "ATTRIBUTE" in metavar:
            name, _, value = word.partition("=")
            yield from _whole(value, self._values(name, value))
            return
        if "ATTRIBUTE" in metavar:
            yield from _attributes(str(command.name), metavar, word)
        yield from _whole(word, Words(_LITERAL.findall(metavar)).beginning(word))
        if "NODE" in metavar:
            yield from _whole(word, [*self.names.nodes(word), *self.names.interfaces(word)])
        if "FILE" in metavar:
            yield from self._files(word)

    def _values(self, attribute: str, text: str) -> list[str]:
        from ..graph.attributes import Kind
        from ..shaping.profiles import PROFILES

        if attribute == "from":
            return self.names.nodes(text)
        known = {
            "kind": [kind.value for kind in Kind],
            "profile": [*self.session.network.plan.profiles, *PROFILES],
        }
        return Words(known.get(attribute, ())).beginning(text)

    def _context(self, command: click.Command, before: list[str]) -> click.Context:
        """Return what a `shell_complete` is given: the session as `obj`, the words before as `args`."""
        context = click.Context(command, info_name=command.name, obj=self.session)
        context.args = before
        return context


def _place(command: click.Command, before: Sequence[str]) -> tuple[click.Option | None, int]:
    """Return the option whose value comes next, if one does, and how many arguments there were."""
    options = _options(command)
    waiting: click.Option | None = None
    position = 0
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-"):
            found = options.get(word)
            waiting = found if found is not None and not (found.is_flag or found.count) else None
        else:
            position += 1
    return waiting, position


def _options(command: click.Command) -> dict[str, click.Option]:
    found = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return {word: one for one in found for word in (*one.opts, *one.secondary_opts)}


def _argument_at(command: click.Command, position: int) -> click.Argument | None:
    """Return the argument that the word at a position is part of."""
    for one in command.params:
        if isinstance(one, click.Argument):
            position -= one.nargs
            if position < 0 or one.nargs < 0:
                return one
    return None


def _attributes(command: str, metavar: str, word: str) -> Iterator[Completion]:
    """Yield attributes of links, or of nodes where the command is called so; or those that can be set."""
    from ..graph.attributes import KNOWN
    from ..shaping.attributes import PARSERS

    known = (*PARSERS, "from") if "set|" in metavar else KNOWN.get(command, KNOWN["link"])
    for one in Words(known).beginning(word):
        yield Completion(f"{one}=", start_position=-len(word))


def _whole(word: str, candidates: Iterable[Any]) -> Iterator[Completion]:
    """Yield words that are complete, and have a space behind them."""
    for name in candidates:
        yield Completion(f"{name} ", start_position=-len(word), display=name)
