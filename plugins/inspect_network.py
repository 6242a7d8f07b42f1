"""Prompt commands that show the network. Addresses and routes are the kernel's own, not the plan's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import Seconds

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
@click.argument("names", nargs=-1, metavar="[NODE]…")
@click.option("-s", "--statistics", is_flag=True, help="Show what each direction has counted.")
@click.option(
    "-i", "--watch", type=Seconds(), metavar="SECONDS",
    help="Show that again every so often, with the rate, until Ctrl-C.",
)  # fmt: skip
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="With --watch: N times.")
@click.pass_obj
def links(
    session: Session, names: tuple[str, ...], statistics: bool, watch: float | None, count: int | None
) -> None:
    """Show the links of all nodes or of some, and whether both ends are up; or what they count.

    Where anything is set on a link, a column tells what it does to packets. A link whose directions differ
    has a line for each.

    Drops are of all kinds: for want of room in a queue, as loss that the link is to have, and at an end that
    is down. MARKS are packets that were marked instead (ECN). QUEUE is what waits now.

    \b
    emu> links
    emu> links -s
    emu> links -s -i 1
    """
    if statistics or watch is not None or count is not None:
        _show_counters(session, names, watch, count)
    else:
        _show_states(session, names)


def _show_counters(session: Session, names: tuple[str, ...], watch: float | None, count: int | None) -> None:
    from emu.counting.counter_table import show_counters, watch_counters

    chosen = [node.name for node in session.nodes(names)]
    if watch is None and count is None:
        show_counters(session.network.counters(chosen))
    else:
        watch_counters(lambda: session.network.counters(chosen), watch or 1.0, count)


def _show_states(session: Session, names: tuple[str, ...]) -> None:
    from emu.link_control.states import done_by
    from emu.netlink.present import read_states
    from emu.tables import print_table

    chosen = {node.name for node in session.nodes(names)}
    shown = [
        link.ends for link in session.network.plan.links
        if not chosen.isdisjoint(node for node, _ in link.ends)
    ]  # fmt: skip
    ends = dict.fromkeys(node for link in shown for node, _ in link)
    states = {
        (node, one.name): one.up and one.carrier
        for node, state in read_states(session.network.sandbox, list(ends), ()).items()
        for one in state.links.values()
    }
    rows: list[tuple[str, str, str, str]] = []
    for a, b in shown:
        up = "up" if states.get(a) and states.get(b) else "down"
        there, back = (done_by(session.network, end, defaults=False) for end in (a, b))
        rows.append((a[1], b[1], up, there))
        if there != back:
            rows.append((b[1], a[1], up, back))
    columns = ["FROM", "TO", "STATE", "DOES TO PACKETS"]
    width = 4 if any(row[-1] for row in rows) else 3
    print_table(columns[:width], [row[:width] for row in rows])


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
            (node.name, route.destination, *way, route.protocol)
            for node in session.nodes(names) for route in node.read_routes() for way in route.ways
        ],
    )  # fmt: skip


@click.command()
@click.pass_context
def dump(context: click.Context) -> None:
    """Show everything: nodes, links, addresses and routes.

    \b
    emu> dump
    """
    from emu.tables import one_page, show

    with one_page():
        for command in (nodes, links, addresses, routes):
            show("" if command is nodes else "\n")
            context.invoke(command)


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (nodes, links, interfaces, addresses, routes, dump):
        register(command)
