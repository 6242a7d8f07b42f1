"""Sockets that live in nodes and are used here: they end with the network, and hang nobody."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

import emu
from emu.hooks.plugin_manager import default_plugins
from emu.planning.plan import Plan
from emu.topologies.two_segment import two_segment

from .helpers import WITHIN, eventually, fresh_name, outer_unchanged
from .owners import Owners
from .traces import Traces

ETH_P_ALL = 3


@pytest.fixture(scope="module", autouse=True)
def same_outer_machine() -> Iterator[None]:
    with outer_unchanged():
        yield


@pytest.fixture(scope="module")
def plan() -> Plan:
    return default_plugins().plan_for(two_segment())


@pytest.fixture
def name() -> str:
    return fresh_name()


@pytest.fixture
def network(name: str, plan: Plan) -> Iterator[emu.Network]:
    with emu.Network(plan, name) as running:
        yield running


def connected(network: emu.Network) -> tuple[socket.socket, socket.socket, socket.socket]:
    """Return a listener in HOST2, a connection from HOST1 to it, and what it accepted."""
    listener = network["HOST2"].socket()
    listener.bind(("0.0.0.0", 8080))
    listener.listen()
    client = network["HOST1"].socket()
    client.connect(("198.51.100.1", 8080))
    return listener, client, listener.accept()[0]


def test_every_socket_is_closed(network: emu.Network) -> None:
    given = [
        network["HOST1"].socket(*kind)
        for kind in (
            (socket.AF_INET, socket.SOCK_STREAM),
            (socket.AF_INET6, socket.SOCK_DGRAM),
            (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            (socket.AF_PACKET, socket.SOCK_RAW),
            (socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE),
            (socket.AF_UNIX, socket.SOCK_STREAM),
        )
    ]
    traces = Traces(network.name)
    network.close()
    assert [sock.fileno() for sock in given] == [-1] * len(given)
    traces.assert_gone()


def test_what_came_from_a_socket_keeps_no_namespace(network: emu.Network) -> None:
    """Accepted, duplicated, wrapped in a file, taken over by another object or detached from any."""
    listener, client, accepted = connected(network)
    copy = client.dup()
    file = accepted.makefile("rb")
    number = network["ROUTER"].socket(socket.AF_INET, socket.SOCK_DGRAM).detach()
    traces = Traces(network.name)
    network.close()
    traces.assert_gone()
    # Their holders find a connection that has ended, and close what is theirs to close.
    with pytest.raises(OSError, match="not connected"):
        accepted.send(b"x")
    with pytest.raises((OSError, ValueError)):
        file.read(1)
    os.fstat(number)
    os.close(number)
    for sock in (listener, accepted, copy):
        sock.close()
    file.close()


def waiting(
    network: emu.Network, listener: socket.socket, client: socket.socket, accepted: socket.socket
) -> dict[str, Callable[[], object]]:
    """Return ways to wait for a socket in the network."""
    datagrams = network["HOST1"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("0.0.0.0", 9))
    echo = network["HOST1"].socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    frames = network["HOST2"].socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    bound = network["ROUTER"].socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    bound.bind(("ROUTER-veth0", ETH_P_ALL))
    news = network["HOST1"].socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    polled = network["HOST1"].socket(socket.AF_INET6, socket.SOCK_DGRAM)
    return {
        "accept": listener.accept,
        "receive on a connection": lambda: client.recv(1),
        "receive what was accepted": lambda: accepted.recv(1),
        "receive a datagram": lambda: datagrams.recv(1),
        "receive from a raw socket": lambda: echo.recv(1),
        "receive frames": lambda: frames.recv(1),
        "receive frames of an interface": lambda: bound.recv(1),
        "receive netlink messages": lambda: news.recv(1),
        "select": lambda: select.select([polled], [], []),
    }


def test_threads_that_wait_for_a_socket_go_on(network: emu.Network) -> None:
    ended: list[str] = []

    def run(what: str, wait: Callable[[], object]) -> None:
        with contextlib.suppress(OSError, ValueError):
            wait()
        ended.append(what)

    listener, client, accepted = connected(network)
    waits = waiting(network, listener, client, accepted)
    threads = [threading.Thread(target=run, args=one, daemon=True) for one in waits.items()]
    for thread in threads:
        thread.start()
    eventually(lambda: all(sleeping(thread) for thread in threads))
    traces = Traces(network.name)
    network.close()
    for thread in threads:
        thread.join(WITHIN)
    assert sorted(ended) == sorted(waits)
    traces.assert_gone()
    accepted.close()


def test_a_thread_that_waits_for_frames_goes_on(network: emu.Network) -> None:
    """Also where nothing else in the network makes a frame arrive."""
    sniffer = network["HOST1"].socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x88CC))

    def sniff() -> None:
        with contextlib.suppress(OSError):
            while True:
                sniffer.recv(100)

    thread = threading.Thread(target=sniff, daemon=True)
    thread.start()
    eventually(lambda: sleeping(thread))
    traces = Traces(network.name)
    network.close()
    thread.join(WITHIN)
    assert not thread.is_alive()
    traces.assert_gone()


def sleeping(thread: threading.Thread) -> bool:
    """Tell whether a thread waits in the kernel, and not for the interpreter's lock, before it does."""
    task = Path(f"/proc/self/task/{thread.native_id}")
    is_asleep = (task / "stat").read_text().rpartition(")")[2].split()[0] == "S"
    return is_asleep and "futex" not in (task / "wchan").read_text()


def test_servers_and_clients_of_asyncio(name: str, plan: Plan) -> None:
    """Connections that are open when the block is left keep nothing."""

    async def converse() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await reader.readline()
            writer.close()

        with emu.Network(plan, name) as network:
            bound = network["HOST2"].socket()
            bound.bind(("0.0.0.0", 80))
            server = await asyncio.start_server(echo, sock=bound)
            sock = network["HOST1"].socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("198.51.100.1", 80))
            reader, writer = await asyncio.open_connection(sock=sock)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            server.close()  # takes no more connections, and leaves the one that there is
            traces = Traces(name)
        traces.assert_gone()
        writer.close()
        await writer.wait_closed()

    asyncio.run(converse())


# -- forked copies of the owner ----------------------------------------------------------------------


FORKS = {
    "fork": """
        if os.fork() == 0:
            say("copy")
            time.sleep(100)
        """,
    "fork in a fork, in a session of its own": """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                say("copy")
            time.sleep(100)
        """,
    "multiprocessing": """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        context.Process(target=lambda: (say("copy"), time.sleep(100))).start()
        """,
}


@pytest.mark.parametrize("fork", FORKS.values(), ids=FORKS.keys())
def test_a_copy_of_a_killed_owner_keeps_nothing(fork: str, name: str) -> None:
    with Owners() as owners:
        owner = owners.start(
            name,
            f"""
            with Network() as net:
                {fork.strip().replace(chr(10), chr(10) + " " * 8)}
                time.sleep(100)
            """,
        )
        owners.expect(name, "copy")
        traces = Traces(name)
        os.kill(owner, signal.SIGKILL)
        traces.assert_gone()


def test_a_copy_that_leaves_the_block_does_not_end_its_parents_network(network: emu.Network) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            network.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert network["HOST1"].run(["true"]).returncode == 0
    assert [str(one) for one in network["HOST2"].addresses] == ["198.51.100.1/24"]


def test_a_copy_uses_the_network_beside_its_parent(network: emu.Network) -> None:
    """Each asks over a connection of its own: the answers do not get mixed up."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def ask(node: str) -> None:
        results.put([[str(one) for one in network[node].addresses] for _ in range(20)])

    child = context.Process(target=ask, args=("HOST1",))
    child.start()
    mine = [[str(one) for one in network["HOST2"].addresses] for _ in range(20)]
    theirs = results.get()
    child.join()
    assert theirs == [["192.0.2.1/24"]] * 20
    assert mine == [["198.51.100.1/24"]] * 20


QUESTIONS: dict[str, Callable[[emu.Network], object]] = {
    "one": lambda network: network.jobs(),
    "a socket": lambda network: network["HOST1"].socket(),
    "many": lambda network: network.counters(),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_an_interrupted_question_gives_nobody_else_its_answer(
    network: emu.Network, monkeypatch: pytest.MonkeyPatch, question: Callable[[emu.Network], object]
) -> None:
    """Ctrl-C may come while an answer is on its way."""
    with monkeypatch.context() as patched:
        patched.setattr("emu.sandboxes.connection.receive_frame", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            question(network)
    assert [one.name for one in network["ROUTER"].read_interfaces()][1:] == ["ROUTER-veth0", "ROUTER-veth1"]
    assert network.jobs() == []
    assert len(network.counters()) == 4
