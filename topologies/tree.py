"""A tree of switches with hosts as its leaves."""

from itertools import islice

import networkx as nx

import emu
from emu.topologies import MOST_LINKS, check_least, check_links, numbered, place_in_rows


@emu.topology
def tree(depth: int = 2, fanout: int = 2) -> nx.Graph:
    """A tree of switches with hosts as its leaves: one segment.

               SWITCH1
              ┌───┴───┐
          SWITCH2   SWITCH3
          ┌──┴──┐   ┌──┴──┐
        HOST1 HOST2 HOST3 HOST4

    The same as Mininet's `tree`.

    Args:
        depth: how many levels of switches there are.
        fanout: how many nodes hang on each switch.

    >>> sorted(tree(depth=2, fanout=3).neighbors("SWITCH2"))
    ['HOST1', 'HOST2', 'HOST3', 'SWITCH1']
    """
    check_least("tree", 1, depth=depth, fanout=fanout)
    # 2 ** 17 is above the limit already; the numbers beyond could have more digits than memory holds.
    width, levels = min(fanout, MOST_LINKS + 1), min(depth, 17)
    check_links("tree", max(depth, sum(width**level for level in range(1, levels + 1))))
    graph = nx.balanced_tree(fanout, depth)
    switches = len(graph) - fanout**depth
    names = numbered("SWITCH", switches) + numbered("HOST", fanout**depth)
    graph = nx.relabel_nodes(graph, dict(enumerate(names)))
    graph.graph["name"] = "tree"
    graph.add_nodes_from(names[:switches], kind="switch")
    graph.add_nodes_from(names[switches:], kind="host")
    rest = iter(names)
    place_in_rows(graph, *([*islice(rest, fanout**level)] for level in range(depth + 1)))
    return graph
