"""The `emu` command line. Its verbs are plugins: see `emu.plugins`."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .. import __version__
from ..errors import EmuError
from ..hooks.plugin_manager import default_plugins
from .leaving import leaving_on_signals


class Group(click.Group):
    """Commands in the order in which they are used, unknown ones with the nearest known."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with."""
        from ..errors import suggestion

        if args and not args[0].startswith("-") and args[0] not in self.commands:
            hint = suggestion(args[0], self.commands)
            raise click.UsageError(f"no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group("emu", cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="emu")
def cli() -> None:
    """Turn a graph into a running network of Linux network namespaces.

    \b
    emu run two_segment                                  build it; then the prompt
    emu run two_segment -c 'HOST1 ping -c 1 HOST2'       for scripts
    emu plan two_segment                                 what would be built
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, or the status of what went wrong."""
    # Loading modules and planning leave no garbage behind that is worth looking for.
    gc.disable()
    try:
        with leaving_on_signals():
            status = _run(sys.argv[1:] if arguments is None else list(arguments))
            if sys.stdout is not None:  # it is None where it is closed
                sys.stdout.flush()
    except EmuError as error:
        _print_error(str(error))
        status = error.exit_status
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        how = context.command_path if context else "emu"
        _print_error(f"{error.format_message().rstrip('.')}; '{how} --help' tells how it is used")
        status = error.exit_code
    except MemoryError:
        _print_error("there is too little memory; end other programs, raise the limit, or make it smaller")
        status = 71  # EX_OSERR of sysexits.h, as of LimitError
    except (KeyboardInterrupt, click.Abort):
        status = 128 + signal.SIGINT
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 128 + signal.SIGPIPE
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    plugins = default_plugins()
    for problem in plugins.problems:
        _print_error(problem)
    plugins.report = _print_error
    group = plugins.cli_group(cli)
    return int(group.main(arguments or ["--help"], prog_name="emu", standalone_mode=False) or 0)


def _print_error(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"emu: {text}\n")
