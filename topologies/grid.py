"""Routers in rows and columns."""

import networkx as nx

import emu
from emu.topologies import check_least, check_links, routed


@emu.topology
def grid(rows: int = 3, columns: int = 3, hosts: bool = True) -> nx.Graph:
    """Routers in rows and columns, each linked to those beside it.

        ROUTER1-1 ── ROUTER1-2 ── ROUTER1-3
            │            │            │
        ROUTER2-1 ── ROUTER2-2 ── ROUTER2-3
            │            │            │
        ROUTER3-1 ── ROUTER3-2 ── ROUTER3-3

    Args:
        rows: how many rows there are.
        columns: how many routers each row has.
        hosts: whether each router has a host, on a segment of its own: HOST1-2 is at ROUTER1-2.

    >>> sorted(grid().neighbors("ROUTER1-2"))
    ['HOST1-2', 'ROUTER1-1', 'ROUTER1-3', 'ROUTER2-2']
    """
    check_least("grid", 1, rows=rows, columns=columns)
    return _lattice("grid", rows, columns, hosts, periodic=False)


@emu.topology
def torus(rows: int = 3, columns: int = 3, hosts: bool = True) -> nx.Graph:
    """A grid whose rows and columns are rings: every router has four beside it.

    Args:
        rows: how many rows there are.
        columns: how many routers each row has.
        hosts: whether each router has a host, on a segment of its own: HOST1-2 is at ROUTER1-2.

    >>> sorted(torus(rows=4, columns=4, hosts=False).neighbors("ROUTER1-1"))
    ['ROUTER1-2', 'ROUTER1-4', 'ROUTER2-1', 'ROUTER4-1']
    """
    check_least("torus", 3, rows=rows, columns=columns)
    return _lattice("torus", rows, columns, hosts, periodic=True)


def _lattice(name: str, rows: int, columns: int, hosts: bool, periodic: bool) -> nx.Graph:
    check_links(name, 3 * rows * columns)
    lattice = nx.grid_2d_graph(range(1, rows + 1), range(1, columns + 1), periodic)
    names = {(row, column): f"ROUTER{row}-{column}" for row, column in lattice}
    return routed(nx.relabel_nodes(lattice, names), name, hosts)
