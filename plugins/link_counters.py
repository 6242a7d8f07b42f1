"""What links count: the table of `links -s`, and `counters`, which writes it to a file."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.counting.counter_log import CounterLog
    from emu.prompt.session import Session

#: What each session's logs are, by the file that they write.
_logs: weakref.WeakKeyDictionary[Session, dict[Path, CounterLog]] = weakref.WeakKeyDictionary()


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-i", "--interval", type=click.FloatRange(min=0, min_open=True, max=86_400), default=1.0,
    metavar="SECONDS", help="From one sample to the next; default 1.",
)  # fmt: skip
@click.option("--stop", is_flag=True, help="Stop writing to FILE, or to all files.")
@click.pass_obj
def counters(session: Session, file: Path | None, interval: float, stop: bool) -> int:
    """Write what all links count to a CSV file, in the background, until told to stop.

    A row is one direction of a link at one time; the column `time` is in seconds since the start. What
    FILE held is lost. Without FILE it tells what is being written. All ends with the prompt.

    \b
    emu> counters traffic.csv --interval 0.1
    emu> counters --stop
    """
    running = _logs.setdefault(session, {})
    for path in [path for path, log in running.items() if not log.running]:
        del running[path]
    if stop:
        return _stop(running, file)
    if file is None:
        click.echo("\n".join(map(str, running)) or "no counters are being written")
        return 0
    _start(session, running, file, interval)
    return 0


def _start(session: Session, running: dict[Path, CounterLog], file: Path, interval: float) -> None:
    from emu.errors import UsageError
    from emu.prompt.session import print_error

    if file in running:
        raise UsageError(f"write counters to {file}: that is being done; 'counters {file} --stop' ends it")
    running[file] = session.network.log_counters(file, interval, failed=lambda error: print_error(str(error)))
    click.echo(f"counters: to {file} every {interval:g} s; 'counters --stop' ends it")


def _stop(running: dict[Path, CounterLog], file: Path | None) -> int:
    from emu.errors import UsageError

    if file is not None and file not in running:
        raise UsageError(f"stop writing counters to {file}: that is not being done; 'counters' lists what is")
    for path in [file] if file is not None else list(running):
        running.pop(path).stop()
    return 0


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(counters)
