"""What `links` and `link … show` tell of links: of all, of parallel ones, and of directions that differ."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import pytest

import emu
from emu.prompt.session import Session
from emu.testing import NetworkFactory

Prompt = Callable[[str], list[str]]


@pytest.fixture
def session(emu_network: NetworkFactory) -> Session:
    """Return a prompt of a network with two links from HOST1 to ROUTER and one on to HOST2."""
    graph: nx.MultiGraph = nx.MultiGraph(name="lab")
    graph.add_nodes_from(
        [("HOST1", {"kind": "host"}), ("ROUTER", {"kind": "router"}), ("HOST2", {"kind": "host"})]
    )
    graph.add_edges_from([("HOST1", "ROUTER"), ("HOST1", "ROUTER"), ("ROUTER", "HOST2")])
    net = emu_network(graph)
    return Session(net, net.plugins)


@pytest.fixture
def prompt(session: Session, capsys: pytest.CaptureFixture[str]) -> Prompt:
    """Return what runs a line, and returns what it prints without the spaces of columns."""

    def run(line: str) -> list[str]:
        capsys.readouterr()
        assert session.run_line(line) == 0
        return [" ".join(row.split()) for row in capsys.readouterr().out.splitlines()]

    return run


def test_links_tells_what_is_set_on_any(prompt: Prompt) -> None:
    plain = prompt("links")
    assert plain[0] == "FROM TO STATE"
    assert len(plain) == 4
    prompt("link HOST1-veth0 set rate=10mbit")
    prompt("link ROUTER HOST2 set rate=2mbit from=HOST2")
    assert prompt("links") == [
        "FROM TO STATE DOES TO PACKETS",
        "HOST1-veth0 ROUTER-veth0 up rate 10mbit",
        "HOST1-veth1 ROUTER-veth1 up",
        "ROUTER-veth2 HOST2-veth0 up",
        "HOST2-veth0 ROUTER-veth2 up rate 2mbit",
    ]
    prompt("link ROUTER HOST2 clear")
    prompt("link HOST1-veth0 clear")
    assert prompt("links") == plain


def test_all_parallel_links_are_shown(prompt: Prompt) -> None:
    prompt("link HOST1-veth1 set rate=5mbit")
    shown = prompt("link ROUTER HOST1 show")
    assert [row.split()[0] for row in shown[1:]] == [
        "HOST1-veth0", "ROUTER-veth0", "HOST1-veth1", "ROUTER-veth1",
    ]  # fmt: skip
    assert ["rate 5mbit" in row for row in shown[1:]] == [False, False, True, True]
    assert len(prompt("link HOST1-veth1 show")) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("link HOST1 HOST2 show", "there is none"),
        ("link HOST1 ROUTER down", "there are 2; name an interface of one"),
        ("link HOST9-veth0 show", "there is no interface HOST9-veth0"),
    ],
)
def test_what_cannot_be_shown_or_changed_is_told(
    session: Session, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    assert session.run_line(line) == emu.UsageError.exit_status
    assert reason in capsys.readouterr().err
