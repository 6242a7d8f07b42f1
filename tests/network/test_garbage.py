"""A keeper that is spoken to by something that is no client, or a bad one: nobody else notices."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import select
import socket
import subprocess
import sys
from random import Random

import pytest

import emu
from emu.keeper.wire import HEADER, Receiver, receive_frame, send_frame

from .helpers import WITHIN, fresh_name, surroundings
from .traces import folders_of

pytestmark = pytest.mark.emu("two_segment")


def frame(text: bytes, blob: bytes = b"") -> bytes:
    return HEADER.pack(len(text), len(blob)) + text + blob


VALUES: tuple[object, ...] = (
    None, True, -1, 1 << 40, "", "HOST1", "\0", "../..", [], [[]], {}, {"HOST1": [1]}, [["HOST1", -1]],
)  # fmt: skip
KINDS = (
    "hello", "names", "create", "sysctl", "read_sysctl", "netlink", "socket", "start", "signal", "write",
    "get", "put", "nothing", "_Requests", "keep", "watch", "signal_kept", "read_net", "furnish", "remove",
)  # fmt: skip
KEYS = (
    "node", "names", "writes", "keys", "batches", "family", "kind", "protocol", "number", "group", "path",
    "argv", "env", "cwd", "umask", "nofile", "terminal", "version", "fds",
    "chosen", "about", "again", "news", "logs", "nodes", "signal_number", "end",
)  # fmt: skip
TEXTS = (b"null", b"[]", b"1e999", b"{}", b"[" * 9999, b"\xff", b'{"fds":-1}', b'{"fds":true}', b'{"fds":9}')


def random_frame(random: Random) -> bytes:
    """Return what has a frame's form, at least in part: a request of some kind with some arguments."""
    message: dict[str, object] = {"do": random.choice([*KINDS, *VALUES])}
    message |= {key: random.choice(VALUES) for key in random.sample(KEYS, random.randrange(8))}
    text = json.dumps(message).encode()
    texts = [text, text[: random.randrange(len(text))], random.choice(TEXTS), random.randbytes(20)]
    whole = frame(random.choice(texts), random.randbytes(random.choice([0, 0, 50])))
    return random.choice([whole, whole, whole[: random.randrange(len(whole))], random.randbytes(30)])


def test_garbage_harms_nobody(net: emu.Network) -> None:
    random = Random(11)
    path = f"{folders_of(net.name)[0]}/socket"
    kept = []
    for number in range(300):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        sock.settimeout(WITHIN)
        with contextlib.suppress(BrokenPipeError):
            for _ in range(random.randrange(1, 4)):
                sock.sendall(random_frame(random))
        if number % 10:  # most go, in the middle of it or not; some stay and never read
            sock.close()
        else:
            kept.append(sock)
        if number % 50 == 0:
            assert net["HOST1"].run(["true"]).returncode == 0
    assert [str(one) for one in net["HOST1"].addresses] == ["192.0.2.1/24"]
    forwarding = net["ROUTER"].run(["cat", "/proc/sys/net/ipv4/ip_forward"], capture_output=True)
    assert forwarding.stdout == b"1\n"
    for sock in kept:
        sock.close()


UNKNOWN: tuple[dict[str, object], ...] = (
    {"do": "nothing"}, {"do": "names", "more": 1}, {"do": "socket", "node": "NOBODY"}, {"do": 7}, {},
)  # fmt: skip


@pytest.mark.parametrize("request_of", UNKNOWN)
def test_an_unknown_request_gets_an_error(request_of: dict[str, object], net: emu.Network) -> None:
    with net.sandbox.connect() as sock:
        send_frame(sock, request_of)
        answer = receive_frame(sock, Receiver())
        assert answer is not None
        assert answer.message["errno"] == errno.EINVAL
        send_frame(sock, {"do": "names"})  # and the connection goes on
        answer = receive_frame(sock, Receiver())
        assert answer is not None
        assert answer.message["names"] == ["HOST1", "ROUTER", "HOST2"]


#: Changes nothing of the loopback interface, without asking for an answer.
UNACKNOWLEDGED = bytes.fromhex("2000000010000100") + bytes(12) + b"\1" + bytes(11)


@pytest.mark.parametrize("messages", [b"", b"\0" * 16, b"\xff" * 40, UNACKNOWLEDGED])
def test_netlink_messages_that_are_none_get_an_error(messages: bytes, net: emu.Network) -> None:
    """Neither one without a length nor one that the kernel will not acknowledge makes the keeper wait."""
    with pytest.raises(OSError, match=r"netlink|No data"):
        net.sandbox.ask("netlink", messages, batches=[["HOST1", len(messages), 0, 0]])
    assert net.sandbox.ask("names").message["names"]


def test_files_are_written_below_their_folder_only(net: emu.Network) -> None:
    for path in ("/etc/passwd", "/run/emu/../../etc/passwd", "/run/netns/HOST1"):
        with pytest.raises(PermissionError):
            net.sandbox.ask("write", b"content", path=path)


def test_a_client_that_never_reads_delays_nobody(net: emu.Network) -> None:
    net.sandbox.ask("put", bytes(1 << 20), version=1)
    with net.sandbox.connect() as deaf:
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):  # each answer fills what the kernel buffers several times over
                send_frame(deaf, {"do": "get"})
        assert net["HOST2"].run(["true"], timeout=WITHIN).returncode == 0
        # What has been promised comes all the same.
        deaf.setblocking(True)
        answer = receive_frame(deaf, Receiver())
        assert answer is not None
        assert len(answer.blob) == 1 << 20


def test_descriptors_that_come_with_garbage_are_closed(net: emu.Network) -> None:
    read, write = os.pipe()
    with net.sandbox.connect() as sock:
        socket.send_fds(sock, [frame(b'{"do":"names"}')], [write])
        socket.send_fds(sock, [frame(b'{"do":"nothing","fds":1}')], [write])
        receive_frame(sock, Receiver())
    os.close(write)
    assert select.select([read], [], [], WITHIN)[0]  # nobody has the other end any more
    os.close(read)


#: The owner and its keeper may have 400 descriptors each; the keeper runs out of them first.
MANY_CALLERS = """
import os, sys, time
import emu
from emu.keeper.wire import Receiver, receive_frame, send_frame
from emu.topologies.two_segment import two_segment

with emu.Network(two_segment(), sys.argv[1]) as net:
    child = os.fork()
    if child == 0:
        mine = [net.sandbox.connect() for _ in range(230)]
        time.sleep(1)
        os._exit(0)
    mine = [net.sandbox.connect() for _ in range(230)]
    os.waitpid(child, 0)
    for sock in mine:
        send_frame(sock, {"do": "hello"})
        assert receive_frame(sock, Receiver()).message["nodes"] == 3
    print("served")
"""


def test_more_callers_than_descriptors() -> None:
    """The keeper serves those that it can, without spinning, and the others when there is room again."""
    limit = min(400, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    done = subprocess.run(
        [sys.executable, "-c", MANY_CALLERS, fresh_name()], env=surroundings(), capture_output=True,
        text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )  # fmt: skip
    assert done.stdout == "served\n", done.stderr
