"""Random early detection as the kernel takes it."""

from __future__ import annotations

import struct

import pytest

from emu.netlink.red import Red
from emu.shaping.queues import parse_queue

ATTRIBUTE, PARAMETERS = struct.Struct("=HH"), struct.Struct("=IIIBBBB")


@pytest.mark.parametrize("limit", [1, 68, 1514, 3000, 15_140, 10**6, 2**32 - 1])
@pytest.mark.parametrize(
    "words",
    ["red", "red min 1", "red max 10", "red min 30kb", "red min 30kb max 90kb", "red avpkt 1", "red burst 9"],
)
def test_the_kernel_takes_a_queue_of_any_length(words: str, limit: int) -> None:
    """As in red_check_params of include/net/red.h."""
    for rate in (8, 10**6, 10**12):
        options = Red.of(parse_queue(words), limit, rate).options()
        _, low, high, weight, _, cell, _ = PARAMETERS.unpack_from(options, ATTRIBUTE.size)
        table = options[2 * ATTRIBUTE.size + PARAMETERS.size :][:256]
        assert 0 < low <= high
        assert high.bit_length() + weight < 32
        assert cell < 32
        assert max(table) < 32


@pytest.mark.parametrize("name", ["min", "max", "avpkt"])
def test_a_size_is_not_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=f"queue red: {name} is 0"):
        parse_queue(f"red {name} 0")
