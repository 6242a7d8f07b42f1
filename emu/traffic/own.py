"""emu's own measurement: a program in each of the two nodes, so that neither waits for this process."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import EmuError
from .results import Request, Stream, Traffic

if TYPE_CHECKING:
    from ..node import Node
    from ..process import Process

_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent.parent)
#: Without site-packages, which would take half of the start.
_PROGRAM = (
    "import runpy, sys; sys.path.append({!r}); runpy.run_module('emu.programs.traffic', run_name='__main__')"
).format(_PACKAGE_PARENT)
#: How long a connection may take to come about, or the last packets to arrive, in seconds.
_PATIENCE = 12.0

Record = dict[str, Any]


def measure(request: Request) -> Traffic:
    """Measure, and return what arrived.

    Raises:
        EmuError: no connection came about.
    """
    sender, receiver = request.source, request.target
    if request.reverse:
        sender, receiver = receiver, sender
    streams, overflow = (_measure_udp if request.udp else _measure_tcp)(request, sender, receiver)
    protocol = "udp" if request.udp else "tcp"
    return Traffic(sender.name, receiver.name, protocol, request.family, "emu", streams, overflow)


def _measure_tcp(request: Request, sender: Node, _: Node) -> tuple[tuple[Stream, ...], None]:
    settings = {
        "family": request.family, "address": request.address, "streams": request.streams,
        "seconds": request.seconds, "rate": request.rate,
    }  # fmt: skip
    opens_and_sends = sender == request.source
    with _program(request.target, settings | {"act": "listen", "sends": not opens_and_sends}) as listening:
        ports = _next(request, listening, _PATIENCE)["ports"]
        connecting = settings | {"act": "connect", "sends": opens_and_sends, "ports": ports}
        with _program(request.source, connecting) as connected:
            ends = listening, connected
            sending, receiving = ends[::-1] if opens_and_sends else ends
            patience = request.seconds + _PATIENCE
            # Whoever opens the connections knows first, and why, when there are none.
            if opens_and_sends:
                sent = _all(request, sending, patience)
                got = _all(request, receiving, patience)
            else:
                got = _all(request, receiving, patience)
                sent = _all(request, sending, patience)
    pairs = zip(got, sent, strict=True)
    return tuple(Stream(one["bytes"], one["seconds"], other["retransmits"]) for one, other in pairs), None


def _measure_udp(request: Request, sender: Node, receiver: Node) -> tuple[tuple[Stream, ...], int]:
    settings: Record = {"family": request.family, "streams": request.streams}
    address = request.address if receiver == request.target else _address(request, receiver)
    settings["address"] = address
    with _program(receiver, settings | {"act": "collect"}) as collecting:
        ports = _next(request, collecting, _PATIENCE)["ports"]
        settings |= {
            "act": "send", "ports": ports, "seconds": request.seconds, "rate": request.rate,
            "length": request.length,
        }  # fmt: skip
        with _program(sender, settings) as sending:
            sent = _all(request, sending, request.seconds + _PATIENCE)
        sent.sort(key=lambda one: int(one["stream"]))
        assert collecting.stdin is not None
        collecting.stdin.write(json.dumps([one["sent"] for one in sent]).encode())
        collecting.stdin.close()
        got = sorted(_all(request, collecting, _PATIENCE), key=lambda one: int(one["stream"]))
    streams = tuple(
        Stream(
            one["bytes"], one["seconds"], packets=other["sent"], lost=other["sent"] - one["packets"],
            jitter=one["jitter"],
        )
        for one, other in zip(got, sent, strict=True)
    )  # fmt: skip
    return streams, sum(one["overflow"] for one in got)


def _address(request: Request, node: Node) -> str:
    from ..ping import first_address

    return first_address(node._network.plan, node.plan, request.family)


@contextlib.contextmanager
def _program(node: Node, settings: Record) -> Iterator[Process]:
    words = [sys.executable or "/usr/bin/python3", "-I", "-S", "-c", _PROGRAM, json.dumps(settings)]
    process = node.popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(9, group=True)
        process.close()


def _all(request: Request, process: Process, patience: float) -> list[Record]:
    """Return what a program says of each stream."""
    deadline = time.monotonic() + patience
    return [_next(request, process, deadline - time.monotonic()) for _ in range(request.streams)]


def _next(request: Request, process: Process, patience: float) -> Record:
    """Return the next line of a program."""
    assert process.stdout is not None
    line = _read_line(process.stdout, time.monotonic() + patience)
    record: Record = json.loads(line) if line else {"error": "no answer came"}
    if "error" in record:
        raise EmuError(f"{request.attempt}: {record['error']}; 'pingpair' tells whether they reach each other")
    return record


def _read_line(stream: IO[bytes], deadline: float) -> bytes:
    """Return a line, or nothing when there is none in time."""
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            return b""
        piece = stream.read(1)
        if not piece:
            return b""
        line += piece
    return line
