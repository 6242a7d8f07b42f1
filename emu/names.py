"""Names that can be typed at a prompt and that are host names."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Hashable, Iterable

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
        return "a network's name has letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
    if len(name) > NODE_NAME_BYTES:
        return f"a network's name has at most {NODE_NAME_BYTES} characters"
    return None


def node_names(nodes: Iterable[tuple[Hashable, str]]) -> dict[Hashable, str]:
    """Return a node name for each (node, label), in order.

    A node name has letters, digits, `-`, `_` and `.`, at most 63 bytes, is a host name and no number
    or address, and differs from every other one also without regard to case. A label that is such a
    name already is kept. The same labels in the same order give the same names.
    """
    pairs = list(nodes)
    wanted = {node: _plain(label) for node, label in pairs}
    taken = {name.lower() for name in _RESERVED}
    names: dict[Hashable, str] = {}
    # Labels that need no change first: nobody else's derived name may take theirs.
    for node, _ in sorted(pairs, key=lambda pair: wanted[pair[0]] != pair[1]):
        names[node] = _unique(wanted[node], taken)
        taken.add(names[node].lower())
    return {node: names[node] for node, _ in pairs}


def host_names(name: str) -> tuple[str, ...]:
    """Return the names under which a node stands in `/etc/hosts`.

    The C library looks a non-ASCII name up in its `xn--` form only (RFC 3492).
    """
    if name.isascii():
        return (name,)
    parts = (part if part.isascii() else "xn--" + part.encode("punycode").decode() for part in name.lower().split("."))
    return (name, ".".join(parts))


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
        char if char.isalnum() or char in "-_." else "-" for char in unicodedata.normalize("NFC", letters)
    )
    name = _shortened(re.sub(r"-{2,}", "-", kept).strip("-_."), NODE_NAME_BYTES) or "node"
    return f"n{name}" if _is_number(name) else name


def _unique(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate.lower() in taken:
        count += 1
        candidate = f"{_shortened(name, NODE_NAME_BYTES - len(str(count)) - 1)}-{count}"
    return candidate


def _shortened(name: str, size: int) -> str:
    """Return as much of `name` as fits `size` bytes of UTF-8 and of its `xn--` form."""
    name = name[:size]
    while max(len(form.encode()) for form in host_names(name)) > size:
        name = name[:-1]
    return name.rstrip("-_.")


def _is_number(name: str) -> bool:
    """Tell whether a resolver takes `name` for an IPv4 address (inet_aton(3) takes `10` and `0x1f`)."""
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True
