"""`iperf`: how much two nodes can send each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

import emu
from emu.arguments import Seconds, takes_family

if TYPE_CHECKING:
    from emu.prompt.session import Session
    from emu.traffic import Stream, Traffic


@click.command()
@click.argument("names", nargs=-1, metavar="[NODE NODE]")
@click.option(
    "-t", "--time", "seconds", type=Seconds(), default=5.0,
    metavar="SECONDS", help="For how long; default 5.",
)  # fmt: skip
@click.option("-u", "--udp", is_flag=True, help="UDP packets instead of TCP.")
@click.option("-b", "--rate", metavar="RATE", help="As much each stream, such as 10mbit; with UDP 1mbit.")
@click.option("-P", "--streams", type=click.IntRange(1, 128), default=1, metavar="N", help="N at once.")
@click.option("-R", "--reverse", is_flag=True, help="From the second node to the first.")
@takes_family
@click.option("--tool", type=click.Choice(["iperf3", "emu"]), help="Default iperf3 where it is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def iperf(session: Session, /, names: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Send from one node to another, the first and the last host where none are named, and tell what arrived.

    GOODPUT is payload that arrived. Where iperf3 is not installed emu measures by itself, and says so.

    \b
    emu> iperf HOST1 HOST2
    emu> iperf HOST1 HOST2 --udp --rate 20mbit -t 2
    emu> iperf --json
    """
    import json

    done = session.network.iperf(*_pair(session, names), **options)
    if as_json:
        click.echo(json.dumps(done.to_dict()))
    else:
        _show(done)
    return 0 if done.bytes else 1


def _pair(session: Session, names: tuple[str, ...]) -> tuple[str, str]:
    from emu.errors import UsageError

    if len(names) == 2:
        return names[0], names[1]
    hosts = [node.name for node in session.network if node.kind == "host"]
    if names or len(hosts) < 2:
        raise UsageError("iperf: name two nodes, such as 'iperf HOST1 HOST2'")
    return hosts[0], hosts[-1]


def _show(done: Traffic) -> None:
    from emu.tables import print_table

    columns = ["FROM", "TO", "TIME", "ARRIVED", "GOODPUT"]
    columns += ["RETRANSMITS"] if done.protocol == "tcp" else ["LOST", "JITTER"]
    rows = [
        [done.source, done.target, *_cells(one, done.protocol)]
        for one in (done.streams if len(done.streams) > 1 else ())
    ]  # fmt: skip
    name = "all" if rows else done.source
    rows.append([name, "" if rows else done.target, *_cells(done, done.protocol)])
    print_table(columns, rows)
    if done.overflow:
        click.echo(f"{done.overflow} of the lost packets had arrived, too many for the receiving program")
    by = "iperf3" if done.tool == "iperf3" else "emu itself (iperf3 is used where it is installed)"
    click.echo(f"{done.protocol.upper()} over IPv{done.family}, measured by {by}")


def _cells(one: Stream | Traffic, protocol: str) -> list[str]:
    """Return the figures of a stream, or of all."""
    from emu.counting.counter_table import bytes_text, rate_text

    row = [f"{one.seconds:.2f} s", bytes_text(one.bytes), rate_text(one.rate)]
    if protocol == "tcp":
        return [*row, "-" if one.retransmits is None else str(one.retransmits)]
    jitter = "-" if one.jitter is None else f"{1000 * one.jitter:.3f} ms"
    return [*row, f"{one.lost}/{one.packets}", jitter]


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(iperf)
