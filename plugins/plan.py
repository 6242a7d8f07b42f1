"""`emu plan`: what would be built."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import planned, takes_topology

if TYPE_CHECKING:
    import networkx as nx

    from emu.planning.plan import NodePlan, Plan

#: A table of more rows is cut to so many, unless it is about some nodes only; and how many nodes are named.
_COMPLETE, _ROWS, _NAMED = 100, 20, 5
#: What settings are in a kernel that nobody has changed (Documentation/networking/ip-sysctl.rst), of both
#: families unless the name says of which.
_KERNEL = {
    "ip_forward": "0", "forwarding": "0", "ip_default_ttl": "64", "hop_limit": "64", "rp_filter": "0",
    "accept_redirects": "1", "send_redirects": "1", "secure_redirects": "1", "arp_ignore": "0",
    "arp_announce": "0", "arp_filter": "0", "proxy_arp": "0", "proxy_arp_pvlan": "0", "accept_local": "0",
    "route_localnet": "0", "ignore_routes_with_linkdown": "0", "promote_secondaries": "0",
    "bc_forwarding": "0", "fib_multipath_hash_policy": "0", "icmp_ratemask": "6168", "disable_ipv6": "0",
    "accept_dad": "1", "dad_transmits": "1", "accept_ra": "1", "use_tempaddr": "0", "addr_gen_mode": "0",
    "proxy_ndp": "0", "keep_addr_on_down": "0", "ipv4/ratelimit": "1000", "ipv6/ratelimit": "1000",
}  # fmt: skip


@click.command(short_help="Show what would be built.")
@takes_topology
@click.option("--json", "as_json", is_flag=True, help="The whole plan as JSON.")
@click.option("--as", "form", type=click.Choice(["ip"]), help="As the shell script that builds the same.")
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="This node only; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Every row of long tables, and every setting.")
def plan(
    graph: nx.Graph, as_json: bool, form: str | None, nodes: tuple[str, ...], everything: bool
) -> None:  # fmt: skip
    """Show the nodes, interfaces, segments, prefixes, addresses and routes that 'emu run' would build.

    And what links do to packets, where they do anything, and what is to happen by schedule or trace.

    Of a large network the tables show the first rows; --node and --all show the others.

    \b
    emu plan two_segment
    emu plan two_segment --as ip > two_segment.sh
    emu plan topohub:topozoo/Abilene --node Chicago
    emu plan two_segment --json | python3 -m json.tool
    """
    from emu.prompt.reader import print_notes

    found = planned(graph)
    if as_json and form:
        raise emu.UsageError("show a plan: --json or --as, not both")
    if as_json:
        click.echo(json.dumps(json.loads(found.to_json()), indent=2, ensure_ascii=False))
        return
    if form == "ip":
        from emu.script import script_for

        click.echo("\n".join(script_for(found, _features(found))))
        return
    print_notes(found)
    _show(found, nodes, everything)


def _features(plan: Plan) -> frozenset[str] | None:
    """Return what this kernel can do of what the links need; None where nothing is left out or replaced.

    A script may be meant for another machine: that links need more than this kernel has is said, no fault.
    """
    from emu.errors import EmuError
    from emu.kernel_parts import read_kernel
    from emu.netlink.features import find_features, names_in, unsupported
    from emu.netlink.queueing import needs_of
    from emu.prompt.session import print_error
    from emu.sandboxes.sandbox import create_sandbox

    if not (needs := needs_of(plan)):
        return None
    try:
        sandbox = create_sandbox(None, "plan")
    except EmuError:  # no network could be built here at all
        return None
    try:
        there = find_features(sandbox, names_in(needs))
    finally:
        sandbox.end()
    if plan.optional_shaping or not (lines := unsupported(needs, there, read_kernel())):
        return there
    print_error(f"the script is for another kernel: {'; '.join(lines)}")
    return None


def _show(plan: Plan, names: tuple[str, ...], everything: bool) -> None:
    from emu.errors import UsageError, suggestion

    known = {node.name: node for node in plan.nodes}
    for name in names:
        if name not in known:
            raise UsageError(f"show node {name!r}: there is none{suggestion(name, known)}")
    nodes = [known[name] for name in names] or list(plan.nodes)
    click.echo("\n".join(_summary(plan)))
    whole = everything or bool(names)
    _print_rows(*_interfaces(nodes), whole)
    if shapings := list(_shapings(nodes)):
        _print_rows(("FROM", "INTERFACE", "TO", "SHAPING"), iter(shapings), whole)
    if events := list(_events(plan, set(names))):
        _print_rows(("AT", "WHAT HAPPENS"), iter(events), whole)
    if limits := list(_limits(nodes)):
        _print_rows(("NODE", "CPU", "MEMORY", "PROCESSES"), iter(limits), whole)
    _print_rows(("NODE", "DESTINATION", "NEXT HOP", "THROUGH"), _route_rows(nodes), whole)
    which = "" if everything else " other than the kernel's own; --all shows every one"
    click.echo(f"\nSETTINGS{which}")
    click.echo("\n".join(_settings(nodes, everything)))


def _print_rows(columns: Sequence[str], rows: Iterator[tuple[str, ...]], whole: bool) -> None:
    """Print a table, or the first rows of one that is too long unless all of it is wanted."""
    from emu.tables import print_table

    shown = list(rows if whole else itertools.islice(rows, _COMPLETE + 1))
    cut = not whole and len(shown) > _COMPLETE
    click.echo()
    print_table(columns, shown[:_ROWS] if cut else shown)
    if cut:
        click.echo("… and more: --node NODE shows those of one node, --all shows all")


def _summary(plan: Plan) -> Iterator[str]:
    """Yield what there is of everything."""
    kinds = Counter(str(node.kind) for node in plan.nodes)
    parts = [_count(number, kind) for kind, number in kinds.items()]
    kinded = f"{_count(len(plan.nodes), 'node')} ({', '.join(parts)})" if len(parts) > 1 else parts[0]
    links, segments = _count(len(plan.links), "link"), _count(len(plan.segments), "segment")
    yield f"{plan.name}: {kinded}, {links}, {segments}"
    tables = [len(node.routes) for node in plan.nodes]
    families = " and ".join(f"IPv{family}" for family in plan.families)
    yield f"{families}; {_count(sum(tables), 'route')}, at most {max(tables):,} in a node"


def _count(number: int, noun: str) -> str:
    plural = {"switch": "switches"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"


def _interfaces(nodes: Sequence[NodePlan]) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    """Return the columns and rows of the table of interfaces: a row for each address, or for none."""
    columns = ("NODE", "KIND", "INTERFACE", "ADDRESS", "LINKED TO")
    rows = (
        (node.name, str(node.kind), *cells, node.label)
        for node in nodes for cells in _addresses(node) or [("", "", "")]
    )  # fmt: skip
    if any(node.label != node.name for node in nodes):
        return (*columns, "LABEL"), rows
    return columns, (row[:-1] for row in rows)


def _addresses(node: NodePlan) -> list[tuple[str, str, str]]:
    """Return interface, address and what it is linked to, for each address of a node."""
    found = [("lo", str(address), "") for address in node.loopback]
    for one in node.interfaces:
        neighbour, name = one.peer
        peer = name if name.startswith(f"{neighbour}-") else f"{neighbour} {name}"
        found += [(one.name, str(address), peer) for address in one.addresses or ("",)]
    return found


def _shapings(nodes: Sequence[NodePlan]) -> Iterator[tuple[str, ...]]:
    """Yield what happens to packets, by the interface that they leave through, where anything does."""
    from emu.shaping import describe

    for node in nodes:
        for one in node.interfaces:
            if one.shaping is not None:
                yield node.name, one.name, one.peer[0], describe(one.shaping)


def _events(plan: Plan, names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield when something happens, and what; with names, to these nodes or their links alone."""
    from emu.schedules.checking import links_of
    from emu.shaping.units import show_time

    for event in plan.schedule:
        ends = (end for number in links_of(event, plan) for end in plan.links[number].ends)
        if not names or names & {event.node, *(node for node, _ in ends)}:
            yield show_time(event.at), event.told()


def _limits(nodes: Sequence[NodePlan]) -> Iterator[tuple[str, ...]]:
    """Yield what the programs of a node may take together, where that is limited."""
    from emu.cgroups.values import show_memory

    for node in nodes:
        if node.inside is not None and node.inside.limits:
            given = node.inside.limits
            cpu, memory, processes = (given.get(key) for key in ("cpu", "memory", "processes"))
            shown = show_memory(int(memory)) if memory else ""
            yield node.name, f"{cpu:g}" if cpu else "", shown, str(processes or "")


def _route_rows(nodes: Sequence[NodePlan]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each next hop of each route."""
    for node in nodes:
        for route in node.routes:
            destination = str(route.destination or "default")
            for hop in route.next_hops:
                yield node.name, destination, str(hop.gateway), hop.interface
            if not route.next_hops:
                yield node.name, destination, "unreachable", ""


def _settings(nodes: Sequence[NodePlan], everything: bool) -> Iterator[str]:
    """Yield a line per setting and value, with the nodes that have it; 'all' when all have."""
    holders: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        for key, value in node.settings:
            if "/default/" in key or (not everything and value == _default(key)):
                continue  # its twin in conf/all stands for both
            name = key.replace("/", ".").replace("conf.all.", "conf.{all,default}.")
            holders.setdefault((name, value), []).append(node.name)
    for (key, value), names in holders.items():
        some = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        )
        yield f"{key}={value}  {'all' if len(names) == len(nodes) else some}"


def _default(key: str) -> str | None:
    """Return the value that the kernel itself gives a setting, None if it is not known."""
    _, family, *_, name = key.split("/")
    return _KERNEL.get(f"{family}/{name}", _KERNEL.get(name))


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(plan)
