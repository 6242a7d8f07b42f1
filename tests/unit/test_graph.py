"""From graphs to topologies: kinds, segments, and every fault with its node or link."""

from __future__ import annotations

import random
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emu
from emu.errors import EmuError, TopologyError, UsageError
from emu.graph.attributes import KNOWN, Kind
from emu.graph.topology import SWITCH_LINKS, topology_from

from .graphs import GRAPHS


def faults_of(graph: nx.Graph, **options: Any) -> list[str]:
    with pytest.raises(TopologyError) as caught:
        topology_from(graph, **options)
    assert "\n" not in str(caught.value)
    return list(caught.value.faults)


def line(*nodes: Hashable, **attributes: Any) -> nx.Graph:
    """Return a graph with one link, or several in a row."""
    graph: nx.Graph = nx.Graph()
    nx.add_path(graph, nodes, **attributes)
    return graph


def kinds(graph: nx.Graph) -> str:
    return " ".join(str(node.kind) for node in topology_from(graph).nodes)


# -- what a graph means ----------------------------------------------------------------------------


def test_without_kinds_the_degree_tells_hosts_from_routers() -> None:
    graph = line("a", "b", "c")
    graph.add_node("alone")
    assert kinds(graph) == "host router host host"


def test_a_host_with_nothing_to_connect_to_is_allowed_with_a_warning() -> None:
    graph = line("a", "b")
    graph.add_node("alone", kind="host")
    assert topology_from(graph).warnings == ("nothing can reach alone: no links lead there",)


def test_a_prefix_of_a_family_that_the_network_lacks_is_a_warning() -> None:
    graph = line("a", "b", prefix="2001:db8::/64")
    assert topology_from(graph).warnings == ()
    assert topology_from(graph, families=(4,)).warnings == (
        "link a--b: prefix 2001:db8::/64 is unused, as the network has IPv4 only",
    )


@pytest.mark.parametrize("make", [nx.Graph, nx.MultiGraph, nx.DiGraph, nx.MultiDiGraph])
def test_any_class_of_graph_will_do(make: Any) -> None:
    graph = make([("a", "b"), ("b", "c")])
    topology = topology_from(graph)
    assert [one.name for one in topology.interfaces] == ["a-veth0", "b-veth0", "b-veth1", "c-veth0"]


@pytest.mark.parametrize("make", [nx.MultiGraph, nx.MultiDiGraph])
def test_parallel_links_are_links_of_their_own(make: Any) -> None:
    topology = topology_from(make([("a", "b"), ("a", "b"), ("a", "b")]))
    assert len(topology.links) == len(topology.segments) == 3


def test_two_opposite_edges_are_one_link_with_a_weight_per_direction() -> None:
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_edge("a", "b", weight=3)
    graph.add_edge("b", "a", weight=5)
    assert [(one.node, one.weight) for one in topology_from(graph).interfaces] == [("a", 3.0), ("b", 5.0)]


def test_one_directed_edge_has_its_weight_both_ways() -> None:
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_edge("a", "b", weight=3)
    assert [one.weight for one in topology_from(graph).interfaces] == [3.0, 3.0]


def test_opposite_edges_of_a_multigraph_pair_by_their_keys() -> None:
    graph: nx.MultiDiGraph = nx.MultiDiGraph()
    graph.add_edge("a", "b", key=0, weight=1)
    graph.add_edge("a", "b", key=1, weight=2)
    graph.add_edge("b", "a", key=1, weight=7)
    weights = [(one.node, one.weight) for one in topology_from(graph).interfaces]
    assert weights == [("a", 1.0), ("b", 1.0), ("a", 2.0), ("b", 7.0)]


def test_switches_and_what_hangs_on_them_are_one_segment() -> None:
    graph = line("s1", "s2", "s3", "s1")
    nx.set_node_attributes(graph, dict.fromkeys(graph, "switch"), "kind")
    graph.add_edges_from([("h1", "s1"), ("h2", "s2"), ("h3", "s3"), ("h3", "r"), ("r", "h4")])
    topology = topology_from(graph)
    members = [{topology.interfaces[end].node for end in one.interfaces} for one in topology.segments]
    assert members == [{"h1", "h2", "h3"}, {"h3", "r"}, {"r", "h4"}]
    assert set(topology.segments[0].switches) == {"s1", "s2", "s3"}


def test_a_chain_of_two_thousand_switches_is_one_segment() -> None:
    graph = line(*range(2000))
    nx.set_node_attributes(graph, dict.fromkeys(graph, "switch"), "kind")
    graph.add_edges_from([("a", 0), (1999, "b")])
    assert len(topology_from(graph).segments) == 1


def test_the_name_comes_from_the_argument_or_else_from_the_graph() -> None:
    graph = line("a", "b")
    assert topology_from(graph).name == "graph"
    graph.name = "lab"
    assert topology_from(graph).name == "lab"
    assert topology_from(graph, "other").name == "other"


@pytest.mark.parametrize("name", [None, 7, "", ["x"], "two\nlines\x1b[2J\ud800", np.zeros(3)], ids=repr)
def test_a_name_is_one_line_whatever_it_was(name: Any) -> None:
    graph = line("a", "b")
    graph.graph["name"] = name
    title = topology_from(graph).name
    assert title
    assert title.isprintable()


def test_the_families_argument_comes_before_the_graphs_own() -> None:
    graph = line("a", "b")
    assert topology_from(graph).families == (4, 6)
    graph.graph["families"] = 6
    assert topology_from(graph).families == (6,)
    assert topology_from(graph, families=(4,)).families == (4,)


@pytest.mark.parametrize(
    "nodes",
    [
        [1, 2, 3], [True, 2, ""], [(0, 0), (0, 1), (1, 1)], [b"a", "a", "A"],
        ["São Paulo", "New York", "São Paulo "],
        [frozenset({1, 2}), frozenset({2, 3}), frozenset()], [float("nan"), float("inf"), -0.5],
        [np.int64(1), np.str_("1"), 2**70], ["10.0.0.1", "::1", "0x7f"], ["localhost", "../..", "a b;rm"],
        [Kind.HOST, Decimal(1), range(3)], ["x" * 300, "x" * 301, "é" * 300],
    ],
    ids=repr,
)  # fmt: skip
def test_whatever_can_be_hashed_may_be_a_node(nodes: list[Hashable]) -> None:
    topology = topology_from(line(*nodes))
    assert len({node.name for node in topology.nodes}) == 3
    assert kinds(line(*nodes)) == "host router host"


def test_labels_stay_what_the_graph_calls_its_nodes() -> None:
    graph = line("São Paulo", 7)
    graph.add_node(7, label="Rio\n(RJ)")
    assert [(node.name, node.label) for node in topology_from(graph).nodes] == [
        ("Sao-Paulo", "São Paulo"),
        ("Rio-RJ", "Rio (RJ)"),
    ]


def test_a_node_whose_own_name_can_be_typed_keeps_it_beside_its_label() -> None:
    graph = line("SP", "no name")
    nx.set_node_attributes(graph, dict.fromkeys(graph, "São Paulo"), "label")
    assert [(node.name, node.label) for node in topology_from(graph).nodes] == [
        ("SP", "São Paulo"),
        ("Sao-Paulo", "São Paulo"),
    ]


def test_many_nodes_without_links_are_one_warning() -> None:
    (warning,) = topology_from(nx.empty_graph(2000)).warnings
    assert warning == "nothing can reach n0, n1, n2, n3, n4 and 1,995 more: no links lead there"


@pytest.mark.parametrize("key", [(0, 1), "(0, 1)", "0-1"], ids=repr)
def test_addresses_are_pinned_by_what_the_graph_or_emu_calls_a_node(key: Any) -> None:
    graph = line((0, 1), (0, 2), prefix="192.0.2.0/24", addresses={key: "192.0.2.77"})
    assert [str(one) for one in topology_from(graph).interfaces[0].pinned] == ["192.0.2.77"]


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_graphs_of_networkx_become_topologies(graph: nx.Graph) -> None:
    topology = topology_from(graph)
    assert len(topology.nodes) == len(graph)
    assert len(topology.links) == graph.number_of_edges()
    ends = sorted(end for segment in topology.segments for end in segment.interfaces)
    assert ends == list(range(2 * len(topology.links)))


# -- faults ----------------------------------------------------------------------------------------


def test_a_graph_without_nodes_is_no_network() -> None:
    assert faults_of(nx.Graph()) == ["the graph has no nodes"]


@pytest.mark.parametrize("make", [nx.Graph, nx.MultiDiGraph])
@pytest.mark.parametrize("node", ["a", float("nan"), (0, 1)])
def test_self_loops(make: Any, node: Hashable) -> None:
    graph = make([(node, node), (node, "b")])
    (fault,) = faults_of(graph)
    name = topology_from(make([(node, "b")])).nodes[0].name
    assert fault == f"link {name}--{name}: a link from a node to itself"


def test_two_hosts_with_one_address() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("s", kind="switch", prefix="192.0.2.0/24")
    graph.add_edge("s", "a", addresses={"a": "192.0.2.5"})
    graph.add_edge("s", "b", addresses={"b": "192.0.2.5"})
    assert faults_of(graph) == ["a-veth0 and b-veth0 both have address 192.0.2.5"]


def test_two_hosts_with_one_address_whose_names_are_long() -> None:
    a, b = "a" * 30, "b" * 30
    graph = line(a, b, prefix="192.0.2.0/24", addresses={a: "192.0.2.5", b: "192.0.2.5"})
    assert faults_of(graph) == [f"{a}-veth0 and {b}-veth0 both have address 192.0.2.5"]


def test_a_segment_with_two_prefixes() -> None:
    graph: nx.Graph = nx.Graph()
    graph.add_node("s", kind="switch")
    graph.add_edge("s", "a", prefix="192.0.2.0/24 2001:db8::/64")
    graph.add_edge("s", "b", prefix="198.51.100.0/24 2001:db8::/64")
    assert faults_of(graph) == ["switch s: one segment has two prefixes, 192.0.2.0/24 and 198.51.100.0/24"]


def test_the_two_directions_of_a_link_with_two_prefixes() -> None:
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_edge("a", "b", prefix="192.0.2.0/24")
    graph.add_edge("b", "a", prefix="198.51.100.0/24")
    assert "one segment has two prefixes" in faults_of(graph)[0]


@pytest.mark.parametrize("second", ["192.0.2.0/24", "192.0.2.128/25", "192.0.0.0/16"])
def test_overlapping_prefixes(second: str) -> None:
    graph = line("a", "b", "c")
    graph.edges["a", "b"]["prefix"] = "192.0.2.0/24"
    graph.edges["b", "c"]["prefix"] = second
    (fault,) = faults_of(graph)
    assert fault.endswith(" overlap")
    for text in ("link a--b", "link b--c", "192.0.2.0/24", second):
        assert text in fault


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        (
            {"addresses": {"a": "198.51.100.1"}},
            "a-veth0: address 198.51.100.1 is outside the link's prefix 192.0.2.0/24",
        ),
        ({"addresses": {"a": "fd00::1"}}, "a-veth0: address fd00::1 needs a prefix pinned on its link"),
        ({"addresses": {"a": "192.0.2.0"}}, "a-veth0: address 192.0.2.0 is the prefix's own"),
        (
            {"addresses": {"a": "192.0.2.255"}},
            "a-veth0: address 192.0.2.255 is the broadcast address of 192.0.2.0/24",
        ),
        ({"addresses": {"c": "192.0.2.1"}}, "link a--b: addresses names 'c', which is not an end of it"),
        ({"addresses": 5}, "link a--b: addresses 5 is not a mapping, or the text NODE=ADDRESS"),
        ({"weight": -1}, "link a--b: weight -1 is not a finite number above zero"),
        ({"weight": 0}, "link a--b: weight 0 is not a finite number above zero"),
        ({"weight": float("nan")}, "link a--b: weight nan is not a finite number above zero"),
        ({"weight": "7"}, "link a--b: weight '7' is not a number"),
        ({"wieght": 7}, "link a--b: unknown attribute 'wieght'; did you mean 'weight'?"),
        ({"prefix": "192.0.2.0"}, None),
        ({"prefix": "192.0.2.1/24"}, "link a--b: prefix '192.0.2.1/24': has host bits set"),
    ],
)  # fmt: skip
def test_faults_of_a_link_name_it(attributes: dict[str, Any], fault: str | None) -> None:
    graph = line("a", "b", prefix="192.0.2.0/24")
    graph.edges["a", "b"].update(attributes)
    if fault is None:  # an address is a prefix of one
        assert topology_from(graph).segments[0].pinned
    else:
        assert faults_of(graph) == [fault]


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"kind": "firewall"}, "node a: unknown kind 'firewall'; known are host, router, switch"),
        ({"kind": "swich"}, "node a: unknown kind 'swich'; did you mean switch?"),
        ({"kidn": "host"}, "node a: unknown attribute 'kidn'; did you mean 'kind'?"),
        ({"prefix": "192.0.2.0/24"}, "node a: a prefix belongs on a link or a switch, not on a host"),
    ],
)
def test_faults_of_a_node_name_it(attributes: dict[str, Any], fault: str) -> None:
    graph = line("a", "b")
    graph.nodes["a"].update(attributes)
    assert faults_of(graph) == [fault]


def test_a_switch_has_no_addresses() -> None:
    graph = line("a", "s", prefix="192.0.2.0/24", addresses={"s": "192.0.2.1"})
    graph.nodes["s"]["kind"] = "switch"
    assert faults_of(graph) == ["s-veth0: a switch has no addresses"]


def test_a_bridge_has_at_most_so_many_ports() -> None:
    graph = nx.star_graph(SWITCH_LINKS)
    graph.nodes[0]["kind"] = "switch"
    assert len(topology_from(graph).segments) == 1
    graph.add_edge(0, "one more")
    assert faults_of(graph) == [f"switch n0: {SWITCH_LINKS + 1} links; a bridge has at most {SWITCH_LINKS}"]


@pytest.mark.parametrize("families", [5, (4, 5), "four", ()])
def test_unknown_families(families: Any) -> None:
    graph = line("a", "b")
    assert faults_of(graph, families=families)[0].startswith("graph: families ")
    graph.graph["families"] = families
    assert faults_of(graph)[0].startswith("graph: families ")


def test_no_node_is_called_like_an_interface() -> None:
    assert faults_of(line("a", "a-veth0")) == ["node a-veth0: an interface of a has that name"]


def test_all_faults_are_reported_together() -> None:
    graph = line("a", "b", "c", "d")
    graph.graph["families"] = 5
    graph.add_edge("a", "a")
    graph.nodes["a"]["kind"] = "hots"
    graph.nodes["b"]["lable"] = "B"
    graph.edges["a", "b"].update(weight=-1, prefix="192.0.2.0/24", addresses={"a": "192.0.3.1"})
    graph.edges["b", "c"].update(prefix="192.0.2.128/25", addresses={"x": "192.0.2.129"})
    faults = faults_of(graph)
    for text in (
        "families 5", "itself", "did you mean host", "did you mean 'label'", "weight -1", "outside",
        "overlap", "'x'",
    ):  # fmt: skip
        assert len([fault for fault in faults if text in fault]) == 1, text
    assert len(faults) == 8


@pytest.mark.parametrize("graph", [None, 7, "two_segment", {"a": ["b"]}, nx.Graph], ids=repr)
def test_what_is_no_graph_is_refused(graph: Any) -> None:
    with pytest.raises(EmuError, match="not a networkx graph"):
        emu.plan_for(graph)


# -- anything at all -------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.binary(max_size=9),
    st.decimals(), st.fractions(), st.integers(0, 9).map(np.int64), st.floats(width=32).map(np.float32),
    st.complex_numbers(), st.ip_addresses(), st.just(10**400), st.builds(object), st.just(np.arange(5)),
    st.sampled_from([
        "host", "router", "switch", "192.0.2.0/24", "192.0.2.0/30", "2001:db8::/64", "192.0.2.1",
        "0=192.0.2.1", "4 6", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "\ud800", "é\n",
    ]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 3), inner, max_size=3),
    max_leaves=5,
)
known = sorted({key for table in KNOWN.values() for key in table})
odd = ["weigth", "pos", "x", "y", "lat", "lon"]
keys: Any = st.sampled_from([*known, *odd]) | st.text(max_size=8) | st.integers()
attributes = st.dictionaries(keys, values, max_size=3)
nodes: Any = st.one_of(
    st.integers(0, 5), st.text(max_size=3), st.none(), st.floats(), st.binary(max_size=3), st.just(10**400),
    st.frozensets(st.integers(0, 2)), st.tuples(st.integers(0, 2), st.text(max_size=2)), st.builds(object),
)  # fmt: skip


@given(
    make=st.sampled_from([nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]),
    pool=st.lists(nodes.flatmap(lambda node: st.tuples(st.just(node), attributes)), max_size=6),
    edges=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), attributes), max_size=8),
    own=attributes,
    families=st.sampled_from([None, (4,), (6,), (4, 6)]),
)
def test_no_graph_whatsoever_gives_a_traceback(
    make: Any, pool: list[Any], edges: list[Any], own: dict[Any, Any], families: tuple[int, ...] | None
) -> None:
    graph = make()
    graph.graph.update(own)
    for node, given_attributes in pool:
        if node is not None:  # networkx has no node None
            graph.add_node(node)
            graph.nodes[node].update(given_attributes)
    present = list(graph)
    for a, b, given_attributes in edges:
        if a < len(present) and b < len(present):
            graph.add_edge(present[a], present[b])
            data = graph.get_edge_data(present[a], present[b])
            (data[0] if graph.is_multigraph() else data).update(given_attributes)
    text = ""
    try:
        plan = emu.plan_for(graph, families=families)
    except UsageError as error:
        text = str(error)
    else:
        assert emu.Plan.from_json(plan.to_json().encode()) == plan
    assert text.isprintable()


def test_numbers_too_long_to_be_printed_are_no_trouble() -> None:
    number = 10**5000
    graph: nx.Graph = nx.Graph([(number, number + 1)], name=number)
    assert {node.label for node in topology_from(graph).nodes} == {"int"}
    data: dict[Any, Any] = graph.edges[number, number + 1]
    data.update({"weight": number, number: number, "prefix": number})
    assert len(faults_of(graph)) == 2


def test_order_of_attributes_and_edges_does_not_change_faults(seed: random.Random) -> None:
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
    first = faults_of(nx.Graph(edges, families=7))
    seed.shuffle(edges)
    assert faults_of(nx.Graph(edges, families=7)) == first
