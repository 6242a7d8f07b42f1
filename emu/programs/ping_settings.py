"""The command line of `ping`."""

from __future__ import annotations

import sys
from typing import NamedTuple

from .options import Options, Refusal
from .raw import source_version

USAGE = """\
Usage: ping [options] HOST
  -c COUNT     stop after COUNT replies
  -i SECONDS   between packets (1)
  -W SECONDS   to wait for the last replies (10)
  -w SECONDS   after which to stop, whatever has come
  -I SOURCE    address or interface to send from
  -s BYTES     of data in a packet (56)
  -t HOPS      time to live
  -q           print the statistics only
  -n           print addresses, look up no names
  -4, -6       use IPv4 or IPv6

emu's own ping, used where the machine has none; exit status 0: a reply came, 1: none, 2: an error."""

_LARGEST = 1 << 20  # bytes; far beyond what the kernel sends, which says so itself


class Settings(NamedTuple):
    """What the command line asks for: `wanted` replies of `size` bytes. Times are in seconds."""

    host: str
    wanted: int | None
    interval: float
    linger: float
    deadline: float | None
    size: int
    hops: int | None
    version: int | None
    source: str | None
    device: str | None
    quiet: bool
    numeric: bool


def read_settings(words: list[str]) -> Settings | None:
    """Return what a command line asks for; None if it is help.

    Raises:
        Refusal: it cannot be understood.
    """
    given = Options("ping", "iputils-ping", words, flags="qn46", valued="ciWwIst")
    if given.help:
        return None
    if len(given.operands) != 1:
        missing = "Destination address required" if not given.operands else "one destination at a time"
        raise Refusal(f"usage error: {missing}")
    source = device = None
    version = 4 if "4" in given else 6 if "6" in given else None
    for text in given.values("I"):
        kind = source_version(text)
        source, device, version = (text, device, version or kind) if kind else (source, text, version)
    if "4" in given and "6" in given:
        raise Refusal("only one -4 or -6 option may be specified")
    return Settings(
        host=given.operands[0],
        wanted=given.whole("c", 1, sys.maxsize, 0) or None,
        interval=given.seconds("i", 1.0),
        linger=given.seconds("W", 10.0),
        deadline=given.seconds("w", 0.0) or None,
        size=given.whole("s", 0, _LARGEST, 56),
        hops=given.whole("t", 0, 255, 0) or None,
        version=version,
        source=source,
        device=device,
        quiet="q" in given,
        numeric="n" in given,
    )
