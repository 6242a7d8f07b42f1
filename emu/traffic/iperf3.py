"""iperf3, where it is installed: a server for one test in one node, a client in the other, its JSON read."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

from ..errors import EmuError
from .results import Request, Stream, Traffic

if TYPE_CHECKING:
    from ..processes.process import Process
    from ..running.node import Node

_PATIENCE = 15.0
_CONNECT_TIMEOUT = 10_000  # ms


def measure(request: Request) -> Traffic:
    """Measure, and return what arrived.

    Raises:
        EmuError: iperf3 failed; says what it says.
    """
    port = _free_port(request.target, request.family)
    server_words = ["iperf3", "--server", "--one-off", "--forceflush", "--port", str(port)]
    server = request.target.popen(
        server_words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )  # fmt: skip
    try:
        _await_server(request, server)
        done = request.source.run(
            _client_words(request, port), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=request.seconds + _PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise EmuError(f"{request.attempt}: iperf3 came to no end") from None
    finally:
        server.kill()
        server.close()
    return read_report(request, done.stdout)


def _client_words(request: Request, port: int) -> list[str]:
    words = [
        "iperf3", "--client", request.address, "--port", str(port), "--json", f"-{request.family}",
        "--time", f"{max(1, round(request.seconds))}", "--parallel", str(request.streams),
        "--connect-timeout", str(_CONNECT_TIMEOUT),
    ]  # fmt: skip
    if request.udp:
        words += ["--udp", "--length", str(request.length)]
    if request.rate:
        words += ["--bitrate", str(request.rate)]
    return words + (["--reverse"] if request.reverse else [])


def _free_port(node: Node, family: int) -> int:
    """Return a TCP port that nothing in the node uses."""
    with node.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def _await_server(request: Request, server: Process) -> None:
    """Wait until the server says that it listens."""
    said, deadline = b"", time.monotonic() + _PATIENCE
    assert server.stdout is not None
    while b"listening" not in said:
        left = max(0.0, deadline - time.monotonic())
        ready = select.select([server.stdout], [], [], left)[0]
        piece = server.stdout.read1(4096) if ready else b""  # type: ignore[attr-defined]
        if not piece:
            reason = said.decode(errors="replace").strip()
            raise EmuError(f"{request.attempt}: iperf3 does not start: {reason}")
        said += piece


def read_report(request: Request, output: bytes) -> Traffic:
    """Return what a client's JSON says.

    Raises:
        EmuError: it says what went wrong, or is no JSON.
    """
    try:
        report: dict[str, Any] = json.loads(output)
    except ValueError:
        report = {"error": output.decode(errors="replace").strip()[:200]}
    if "error" in report:
        raise EmuError(f"{request.attempt}: {report['error'].removeprefix('error - ')}")
    ends = (request.source.name, request.target.name)
    sender, receiver = ends[::-1] if request.reverse else ends
    read = _udp_stream if request.udp else _tcp_stream
    streams = tuple(read(one) for one in report["end"]["streams"])
    return Traffic(sender, receiver, "udp" if request.udp else "tcp", request.family, "iperf3", streams)


def _tcp_stream(record: dict[str, Any]) -> Stream:
    got = record["receiver"]
    return Stream(got["bytes"], got["seconds"], record["sender"].get("retransmits"))


def _udp_stream(record: dict[str, Any]) -> Stream:
    one = record["udp"]
    lost, packets = one["lost_packets"], one["packets"]
    # `bytes` are those that were sent; all packets are of the same length.
    arrived = round(one["bytes"] * (packets - lost) / packets) if packets else 0
    return Stream(arrived, one["seconds"], packets=packets, lost=lost, jitter=one["jitter_ms"] / 1000)
