"""`emu plugins`: what is loaded, and from where."""

from __future__ import annotations

import click

import emu


@click.command("plugins", short_help="List the loaded plugins and their hooks.")
def plugins() -> None:
    """List the loaded plugins: where each comes from and which hooks it implements.

    \b
    emu plugins
    """
    from emu.hooks.plugin_manager import default_plugins
    from emu.tables import print_table

    print_table(["PLUGIN", "HOOKS", "FILE"], default_plugins().loaded())


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(plugins)
