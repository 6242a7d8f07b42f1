"""emu's own traceroute, run in nodes of a chain: H1 – R1 – R2 – R3 – H2."""  # noqa: RUF002  # dashes

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import networkx as nx
import pytest

import emu
from emu.commands import PROGRAMS
from emu.testing import NetworkFactory

TRACEROUTE = f"{PROGRAMS}/traceroute"  # also where the machine has a traceroute of its own
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def net(emu_network: NetworkFactory) -> emu.Network:
    net = emu_network(nx.path_graph(["H1", "R1", "R2", "R3", "H2"]))
    for node in net:
        # Each test spends of what a node may send in ICMP errors: six, then one a second. (A limit
        # of 0 would take the tokens of "net unreachable", which has a limit of its own.)
        write(net, node.name, "net/ipv4/icmp_ratemask", "0")
        write(net, node.name, "net/ipv6/icmp/ratelimit", "0")
        # An address that nobody has is given up after some milliseconds, not after three seconds.
        for interface in node.interfaces:
            write(net, node.name, f"net/ipv4/neigh/{interface.name}/retrans_time_ms", "20")
    return net


@pytest.fixture
def silent(net: emu.Network) -> Iterator[None]:
    """Keep R2 from saying that a packet's time to live is over."""
    write(net, "R2", "net/ipv4/icmp_ratelimit", "1000000000")
    write(net, "R2", "net/ipv4/icmp_ratemask", str(1 << 11))
    yield
    write(net, "R2", "net/ipv4/icmp_ratemask", "0")


def write(net: emu.Network, node: str, key: str, value: str) -> None:
    net[node].run(["sh", "-c", f"echo {value} > /proc/sys/{key}"], check=True)


def trace(net: emu.Network, line: str) -> Done:
    return net["H1"].run([TRACEROUTE, *line.split()], capture_output=True, text=True, timeout=60)


def addresses(net: emu.Network, node: str, version: int) -> str:
    """Return a pattern for any of a node's addresses."""
    found = [re.escape(str(one.ip)) for one in net[node].addresses if one.version == version]
    return f"(?:{'|'.join(found)})"


def times(count: int, mark: str = "") -> str:
    return rf"(?:  \d+\.\d\d\d ms{mark}){{{count}}}"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("method", ["", "-I"])
def test_every_hop_is_named_in_order(net: emu.Network, version: int, method: str) -> None:
    done = trace(net, f"-{version} {method} H2")
    size = {4: 60, 6: 80}[version]
    head = rf"traceroute to H2 \({addresses(net, 'H2', version)}\), 30 hops max, {size} byte packets"
    lines = [
        rf" {number}  {node} \({addresses(net, node, version)}\){times(3)}"
        for number, node in enumerate(("R1", "R2", "R3", "H2"), start=1)
    ]
    assert re.fullmatch("\n".join([head, *lines, ""]), done.stdout), done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


def test_addresses_alone(net: emu.Network) -> None:
    hops = trace(net, "-4 -n H2").stdout.splitlines()[1:]
    assert len(hops) == 4
    for number, node in enumerate(("R1", "R2", "R3", "H2"), start=1):
        assert re.fullmatch(rf" {number}  {addresses(net, node, 4)}{times(3)}", hops[number - 1])


@pytest.mark.parametrize(("options", "numbers"), [("-m 2", [1, 2]), ("-f 3", [3, 4]), ("-f2 -m3", [2, 3])])
def test_a_part_of_the_path(net: emu.Network, options: str, numbers: list[int]) -> None:
    hops = trace(net, f"-4 {options} H2").stdout.splitlines()[1:]
    assert [int(line.split()[0]) for line in hops] == numbers


@pytest.mark.parametrize("count", [1, 10])
def test_as_many_probes_as_asked(net: emu.Network, count: int) -> None:
    hops = trace(net, f"-4 -q {count} -m 1 H2").stdout.splitlines()[1:]
    assert len(hops) == 1
    assert re.fullmatch(rf" 1  R1 \(\S+\){times(count)}", hops[0])


@pytest.mark.parametrize("method", ["", "-I"])
def test_a_silent_router_costs_no_more_than_its_line(net: emu.Network, silent: None, method: str) -> None:
    # Hops beyond it answer, so it is not waited for to the end of -w: or this would run into the timeout.
    lines = trace(net, f"-4 -w 1000,3,10 {method} H2").stdout.splitlines()
    assert lines[2] == " 2  * * *"
    assert re.fullmatch(rf" 4  H2 \(\S+\){times(3)}", lines[4])
    assert len(lines) == 5


def test_silence_to_the_end(net: emu.Network, silent: None) -> None:
    done = trace(net, "-4 -f 2 -m 2 -q 2 -w 0.2 H2")
    assert done.stdout.splitlines()[1:] == [" 2  * *"]
    assert done.returncode == 0


def test_no_route_beyond_a_router(net: emu.Network) -> None:
    hops = trace(net, "-4 198.18.0.1").stdout.splitlines()[1:]
    assert len(hops) == 1
    assert re.fullmatch(rf" 1  R1 \(\S+\){times(3, ' !N')}", hops[0])
    hops = trace(net, "fdff::1").stdout.splitlines()[1:]
    assert re.fullmatch(rf" 1  R1 \(\S+\){times(3, ' !N')}", hops[0])


def test_nobody_at_an_address(net: emu.Network) -> None:
    segment = next(one for one in net["H2"].addresses if one.version == 4).network
    taken = {one.ip for node in net for one in node.addresses}
    free = next(address for address in segment.hosts() if address not in taken)
    hops = trace(net, f"{free}").stdout.splitlines()[1:]
    assert len(hops) == 4
    assert re.fullmatch(rf" 4  R3 \({addresses(net, 'R3', 4)}\){times(3, ' !H')}", hops[3])


def test_a_node_finds_itself(net: emu.Network) -> None:
    hops = trace(net, "-4 H1").stdout.splitlines()[1:]
    assert len(hops) == 1
    assert re.fullmatch(rf" 1  H1 \(\S+\){times(3)}", hops[0])


def test_traces_side_by_side_do_not_take_each_other_s_answers(net: emu.Network) -> None:
    running = [
        net["H1"].popen([TRACEROUTE, "-4", *method, target], stdout=subprocess.PIPE, text=True)
        for method in ([], ["-I"])
        for target in ("H2", "R3", "R2")
    ]
    for process in running:
        out, _ = process.communicate(timeout=60)
        target = str(process.args[-1])
        nodes = re.findall(r"^ \d  (\w+) ", out, re.MULTILINE)
        assert nodes == ["R1", "R2", "R3", "H2"][: ["R1", "R2", "R3", "H2"].index(target) + 1], out


@pytest.mark.parametrize(("line", "reason", "status"), [
    ("NOSUCH", "NOSUCH: Name or service not known", 2),
    ("-4 fd00::1", "fd00::1: Address family for hostname not supported", 2),
    ("-T H2", "emu's own traceroute has no option -T; it takes -m -q -w -f -I -n -4 -6; "
              "install traceroute for the rest", 2),
    ("-q 11 H2", "invalid argument: '11': out of range: 1 <= value <= 10", 2),
    ("", "no host was given; 'traceroute --help' lists the options", 2),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line(net: emu.Network, line: str, reason: str, status: int) -> None:
    done = trace(net, line)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"traceroute: {reason}\n", status)


def test_no_route(net: emu.Network) -> None:
    routes = net["H1"].run(["ip", "-4", "route", "show", "default"], capture_output=True, text=True).stdout
    net["H1"].run(["ip", "route", "del", "default"], check=True)
    try:
        done = trace(net, "-4 H2")
    finally:
        net["H1"].run(["ip", "route", "add", *routes.split()], check=True)
    assert (done.stdout, done.stderr) == ("", "traceroute: connect: Network is unreachable\n")
    assert done.returncode == 1


def test_the_machine_s_own_way_of_calling_traceroute_works(net: emu.Network) -> None:
    done = net["H1"].run(["sh", "-c", "traceroute -n H2 | tail -n 1"], capture_output=True, text=True)
    assert done.stdout.startswith(" 4  ")
    assert done.returncode == 0
