"""A public map without its links' delays, which not every kernel can make: `emu run plain_map.py:plain`."""

import networkx as nx

from emu.reading.sources import graph_from


def plain(source: str = "topohub:backbone/world") -> nx.Graph:
    """Return the graph of a map, its links without delays."""
    graph = graph_from(source)
    for _, _, attributes in graph.edges(data=True):
        attributes.pop("delay", None)
    return graph
