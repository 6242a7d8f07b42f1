"""Completion at the prompt: commands, node names, and a command's own arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

if TYPE_CHECKING:
    from .session import Session


class LineCompleter(Completer):
    """Completes the first word from commands and nodes, later ones from options, nodes and files."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the word before the cursor could become."""
        before = document.text_before_cursor
        word = before.rpartition(" ")[2]
        first = before.lstrip().partition(" ")[0]
        if before.lstrip() == word:
            yield from _matching(word, self.session.words())
            return
        if word.startswith("-"):
            command = self.session.plugins.commands[first] if first in self.session.plugins.commands else None
            yield from _matching(word, _options(command))
        yield from _matching(word, (node.name for node in self.session.network))
        if first in self.session.network and before.count(" ") == 1:
            yield from _matching(word, self.session.plugins.programs)
        yield from self.paths.get_completions(Document(word), complete_event)


def _options(command: click.Command | None) -> list[str]:
    if command is None:
        return []
    return [name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts]


def _matching(word: str, candidates: Iterable[str]) -> Iterator[Completion]:
    for candidate in sorted(candidates):
        if candidate.lower().startswith(word.lower()):
            yield Completion(candidate, start_position=-len(word))
