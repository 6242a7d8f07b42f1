"""Words that stand for nodes: a name, a shell pattern such as `HOST*`, or several with commas between."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from ..errors import UsageError, suggestion
from ..running.network import Network


def is_pattern(word: str) -> bool:
    """Tell whether a word stands for whatever it matches, and not for itself."""
    return any(char in word for char in "*?[")


def names_matching(network: Network, word: str) -> list[str]:
    """Return the names of the nodes that a word stands for, in the network's order, each once.

    A part without a pattern is a name. Patterns are those of a shell, and tell upper case from lower.

    Raises:
        UsageError: a part stands for no node.
    """
    if word in network:
        return [word]
    found: dict[str, None] = {}
    names = [node.name for node in network]
    for part in word.split(","):
        matching = fnmatch.filter(names, part) if is_pattern(part) else [network[part].name]
        if not matching:
            raise UsageError(f"no node matches {part}{suggestion(part, names) or '; nodes lists them'}")
        found.update(dict.fromkeys(matching))
    return list(found)


def expanded(network: Network, words: Iterable[str]) -> list[str]:
    """Return words with the names that match in the place of each pattern, as a shell does with files."""
    found: list[str] = []
    for word in words:
        found += names_matching(network, word) if is_pattern(word) else [word]
    return found
