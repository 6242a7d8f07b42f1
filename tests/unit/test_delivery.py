"""Messages are sent in batches that any machine's sockets take, and refusals find their command."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest

from emu.bench.line import line
from emu.errors import KernelError
from emu.hooks.plugin_manager import PluginManager
from emu.keeper.netns import MESSAGE, SMALL, parts_of
from emu.keeper.wire import Frame
from emu.netlink.delivery import send
from emu.netlink.lowering import link_operations, routes_of
from emu.netlink.operations import AddRoutes, Request
from emu.planning.plan import NodePlan
from emu.planning.routes import NextHop, Route, RouteTable
from emu.sandboxes.connection import Sandbox

#: A netlink socket's buffer where nobody has changed net.core.wmem_default and wmem_max, in bytes.
BUFFER = 212_992


class Recorder:
    """In place of a keeper: notes the batches, and refuses the message of one number."""

    def __init__(self, refused: int = -1) -> None:
        self.refused = refused
        self.batches: list[bytes] = []
        self.lasts: list[int] = []

    def ask_all(self, _: str, requests: Iterable[tuple[dict[str, Any], bytes]]) -> Iterator[Frame]:
        for arguments, blob in requests:
            refused: list[tuple[int, int, str]] = []
            offset = 0
            for _, size, last, _ in arguments["batches"]:
                self.batches.append(blob[offset : offset + size])
                offset += size
                if (self.lasts or [-1])[-1] < self.refused <= last:
                    refused.append((self.refused, 17, "said so"))
                self.lasts.append(last)
            yield Frame({"refused": refused, "sizes": [0] * len(arguments["batches"])})


def delivered(requests: list[Request], names: Iterable[str], refused: int = -1) -> Recorder:
    recorder = Recorder(refused)
    send(cast(Sandbox, recorder), requests, dict.fromkeys(names, 5))
    return recorder


def messages(data: bytes) -> list[tuple[int, int]]:
    """Return number and flags of each message."""
    found, offset = [], 0
    while offset < len(data):
        size, _, flags, number, _ = MESSAGE.unpack_from(data, offset)
        found.append((number, flags))
        offset += (size + 3) & ~3
    return found


@pytest.fixture(scope="module")
def node() -> NodePlan:
    """A router with 9,000 routes, half of them over two next hops."""
    router = next(one for one in PluginManager().plan_for(line(3)).nodes if one.name == "R1")
    hops = [NextHop(one.name, ipaddress.ip_address("192.0.2.1")) for one in router.interfaces[:2]]
    first = ipaddress.ip_address("20.0.0.0")
    routes = [
        Route(ipaddress.ip_network(first + number), tuple(hops[: 1 + number % 2])) for number in range(9000)
    ]
    return NodePlan(
        router.name, router.label, router.kind, router.interfaces, RouteTable.of(routes), router.settings
    )  # fmt: skip


def test_no_batch_is_longer_than_a_sockets_usual_buffer(node: NodePlan) -> None:
    plan = PluginManager().plan_for(line(1000))
    for requests, names in (
        (link_operations(plan), [one.name for one in plan.nodes]),
        (routes_of(node), ["R1"]),
    ):
        recorder = delivered(requests, names)
        assert len(recorder.batches) > 1
        assert max(map(len, recorder.batches)) < BUFFER / 1.5
        numbers = [number for batch in recorder.batches for number, _ in messages(batch)]
        assert numbers == list(range(sum(one.count for one in requests)))
        for batch, last in zip(recorder.batches, recorder.lasts, strict=True):
            asked = [number for number, flags in messages(batch) if flags & 4]
            assert asked == [last]


@pytest.mark.parametrize("number", [0, 700, 4499, 4500, 8999])
def test_a_refusal_finds_its_command(node: NodePlan, number: int) -> None:
    requests = routes_of(node)
    commands = [command for one in requests if isinstance(one, AddRoutes) for command in one.commands()]
    with pytest.raises(KernelError) as caught:
        delivered(requests, ["R1"], number)
    assert caught.value.operation == commands[number]


def test_a_keeper_sends_in_parts_that_end_where_a_message_does(node: NodePlan) -> None:
    data = b"".join(delivered(routes_of(node), ["R1"]).batches)
    parts = list(parts_of(data))
    assert b"".join(parts) == data
    assert max(map(len, parts)) <= SMALL < BUFFER
    assert [pair for part in parts for pair in messages(part)] == messages(data)
    assert list(parts_of(data[:100])) == [data[:100]]
    assert list(parts_of(b"")) == []
