"""`emu plan`: what would be built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import takes_topology

if TYPE_CHECKING:
    import networkx as nx

    from emu.plan import NodePlan, Plan


@click.command(short_help="Show what would be built.")
@takes_topology
@click.option("--json", "as_json", is_flag=True, help="The whole plan as JSON.")
@click.option("--as", "form", type=click.Choice(["ip"]), help="As the shell script that builds the same.")
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="This node only; may be repeated.")
def plan(graph: nx.Graph, as_json: bool, form: str | None, nodes: tuple[str, ...]) -> None:
    """Show the nodes, interfaces, segments, prefixes, addresses and routes that 'emu run' would build.

    \b
    emu plan two_segment
    emu plan two_segment --as ip > two_segment.sh
    emu plan two_segment --json | python3 -m json.tool
    """
    from emu.prompt.reader import print_notes

    found = emu.plan_for(graph)
    if as_json and form:
        raise emu.UsageError("show a plan: --json or --as, not both")
    if as_json:
        click.echo(json.dumps(json.loads(found.to_json()), indent=2, ensure_ascii=False))
        return
    if form == "ip":
        from emu.script import script_for

        click.echo("\n".join(script_for(found)))
        return
    print_notes(found)
    _show(found, nodes)


def _show(plan: Plan, names: tuple[str, ...]) -> None:
    from emu.errors import UsageError, suggestion
    from emu.tables import print_table

    known = {node.name: node for node in plan.nodes}
    for name in names:
        if name not in known:
            raise UsageError(f"show node {name!r}: there is none{suggestion(name, known)}")
    nodes = [known[name] for name in names] or list(plan.nodes)
    counts = f"{len(plan.nodes)} nodes, {len(plan.links)} links, {len(plan.segments)} segments"
    click.echo(f"{plan.name}: {counts}, {sum(len(node.routes) for node in plan.nodes)} routes\n")
    segments = {end: segment.prefixes for segment in plan.segments for end in segment.interfaces}
    print_table(
        ["NODE", "KIND", "INTERFACE", "ADDRESS", "PREFIX", "LINKED TO"],
        [
            (
                node.name, node.kind, one.name, " ".join(str(address.ip) for address in one.addresses),
                " ".join(map(str, segments.get((node.name, one.name), ()))), one.peer[1],
            )
            for node in nodes for one in node.interfaces
        ] + [(node.name, node.kind, "", "", "", "") for node in nodes if not node.interfaces],
    )  # fmt: skip
    _show_shapings(nodes)
    click.echo()
    print_table(
        ["NODE", "DESTINATION", "NEXT HOP", "THROUGH"],
        [
            (node.name, route.destination or "default", *hop)
            for node in nodes for route in node.routes
            for hop in [(str(hop.gateway), hop.interface) for hop in route.next_hops] or [("unreachable", "")]
        ],
    )  # fmt: skip
    click.echo("\nSETTINGS")
    click.echo("\n".join(_settings(nodes)))


def _show_shapings(nodes: list[NodePlan]) -> None:
    """Print what happens to packets, by the interface that they leave through, where anything does."""
    from emu.shaping import describe
    from emu.tables import print_table

    shaped = [
        (node.name, one.name, one.peer[1], describe(one.shaping))
        for node in nodes for one in node.interfaces if one.shaping is not None
    ]  # fmt: skip
    if shaped:
        click.echo()
        print_table(["FROM", "INTERFACE", "TO", "SHAPING"], shaped)


def _settings(nodes: list[NodePlan]) -> list[str]:
    """Return a line per setting and value, with the nodes that have it; 'all' when all have."""
    holders: dict[str, dict[str, list[str]]] = {}
    for node in nodes:
        for key, value in node.settings:
            name = key.replace("/", ".").replace("conf.all.", "conf.{all,default}.")
            if "/default/" not in key:  # its twin in conf/all stands for both
                holders.setdefault(name, {}).setdefault(value, []).append(node.name)
    lines = []
    for key, values in holders.items():
        for value, names in sorted(values.items(), reverse=True):
            shown = (
                "all" if len(names) == len(nodes) else ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
            )
            lines.append(f"{key}={value}  {shown}")
    return lines


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(plan)
