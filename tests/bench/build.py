"""Build and end of a line, time and memory, against what else can build it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .contenders import Built, Contender, build, emu_line, floor_line, ip_line, mininet_line
from .tables import Figure, Table, median, ratio

if TYPE_CHECKING:
    from .apart import Namespaces
    from .parts import Effort

#: How many nodes, and up to how many of them each contender takes part.
SIZES = (100, 400, 1000, 4000)
_LARGEST = {mininet_line: 400, ip_line: 1000}

Runs = dict[tuple[str, int], list[Built]]


def tables(effort: Effort, namespaces: Namespaces) -> Iterator[Table]:
    """Yield what building, ending and holding a network costs."""
    sizes = (20, 40) if effort.quick else SIZES
    contenders = [
        (nodes, make(nodes)) for nodes in sizes for make in (emu_line, floor_line, ip_line, mininet_line)
        if nodes <= _LARGEST.get(make, nodes)
    ]  # fmt: skip
    present = [(nodes, one) for nodes, one in contenders if one.missing is None]
    for _, contender in present[:4]:
        build(contender, namespaces)  # from now on it is in the page cache
    runs: Runs = {(one.name, nodes): [] for nodes, one in present}
    for _ in range(effort.rounds):
        for nodes, contender in present:
            runs[contender.name, nodes].append(build(contender, namespaces))
    out = _left_out(contenders)
    yield _times("Build a line", "total", runs, effort, [
        "emu: planning and building, without the interpreter's start and imports. "
        "A line of routers with a host at each; IPv4 only; addresses, forwarding, default routes of hosts.",
        *out,
    ])  # fmt: skip
    yield _times("End it", "end", runs, effort, [
        "From the word to end until the kernel has freed the last network namespace: until one more than "
        "before may be made under `user.max_net_namespaces`, which `cleanup_net` gives back last of all."
    ])  # fmt: skip
    yield _phases(runs, sizes)
    yield _memory(runs, sizes)


def _left_out(contenders: list[tuple[int, Contender]]) -> list[str]:
    missing = {one.name: one.missing for _, one in contenders if one.missing}
    return [f"{name}: left out, {why}." for name, why in missing.items()]


def _seconds(runs: list[Built], what: str) -> list[float]:
    return [one.end if what == "end" else one.seconds[what] for one in runs]


def _times(title: str, what: str, runs: Runs, effort: Effort, notes: list[str]) -> Table:
    """Return a table of one time of each contender at each size, and emu's ratio to it."""
    table = Table(f"{title} (median of {effort.rounds})", [
        ("nodes", ""), ("", ""), ("median", "ms"), ("least", "ms"), ("most", "ms"), ("per node", "ms"),
        ("emu / this, in pairs", ""),
    ], notes=notes)  # fmt: skip
    for (name, nodes), built in sorted(runs.items(), key=lambda item: item[0][1]):
        times, ours = _seconds(built, what), _seconds(runs["emu", nodes], what)
        spread = median(times), min(times), max(times)
        table.rows.append([nodes, name, *spread, median(times) / nodes, ratio(ours, times)])
    table.notes += _across_sizes(what, runs)
    return table


def _across_sizes(what: str, runs: Runs) -> Iterator[str]:
    """Yield what the time per node at one size is to that at another."""
    sizes = sorted({nodes for _, nodes in runs})
    large, largest = sizes[-2:]

    def per_node(name: str, nodes: int) -> list[float]:
        return [seconds / nodes for seconds in _seconds(runs[name, nodes], what)]

    for name in ("emu", "floor in C"):
        if (name, largest) in runs:
            growth = ratio(per_node(name, largest), per_node(name, large))
            yield f"Time per node at {largest:,} nodes against {large:,}, {name}: {growth:.2f} times."
    mininet = [nodes for name, nodes in runs if name == "Mininet"]
    if mininet:
        times = ratio(per_node("Mininet", max(mininet)), per_node("emu", large))
        yield f"Mininet's time per node at {max(mininet)} nodes is {times:.1f} times emu's at {large:,}."


def _phases(runs: Runs, sizes: tuple[int, ...]) -> Table:
    """Return what the time of building goes into, for emu and the floor."""
    phases = [phase for phase in runs["emu", sizes[0]][0].seconds if phase not in ("plan", "total")]
    table = Table("What it goes into", [
        ("nodes", ""), ("", ""), *((phase, "ms") for phase in (*phases, "total"))
    ], notes=["The floor sets interfaces up, and adds default routes, along with addresses."])  # fmt: skip
    for (name, nodes), built in sorted(runs.items(), key=lambda item: item[0][1]):
        if name in ("emu", "floor in C"):
            table.rows.append([nodes, name, *(_phase(built, phase) for phase in (*phases, "total"))])
    return table


def _phase(built: list[Built], phase: str) -> Figure:
    return median(one.seconds[phase] for one in built) if phase in built[0].seconds else None


def _memory(runs: Runs, sizes: tuple[int, ...]) -> Table:
    """Return the memory that a running network takes."""
    table = Table("Memory", [
        ("nodes", ""), ("", ""), ("processes, all together", "MB"), ("kernel, per node", "kB"),
        ("emu / this, kernel", ""),
    ], notes=[
        "Processes: proportional set sizes, of emu its program (with networkx and numpy) and its keeper. "
        "Kernel: what is neither free, nor page cache, nor processes' own memory, less the same before."
    ])  # fmt: skip
    for (name, nodes), built in sorted(runs.items(), key=lambda item: item[0][1]):
        if nodes == sizes[-1] or name == "Mininet":
            kernel = [one.kernel_memory for one in built]
            ours = [one.kernel_memory for one in runs["emu", nodes]]
            user = round(median(one.user_memory for one in built))
            compared = ratio(ours, kernel) if min(kernel) > 0 else None  # few nodes drown in the rest
            table.rows.append([nodes, name, user, median(kernel) / nodes, compared])
    return table
