"""Loss by nftables: the messages are those of `nft`, and so are the commands."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

import emu
from emu.netlink.filtering import DropAtRandom, encode_removal, loss_operations, read_count
from emu.shaping.model import Loss, Shaping
from emu.shaping.possible import plain_loss

_RECORDED = (Path(__file__).parent / "golden" / "nft_numgen.hex").read_text().splitlines()
COMMANDS = [line.removeprefix("# > ") for line in _RECORDED if line.startswith("# > ")]
TRANSACTION = bytes.fromhex("".join(line for line in _RECORDED if not line.startswith("#")))
LOSS = DropAtRandom("HOST1", "HOST1-veth0", 2, 0.01)


def headers(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield the offset of each message, its kind, flags and sequence number."""
    offset = 0
    while offset < len(data):
        size, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, offset)
        yield offset, kind, flags, sequence
        offset += (size + 3) & ~3


def without_numbers(data: bytes) -> bytes:
    """Return messages with sequence numbers of 0."""
    changed = bytearray(data)
    for offset, *_ in headers(data):
        changed[offset + 8 : offset + 12] = bytes(4)
    return bytes(changed)


@pytest.mark.skipif(sys.byteorder != "little", reason="what was recorded is little-endian")
def test_messages_are_those_of_nft() -> None:
    sent = LOSS.encode(5, {}, acknowledge=False)
    assert without_numbers(sent).hex(" ", 4) == without_numbers(TRANSACTION).hex(" ", 4)


def test_commands_are_those_that_were_recorded() -> None:
    prefix = "ip netns exec HOST1 nft "
    assert [command.removeprefix(prefix).strip("'") for command in LOSS.commands()] == COMMANDS


@pytest.mark.parametrize("share", [0.01, 0])
def test_each_message_but_the_frame_has_a_number_and_a_command(share: float) -> None:
    drop = DropAtRandom("HOST1", "HOST1-veth0", 2, share)
    found = list(headers(drop.encode(7, {}, acknowledge=True)))
    inner = found[1:-1]
    assert [sequence for *_, sequence in inner] == list(range(7, 7 + drop.count))
    assert len(drop.commands()) == drop.count
    assert [bool(flags & 4) for _, _, flags, _ in inner] == [False] * (drop.count - 1) + [True]
    assert not any(flags & 4 for _, _, flags, _ in (found[0], found[-1]))


@pytest.mark.parametrize(
    ("share", "parts"),
    [(0.0001, 100_000), (1e-9, 1), (1e-12, 1), (0.5, 5 * 10**8), (1, 10**9), (1 / 3, 333_333_333)],
)
def test_small_chances_are_kept(share: float, parts: int) -> None:
    (rule,) = re.findall(r"random mod (\d+) < (\d+)", " ".join(DropAtRandom("A", "x", 2, share).commands()))
    assert rule == ("1000000000", str(parts))


def test_no_loss_is_no_rule() -> None:
    assert not any("drop" in command for command in DropAtRandom("A", "x", 2, 0).commands())


def test_counters_of_others_are_passed_over() -> None:
    def counter(name: bytes) -> bytes:
        text = struct.pack("=HH", 5 + len(name), 2) + name + b"\0"
        text += bytes(-len(text) % 4)
        numbers = struct.pack("=HH", 12, 1) + (84).to_bytes(8, "big")
        numbers += struct.pack("=HH", 12, 2) + (2).to_bytes(8, "big")
        body = (
            struct.pack("=BBH", 5, 0, 0) + text + struct.pack("=HH", 4 + len(numbers), 4 | 0x8000) + numbers
        )
        return struct.pack("=IHHII", 16 + len(body), 10 << 8 | 18, 2, 1, 0) + body

    assert read_count(counter(b"loss12") + counter(b"lossy") + counter(b"mine")) == {12: (2, 84)}


def test_removal_is_acknowledged() -> None:
    assert [flags & 4 for _, _, flags, _ in headers(encode_removal(3))] == [0, 4, 0]


@pytest.mark.parametrize(
    ("loss", "share"),
    [
        (Loss("random", (0.01,)), 0.01),
        (Loss("random", (0.01, 0.0)), 0.01),
        (Loss("random", (0.01, 0.25)), None),
        (Loss("gemodel", (0.01, 0.1, 1.0, 0.0)), None),
        (None, None),
    ],
)
def test_only_independent_loss_is_for_filters(loss: Loss | None, share: float | None) -> None:
    assert plain_loss(Shaping(loss=loss)) == share


def test_loss_is_at_the_end_that_receives() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("A")
    graph.add_node("B")
    graph.add_edge("A", "B", loss="1%")
    graph.add_edge("B", "C")
    plan = emu.plan_for(graph)
    indices = {one.name: one.index for node in plan.nodes for one in node.interfaces}
    found = {(one.node, one.name, one.index, one.share) for one in loss_operations(plan)}
    assert found == {
        ("B", "B-veth0", indices["B-veth0"], 0.01), ("A", "A-veth0", indices["A-veth0"], 0.01),
    }  # fmt: skip
