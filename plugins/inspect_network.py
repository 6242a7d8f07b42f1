"""Prompt commands that show the network. Addresses and routes are the kernel's own, not the plan's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.netlink.dumps import InterfaceState
    from emu.prompt.session import Session


@click.command()
@click.pass_obj
def nodes(session: Session) -> None:
    """Show the nodes and their kinds.

    \b
    emu> nodes
    """
    from emu.tables import print_table

    print_table(
        ["NODE", "KIND", "INTERFACES", "LABEL"],
        [
            (node.name, node.kind, len(node.interfaces), "" if node.label == node.name else node.label)
            for node in session.network
        ],
    )  # fmt: skip


@click.command()
@click.pass_obj
def links(session: Session) -> None:
    """Show the links, and whether both ends are up.

    \b
    emu> links
    """
    from emu.tables import print_table

    states = {
        (node.name, one.name): one.up and one.carrier
        for node in session.network
        for one in node.read_interfaces()
    }
    print_table(
        ["FROM", "TO", "STATE"],
        [
            (a[1], b[1], "up" if states.get(a) and states.get(b) else "down")
            for a, b in (link.ends for link in session.network.plan.links)
        ],
    )  # fmt: skip


@click.command()
@click.argument("names", nargs=-1, metavar="[NODE]…")
@click.pass_obj
def interfaces(session: Session, names: tuple[str, ...]) -> None:
    """Show interfaces as the kernel has them, of all nodes or of some.

    \b
    emu> interfaces HOST1
    """
    from emu.tables import print_table

    print_table(
        ["NODE", "INTERFACE", "STATE", "MTU", "MAC", "OTHER NAMES"],
        [
            (
                node.name, one.name, _state(one),
                one.mtu, one.mac, " ".join(one.altnames),
            )
            for node in session.nodes(names) for one in node.read_interfaces()
        ],
    )  # fmt: skip


def _state(interface: InterfaceState) -> str:
    if not interface.up:
        return "down"
    return (interface.port or "up") if interface.carrier else "no carrier"


@click.command()
@click.argument("names", nargs=-1, metavar="[NODE]…")
@click.pass_obj
def addresses(session: Session, names: tuple[str, ...]) -> None:
    """Show addresses as the kernel has them, of all nodes or of some.

    \b
    emu> addresses HOST1
    """
    from emu.tables import print_table

    print_table(
        ["NODE", "INTERFACE", "ADDRESS", "SCOPE"],
        [
            (node.name, one.interface, one.address, one.scope)
            for node in session.nodes(names) for one in node.read_addresses() if one.scope != "host"
        ],
    )  # fmt: skip


@click.command()
@click.argument("names", nargs=-1, metavar="[NODE]…")
@click.pass_obj
def routes(session: Session, names: tuple[str, ...]) -> None:
    """Show routes as the kernel has them, of all nodes or of some.

    \b
    emu> routes ROUTER
    """
    from emu.tables import print_table

    print_table(
        ["NODE", "DESTINATION", "NEXT HOP", "THROUGH", "BY"],
        [
            (node.name, route.destination, gateway or "on the link", interface, route.protocol)
            for node in session.nodes(names) for route in node.read_routes()
            for interface, gateway in route.next_hops or [("", "unreachable")]
        ],
    )  # fmt: skip


@click.command()
@click.pass_context
def dump(context: click.Context) -> None:
    """Show everything: nodes, links, addresses and routes.

    \b
    emu> dump
    """
    for command in (nodes, links):
        context.invoke(command)
        click.echo()
    context.invoke(addresses, names=())
    click.echo()
    context.invoke(routes, names=())


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (nodes, links, interfaces, addresses, routes, dump):
        register(command)
