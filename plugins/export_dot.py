"""Export to DOT, the language of Graphviz: `dot -Tsvg network.dot`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import emu

if TYPE_CHECKING:
    from emu.plan import LinkPlan, Plan

_SHAPES = {"host": "box", "router": "ellipse", "switch": "hexagon"}


@emu.hookimpl
def emu_register_exporters(register: Callable[..., None]) -> None:
    """Add the format."""
    register(".dot", write_dot, "Graphviz's language, with addresses as labels")


def write_dot(plan: Plan, path: Path) -> None:
    """Write a plan as an undirected graph in DOT."""
    path.write_text("".join(f"{line}\n" for line in dot_lines(plan)), "utf-8", errors="replace")


def dot_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan in DOT, a line for each node and link."""
    yield f"graph {quoted(plan.name)} {{"
    yield '  node [fontname="sans-serif"];'
    yield '  edge [fontname="sans-serif", fontsize=9, labeldistance=2];'
    shared = {name: segment.prefixes for segment in plan.segments for name in segment.switches}
    for node in plan.nodes:
        text = label(node.label, *shared.get(node.name, ()))
        yield f"  {quoted(node.name)} [shape={_SHAPES[node.kind]}, label={text}];"
    addresses = {(node.name, one.name): one.addresses for node in plan.nodes for one in node.interfaces}
    prefixes = {
        end: segment.prefixes
        for segment in plan.segments if not segment.switches for end in segment.interfaces
    }  # fmt: skip
    for link in plan.links:
        yield f"  {_link(link, addresses, prefixes)};"
    yield "}"


def _link(
    link: LinkPlan, addresses: dict[tuple[str, str], tuple], prefixes: dict[tuple[str, str], tuple]
) -> str:  # fmt: skip
    """Return the statement of a link; its head is the second end, as in `tail -- head`."""
    texts = [label(end[1], *(address.ip for address in addresses[end])) for end in link.ends]
    (tail, _), (head, _) = link.ends
    middle = label(*prefixes.get(link.ends[0], ()))
    return f"{quoted(tail)} -- {quoted(head)} [label={middle}, taillabel={texts[0]}, headlabel={texts[1]}]"


def quoted(text: str) -> str:
    """Return a text as a quoted identifier of DOT, in which only a quote and a backslash need care."""
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def label(*lines: object) -> str:
    r"""Return lines as a quoted label, in which Graphviz also expands `\n` and HTML's `&name;`."""
    return '"' + "\\n".join(quoted(str(line)).replace("&", "&amp;")[1:-1] for line in lines) + '"'


def _printable(text: str) -> str:
    """Return `text` with a space for whatever cannot be drawn, such as NUL, at which Graphviz would stop."""
    return "".join(char if char.isprintable() else " " for char in text)
