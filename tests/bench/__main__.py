"""`make bench`: whole commands, timed in turn, with their ratios to one of them.

Commands of one table take turns, so that a machine that grows slower or faster meanwhile does so for
all of them. Nothing else should be running. What is not installed is left out and named.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 15
HERE = Path(__file__).parent
EMU = str(Path(sys.executable).with_name("emu"))
#: Whatever is compared with emu builds in the caller's own namespaces; these are not the machine's.
APART = ["unshare", "--net", "--mount", "--propagation", "private"]

#: Its Linux bridge needs neither Open vSwitch nor a controller.
MININET = ["mn", "--switch", "lxbr", "--controller", "none", "--test", "pingpair"]


@dataclass
class Contender:
    """A command line to time. `needs` is a program without which it is left out."""

    name: str
    command: list[str]
    needs: str = "sh"


def main() -> None:
    """Print every table."""
    machine = f"Python {sys.version.split()[0]}, Linux {os.uname().release}, {os.cpu_count()} cores"
    print(f"{machine}, median of {ROUNDS}\n")
    table("Two hosts and a router: build, one ping, end", [
        Contender("emu", [EMU, "run", "two_segment", "-c", "HOST1 ping -c 1 HOST2"]),
        Contender("Mininet", [*APART, *MININET], "mn"),
        Contender("shell script", [*APART, "sh", str(HERE / "founding.sh")], "ping"),
        Contender("import networkx, pyroute2", [sys.executable, "-c", "import networkx, pyroute2"]),
    ])  # fmt: skip
    subprocess.run(
        [EMU, "run", "two_segment", "--name", "bench", "--detach"], check=True, stderr=subprocess.DEVNULL
    )
    try:
        table("Commands that build nothing", [
            Contender("emu exec bench HOST1 true", [EMU, "exec", "bench", "HOST1", "true"]),
            Contender("emu ps", [EMU, "ps"]),
            Contender("emu --help", [EMU, "--help"]),
            Contender("python -c pass", [sys.executable, "-c", "pass"]),
        ])  # fmt: skip
    finally:
        subprocess.run([EMU, "stop", "bench"], check=True)
    in_process()


def table(title: str, contenders: list[Contender]) -> None:
    """Time the contenders in turn and print a Markdown table."""
    print(f"### {title}\n")
    present = [one for one in contenders if shutil.which(one.needs)]
    times: dict[str, list[float]] = {one.name: [] for one in present}
    for count in range(ROUNDS + 1):
        for one in present:
            begin = time.perf_counter()
            done = subprocess.run(
                one.command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"{' '.join(one.command)}: exit {done.returncode}\n{done.stderr}")
            if count:  # the first round warms the caches
                times[one.name].append(time.perf_counter() - begin)
    print("| | median | least | most | emu / this, in pairs |")
    print("|---|---|---|---|---|")
    first = times[present[0].name]
    for name, measured in times.items():
        ratio = statistics.median(a / b for a, b in zip(first, measured, strict=True))
        cells = (statistics.median(measured), min(measured), max(measured))
        print(f"| {name} | " + " | ".join(f"{cell * 1000:.0f} ms" for cell in cells) + f" | {ratio:.2f} |")
    for one in contenders:
        if one not in present:
            print(f"\n{one.name}: left out, there is no `{one.needs}` here")
    print()


def in_process() -> None:
    """Time what a program that uses emu as a library waits for, without interpreter and imports."""
    import emu
    from emu.topologies.two_segment import two_segment

    times: dict[str, list[float]] = {"plan": [], "build": [], 'node.run(["true"])': [], "end": []}

    def clock(name: str, begin: float) -> float:
        now = time.perf_counter()
        times[name].append(now - begin)
        return time.perf_counter()

    for _ in range(ROUNDS):
        begin = time.perf_counter()
        network = emu.Network(two_segment())
        begin = clock("plan", begin)
        network.start()
        begin = clock("build", begin)
        network["HOST1"].run(["true"])
        begin = clock('node.run(["true"])', begin)
        network.close()
        clock("end", begin)
    print("### two_segment in a running interpreter\n\n| | median |\n|---|---|")
    for name, measured in times.items():
        print(f"| {name} | {statistics.median(measured[1:]) * 1000:.1f} ms |")


main()
