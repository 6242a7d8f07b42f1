"""emu's own ping, run in nodes: what it prints, when it ends, and with which exit status."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import emu
from emu.commands import PROGRAMS
from emu.testing import NetworkFactory

from .helpers import WITHIN

PING = f"{PROGRAMS}/ping"  # also where the machine has a ping of its own
TIME = r"\d+(\.\d+)?"
RTT = r"rtt min/avg/max/mdev = \d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3} ms"
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def net(emu_network: NetworkFactory) -> emu.Network:
    net = emu_network("two_segment", families=(4, 6))
    # An address that nobody has is given up after some milliseconds, not after three seconds.
    for version in "ipv4", "ipv6":
        write(net, "HOST1", f"net/{version}/neigh/HOST1-veth0/retrans_time_ms", "20")
    return net


@pytest.fixture
def narrow(net: emu.Network) -> Iterator[None]:
    """Let the second segment carry packets of 1300 bytes only."""
    ends = ("ROUTER", "ROUTER-veth1"), ("HOST2", "HOST2-veth0")
    for node, interface in ends:
        net[node].run(["ip", "link", "set", interface, "mtu", "1300"], check=True)
    yield
    for node, interface in ends:
        net[node].run(["ip", "link", "set", interface, "mtu", "1500"], check=True)


def write(net: emu.Network, node: str, key: str, value: str) -> None:
    net[node].run(["sh", "-c", f"echo {value} > /proc/sys/{key}"], check=True)


def ping(net: emu.Network, line: str, node: str = "HOST1") -> Done:
    return net[node].run([PING, *line.split()], capture_output=True, text=True, timeout=WITHIN)


def address_of(net: emu.Network, node: str, version: int) -> str:
    return next(str(one.ip) for one in net[node].addresses if one.version == version)


# -- what is printed --------------------------------------------------------------------------------


def test_a_ping_prints_what_iputils_prints(net: emu.Network) -> None:
    done = ping(net, "-4 -c 2 -i 0.05 HOST2")
    assert re.fullmatch(
        r"PING HOST2 \(198\.51\.100\.1\) 56\(84\) bytes of data\.\n"
        rf"64 bytes from HOST2 \(198\.51\.100\.1\): icmp_seq=1 ttl=63 time={TIME} ms\n"
        rf"64 bytes from HOST2 \(198\.51\.100\.1\): icmp_seq=2 ttl=63 time={TIME} ms\n"
        r"\n--- HOST2 ping statistics ---\n"
        rf"2 packets transmitted, 2 received, 0% packet loss, time \d+ms\n{RTT}\n",
        done.stdout,
    ), done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_ping_by_ipv6_prints_what_iputils_prints(net: emu.Network) -> None:
    address = re.escape(address_of(net, "HOST2", 6))
    done = ping(net, "-6 -c1 HOST2")
    assert re.fullmatch(
        rf"PING HOST2\(HOST2 \({address}\)\) 56 data bytes\n"
        rf"64 bytes from HOST2 \({address}\): icmp_seq=1 ttl=63 time={TIME} ms\n"
        r"\n--- HOST2 ping statistics ---\n"
        rf"1 packets transmitted, 1 received, 0% packet loss, time 0ms\n{RTT}\n",
        done.stdout,
    ), done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("line", ["198.51.100.1", "-n -4 HOST2"])
def test_an_address_stands_alone_where_no_name_is_wanted(net: emu.Network, line: str) -> None:
    assert "\n64 bytes from 198.51.100.1: icmp_seq=1 ttl=63 " in ping(net, f"-c1 {line}").stdout


def test_quiet_prints_the_statistics_only(net: emu.Network) -> None:
    done = ping(net, "-4qc3 -i .05 HOST2")
    assert re.fullmatch(
        r"PING .*\n\n--- HOST2 .*\n3 packets transmitted, 3 received, 0% packet loss, .*\nrtt .*\n",
        done.stdout,
    ), done.stdout


def test_the_machine_s_own_way_of_calling_ping_works(net: emu.Network) -> None:
    line = "ping -c 1 HOST2 -I 192.0.2.1 | grep -c '1 received'"
    done = net["HOST1"].run(["sh", "-c", line], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("1\n", 0)


def test_times_are_those_of_the_network(net: emu.Network) -> None:
    found = re.search(r"= ([\d.]+)/", ping(net, "-qc3 -i .05 HOST2").stdout)
    assert found is not None
    assert 0 < float(found[1]) < 1000  # in ms, by the kernel's stamps; it is microseconds


# -- sources, sizes, limits -------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "header"), [
    ("192.0.2.1", "PING HOST2 (198.51.100.1) from 192.0.2.1 : 56(84) bytes of data."),
    ("HOST1-veth0 -4", "PING HOST2 (198.51.100.1) from 192.0.2.1 HOST1-veth0: 56(84) bytes of data."),
    ("fd00::1", "PING HOST2(HOST2 (fd00:0:0:1::1)) from fd00::1 : 56 data bytes"),
    ("HOST1-veth0 -6", "PING HOST2(HOST2 (fd00:0:0:1::1)) from fd00::1 HOST1-veth0: 56 data bytes"),
])  # fmt: skip
def test_a_source_chooses_the_kind_of_address(net: emu.Network, source: str, header: str) -> None:
    done = ping(net, f"-c 1 HOST2 -I {source}")
    assert done.stdout.splitlines()[0] == header
    assert done.returncode == 0


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("size", "timed"), [(0, 0), (15, 0), (16, 1), (1473, 1), (65507, 1)])
def test_packets_of_any_size_come_back(net: emu.Network, version: int, size: int, timed: int) -> None:
    done = ping(net, f"-{version} -nc1 -s {size} HOST2")
    line = done.stdout.splitlines()[1]
    assert line.startswith(f"{size + 8} bytes from ")
    assert (" time=" in line, "rtt min" in done.stdout) == (timed, timed)
    assert done.returncode == 0


def test_a_packet_beyond_any_size_is_named(net: emu.Network) -> None:
    done = ping(net, "-4 -c1 -s 65508 HOST2")
    assert done.stderr == "ping: local error: message too long, mtu=1500\n"
    assert "1 packets transmitted, 0 received, +1 errors, 100% packet loss" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(("version", "text"), [(4, "Frag needed and DF set (mtu = 1300)"),
                                               (6, "Packet too big: mtu=1300")])  # fmt: skip
def test_a_narrow_link_is_found_out_and_then_minded(
    net: emu.Network, narrow: None, version: int, text: str
) -> None:
    done = ping(net, f"-{version} -n -c2 -i .05 -s 1400 HOST2")
    router = "192.0.2.254" if version == 4 else "fd00::fe"
    pattern = rf"\nFrom {router} icmp_seq=1 {re.escape(text)}\n1408 bytes from .* icmp_seq=2 "
    assert re.search(pattern, done.stdout), done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(("version", "text"), [
    (4, "ROUTER (192.0.2.254) icmp_seq=1 Time to live exceeded"),
    (6, "ROUTER (fd00::fe) icmp_seq=1 Time exceeded: Hop limit"),
])  # fmt: skip
def test_a_time_to_live_expires(net: emu.Network, version: int, text: str) -> None:
    done = ping(net, f"-{version} -c1 -t1 HOST2")
    assert f"\nFrom {text}\n\n---" in done.stdout
    assert "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n\n" in done.stdout
    assert done.returncode == 1
    assert ping(net, f"-{version} -c1 -t2 HOST2").returncode == 0


# -- what goes wrong --------------------------------------------------------------------------------


def test_nobody_at_an_address(net: emu.Network) -> None:
    done = ping(net, "-c3 -i .02 192.0.2.9")
    for number in 1, 2, 3:
        assert f"\nFrom 192.0.2.1 icmp_seq={number} Destination Host Unreachable\n" in done.stdout
    assert "3 packets transmitted, 0 received, +3 errors, 100% packet loss" in done.stdout
    assert done.returncode == 1
    assert "icmp_seq=1 Destination unreachable: Address unreachable" in ping(net, "-c1 fd00::99").stdout


def test_a_link_that_goes_down_and_comes_back(emu_network: NetworkFactory) -> None:
    # A network of its own: an interface that goes down loses its IPv6 addresses.
    net = emu_network("two_segment")
    net["ROUTER"].run(["ip", "link", "set", "ROUTER-veth1", "down"], check=True)
    done = ping(net, "-c1 HOST2")
    assert "\nFrom ROUTER (192.0.2.254) icmp_seq=1 Destination Net Unreachable\n" in done.stdout
    assert done.returncode == 1
    net["ROUTER"].run(["ip", "link", "set", "ROUTER-veth1", "up"], check=True)
    assert ping(net, "-c1 HOST2").returncode == 0


def test_silence_is_waited_for_as_long_as_asked(net: emu.Network) -> None:
    write(net, "HOST2", "net/ipv4/icmp_echo_ignore_all", "1")
    try:
        for limit in "-c2 -i .05 -W .1", "-w .1":
            done = ping(net, f"-4 {limit} HOST2")
            assert "0 received, 100% packet loss" in done.stdout
            assert (done.stderr, done.returncode) == ("", 1)
    finally:
        write(net, "HOST2", "net/ipv4/icmp_echo_ignore_all", "0")


def test_a_deadline_that_comes_before_the_count_is_a_failure(net: emu.Network) -> None:
    done = ping(net, "-w .3 -c 1000 -i .1 HOST2")
    assert "rtt min/avg" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(("line", "reason"), [
    ("NOSUCH", "NOSUCH: Name or service not known"),
    ("\u00e4..b", "\u00e4..b: Name or service not known"),
    ("-6 198.51.100.1", "198.51.100.1: Address family for hostname not supported"),
    ("-4 fd00::1", "fd00::1: Address family for hostname not supported"),
    ("-I NOSUCH HOST2",
     "SO_BINDTODEVICE NOSUCH: No such device; -I takes an address or an interface of this node"),
    ("-I sixteen-letters- HOST2",
     "SO_BINDTODEVICE sixteen-letters-: No such device; -I takes an address or an interface of this node"),
    ("-I 9.9.9.9 HOST2",
     "bind 9.9.9.9: Cannot assign requested address; -I takes an address or an interface of this node"),
    ("192.0.2.255",
     "192.0.2.255 is a broadcast address; emu's own ping has no -b: install iputils-ping for it"),
    ("fe80::1", "connect: Invalid argument; say through which interface: fe80::1%NAME or -I NAME"),
    ("-f HOST2", "emu's own ping has no option -f; it takes -c -i -W -w -I -s -t -q -n -4 -6; "
                 "install iputils-ping for the rest"),
    ("", "usage error: Destination address required"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line(net: emu.Network, line: str, reason: str) -> None:
    done = ping(net, line)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"ping: {reason}\n", 2)


def test_no_route(net: emu.Network) -> None:
    net["HOST1"].run(["ip", "route", "del", "default"], check=True)
    try:
        done = ping(net, "-4 -c1 HOST2")
    finally:
        net["HOST1"].run(["ip", "route", "add", "default", "via", "192.0.2.254"], check=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "ping: connect: Network is unreachable\n", 2)


# -- signals, pipes, neighbours ---------------------------------------------------------------------


@pytest.mark.parametrize(("host", "status", "received"), [("HOST2", 0, "1 received, 0%"),
                                                          ("192.0.2.9", 1, "0 received")])  # fmt: skip
def test_ctrl_c_prints_the_statistics(net: emu.Network, host: str, status: int, received: str) -> None:
    command = [PING, "-i", "60", host]
    with net["HOST1"].popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("PING")
        process.stdout.readline()  # the reply, or that there will be none
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WITHIN)
    assert f"--- {host} ping statistics ---\n1 packets transmitted, {received}" in out
    assert (err, process.returncode) == ("", status)


def test_ctrl_backslash_prints_one_line_and_goes_on(net: emu.Network) -> None:
    command = [PING, "-i", "60", "HOST2"]
    with net["HOST1"].popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(2):
            process.stdout.readline()
        process.send_signal(signal.SIGQUIT)
        line = process.stderr.readline() + process.stderr.readline()  # "\r" counts as an end, too
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN)
    assert re.search(rf"1/1 packets, 0% loss, min/avg/ewma/max = {TIME}/{TIME}/{TIME}/{TIME} ms\n$", line)
    assert process.returncode == 0


@pytest.mark.parametrize("line", [f"{PING} HOST2 | head -n 1 >/dev/null", f"{PING} -c1 HOST2 >&-"])
def test_a_reader_who_leaves_is_no_error(net: emu.Network, line: str) -> None:
    done = net["HOST1"].run(["sh", "-c", line], capture_output=True, text=True, timeout=WITHIN)
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_full_disk_is_one_line(net: emu.Network) -> None:
    done = net["HOST1"].run(["sh", "-c", f"{PING} -c1 HOST2 >/dev/full"], capture_output=True, text=True)
    assert done.stderr.splitlines()[0] == "ping: No space left on device"
    assert done.returncode != 0


def test_pings_side_by_side_do_not_take_each_other_s_replies(net: emu.Network) -> None:
    command = [PING, "-4", "-c20", "-i", ".02", "HOST2"]
    running = [net["HOST1"].popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        out, _ = process.communicate(timeout=WITHIN)
        assert "DUP" not in out
        assert "20 packets transmitted, 20 received, 0% packet loss" in out


def test_many_answer_a_multicast(emu_network: NetworkFactory) -> None:
    net = emu_network("single", hosts=3, families=6)
    # Until the switch has sorted out who listens, the first packets may reach nobody.
    done = ping(net, "-c5 -i .2 -n -I HOST1-veth0 ff02::1")
    # From whichever address the others prefer: the link-local one may come a moment later.
    other = r"(fe80::[^ ]+%HOST1-veth0|fd00::[23])"
    repeated = rf"\n64 bytes from {other}: icmp_seq=\d ttl=64 time=.* ms \(DUP!\)\n"
    assert re.search(repeated, done.stdout), done.stdout
    found = re.search(r"(\d+) received, \+(\d+) duplicates, 0% packet loss", done.stdout)
    assert found is not None
    assert int(found[2]) > 0
    assert done.returncode == 0


# -- start-up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["ping", "traceroute"])
def test_a_program_loads_the_standard_library_only(program: str) -> None:
    command = [sys.executable, "-P", "-X", "importtime", "-m", f"emu.programs.{program}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    ours = {name for name in loaded if name.startswith("emu.")}
    assert {name for name in ours if not name.startswith("emu.programs")} == {"emu.icmp"}
    heavy = {"argparse", "asyncio", "click", "dataclasses", "inspect", "networkx", "pluggy", "subprocess"}
    assert not heavy & loaded
