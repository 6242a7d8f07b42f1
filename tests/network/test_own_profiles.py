"""A running network knows the profiles that its graph brought, whoever sets a link."""

from __future__ import annotations

import pytest

import emu
from emu.testing import NetworkFactory
from emu.topologies.two_segment import two_segment

from .helpers import WITHIN, run_emu

RATE = 3_000_000


@pytest.fixture
def own(emu_network: NetworkFactory) -> emu.Network:
    graph = two_segment()
    graph.graph["profiles"] = {"lab": {"rate": "3mbit"}}
    return emu_network(graph)


def rate(net: emu.Network) -> int | None:
    net.refresh()
    shaping = net.plan.node("HOST1").interfaces[0].shaping
    return None if shaping is None else shaping.rate


def test_python_schedules_and_other_terminals_set_them(own: emu.Network) -> None:
    own.link("HOST1", "ROUTER").set(profile="lab")
    assert rate(own) == RATE
    own.link("HOST1", "ROUTER").clear()
    own.schedule([{"at": 0, "link": ["HOST1", "ROUTER"], "set": {"profile": "lab"}}]).wait(WITHIN)
    assert rate(own) == RATE
    own.link("HOST1", "ROUTER").clear()
    run_emu("link", own.name, "HOST1", "ROUTER", "set", "profile=lab")
    assert rate(own) == RATE
