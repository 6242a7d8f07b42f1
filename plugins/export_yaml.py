"""Export to the YAML form that people write by hand. emu reads it back to an equal plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import emu
from emu.plugins.export_data import Attributes, records_of

if TYPE_CHECKING:
    from emu.planning.plan import Plan

#: Texts that need no quotation marks, also within brackets.
_PLAIN = re.compile(r"[^\W_](?:[\w./-]*\w)?", re.ASCII)


@emu.hookimpl
def emu_register_exporters(register: Callable[..., None]) -> None:
    """Add the format."""
    for suffix in (".yaml", ".yml"):
        register(suffix, write_yaml, "the short form for writing by hand; emu reads it back")


def write_yaml(plan: Plan, path: Path) -> None:
    """Write a plan in the YAML form."""
    path.write_text("".join(f"{line}\n" for line in yaml_lines(plan)), "utf-8", newline="\n")


def yaml_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan in the YAML form, a line for each node and link."""
    records = records_of(plan)
    back = {key: attributes for _, _, key, attributes in records.edges[len(plan.links) :]}
    for name, value in records.graph.items():
        yield f"{name}: {_flow(value)}"
    yield "nodes:"
    for node, attributes in records.nodes:
        yield f"  {_flow(node)}: {_flow(attributes)}"
    yield "links:" if plan.links else "links: []"
    for a, b, key, attributes in records.edges[: len(plan.links)]:
        yield f"  - {_flow({'ends': [a, b], **_uneven(a, b, attributes, back.get(key))})}"


def _uneven(a: str, b: str, attributes: Attributes, back: Attributes | None) -> Attributes:
    """Return a link's attributes, those that differ by direction as mappings of its ends."""
    from emu.graph.attributes import BY_END

    if back is None:
        return attributes
    found = dict(attributes)
    for name in sorted(BY_END & (attributes.keys() | back.keys())):
        values = {end: way[name] for end, way in ((a, attributes), (b, back)) if name in way}
        if len(set(values.values())) > 1 or len(values) == 1:
            found[name] = values
    return found


def _flow(value: object) -> str:
    """Return a value in YAML's flow style; texts that need quotation marks are written as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
