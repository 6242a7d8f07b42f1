"""`traceroute` for nodes of a machine that has none: the common options and the form of Linux's traceroute.

A hop's probes are sent together; the next hop's follow when all are answered, or a little later. The full
traceroute sends for five hops at once, most of which reach the destination: in a network as quick as an
emulated one that spends the destination's allowance of ICMP errors (`net.ipv4.icmp_ratelimit`: six, then
one a second), and the next traceroute meets silence. This one spends no more than it shows.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import NamedTuple

from .. import icmp
from . import raw
from .options import Options, Refusal, parse_seconds, run_program, say

USAGE = """\
Usage: traceroute [options] HOST
  -I           send ICMP echo requests instead of UDP
  -m HOPS      the longest path (30)
  -f HOP       to begin with (1)
  -q PROBES    for each hop (3)
  -w MAX[,HERE,NEAR]
               seconds to wait for an answer (5), but no more than HERE times as long as another of the
               same hop took (3) or NEAR times as long as one of a later hop (10)
  -n           print addresses, look up no names
  -4, -6       use IPv4 or IPv6

emu's own traceroute, used where the machine has none."""

#: The first port of UDP probes; one that nothing listens on, by convention.
_PORT = 33434
#: Bytes after the header of UDP or ICMP: packets of 60 bytes with IPv4 and of 80 with IPv6.
_PAYLOAD = bytes(0x40 + index for index in range(32))
_SIZES = {4: 60, 6: 80}
#: For how long, in seconds, a hop is waited for before the next is tried as well, and at least given
#: when other answers came at once: a busy machine answers no sooner.
_PATIENCE = 0.1


class Settings(NamedTuple):
    """What the command line asks for; `wait` is MAX, HERE and NEAR of `-w`."""

    host: str
    first: int
    last: int
    probes: int
    wait: tuple[float, float, float]
    version: int | None
    echo: bool
    numeric: bool


def read_settings(words: list[str]) -> Settings | None:
    """Return what a command line asks for; None if it is help.

    Raises:
        Refusal: it cannot be understood.
    """
    given = Options("traceroute", "traceroute", words, flags="In46", valued="mqwf")
    if given.help:
        return None
    if len(given.operands) != 1:
        missing = "no host was given" if not given.operands else "one host at a time"
        raise Refusal(f"{missing}; 'traceroute --help' lists the options")
    if "4" in given and "6" in given:
        raise Refusal("only one -4 or -6 option may be specified")
    last = given.whole("m", 1, 255, 30)
    return Settings(
        host=given.operands[0],
        first=given.whole("f", 1, last, 1),
        last=last,
        probes=given.whole("q", 1, 10, 3),
        wait=_read_wait(given.values("w")[-1]) if "w" in given else (5.0, 3.0, 10.0),
        version=4 if "4" in given else 6 if "6" in given else None,
        echo="I" in given,
        numeric="n" in given,
    )


def _read_wait(text: str) -> tuple[float, float, float]:
    """Return MAX, HERE and NEAR; a factor that is left out is 0, which means none."""
    parts = [parse_seconds(part, "w") for part in text.split(",")]
    if len(parts) > 3:
        raise Refusal(f"invalid argument: '{text}': -w takes MAX or MAX,HERE,NEAR")
    longest, here, near = parts + [0.0] * (3 - len(parts))
    return longest, here, near


class Answer(NamedTuple):
    """What came back for a probe: from whom, after how many ns, and the mark if the path ends there."""

    source: raw.SocketAddress
    took: int
    mark: str | None


class Hop:
    """The probes that may pass a number of nodes; `answers` has one's index in `sent` for its key."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sent: list[raw.Moment] = []
        self.answers: dict[int, Answer] = {}

    @property
    def is_complete(self) -> bool:
        """Whether every probe was answered."""
        return len(self.answers) == len(self.sent)

    @property
    def is_last(self) -> bool:
        """Whether the path ends here."""
        return any(answer.mark is not None for answer in self.answers.values())

    @property
    def longest(self) -> float | None:
        """How long the slowest answer took, in seconds."""
        return max((answer.took for answer in self.answers.values()), default=0) / 1e9 or None

    @property
    def age(self) -> float:
        """Seconds since its probes were sent."""
        return (time.monotonic_ns() - self.sent[-1].steady) / 1e9


class Trace:
    """One run of traceroute."""

    def __init__(self, settings: Settings, target: raw.Target) -> None:
        self.settings, self.target = settings, target
        self.names = raw.NameBook(settings.numeric)
        self.hops: list[Hop] = []
        version = target.version
        self.icmp = raw.open_icmp(version, {icmp.ECHO_REPLY[version], *icmp.ERRORS[version]})
        self.udp = raw.open_udp(version)
        self.udp.bind(("", 0))
        # The mark of all probes of this run: their identifier or their source port.
        self.own = os.getpid() & 0xFFFF if settings.echo else self.udp.getsockname()[1]

    def header(self) -> str:
        """Return the first line."""
        address = self.names.address(self.target.address)
        hops, size = self.settings.last, _SIZES[self.target.version]
        return f"traceroute to {self.target.name} ({address}), {hops} hops max, {size} byte packets"

    def run(self) -> None:
        """Probe and print hop after hop, up to the last."""
        say(self.header())
        shown = 0
        while shown < self.settings.last - self.settings.first + 1:
            if self._is_next_due():
                self._send_hop()
            select.select([self.icmp], [], [], self._pause(shown))
            for arrival in raw.arrivals(self.icmp, self.target.version):
                self._take(arrival)
            while shown < len(self.hops) and self._left(shown) <= 0:
                say(self._line(self.hops[shown]))
                if self.hops[shown].is_last:
                    return
                shown += 1

    def _more(self) -> bool:
        """Tell whether there are hops to probe yet."""
        at_end = len(self.hops) > self.settings.last - self.settings.first
        return not at_end and not any(hop.is_last for hop in self.hops)

    def _is_next_due(self) -> bool:
        if not self._more():
            return False
        return not self.hops or self.hops[-1].is_complete or self.hops[-1].age >= _PATIENCE

    def _pause(self, shown: int) -> float:
        """Return for how many seconds nothing needs to be done, unless something arrives."""
        if self._is_next_due():
            return 0.0
        pauses = [self._left(shown)] if shown < len(self.hops) else []
        if self._more():
            pauses.append(_PATIENCE - self.hops[-1].age)
        return max(0.0, min(pauses))

    def _left(self, index: int) -> float:
        """Return for how many more seconds a hop's answers are to be waited for."""
        hop = self.hops[index]
        if hop.is_complete:
            return 0.0
        longest, here, near = self.settings.wait
        later = [one.longest for one in self.hops[index + 1 :] if one.longest]
        if here and hop.longest:
            longest = min(longest, max(_PATIENCE, here * hop.longest))
        elif near and later:
            longest = min(longest, max(_PATIENCE, near * min(later)))
        return longest - hop.age

    # -- probes -----------------------------------------------------------------------------------

    def _send_hop(self) -> None:
        hop = Hop(self.settings.first + len(self.hops))
        raw.limit_hops(self.icmp if self.settings.echo else self.udp, self.target.version, hop.number)
        self.hops.append(hop)
        for index in range(self.settings.probes):
            number = (len(self.hops) - 1) * self.settings.probes + index
            try:
                self._send(hop, number)
            except OSError as error:
                raise Refusal(f"send: {error.strerror}", status=1) from None

    def _send(self, hop: Hop, number: int) -> None:
        address = self.target.address
        if self.settings.echo:
            packet = icmp.echo_request(self.target.version, self.own, number + 1, _PAYLOAD)
            hop.sent.append(raw.now())
            self.icmp.sendto(packet, address)
        else:
            hop.sent.append(raw.now())
            self.udp.sendto(_PAYLOAD, (address[0], _PORT + number, *address[2:]))

    def _take(self, arrival: raw.Arrival) -> None:
        """Note what arrived as the answer to the probe it belongs to, if it does."""
        number = self._number(arrival.message)
        if number is None:
            return
        place, index = divmod(number, self.settings.probes)
        if 0 <= place < len(self.hops) and index < len(self.hops[place].sent):
            hop = self.hops[place]
            took = raw.elapsed(hop.sent[index], arrival.wall)
            hop.answers.setdefault(index, Answer(arrival.source, took, icmp.mark(arrival.message)))

    def _number(self, message: icmp.Message) -> int | None:
        """Return which of our probes a message answers; None if it answers none."""
        if message.kind == icmp.ECHO_REPLY[message.version]:
            ours = self.settings.echo and message.identifier == self.own
            return message.sequence - 1 if ours else None
        packet = icmp.quoted(message)
        if packet is None or packet.destination != self.target.address[0].partition("%")[0]:
            return None
        if self.settings.echo:
            request = icmp.read_message(message.version, packet.start)
            ours = packet.protocol == icmp.PROTOCOL[message.version] and request is not None
            return request.sequence - 1 if ours and request and request.identifier == self.own else None
        ports = packet.ports if packet.protocol == icmp.UDP else None
        return ports[1] - _PORT if ports and ports[0] == self.own else None

    # -- what is printed --------------------------------------------------------------------------

    def _line(self, hop: Hop) -> str:
        """Return a hop's line: an address where it differs from the one before, times and marks."""
        text, before = f"{hop.number:2d} ", None
        for index in range(len(hop.sent)):
            answer = hop.answers.get(index)
            if answer is None:
                text += " *"
                continue
            if answer.source != before:
                text += f" {self._label(answer.source)}"
                before = answer.source
            text += f"  {answer.took / 1e6:.3f} ms" + (f" {answer.mark}" if answer.mark else "")
        return text

    def _label(self, address: raw.SocketAddress) -> str:
        text = self.names.address(address)
        return text if self.settings.numeric else f"{self.names.name(address) or text} ({text})"


def traceroute(words: list[str]) -> int:
    """Run traceroute on the words of a command line; return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once: all is printed already
    settings = read_settings(words)
    if settings is None:
        say(USAGE)
        return 0
    # Like Linux's, IPv4 unless the host has none.
    target = min(raw.resolve(settings.host, settings.version), key=lambda one: one.version)
    try:
        raw.path_to(target)
    except OSError as error:
        raise Refusal(f"connect: {error.strerror}", status=1) from None
    Trace(settings, target).run()
    return 0


if __name__ == "__main__":
    sys.exit(run_program("traceroute", traceroute))
