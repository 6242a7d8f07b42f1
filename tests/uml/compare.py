"""Links of emu and of Mininet (TCLink) side by side, on one kernel: `python -m tests.uml.compare`.

It boots a user-mode Linux machine and prints a table. Mininet is looked for where Python and the shell find
it; `--mininet FOLDER` says where its packages are unpacked (`dpkg -x`). Both make two hosts and a link
with the same settings, and one and the same program measures them, one after the other.
"""

from __future__ import annotations

import argparse
import ctypes
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.uml.bulk import TCP_SHARE, Open, tcp_goodput
from tests.uml.machine import interpreter_folders, load_modules, run_on_machine

#: Rate in Mbit/s, delay of each direction in ms; None where nothing is set.
ROWS: list[tuple[int | None, int | None]] = [
    (10, None), (100, None), (500, None), (10, 50), (100, 10), (None, 20),
]  # fmt: skip
_SECONDS = 6.0
_MODULES = ("veth", "sch_netem", "sch_htb", "sch_tbf", "sch_hfsc", "ipv6")
_CLONE_NEWNET = 0x40000000


@contextmanager
def emu_link(rate: int | None, delay: int | None) -> Iterator[tuple[Open, Open, str]]:
    """Yield what opens sockets on either host of emu's, and the second one's address."""
    import networkx as nx

    import emu

    graph: nx.Graph = nx.Graph(families=(4,))
    given = {"rate": rate and f"{rate}mbit", "delay": delay and f"{delay}ms"}
    graph.add_edge("A", "B", **{name: value for name, value in given.items() if value})
    with emu.Network(graph) as net:
        yield net["A"].socket, net["B"].socket, str(net["B"].addresses[0].ip)


@contextmanager
def mininet_link(rate: int | None, delay: int | None) -> Iterator[tuple[Open, Open, str]]:
    """Yield the same of Mininet's."""
    from mininet.link import TCLink
    from mininet.net import Mininet

    net = Mininet(controller=None, link=TCLink)
    hosts = net.addHost("A"), net.addHost("B")
    net.addLink(*hosts, bw=rate, delay=delay and f"{delay}ms")
    net.start()
    first, second = (_opener(host.pid) for host in hosts)
    yield first, second, hosts[1].IP()
    net.stop()


def _opener(process: int) -> Open:
    """Return what opens sockets in the network namespace of a process."""
    libc = ctypes.CDLL(None, use_errno=True)

    def opened(*kind: Any) -> socket.socket:
        with open("/proc/self/ns/net") as home, open(f"/proc/{process}/ns/net") as there:
            if libc.setns(there.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "enter a host of Mininet")
            try:
                return socket.socket(*kind)
            finally:
                libc.setns(home.fileno(), _CLONE_NEWNET)

    return opened


def _goodput(first: Open, second: Open, address: str) -> float:
    return tcp_goodput(first, second, address, _SECONDS)


def round_trip(first: Open, second: Open, address: str) -> float:
    """Return the median of 50 round trips without load, in ms."""
    with second(socket.AF_INET, socket.SOCK_DGRAM) as far, first(socket.AF_INET, socket.SOCK_DGRAM) as near:
        far.bind((address, 0))
        near.connect(far.getsockname())
        found = []
        for _ in range(51):
            began = time.perf_counter()
            near.send(b"?")
            far.sendto(*far.recvfrom(9))
            near.recv(9)
            found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found[1:])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def measure() -> None:
    """Print the table, on the machine itself."""
    load_modules(_MODULES)
    _say("| rate, delay each way | wanted | emu | TCLink |\n| --- | --- | --- | --- |")
    for rate, delay in ROWS:
        what = round_trip if rate is None else _goodput
        cells = []
        for link in (emu_link, mininet_link):
            try:
                with link(rate, delay) as ends:
                    cells.append(f"{what(*ends) / (1 if rate is None else 1e6):.2f}")
            except ImportError:
                cells.append("-")
        wanted = f"{2 * (delay or 0):.2f} ms" if rate is None else f"{rate * TCP_SHARE:.2f} Mbit/s"
        settings = ", ".join(
            [f"{value} {unit}" for value, unit in ((rate, "Mbit/s"), (delay, "ms")) if value]
        )
        _say(f"| {settings} | {wanted} | {' | '.join(cells)} |")


def main() -> None:
    """Boot a machine that measures, and print what it says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mininet", type=Path, default=Path("/"))
    root = parser.parse_args().mininet.resolve()
    here = Path(__file__).parents[2]
    programs = ":".join(str(root / one) for one in ("usr/bin", "usr/sbin", "bin", "sbin"))
    library = root / "usr/lib/python3/dist-packages"
    command = [
        "env", f"PYTHONPATH={here}:{library}", "PYTHONDONTWRITEBYTECODE=1",
        "sh", "-c", f'PATH="$PATH:{programs}" {sys.executable} -m tests.uml.compare >{{folder}}/table 2>&1',
    ]  # fmt: skip
    found = run_on_machine(
        command, {}, options=["measure"], visible=[here, root, *interpreter_folders()], timeout=400
    )  # fmt: skip
    _say(found.files.get("table", found.console) + "load: " + Path("/proc/loadavg").read_text())


if __name__ == "__main__":
    measure() if "measure" in Path("/proc/cmdline").read_text().split() else main()
