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
            yield from _matching(word, self._options(first))
        yield from _matching(word, (node.name for node in self.session.network))
        if first in self.session.network and before.count(" ") == 1:
            yield from _matching(word, self.session.plugins.programs)
        yield from self.paths.get_completions(Document(word), complete_event)

    def _options(self, name: str) -> list[str]:
        if name not in self.session.plugins.commands:
            return []
        options = [one for one in self.session.plugins.commands[name].params if isinstance(one, click.Option)]
        return [word for option in options for word in option.opts]


def _matching(word: str, candidates: Iterable[str]) -> Iterator[Completion]:
    """Yield the candidates that begin as typed, or, when none does, without regard to case."""
    names = sorted(candidates)
    found = [name for name in names if name.startswith(word)]
    for name in found or [name for name in names if name.lower().startswith(word.lower())]:
        yield Completion(f"{name} ", start_position=-len(word), display=name)
