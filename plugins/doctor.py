"""`emu doctor`: what emu needs from this machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    import networkx as nx

    from emu.machine import Finding
    from emu.running.network import Network


@click.command(short_help="Check what emu needs from this machine.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object per line.")
def doctor(as_json: bool) -> int:
    """Check what emu needs from this machine: what is there, what it costs to lack it, how to get it.

    Nearly everything is really tried, in namespaces that end at once. The exit status is 0 when all
    that is required is there, else 1.

    \b
    emu doctor
    emu doctor --json
    """
    findings = list(examine())
    fit = all(one.found for one in findings if one.required)
    if as_json:
        click.echo("\n".join(json.dumps(dataclasses.asdict(one), ensure_ascii=False) for one in findings))
        return 0 if fit else 1
    _show(findings)
    click.echo(f"\nemu can build networks here: {'yes' if fit else 'no'}")
    return 0 if fit else 1


def examine() -> Iterator[Finding]:
    """Yield what was found, in the order in which one thing rests on another."""
    from emu import machine

    yield from machine.find_kernel()
    namespaces = list(machine.find_namespaces())
    yield from namespaces
    made = all(one.found for one in namespaces if one.required)
    yield from machine.find_settings(made)
    yield from machine.find_subordinates()
    yield from machine.find_limits()
    yield from machine.find_groups()
    yield from machine.find_folder()
    yield from _find_networking(made)
    yield from machine.find_programs()


def _find_networking(possible: bool) -> Iterator[Finding]:
    """Yield what the kernel can do for links, and whether a small network works."""
    from emu import machine
    from emu.kernel_parts import read_kernel

    there, refusal = _try_features() if possible else (None, "")
    yield from machine.find_link_features(there, read_kernel())
    if possible:
        refusal = refusal or _refusal_of_network()
    state = "built; all reach each other" if possible else "not tried, for lack of namespaces"
    cure = "see what else is missing; if nothing is, report it as a bug of emu"
    found = not refusal if possible else None
    yield machine.Finding("a small network", True, found, refusal or state, "no network", cure)


def _try_features() -> tuple[frozenset[str] | None, str]:
    """Return what the kernel can do for links, or None and why that cannot be told."""
    from emu.errors import EmuError
    from emu.netlink.features import find_features
    from emu.sandboxes.sandbox import create_sandbox

    try:
        sandbox = create_sandbox(None, "doctor")
        try:
            return find_features(sandbox), ""
        finally:
            sandbox.end()
    except (EmuError, OSError) as error:
        return None, str(error)


def _refusal_of_network() -> str:
    """Return why a network with a host, a switch, a router and long names does not work, or nothing."""
    import networkx as nx

    from emu.errors import EmuError

    graph: nx.Graph = nx.Graph(name="doctor")
    graph.add_node("SWITCH", kind="switch")
    graph.add_node("ROUTER-with-a-long-name", kind="router")
    nx.add_path(graph, ["HOST1", "SWITCH", "ROUTER-with-a-long-name", "HOST2"])
    try:
        with _network(graph) as network:
            results = network.ping_all()
            if results.ok:
                return ""
            source, target, family, reason = results.unreachable[0]
            return f"built, but {source} did not reach {target} over IPv{family}: {reason}"
    except (EmuError, OSError) as error:
        return str(error)


def _network(graph: nx.Graph) -> Network:
    """Return a network that no other plugin has to do with, of the families that this kernel has."""
    from emu.hooks.plugin_manager import PluginManager
    from emu.running.network import Network
    from emu.sandboxes.privileges import kernel_has_ipv6

    families = (4, 6) if kernel_has_ipv6() else (4,)
    return Network(graph, families=families, plugins=PluginManager())


def _show(findings: list[Finding]) -> None:
    from emu.machine import LINKS
    from emu.tables import print_table

    rows = sorted(findings, key=lambda one: not one.required)
    print_table(
        ["WHAT", "NEED", "STATE", "WITHOUT IT"],
        [
            (one.what, "required" if one.required else "optional", _state(one), one.without)
            for one in rows if one.topic != LINKS
        ],
    )  # fmt: skip
    features = [(one.what, _state(one), one.without) for one in findings if one.topic == LINKS]
    if features:
        click.echo("\nWhat this kernel can do for links:")
        print_table(["KIND", "STATE", "WITHOUT IT"], features)
    cures: dict[str, list[str]] = {}
    for one in rows:
        if one.found is False:
            cures.setdefault(one.cure, []).append(one.what)
    if cures:
        click.echo("\nTo get what is missing:")
    for cure, things in cures.items():
        click.echo(f"- {', '.join(things)}: {cure}")


def _state(finding: Finding) -> str:
    return f"MISSING: {finding.state}" if finding.found is False else finding.state


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(doctor)
