"""`link` and `emu link`: what a link of a running network does to packets, and whether it carries any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.prompt.session import Session
    from emu.running.network import Network

_ACTIONS = ("set", "clear", "down", "up", "show")
_USAGE = "link HOST1 ROUTER set delay=50ms, link HOST1-veth0 down; and up, clear, show"


@click.command("link")
@click.argument("words", nargs=-1, metavar="NODE NODE set|clear|down|up|show [ATTRIBUTE=VALUE]…")
@click.pass_obj
def link(session: Session, words: tuple[str, ...]) -> None:
    """Change what a link does, at once and without losing what is on it, or show it.

    The link is that between two nodes, or that of an interface; 'show' shows all that two nodes have. 'set'
    has the attributes of links in a topology, 'none' takes one away; 'from=NODE' means the direction from
    that node alone. 'clear' takes all away. What waits in a queue is lost by 'down' only.

    \b
    emu> link HOST1 ROUTER set delay=50ms loss=1%
    emu> link HOST1 ROUTER set rate=1mbit from=HOST1
    emu> link HOST1-veth0 set loss=none
    emu> link HOST1 ROUTER down
    emu> link HOST1 ROUTER show
    """
    act(session.network, words)


@click.command("link", short_help="Change what a link of a running network does.")
@click.argument("name")
@click.argument(
    "words", nargs=-1, required=True, metavar="NODE NODE set|clear|down|up|show [ATTRIBUTE=VALUE]…"
)
def link_of_network(name: str, words: tuple[str, ...]) -> None:
    """Change what a link of a running network does, or show it, as the prompt's command 'link' does.

    \b
    emu link two_segment HOST1 ROUTER set delay=50ms loss=1%
    emu link two_segment HOST1-veth0 down
    emu link two_segment HOST1 ROUTER show
    """
    from emu.running.network import Network

    with Network.attach(name) as network:
        act(network, words)


def act(network: Network, words: Sequence[str]) -> None:
    """Do what the words of a command say.

    Raises:
        UsageError: they say nothing that can be done.
    """
    from emu.errors import suggestion

    place = next((number for number, word in enumerate(words[:3]) if number and word in _ACTIONS), None)
    if place is None:
        hint = next(filter(None, (suggestion(word, _ACTIONS) for word in words[1:3])), "")
        raise emu.UsageError(f"change a link: name one and what to do: {_USAGE}{hint}")
    names, action, rest = words[:place], words[place], words[place + 1 :]
    takes = {"set": "", "clear": "from="}.get(action)
    if surplus := [word for word in rest if takes is None or not word.startswith(takes)]:
        known = "nothing" if takes is None else "from=NODE alone"
        raise emu.UsageError(f"link {action}: it takes {known}, not {surplus[0]}")
    pairs = [word.partition("=") for word in rest]
    if strange := [number for number, (name, equals, _) in enumerate(pairs) if not equals or not name]:
        raise emu.UsageError(f"link {action}: {_no_attribute(rest, strange[0])}")
    values = {name: value for name, _, value in pairs}
    source = values.pop("from", None)
    if action == "set" and not values:
        raise emu.UsageError("link set: it takes attributes, such as delay=50ms")
    if empty := next((name for name, value in values.items() if not value), None):
        raise emu.UsageError(f"link set: {empty}= has no value; {empty}=none takes it away")
    if source is not None:
        source = network[source].name
    if action == "show":
        show(network, names)
        return
    chosen = network.link(*names)
    if action == "set":
        chosen.set(source, **values)
    elif action == "clear":
        chosen.clear(source)
    else:
        {"down": chosen.down, "up": chosen.up}[action]()


def _no_attribute(words: Sequence[str], number: int) -> str:
    """Return what to say of a word that is no `name=value`."""
    from emu.shaping.attributes import PARSERS

    word = words[number]
    if word in PARSERS:
        return f"{word} has no value; write {word}=…"
    fault = f"{word} is no attribute, which looks like delay=50ms"
    if not number:
        return fault
    name, _, value = words[number - 1].partition("=")
    return f"{fault}; a value of several words has quotes around it, {name}='{value} {word}'"


def show(network: Network, names: Sequence[str]) -> None:
    """Print what either direction does of all links between two nodes, or of that of an interface.

    Raises:
        UsageError: there is none.
    """
    from emu.finding import link_numbers
    from emu.link_control.states import told
    from emu.tables import print_table

    network.refresh()
    first, second = names if len(names) == 2 else (names[0], None)
    found = link_numbers(network.plan, first, second, f"link {'--'.join(names)}")
    links = [network.plan.links[number] for number in found]
    print_table(["FROM", "TO", "STATE", "DOES TO PACKETS"], list(told(network, links)))


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(link)


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(link_of_network)
