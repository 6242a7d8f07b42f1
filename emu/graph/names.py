"""Names that can be typed at a prompt and that are host names."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..errors import one_line

#: A host name's label has at most 63 octets (RFC 1035, section 2.3.4); ours may hold dots.
NODE_NAME_BYTES = 63
#: IFNAMSIZ of include/uapi/linux/if.h, less its closing zero byte.
INTERFACE_NAME_BYTES = 15
#: ALTIFNAMSIZ of the same file, less its closing zero byte.
ALTNAME_BYTES = 127

_TYPABLE = re.compile(r"[^\W_](?:[\w.-]*[\w])?", re.ASCII)
#: Names that every machine's resolver gives a meaning of their own.
_RESERVED = ("localhost", "ip6-localhost", "ip6-loopback")


def network_name_fault(name: str) -> str | None:
    """Return why `name` cannot name a running network, or None. It becomes a folder's name."""
    if not _TYPABLE.fullmatch(name):
        return "a network's name has letters, digits, '-', '_' and '.', the last three not at either end"
    if len(name) > NODE_NAME_BYTES:
        return f"a network's name has at most {NODE_NAME_BYTES} characters"
    return None


def node_names(nodes: Iterable[tuple[Hashable, str]]) -> dict[Hashable, str]:
    """Return a node name for each (node, label), in order.

    A node name has letters, digits, and between them single `-`, `_` and `.`; it has at most 63 bytes,
    is a host name and no number or address, and differs from every other one also without regard to
    case. A label that is such a name already is kept. The same labels in the same order give the same
    names.
    """
    pairs = list(nodes)
    wanted = {node: _plain(label) for node, label in pairs}
    counts = {name.casefold(): 1 for name in _RESERVED}
    names: dict[Hashable, str] = {}
    # Labels that need no change first: nobody else's derived name may take theirs.
    for node, label in pairs:
        if wanted[node] == label and label.casefold() not in counts:
            names[node] = _unique(label, counts)
    for node, _ in pairs:
        if node not in names:
            names[node] = _unique(wanted[node], counts)
    return {node: names[node] for node, _ in pairs}


def names_in(data: Iterable[tuple[Hashable, Mapping[Any, Any]]]) -> dict[Hashable, str]:
    """Return a node name for each of a graph's nodes, from the nodes with their attributes, in order.

    A node that the graph calls by such a name keeps it, else its name comes from its label.
    """
    return node_names((node, _wanted(node, attributes.get("label"))) for node, attributes in data)


def _wanted(node: Hashable, label: Any) -> str:
    if isinstance(node, str) and _plain(node) == node and node.casefold() not in _RESERVED:
        return node
    return label_of(node if label is None else label)


def label_of(node: Any) -> str:
    """Return what to show for a graph's node: one line, the same in every process."""
    if isinstance(node, str):
        return one_line(node)
    if isinstance(node, frozenset):  # whose own order differs from process to process
        return "{" + ", ".join(sorted(label_of(member) for member in node)) + "}"
    kind: Any = type(node)
    name: str = kind.__name__
    if (kind.__repr__, kind.__str__) == (object.__repr__, object.__str__):
        return name  # rather than a place in memory
    try:
        return one_line(str(node))
    except Exception:  # noqa: BLE001  # other people's __str__, and a number of 5,000 digits
        return name


def host_names(name: str) -> tuple[str, ...]:
    """Return the names under which a node stands in `/etc/hosts`.

    The C library looks a non-ASCII name up in its `xn--` form only (RFC 3492): of the letters in lower
    case (IDNA 2008, RFC 5891), while Python and others first make `ss` of `ß` (IDNA 2003, RFC 3490).
    """
    if name.isascii():
        return (name,)
    # Letter by letter: that a sigma stands at the end of a word is nothing to a resolver.
    lowered = "".join(char.lower() for char in name)
    forms = dict.fromkeys((lowered, name.casefold()))
    return name, *(".".join(map(_encoded, form.split("."))) for form in forms)


def _encoded(part: str) -> str:
    return part if part.isascii() else "xn--" + part.encode("punycode").decode()


def interface_name(node: str, position: int) -> tuple[str, str | None]:
    """Return an interface's name and, where `<NODE>-veth<k>` is too long for one, its altname."""
    full = f"{node}-veth{position}"
    if len(full.encode()) <= INTERFACE_NAME_BYTES:
        return full, None
    return f"veth{position}", full


def _plain(label: str) -> str:
    """Return `label` with accents dropped and whatever cannot stand in a name replaced by '-'."""
    decomposed = unicodedata.normalize("NFKD", label)
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    # Scripts whose letters were made of parts go back to their usual form.
    kept = "".join(
        char if char.isalpha() or char.isdecimal() or char in "-_." else "-"
        for char in unicodedata.normalize("NFC", letters)
    )
    # A host name's parts are not empty, and neither begin nor end with '-' (RFC 1123, section 2.1).
    kept = re.sub(r"-{2,}", "-", re.sub(r"[-.]*\.[-.]*", ".", kept))
    name = _fitting(kept.strip("-_.")) or "node"
    return _fitting(f"n{name}") if _is_number(name) else name


def _unique(name: str, counts: dict[str, int]) -> str:
    """Return `name`, or the first of `name-2`, `name-3` … that is free; `counts` has those taken."""
    candidate = name
    while candidate.casefold() in counts:
        counts[name.casefold()] += 1
        candidate = _fitting(name, f"-{counts[name.casefold()]}")
    counts[candidate.casefold()] = 1
    return candidate


def _fitting(name: str, ending: str = "") -> str:
    """Return as much of `name` as fits, with its ending, a node name in UTF-8 and in `xn--` form."""
    name = name[: NODE_NAME_BYTES - len(ending)]
    while max(len(form.encode()) for form in host_names(name + ending)) > NODE_NAME_BYTES:
        name = name[:-1]
    return name.rstrip("-_.") + ending


def _is_number(name: str) -> bool:
    """Tell whether a resolver takes `name` for an IPv4 address (inet_aton(3) takes `10` and `0x1f`)."""
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True
