"""The results of pinging all pairs, and which pairs those are."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.reaching.neighbours import neighbours_for
from emu.reaching.ping import Ping, PingResults, _pairs, milliseconds

RESULTS = PingResults(
    nodes=("A", "B"),
    pings=(
        Ping("A", "B", 4, 0.001, ""),
        Ping("B", "A", 4, None, "no reply within 1 s"),
        Ping("A", "B", 6, 0.003, ""),
        Ping("B", "A", 6, 0.0025, ""),
    ),
)


def test_counts_and_share_of_pairs_without_an_answer() -> None:
    assert (RESULTS.sent, RESULTS.received, RESULTS.loss, RESULTS.ok) == (4, 3, 0.25, False)
    assert RESULTS.unreachable == [("B", "A", 4, "no reply within 1 s")]


def test_one_family_is_judged_by_itself() -> None:
    assert RESULTS.families == (4, 6)
    assert RESULTS.over(6).ok
    assert not RESULTS.over(4).ok


def test_round_trip_time_of_a_pair_in_seconds() -> None:
    assert RESULTS.rtt("A", "B") == 0.001
    assert RESULTS.rtt("B", "A") is None
    assert RESULTS.rtt("B", "A", family=6) == 0.0025
    with pytest.raises(KeyError):
        RESULTS.rtt("A", "C")


def test_edge_of_the_graph_needs_every_family() -> None:
    assert list(RESULTS.graph().edges(data="rtt")) == [("A", "B", 0.003)]
    assert sorted(RESULTS.graph(6).edges(data="rtt")) == [("A", "B", 0.003), ("B", "A", 0.0025)]


def test_graph_keeps_nodes_that_nobody_reaches() -> None:
    pings = (Ping("A", "B", 4, None, "down"), Ping("B", "A", 4, None, "down"))
    graph = PingResults(("A", "B"), pings).graph()
    assert (list(graph.nodes), list(graph.edges)) == (["A", "B"], [])


def test_matrix_has_a_row_per_source() -> None:
    assert RESULTS.matrix(4) == [["A", "-", "1.000"], ["B", "X", "-"]]


def test_matrix_leaves_pairs_empty_that_were_not_tried() -> None:
    assert PingResults(("A", "B"), (Ping("A", "B", 4, 0.02, ""),)).matrix(4) == [
        ["A", "-", "20.0"],
        ["B", "", "-"],
    ]


def test_summary_line() -> None:
    assert str(RESULTS.over(6)) == (
        "pingall: 2/2 pairs reachable, 0% loss, rtt min/avg/max = 2.500/2.750/3.000 ms"
    )


def test_summary_of_a_single_loss_among_thousands_is_not_zero() -> None:
    pings = [Ping("A", str(number), 4, 0.001, "") for number in range(9_899)]
    assert "0.0101% loss" in str(PingResults((), (*pings, Ping("A", "B", 4, None, "down"))))


def test_summary_without_answers_has_no_times() -> None:
    assert str(PingResults(("A", "B"), (Ping("A", "B", 4, None, "down"),))) == (
        "pingall: 0/1 pairs reachable, 100% loss"
    )


def test_results_show_themselves_in_a_line_with_a_few_reasons() -> None:
    lost = tuple(Ping("A", name, 4, None, "down") for name in "BCD")
    start = "pingall: 0/{0} pairs reachable, 100% loss; A → B: down; A → C: down"
    assert repr(PingResults((), lost)) == f"<{start.format(3)}; …>"
    assert repr(PingResults((), lost[:2])) == f"<{start.format(2)}>"


def test_nothing_to_ping_is_no_failure() -> None:
    nothing = PingResults(("A",), ())
    assert nothing.ok
    assert nothing.loss == 0
    assert "nothing to do" in str(nothing)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000042, "0.004"), (0.00994, "9.940"), (0.0123456, "12.3"), (2.5, "2500")]
)
def test_milliseconds_keep_three_digits_or_more(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


@given(st.integers(0, 30))
def test_every_ordered_pair_once(count: int) -> None:
    pairs = list(_pairs(count, None, 0))
    assert sorted(pairs) == [(a, b) for a in range(count) for b in range(count) if a != b]


@given(st.integers(2, 30))
def test_each_source_comes_up_once_before_any_comes_again(count: int) -> None:
    pairs = list(_pairs(count, None, 0))
    for start in range(0, len(pairs), count):
        assert {source for source, _ in pairs[start : start + count]} == set(range(count))


@given(st.integers(2, 30), st.integers(1, 1000), st.integers())
def test_sample_is_repeatable_and_of_that_size(count: int, sample: int, seed: int) -> None:
    pairs = list(_pairs(count, sample, seed))
    assert pairs == list(_pairs(count, sample, seed))
    assert len(set(pairs)) == len(pairs) == min(sample, count * (count - 1))


def test_other_seeds_pick_other_pairs() -> None:
    assert list(_pairs(100, 50, seed=0)) != list(_pairs(100, 50, seed=1))


def _known(graph: nx.Graph, pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which node must know which by its link-layer address."""
    neighbours = neighbours_for(emu.plan_for(graph, families=(4,)), 4, pairs)
    nodes = [one.node for one in neighbours.attachments]
    return {(nodes[me], nodes[other]) for me, known in enumerate(neighbours.known) for other in known}


def test_neighbours_are_pairs_of_one_segment_and_routers() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("S", kind="switch")
    graph.add_node("R", kind="router")
    graph.add_edges_from([("S", "A"), ("S", "B"), ("S", "C"), ("S", "R"), ("R", "D")])
    with_router = {("R", "A"), ("R", "B"), ("R", "C"), ("R", "D")}
    expected = {("A", "B"), *with_router}
    assert _known(graph, [("A", "B"), ("A", "D")]) == expected | {(b, a) for a, b in expected}


def test_a_node_is_no_neighbour_of_itself() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("S", kind="switch")
    graph.add_node("R", kind="router")
    graph.add_edges_from([("S", "R"), ("S", "A")])
    assert _known(graph, []) == {("R", "A"), ("A", "R")}
