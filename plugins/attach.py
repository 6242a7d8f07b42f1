"""`emu attach`, `emu exec` and `emu shell`: on a network that is running."""

from __future__ import annotations

import os
from typing import Any

import click

import emu
from emu.arguments import takes_lines


@click.command(short_help="Open a prompt on a running network.")
@click.argument("name")
@takes_lines
def attach(name: str, **lines: Any) -> int:
    """Open one more prompt on a running network; leaving it does not end the network.

    With -c, or with lines on standard input, those are run instead, as with 'emu run'.

    \b
    emu attach two_segment
    emu attach two_segment -c 'HOST1 ip address'
    """
    from emu.prompt.reader import converse
    from emu.running.network import Network

    with Network.attach(name) as network:
        return converse(network, **lines)


@click.command(
    "exec", short_help="Run a command in a node.", context_settings={"ignore_unknown_options": True}
)
@click.argument("name")
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, node: str, command: tuple[str, ...]) -> int:
    """Run COMMAND in a node of a running network, with this terminal, standard input and signals.

    The exit status is the command's.

    \b
    emu exec two_segment HOST1 ping -c 1 HOST2
    emu exec two_segment HOST1 bash
    tar c . | emu exec two_segment HOST2 tar x -C /tmp
    """
    from emu.processes.process import Process
    from emu.processes.terminal import run_attached
    from emu.sandboxes.sandbox import find_sandbox

    sandbox = find_sandbox(name)
    sandbox.check_node(node)
    return run_attached(lambda terminal: Process(sandbox, node, command, terminal=terminal))


@click.command(short_help="Open a shell in the sandbox of a network.")
@click.argument("name")
def shell(name: str) -> int:
    """Open a shell in the sandbox of a running network, outside of its nodes.

    'ip netns list' shows the nodes there, and 'ip netns exec HOST1 …' works.

    \b
    emu shell two_segment
    echo 'ip netns exec HOST1 ip route' | emu shell two_segment
    """
    from emu.processes.process import Process
    from emu.processes.terminal import run_attached
    from emu.sandboxes.sandbox import find_sandbox

    sandbox = find_sandbox(name)
    words = [os.environ.get("SHELL") or "sh"]
    return run_attached(lambda terminal: Process(sandbox, None, words, terminal=terminal))


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the commands."""
    for command in (attach, execute, shell):
        cli.add_command(command)
