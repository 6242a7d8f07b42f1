"""`jobs`, `log`, `fg`, `kill`, `wait` and `emu logs`: programs in the background, and daemons."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

import emu

if TYPE_CHECKING:
    from emu.processes.jobs import JobFacts
    from emu.prompt.session import Session
    from emu.running.network import Network

#: How many jobs that ended are listed.
_ENDED = 10
#: How many lines of a log the prompt shows.
_LINES = 20
#: What a job is called, by whether the node's attribute `run` says it.
_KIND = {True: "daemon", False: "job"}
#: Signals after which a job is not started again.
_FOR_GOOD = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGQUIT)


def jobs_named(network: Network, words: Sequence[str], all_jobs: Sequence[JobFacts]) -> list[JobFacts]:
    """Return the jobs that words name: `1` or `%1`, `NODE` for all of its jobs, `NODE:TEXT` for some of them.

    Raises:
        UsageError: a word names none.
    """
    found: dict[int, JobFacts] = {}
    for word in words:
        number = word.removeprefix("%")
        node, _, text = word.partition(":")
        if number.isdecimal():
            matching = [one for one in all_jobs if one.number == int(number)]
        else:
            name = network[node].name
            matching = [one for one in all_jobs if one.node == name and text in one.command]
        if not matching:
            raise emu.UsageError(f"no job {word}; 'jobs' lists them")
        found |= {one.number: one for one in matching}
    return list(found.values())


@click.command()
@click.option("-a", "--all", "every", is_flag=True, help="All that have ended, not only the last ones.")
@click.pass_obj
def jobs(session: Session, every: bool) -> None:
    """Show what runs in the background: daemons, and programs that any prompt started; and what is stopped.

    \b
    emu> HOST2 python3 -m http.server &
    emu> jobs
    """
    from emu.tables import print_table

    known = session.network.jobs()
    ended = [one.number for one in known if one.over]
    hidden = set() if every else set(ended[:-_ENDED])
    rows = [
        (one.number, one.node or "-", _KIND[one.daemon], one.state, span(one.age), one.command)
        for one in known if one.number not in hidden
    ]  # fmt: skip
    rows += [(one.number, one.node, "here", one.state, "", one.command) for one in session.jobs.own()]
    if rows:
        print_table(["JOB", "NODE", "KIND", "STATE", "AGE", "COMMAND"], sorted(rows))
    else:
        click.echo("no jobs")
    if hidden:
        click.echo(f"{len(hidden)} more have ended; 'jobs -a' shows them")


def span(seconds: float) -> str:
    """Return a time of so many seconds as 0:00:05."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="JOB|NODE…")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is printed, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), default=_LINES, metavar="N", help="The last N lines.")
@click.pass_obj
def log(session: Session, words: tuple[str, ...], follow: bool, lines: int) -> None:
    """Show what a program in the background printed, or all those of a node.

    \b
    emu> log 1
    emu> log -f HOST2
    emu> log HOST2:http -n 100
    """
    show_logs(session.network, words, follow, lines)


@click.command(short_help="Show what daemons and background programs printed.")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[JOB|NODE]…")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is printed, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="N", help="The last N lines; default all.")
def logs(name: str, words: tuple[str, ...], follow: bool, lines: int | None) -> None:
    """Show what daemons and background programs of a running network printed: all, or those named.

    \b
    emu logs demo
    emu logs demo HOST2 -f
    """
    from emu.running.network import Network

    with Network.attach(name) as network:
        show_logs(network, words, follow, lines)


def show_logs(network: Network, words: Sequence[str], follow: bool, lines: int | None) -> None:
    """Print the logs of jobs, with a head for each where there are several."""
    known = network.jobs()
    named = jobs_named(network, words, known) if words else known
    if follow:
        _follow(network, named, lines)
        return
    for one in named:
        if len(named) > 1:
            click.echo(one)
        text = network.job(one.number).log(lines)
        click.echo(text, nl=bool(text) and not text.endswith("\n"))


def _follow(network: Network, named: Sequence[JobFacts], lines: int | None) -> None:
    """Print logs as they grow, each line with its job where there are several, until all ended or Ctrl-C."""
    lock = threading.Lock()

    def show(one: JobFacts) -> None:
        head = f"{one.node}[{one.number}] ".encode() if len(named) > 1 else b""
        job = network.job(one.number)
        before = job.log(lines, end=one.log[1]).encode()
        rest = b""
        for data in itertools.chain([before], job.follow(one.log[1])):
            *whole, rest = (rest + data).split(b"\n")
            with lock:
                for line in whole:
                    sys.stdout.buffer.write(head + line + b"\n")
                sys.stdout.buffer.flush()
        if rest:
            with lock:
                sys.stdout.buffer.write(head + rest + b"\n")
                sys.stdout.buffer.flush()

    sys.stdout.flush()
    threads = [threading.Thread(target=show, args=(one,), daemon=True) for one in named]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@click.command()
@click.argument("word", required=False, metavar="[JOB]")
@click.pass_obj
def fg(session: Session, word: str | None) -> int:
    """Bring a job to the front: one that Ctrl-Z stopped, by default the last, or one in the background.

    Of the latter the output is shown until it ends; Ctrl-C interrupts it.

    \b
    emu> fg
    emu> fg 1
    """
    return session.jobs.bring_to_front(None if word is None else _number(word))


def _number(word: str) -> int:
    """Return the number of a job."""
    number = word.removeprefix("%")
    if not number.isdecimal():
        raise emu.UsageError(f"no job {word}; 'jobs' lists them")
    return int(number)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[-SIGNAL] JOB|NODE…")
@click.pass_obj
def kill(session: Session, words: tuple[str, ...]) -> None:
    """Send a signal to jobs and what they started, by default SIGTERM; a daemon is not started again.

    \b
    emu> kill 1
    emu> kill -9 HOST2
    emu> kill -HUP HOST2:dnsmasq
    """
    number: int = signal.SIGTERM
    if words[0].startswith("-"):
        number, words = _signal(words[0][1:]), words[1:]
    if not words:
        raise emu.UsageError("kill what? 'jobs' lists the jobs")
    rest = []
    for word in words:
        digits = word.removeprefix("%")
        own = session.jobs.find_own(int(digits)) if digits.isdecimal() else None
        if own is not None:
            own.process.kill_group()
        else:
            rest.append(word)
    known = session.network.jobs()
    for one in jobs_named(session.network, rest, known):
        if one.over and len(rest) == len(words) == 1 and rest[0].removeprefix("%").isdecimal():
            raise emu.UsageError(f"kill job {one.number}: it has ended ({one.state})")
        session.network.job(one.number).send_signal(number, end=number in _FOR_GOOD)


def _signal(word: str) -> int:
    """Return the number of a signal, by its number or by its name with SIG or without."""
    if word.isdecimal() and int(word) in set(signal.Signals):
        return int(word)
    try:
        return signal.Signals[word.upper() if word.upper().startswith("SIG") else f"SIG{word.upper()}"]
    except KeyError:
        raise emu.UsageError(f"kill: no signal {word}") from None


@click.command()
@click.argument("words", nargs=-1, metavar="[JOB|NODE]…")
@click.pass_obj
def wait(session: Session, words: tuple[str, ...]) -> int:
    """Wait until jobs have ended; without a name, until all but the daemons have. The status is the last's.

    \b
    emu> HOST2 sleep 1 &
    emu> wait
    """
    from emu.processes.terminal import shell_status

    known = session.network.jobs()
    named = jobs_named(session.network, words, known) if words else [one for one in known if not one.daemon]
    status = 0
    for one in named:
        status = shell_status(session.network.job(one.number).wait())
    return status if words else 0


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (jobs, log, fg, kill, wait):
        register(command)


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(logs)
