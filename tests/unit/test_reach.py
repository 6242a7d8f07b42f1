"""The way of a packet, from where it was seen."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

import emu
from emu.reaching.reach import _Track
from emu.reaching.sightings import Sighting, Way
from emu.topologies.two_segment import two_segment

#: A request from HOST1 to HOST2, in order.
_SEEN = [
    ("HOST1", "HOST1-veth0", Way.OUT),
    ("ROUTER", "ROUTER-veth0", Way.IN),
    ("ROUTER", "ROUTER-veth1", Way.OUT),
    ("HOST2", "HOST2-veth0", Way.IN),
]


@pytest.mark.parametrize("order", list(itertools.permutations(["HOST1", "ROUTER", "HOST2"])))
@pytest.mark.parametrize("count", [3, 4])
def test_stamps_of_when_packets_were_read_do_not_hide_the_way(order: tuple[str, ...], count: int) -> None:
    network: Any = SimpleNamespace(plan=emu.plan_for(two_segment()))
    read = sorted(_SEEN[:count], key=lambda one: order.index(one[0]))
    seen = [Sighting(number, *one, attempt=0, is_reply=False) for number, one in enumerate(read)]
    way = _Track(network, seen).way("HOST1", "HOST2", False)
    assert way == ["HOST1", "ROUTER", "HOST2"][: count - 1]
