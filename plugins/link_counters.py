"""What links count: the table of `links -s`, and `counters`, which writes it to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

import emu
from emu.arguments import Seconds
from emu.prompt.own import Recording

if TYPE_CHECKING:
    from emu.counting.counter_log import CounterLog
    from emu.prompt.session import Session


class CounterJob(Recording):
    """Counters that are written in the background of a prompt."""

    def __init__(self, log: CounterLog, interval: float) -> None:
        super().__init__(f"counters {log.path} -i {interval:g}")
        self.path, self._log = log.path, log

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return not self._log.running

    def end(self) -> int:
        """End it, say how it went, and return the exit status."""
        self._log.stop()
        click.echo(f"{self.command}: {self._log.samples:,} sample{'s' * (self._log.samples != 1)}")
        return 0

    def close(self) -> None:
        """End it with the prompt."""
        self._log.stop()

    def wait(self) -> int:
        """Wait until it ends, and return its status."""
        self._log.wait()
        return 0


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-i", "--interval", type=Seconds(), default=1.0,
    metavar="SECONDS", help="From one sample to the next; default 1.",
)  # fmt: skip
@click.option("--stop", is_flag=True, help="Stop writing to FILE, or to all files.")
@click.pass_obj
def counters(session: Session, file: Path | None, interval: float, stop: bool) -> None:
    """Write what all links count to a CSV file, in the background, until told to stop.

    A row is one direction of a link at one time; the column `time` is in seconds since the start. What
    FILE held is lost. Without FILE it tells what is being written. All ends with the prompt.

    \b
    emu> counters traffic.csv --interval 0.1
    emu> counters --stop
    """
    from emu.errors import UsageError
    from emu.prompt.session import print_error

    running = [job for job in session.jobs.own() if isinstance(job, CounterJob)]
    writing = file in [job.path for job in running]
    if stop:
        if file is not None and not writing:
            raise UsageError(
                f"stop writing counters to {file}: that is not being done; 'counters' lists what is"
            )
        for job in running:
            if file in (None, job.path):
                job.end()
    elif file is None:
        click.echo("\n".join(map(str, running)) or "no counters are being written")
    elif writing:
        raise UsageError(f"write counters to {file}: that is being done; 'counters {file} --stop' ends it")
    else:
        log = session.network.log_counters(file, interval, failed=lambda error: print_error(str(error)))
        job = CounterJob(log, interval)
        session.jobs.add(job)
        click.echo(f"[{job.number}] counters to {file}; 'kill {job.number}' or 'counters --stop' ends it")


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command."""
    register(counters)
