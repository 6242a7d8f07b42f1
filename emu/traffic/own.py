"""emu's own measurement: a program in each of the two nodes, so that neither waits for this process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

from ..commands import bare_python
from ..errors import EmuError
from .results import Request, Stream, Traffic

if TYPE_CHECKING:
    from ..running.node import Node

_PROGRAM = "import runpy; runpy.run_module('emu.programs.traffic', run_name='__main__')"
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
    settings |= {"act": "listen", "sends": not opens_and_sends}
    with _Program(request, request.target, settings) as listening:
        ports = listening.next(_PATIENCE)["ports"]
        connecting = settings | {"act": "connect", "sends": opens_and_sends, "ports": ports}
        with _Program(request, request.source, connecting) as connected:
            ends = listening, connected
            sending, receiving = ends[::-1] if opens_and_sends else ends
            patience = request.seconds + _PATIENCE
            # Whoever opens the connections knows first, and why, when there are none.
            if opens_and_sends:
                sent = sending.all(patience)
                got = receiving.all(patience)
            else:
                got = receiving.all(patience)
                sent = sending.all(patience)
    pairs = zip(got, sent, strict=True)
    return tuple(Stream(one["bytes"], one["seconds"], other["retransmits"]) for one, other in pairs), None


def _measure_udp(request: Request, sender: Node, receiver: Node) -> tuple[tuple[Stream, ...], int]:
    settings: Record = {"family": request.family, "streams": request.streams}
    address = request.address if receiver == request.target else _address(request, receiver)
    settings["address"] = address
    with _Program(request, receiver, settings | {"act": "collect"}) as collecting:
        ports = collecting.next(_PATIENCE)["ports"]
        settings |= {
            "act": "send", "ports": ports, "seconds": request.seconds, "rate": request.rate,
            "length": request.length,
        }  # fmt: skip
        with _Program(request, sender, settings) as sending:
            sent = sending.all(request.seconds + _PATIENCE)
        sent.sort(key=lambda one: int(one["stream"]))
        collecting.tell([one["sent"] for one in sent])
        got = sorted(collecting.all(_PATIENCE), key=lambda one: int(one["stream"]))
    streams = tuple(
        Stream(
            one["bytes"], one["seconds"], packets=other["sent"], lost=other["sent"] - one["packets"],
            jitter=one["jitter"],
        )
        for one, other in zip(got, sent, strict=True)
    )  # fmt: skip
    return streams, sum(one["overflow"] for one in got)


def _address(request: Request, node: Node) -> str:
    from ..reaching.ping import first_address

    return first_address(node._network.plan, node.plan, request.family)


class _Program:
    """emu's program in a node, which reports in lines; killed with its children at the end."""

    def __init__(self, request: Request, node: Node, settings: Record) -> None:
        words = bare_python(_PROGRAM, json.dumps(settings))
        self._request, self._said = request, b""
        self._process = node.popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(9, group=True)
        assert self._process.stdout is not None
        fd, deadline = self._process.stdout.fileno(), time.monotonic() + _PATIENCE
        # Its children have its output open, too: that ends with the last of them.
        while select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0] and os.read(fd, 1 << 16):
            pass
        self._process.close()

    def tell(self, what: object) -> None:
        """Write a line of JSON to it, its only one."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.close()

    def all(self, patience: float) -> list[Record]:
        """Return what it says of each stream, all within so many seconds."""
        deadline = time.monotonic() + patience
        return [self.next(deadline - time.monotonic()) for _ in range(self._request.streams)]

    def next(self, patience: float) -> Record:
        """Return its next line.

        Raises:
            EmuError: it says that it failed, or nothing.
        """
        line = self._line(time.monotonic() + patience)
        record: Record = json.loads(line) if line else {"error": "no answer came"}
        if "error" in record:
            names = f"{self._request.source.name} {self._request.target.name}"
            hint = f"'pingpair {names}' tells whether they reach each other"
            raise EmuError(f"{self._request.attempt}: {record['error']}; {hint}")
        return record

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        while b"\n" not in self._said:
            ready = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]
            piece = os.read(fd, 1 << 16) if ready else b""
            if not piece:
                return b""
            self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line
