"""YAML whose every part knows its line. Neither depth nor aliases can make it more than its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError, one_line, shown

if TYPE_CHECKING:
    import yaml

#: What is nested deeper was not written by hand.
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; `plain`, it has no quotes and may be meant as a number."""

    line: int
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and their values, as often as they are there."""

    line: int
    pairs: list[tuple[Item, Item]]


Item = Scalar | Sequence | Mapping


def yaml_tree(data: bytes, file: str) -> Item:
    """Return the one document of a file; tags and anchors are dropped.

    Args:
        data: the file's content.
        file: what to call it in errors.

    Raises:
        UsageError: it is no YAML, or has aliases, several documents or too many levels; says where.
    """
    import yaml

    text = _text_of(data, file)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if fault := builder.fault(event):
                raise UsageError(f"read {file}:{_line(event)}: {fault}")
            builder.add(event)
    except yaml.YAMLError as error:
        raise UsageError(f"read {file}:{_explained(error, text)}") from None
    if not builder.document:
        raise UsageError(f"read {file}: it is empty")
    return builder.document[0]


class _Builder:
    """Makes a tree of events, in a loop: a reader that recursed would end where the stack does."""

    def __init__(self) -> None:
        self.document: list[Item] = []
        #: The items of each open collection, the innermost last, and the lines on which they begin.
        self._open: list[list[Item]] = [self.document]
        self._lines: list[int] = []

    def fault(self, event: yaml.Event) -> str | None:
        """Return what is wrong with an event, or None."""
        import yaml

        if isinstance(event, yaml.AliasEvent):
            return f"*{one_line(str(event.anchor))}: emu reads no aliases; write out what it stands for"
        if isinstance(event, yaml.DocumentStartEvent) and self.document:
            return "a second document begins; emu reads one from a file"
        if isinstance(event, yaml.CollectionStartEvent) and len(self._open) > _DEPTH:
            return f"it is nested more than {_DEPTH} levels deep"
        return None

    def add(self, event: yaml.Event) -> None:
        """Add what an event is about to the innermost open collection."""
        import yaml

        line = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            self._open[-1].append(Scalar(line, event.value, not event.style))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append([])
            self._lines.append(line)
        elif isinstance(event, yaml.CollectionEndEvent):
            items, line = self._open.pop(), self._lines.pop()
            if isinstance(event, yaml.SequenceEndEvent):
                self._open[-1].append(Sequence(line, items))
            else:
                self._open[-1].append(Mapping(line, list(zip(items[::2], items[1::2], strict=True))))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _text_of(data: bytes, file: str) -> str:
    """Return a file's text: UTF-8, or UTF-16 with a byte order mark (YAML 1.1, section 5.2)."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 0 if utf16 else data.count(b"\n", 0, error.start)
        reason = f"it is not {'UTF-16' if utf16 else 'UTF-8'} text; is it a binary file?"
        raise UsageError(f"read {file}:{line + 1}: {reason}") from None


def _explained(error: yaml.YAMLError, text: str) -> str:
    """Return the line of a fault in the YAML itself, and what to do about it."""
    import yaml

    if isinstance(error, yaml.reader.ReaderError):
        char = chr(error.character) if isinstance(error.character, int) else str(error.character)
        line = text.count("\n", 0, text.find(char)) + 1
        return f"{line}: the character {shown(char)} cannot stand in YAML; is it a binary file?"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f" {one_line(str(error))}"
    mark, problem = error.problem_mark, error.problem or "it is no YAML"
    line_text = next(iter(text.split("\n")[mark.line : mark.line + 1]), "")
    rest = line_text[mark.column :]
    if "\t" in line_text[: len(line_text) - len(line_text.lstrip())]:
        problem = "a tab in the indentation; YAML takes spaces only"
    elif rest[:1] in set(":@`%") and not rest[1:2].isspace():
        problem += f"; put quotes around what begins with {rest[0]}"
    elif error.context and error.context_mark is not None and error.context_mark.line != mark.line:
        problem += f" {error.context} that begins on line {error.context_mark.line + 1}"
    return f"{mark.line + 1}: {one_line(problem)}"
