"""`jobs`, `log`, `fg`, `bg`, `kill`, `wait` and `emu logs`: programs in the background, and daemons."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

import emu

if TYPE_CHECKING:
    from emu.processes.jobs import Job, JobFacts
    from emu.prompt.own import OwnJob
    from emu.prompt.session import Session
    from emu.running.network import Network

    Listed = TypeVar("Listed", bound=JobFacts | OwnJob)

#: How many jobs that ended are listed.
_ENDED = 10
#: How many lines of a log the prompt shows.
_LINES = 20
#: What a job is called, by whether the node's attribute `run` says it.
_KIND = {True: "daemon", False: "job"}
#: Signals after which a job is not started again.
_FOR_GOOD = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGQUIT)


def jobs_named(
    network: Network, words: Sequence[str], all_jobs: Sequence[Listed], listed: str = "jobs"
) -> list[Listed]:  # fmt: skip
    """Return the jobs that words name: `1` or `%1`, `NODE` for all of its jobs, `NODE:TEXT` for some of them.

    Raises:
        UsageError: a word names none; tells that `listed` lists all.
    """
    from emu.errors import suggestion

    found: dict[int, Listed] = {}
    for word in words:
        number = word.removeprefix("%")
        node, _, text = word.partition(":")
        if number.isdecimal():
            matching = [one for one in all_jobs if one.number == int(number)]
        else:
            with contextlib.suppress(emu.UsageError):  # it may be what the graph calls the node
                node = network[node].name
            matching = [one for one in all_jobs if one.node == node and text in one.command]
        if not matching:
            nodes = () if number.isdecimal() or node in network else [known.name for known in network]
            hint = suggestion(node, nodes) or f"; '{listed}' lists them"
            raise emu.UsageError(f"no job {word}{hint}")
        found |= {one.number: one for one in matching}
    return list(found.values())


@click.command()
@click.option("-a", "--all", "every", is_flag=True, help="All that have ended, not only the last ones.")
@click.pass_obj
def jobs(session: Session, every: bool) -> None:
    """Show what runs in the background: daemons, and programs that any prompt started.

    The kind `here` are captures, counters, and programs that Ctrl-Z stopped: those end with this prompt.

    \b
    emu> HOST2 python3 -m http.server &
    emu> jobs
    """
    from emu.tables import elapsed, print_table

    known = session.network.jobs()
    ended = [one.number for one in known if one.over]
    hidden = set() if every else set(ended[:-_ENDED])
    rows = [
        (one.number, one.node or "-", _KIND[one.daemon], one.state, elapsed(one.age), one.command)
        for one in known if one.number not in hidden
    ]  # fmt: skip
    rows += [
        (one.number, one.node or "-", "here", one.state, elapsed(one.age), one.command)
        for one in session.jobs.own()
    ]  # fmt: skip
    if rows:
        print_table(["JOB", "NODE", "KIND", "STATE", "AGE", "COMMAND"], sorted(rows))
    else:
        click.echo("no jobs")
    if hidden:
        click.echo(f"{len(hidden)} more have ended; 'jobs -a' shows them")


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
    own = {str(one.number) for one in session.jobs.own()}
    for word in words:
        if word.removeprefix("%") in own:
            raise emu.UsageError(f"show the log of job {word}: it has none; what it says is shown here")
    with session.jobs.shown_elsewhere() if follow else contextlib.nullcontext():
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
        show_logs(network, words, follow, lines, f"emu attach {network.name} -c jobs")


def show_logs(
    network: Network, words: Sequence[str], follow: bool, lines: int | None, listed: str = "jobs"
) -> None:  # fmt: skip
    """Print the logs of jobs, with a head for each where there are several; `listed` lists all jobs."""
    known = network.jobs()
    named = jobs_named(network, words, known, listed) if words else known
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
    from emu.processes.jobs import follow_jobs
    from emu.prompt.piping import nobody_reads

    def look() -> None:
        if nobody_reads():
            raise BrokenPipeError

    heads = {one.number: f"{one.node}[{one.number}] " if len(named) > 1 else "" for one in named}
    begun = dict.fromkeys(heads, b"")
    before = [(one.number, network.job(one.number).log(lines, end=one.log[1]).encode()) for one in named]
    after = follow_jobs(network.sandbox, {one.number: one.log[1] for one in named}, look)
    for number, data in itertools.chain(((number, data) for number, data in before if data), after):
        *whole, begun[number] = (begun[number] + data).split(b"\n")
        if not data and begun[number]:  # it ended within a line
            whole = [begun[number]]
        for line in whole:
            sys.stdout.write(f"{heads[number]}{line.decode(errors='replace')}\n")
        sys.stdout.flush()


@click.command()
@click.argument("word", required=False, metavar="[JOB]")
@click.pass_obj
def fg(session: Session, word: str | None) -> int:
    """Bring a job to the front: by default the one that was stopped last, else the last one started here.

    A program that was started with `&` has no terminal: what it prints is shown until it ends; Ctrl-C
    interrupts it, Ctrl-Z stops it.

    \b
    emu> fg
    emu> fg 1
    """
    return session.jobs.bring_to_front(_one(session, word, running=True))


@click.command()
@click.argument("word", required=False, metavar="[JOB]")
@click.pass_obj
def bg(session: Session, word: str | None) -> None:
    """Let a stopped job go on in the background: by default the one that was stopped last.

    One that was in front stops again when it reads from the terminal.

    \b
    emu> bg
    """
    session.jobs.send_to_background(_one(session, word, running=False))


def _one(session: Session, word: str | None, *, running: bool) -> JobFacts | OwnJob:
    """Return the job that a word names; without a word, the one that is meant then."""
    if word is None:
        return session.jobs.current(running)
    return jobs_named(session.network, [word], session.jobs.every())[-1]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[-SIGNAL] JOB|NODE…")
@click.pass_obj
def kill(session: Session, words: tuple[str, ...]) -> None:
    """Send a signal to jobs and what they started, by default SIGTERM; a daemon is not started again.

    It ends captures and the writing of counters, too.

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
    named = jobs_named(session.network, words, session.jobs.every())
    if len(named) == 1 and named[0].over and words[0].removeprefix("%").isdecimal():
        raise emu.UsageError(f"kill job {named[0].number}: it has ended ({named[0].state})")
    for one in named:
        _handle(session, one).send_signal(number, end=number in _FOR_GOOD)


def _handle(session: Session, one: JobFacts | OwnJob) -> Job | OwnJob:
    """Return what acts on a job."""
    from emu.processes.watching import JobFacts

    return session.network.job(one.number) if isinstance(one, JobFacts) else one


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

    if not words:
        for one in session.network.jobs():
            if not one.daemon:
                session.network.job(one.number).wait()
        return 0
    status = 0
    for named in jobs_named(session.network, words, session.jobs.every()):
        status = shell_status(_handle(session, named).wait())
    return status


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the commands."""
    for command in (jobs, log, fg, bg, kill, wait):
        register(command)


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(logs)
