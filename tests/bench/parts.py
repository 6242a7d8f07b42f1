"""What the benchmark has, part by part, and running it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from .apart import Namespaces
from .tables import Table, machine, machine_line

#: Part → what it is, in the order in which they run. The module of that name has a function `tables`.
PARTS = {
    "build": "a line of 100 to 4,000 nodes: build, end, memory; beside a C program, Mininet, `ip -batch`",
    "routes": "249,500 routes, beside the same in C",
    "large": "10,000 nodes: a line, and a grid of routers",
    "world": "topohub:backbone/world, 3,815 routers: planning, building, pingall",
    "planning": "planning of lines, grids and random graphs, and how it grows",
    "links": "a line whose links are all shaped, changes of running links, what a link carries",
    "reaching": "pingall on one switch, beside Mininet's",
    "nodes": "a program in a node, and how soon IPv6 answers",
    "founding": "two hosts and a router, beside Mininet and a shell script; commands that build nothing",
}


@dataclass(frozen=True)
class Effort:
    """How much to do: `quick` is a small run, which shows that everything works and measures little."""

    quick: bool = False

    @property
    def rounds(self) -> int:
        """How often everything is measured."""
        return 1 if self.quick else 5

    def of(self, usual: int, quick: int) -> int:
        """Return a size: the usual one, or the quick run's."""
        return quick if self.quick else usual


def run(names: list[str], *, quick: bool, as_json: bool) -> None:
    """Run the parts, all of them without `names`, and print each table when it is there."""
    namespaces, effort = Namespaces(), Effort(quick)
    found = []
    if not as_json:
        print(f"{machine_line()}\n", flush=True)
    for name in names or PARTS:
        for table in tables_of(name, effort, namespaces):
            found.append(table.data())
            if not as_json:
                print(table.markdown(), flush=True)
    if as_json:
        json.dump({"machine": machine(), "tables": found}, sys.stdout, indent=1)
        print()


def tables_of(name: str, effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield the tables of one part."""
    yield from import_module(f".{name}", __package__).tables(effort, namespaces)
