"""Topologies in YAML: a short form to write by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import emu

if TYPE_CHECKING:
    import networkx as nx

_SUFFIXES = (".yaml", ".yml")


@emu.hookimpl
def emu_load_graph(source: str) -> nx.Graph | None:
    """Read a .yaml or .yml file."""
    path = Path(source)
    if path.suffix.lower() not in _SUFFIXES:
        return None
    from emu.errors import one_line
    from emu.graph.file_paths import graph_tree_from
    from emu.graph.yaml_form import graph_of
    from emu.graph.yaml_tree import yaml_tree
    from emu.reading.files import content_of

    file = one_line(source)
    tree = yaml_tree(content_of(path, _SUFFIXES), file)
    return graph_of(graph_tree_from(tree, path.parent), file)
