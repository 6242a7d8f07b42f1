"""Export to DOT, the language of Graphviz: `dot -Tsvg network.dot`. emu reads it back to an equal plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import emu
from emu.plugins.export_data import Attributes, flat, records_of

if TYPE_CHECKING:
    from emu.planning.plan import Plan

_SHAPES = {"host": "box", "router": "ellipse", "switch": "hexagon"}
#: Between nodes and between their rows, in inches: what stands at a link's ends takes room.
_ROOM = {"nodesep": "0.8", "ranksep": "1.3"}


@emu.hookimpl
def emu_register_exporters(register: Callable[..., None]) -> None:
    """Add the format."""
    for suffix in (".dot", ".gv"):
        register(suffix, write_dot, "Graphviz's language, with addresses as labels; emu reads it back")


def write_dot(plan: Plan, path: Path) -> None:
    """Write a plan in DOT."""
    path.write_text("".join(f"{line}\n" for line in dot_lines(plan)), "utf-8", errors="replace")


def dot_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan in DOT, a line for each node and link.

    What emu reads back stands beside the labels and shapes that Graphviz draws.
    """
    records = records_of(plan)
    yield f"{'digraph' if records.directed else 'graph'} {quoted(plan.name)} {{"
    yield f"  graph {_list({**records.graph, 'name': None}, _ROOM)};"
    yield '  node [fontname="sans-serif"];'
    yield '  edge [fontname="sans-serif", fontsize=9, labeldistance=2];'
    shared = {name: segment.prefixes for segment in plan.segments for name in segment.switches}
    for node, (name, given) in zip(plan.nodes, records.nodes, strict=True):
        beside = {"xlabel": label(*shared[node.name])} if node.name in shared else {}
        drawn = {"shape": _SHAPES[node.kind], "label": label(node.label), **beside}
        yield f"  {quoted(name)} {_list({**given, 'label': None}, drawn)};"
    operator = "->" if records.directed else "--"
    drawings = _links(plan)
    for tail, head, key, given in records.edges:
        # Those of the other direction come last, and hold what differs there.
        drawn = next(drawings, {"style": "invis"}) | ({"dir": "none"} if records.directed else {})
        marked = {**({"key": key} if records.multigraph else {}), **given}
        yield f"  {quoted(tail)} {operator} {quoted(head)} {_list(marked, drawn)};"
    yield "}"


def _links(plan: Plan) -> Iterator[dict[str, str]]:
    """Yield how each link is drawn; its head is the second end, as in `tail -- head`."""
    prefixes = {
        end: segment.prefixes
        for segment in plan.segments if not segment.switches for end in segment.interfaces
    }  # fmt: skip
    for link in plan.links:
        tail, head = (label(end[1], *(one.ip for one in plan.interfaces[end].addresses)) for end in link.ends)
        yield {"label": label(*prefixes.get(link.ends[0], ())), "taillabel": tail, "headlabel": head}


def _list(given: Attributes, drawn: dict[str, str] | None = None) -> str:
    """Return a list of attributes: values as emu reads them, and DOT's own as they are."""
    texts = {name: quoted(str(flat(value))) for name, value in given.items() if value is not None}
    pairs = ", ".join(f"{name}={value}" for name, value in {**(drawn or {}), **texts}.items())
    return f"[{pairs}]"


def quoted(text: str) -> str:
    """Return a text as a quoted identifier of DOT, in which only a quote and a backslash need care."""
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def label(*lines: object) -> str:
    r"""Return lines as a quoted label, in which Graphviz also expands `\n` and HTML's `&name;`."""
    return '"' + "\\n".join(quoted(str(line)).replace("&", "&amp;")[1:-1] for line in lines) + '"'


def _printable(text: str) -> str:
    """Return `text` with a space for whatever cannot be drawn, such as NUL, at which Graphviz would stop."""
    return "".join(char if char.isprintable() else " " for char in text)
