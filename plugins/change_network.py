"""`add`, `remove` and `save`: change the network while it runs, and keep what it has become."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import emu

if TYPE_CHECKING:
    from emu.prompt.session import Session


class _Elements(click.Group):
    """A command that says of what: of a node or of a link."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words begin with."""
        from emu.errors import shown

        if args[0] not in self.commands and not args[0].startswith("-"):
            ways = " or ".join(f"'{ctx.info_name} {name} …'" for name in self.commands)
            raise emu.UsageError(f"{ctx.info_name} {shown(args[0])}: write {ways}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Elements)
def add() -> None:
    """Add a node or a link: add node NAME, add link A B.

    Addresses and routes follow; what exists keeps its names, numbers and addresses, and programs go on.

    \b
    emu> add node HOST3
    emu> add link HOST3 ROUTER prefix=203.0.113.0/24
    """


@add.command("node")
@click.argument("name")
@click.argument("attributes", nargs=-1, metavar="[ATTRIBUTE=VALUE]…")
@click.pass_obj
def add_node(session: Session, name: str, attributes: tuple[str, ...]) -> None:
    """Add a node. Without a kind it is a host, and stays one however many links it gets.

    \b
    emu> add node HOST3
    emu> add node SWITCH1 kind=switch
    """
    node = session.network.add_node(name, **_attributes("node", attributes))
    click.echo(f"added: {node.kind} {node.name}")


@add.command("link")
@click.argument("first")
@click.argument("second")
@click.argument("attributes", nargs=-1, metavar="[ATTRIBUTE=VALUE]…")
@click.pass_obj
def add_link(session: Session, first: str, second: str, attributes: tuple[str, ...]) -> None:
    """Add a link between two nodes, with the attributes that links have in a topology.

    \b
    emu> add node HOST3
    emu> add link HOST3 ROUTER prefix=203.0.113.0/24 weight=2
    """
    session.network.add_link(first, second, **_attributes("link", attributes))


@click.group(cls=_Elements)
def remove() -> None:
    """Remove a node or a link: remove node NAME, remove link A B.

    \b
    emu> remove link HOST1 ROUTER
    emu> remove node HOST1
    """


@remove.command("node")
@click.argument("name")
@click.pass_obj
def remove_node(session: Session, name: str) -> None:
    """Remove a node and its links; its programs are killed.

    \b
    emu> remove node HOST1
    """
    session.network.remove_node(name)


@remove.command("link")
@click.argument("first")
@click.argument("second", required=False)
@click.pass_obj
def remove_link(session: Session, first: str, second: str | None) -> None:
    """Remove the link between two nodes; of parallel ones, that of an interface.

    \b
    emu> remove link HOST1 ROUTER
    emu> remove link HOST2-veth0
    """
    session.network.remove_link(first, second)


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.pass_obj
def save(session: Session, path: Path) -> None:
    """Write the network as it is now to a .yaml or .json file, which emu run builds again.

    It holds nodes and links with their attributes, not what commands did in nodes, nor that links are down.

    \b
    emu> save lab.yaml
    """
    from emu.errors import listed
    from emu.reroute import out_of_use

    session.network.save(path)
    down = out_of_use(session.network)
    click.echo(f"written: {path}{f'; out of use here, but not in it: {listed(down)}' if down else ''}")


def _attributes(element: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Return the attributes that words such as `weight=2` give a node or a link."""
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise emu.UsageError(f"an attribute looks like label=web, not {name}")
    return {name: _value(element, name, text) for name, _, text in pairs}


def _value(element: str, name: str, text: str) -> str | float:
    """Return a value as its attribute takes it: a text, or else the number that it is."""
    from emu.graph.attributes import KNOWN

    with contextlib.suppress(ValueError, KeyError):
        KNOWN[element][name](text)
        return text
    with contextlib.suppress(ValueError):
        return float(text)
    return text


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (add, remove, save):
        register(command)
