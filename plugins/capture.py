"""`capture` and `emu capture`: packets of interfaces, nodes and links, into a file for Wireshark."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

import emu
from emu.prompt.own import Recording

if TYPE_CHECKING:
    from emu.capture.handle import Capture
    from emu.prompt.session import Session
    from emu.running.network import Network

_WHERE = """\
WHERE is an interface (HOST1-veth0), a node (all of its interfaces), HOST1--ROUTER (both ends of a link),
NODE:INTERFACE (HOST1:lo), or several of them with commas in between. FILTER is that of tcpdump; nodes may
stand in it by their names. What FILE held is lost."""

#: What filters are made of (pcap-filter(7)), besides names and numbers.
_FILTER_WORDS = [
    "and", "arp", "dst", "ether", "host", "icmp", "icmp6", "ip", "ip6", "net", "not", "or", "port",
    "portrange", "src", "tcp", "udp", "vlan",
]  # fmt: skip


class CaptureJob(Recording):
    """A capture in the background of a prompt."""

    def __init__(self, capture: Capture, file: str, command: str) -> None:
        super().__init__(command)
        self.file, self._capture, self._ending = file, capture, False
        self._thread = threading.Thread(target=self._follow, name=command, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return not self._capture.running

    def end(self) -> int:
        """End it, say how it went, and return the exit status."""
        status = self._end()
        click.echo(self._result())
        return status

    def close(self) -> None:
        """End it with the prompt, and say how it went, unless that has been said."""
        if not self.over:
            self._end()
            click.echo(self._result(), err=True)

    def wait(self) -> int:
        """Wait until it ends, and return its status."""
        self._thread.join()
        return self._status()

    def _end(self) -> int:
        self._ending = not self.over
        self._capture.close()
        self._thread.join()
        return self._status()

    def _status(self) -> int:
        return 0 if self._capture.error is None else self._capture.error.exit_status

    def _follow(self) -> None:
        """Tell what happens, and of an end that nobody has asked for."""
        from emu.prompt.session import print_error

        going = True
        while going:
            going = self._capture.wait()
            for note in self._capture.take_notes():
                print_error(f"{self.command}: {note}")
        if not self._ending:
            print_error(self._result())

    def _result(self) -> str:
        """Return how it went, in a line."""
        error = f"; {self._capture.error}" if self._capture.error is not None else ""
        return f"{self.command}: {self._capture.summary()}{error}"


def _completions(context: click.Context, _: click.Parameter, word: str) -> list[CompletionItem]:
    """Return what a word could become: a place, a file, or part of a filter."""
    session: Session = context.obj
    place = sum(not one.startswith("-") for one in context.args) + bool({"-a", "--all"} & {*context.args})
    begun, comma, last = word.rpartition(",") if place == 0 else ("", "", word)
    if {"-s", "--stop"} & {*context.args}:
        known: Iterable[str] = [job.file for job in _running(session)]
    elif place == 0:
        known = _places(session.network, last)
    elif place == 1:
        return [CompletionItem(word, type="file")]
    else:
        known = [*(node.name for node in session.network), *_FILTER_WORDS]
    return [CompletionItem(begun + comma + one) for one in known if one.startswith(last)]


def _places(network: Network, word: str) -> Iterator[str]:
    """Yield where can be captured; links only to a word that is written like one."""
    for node in network:
        yield node.name
        yield from (one.name for one in node.interfaces)
        if ":" in word:
            yield from (f"{node.name}:{name}" for name in ("lo", *(one.name for one in node.interfaces)))
    for link in network.plan.links if "--" in word else ():
        (first, _), (second, _) = link.ends
        yield from (f"{first}--{second}", f"{second}--{first}")


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a capture."""
    function = click.option("-a", "--all", "everything", is_flag=True, help="Everywhere; WHERE is left out.")(
        function
    )
    return click.option(
        "-B", "--buffer", type=click.IntRange(4, 1 << 20), metavar="KIB",
        help="What may wait for being written, in KiB per node; default 32768, less with many nodes.",
    )(function)  # fmt: skip


@click.command(
    context_settings={"ignore_unknown_options": True},
    help=f"Capture packets in the background.\n\n{_WHERE}\n\n"
    "Without arguments it tells what is being captured. Captures are jobs, for 'jobs' and 'kill', and end "
    "with the prompt.\n\n\b\n"
    "emu> capture HOST1-veth0 ping.pcapng icmp\nemu> capture --all lab.pcapng\nemu> capture --stop",
)  # fmt: skip
@click.argument("words", nargs=-1, metavar="[WHERE] FILE [FILTER]…", shell_complete=_completions)
@_options
@click.option("-s", "--stop", is_flag=True, help="End all captures, or that to FILE.")
@click.pass_obj
def capture(
    session: Session, words: tuple[str, ...], everything: bool, buffer: int | None, stop: bool
) -> int:
    """Capture packets in the background; the help is the decorator's."""
    running = _running(session)
    if stop:
        return _stop(running, words)
    if not words and not everything:
        click.echo("\n".join(str(job) for job in running) or "nothing is being captured")
        return 0
    where, file, text = _split(words, everything)
    begun = session.network.capture(where, file, text, buffer=buffer and buffer * 1024)
    job = CaptureJob(begun, file, " ".join(("capture", *(["--all"] if everything else []), *words)))
    session.jobs.add(job)
    click.echo(f"[{job.number}] capturing to {file}; 'kill {job.number}' or 'capture --stop' ends it")
    return 0


def _running(session: Session) -> list[CaptureJob]:
    return [job for job in session.jobs.own() if isinstance(job, CaptureJob)]


def _split(words: tuple[str, ...], everything: bool) -> tuple[list[str], str, str]:
    """Return where to capture, the file and the filter."""
    from emu.errors import UsageError

    rest = list(words)
    where = ["*"] if everything else rest.pop(0).split(",")
    if not rest:
        example = "capture --all lab.pcapng" if everything else f"capture {words[0]} packets.pcapng"
        raise UsageError(f"capture: a file is missing; for example: {example}")
    return where, rest[0], " ".join(rest[1:])


def _stop(running: Sequence[CaptureJob], files: tuple[str, ...]) -> int:
    from emu.errors import UsageError

    known = {job.file for job in running}
    for file in files:
        if file not in known:
            raise UsageError(f"stop capturing to {file}: that is not being done; 'capture' lists what is")
    statuses = [job.end() for job in running if not files or job.file in files]
    return next((status for status in statuses if status), 0)


@click.command(
    "capture", short_help="Capture packets of a running network.",
    context_settings={"ignore_unknown_options": True},
    help=f"Capture packets of a running network until Ctrl-C.\n\n{_WHERE}\n\n"
    "FILE may be '-', for standard output.\n\n"
    "\b\nemu capture two_segment HOST1-veth0 ping.pcapng icmp\n"
    "emu capture two_segment ROUTER - | wireshark -k -i -",
)  # fmt: skip
@click.argument("name")
@click.argument("words", nargs=-1, required=True, metavar="[WHERE] FILE [FILTER]…")
@_options
def capture_command(name: str, words: tuple[str, ...], everything: bool, buffer: int | None) -> int:
    """Capture packets until Ctrl-C; the help is the decorator's."""
    import os
    import sys

    from emu.errors import UsageError
    from emu.running.network import Network

    where, file, text = _split(words, everything)
    if file == "-" and os.isatty(1):
        raise UsageError(
            "capture to standard output: that is a terminal; name a file, or end with | wireshark -k -i -"
        )
    with Network.attach(name) as network:
        target = sys.stdout.fileno() if file == "-" else file
        return _capture_here(network.capture(where, target, text, buffer=buffer and buffer * 1024))


def _capture_here(begun: Capture) -> int:
    """Capture until a signal ends it, and say how it went."""
    import signal

    def end(*_: object) -> None:
        begun.begin_end()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    going = True
    while going:
        going = begun.wait()
        for note in begun.take_notes():
            click.echo(f"emu: {note}", err=True)
    click.echo(f"capture: {begun.summary()}", err=True)
    if begun.error is not None:
        raise begun.error
    return 0


@emu.hookimpl
def emu_register_commands(register: Callable[..., None]) -> None:
    """Add the command of the prompt."""
    register(capture)


@emu.hookimpl
def emu_add_cli_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(capture_command)


@emu.hookimpl
def emu_network_stopping(network: Network) -> None:
    """Complete the files of what is being captured."""
    network.end_captures()
