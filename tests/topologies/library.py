"""The built-in topologies, and what tests ask of their graphs."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

import networkx as nx

from emu.hooks.plugin_manager import default_plugins

REGISTRY = default_plugins().topologies
NAMES = [name for name in REGISTRY if REGISTRY.entry(name).owner.startswith("emu.topologies.")]


def build(name: str, **parameters: Any) -> nx.Graph:
    graph: nx.Graph = REGISTRY[name](**parameters)
    return graph


def kind_of(graph: nx.Graph) -> dict[str, str]:
    """Return each node's kind; a node without one is left out."""
    return nx.get_node_attributes(graph, "kind")


def kinds(graph: nx.Graph) -> dict[str, int]:
    """Return how many nodes of each kind there are."""
    return dict(collections.Counter(kind_of(graph).values()))


def of_kind(graph: nx.Graph, kind: str) -> list[str]:
    return [node for node, its in kind_of(graph).items() if its == kind]


def core(graph: nx.Graph) -> nx.Graph:
    """Return the graph without its hosts."""
    return graph.subgraph([node for node, kind in kind_of(graph).items() if kind != "host"])


def links(nodes: Iterable[tuple[str, str]]) -> set[frozenset[str]]:
    """Return pairs of nodes without regard to their order."""
    return {frozenset(pair) for pair in nodes}
