"""What a picture shows, and that it can be read: checked on the drawn figure's texts, not on pixels."""

from __future__ import annotations

import functools
import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

# Finds the machine's fonts when it is first imported, by another program.
import matplotlib.font_manager
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon
from matplotlib.text import Text

import emu
from emu.export import export_plan
from emu.hooks.plugin_manager import default_plugins
from emu.picture.drawing import EDGES, figure_of, svg_of
from emu.picture.fonts import quietly
from emu.picture.layout import layout
from emu.picture.parts import Box
from emu.picture.placement import Room, pushed_apart
from emu.reading.sources import graph_from

assert matplotlib.font_manager.fontManager


@functools.cache
def drawn(graph: nx.Graph) -> Figure:
    return figure_of(emu.plan_for(graph))


def texts(figure: Figure) -> list[str]:
    """Return the lines of all texts of a figure."""
    return [line for text in figure.axes[0].texts for line in text.get_text().split("\n") if line.strip()]


def corners(figure: Figure, text: Text) -> np.ndarray:
    """Return the corners of a text as drawn, in points, less a hair's breadth."""
    renderer: Any = RendererAgg(1, 1, figure.dpi)  # type: ignore[no-untyped-call]  # it only measures
    angle, (x, y) = math.radians(text.get_rotation()), text.get_transform().transform(text.get_position())
    text.set_rotation(0)
    box = text.get_window_extent(renderer).padded(-0.5)
    text.set_rotation(math.degrees(angle))
    flat = np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]) - (x, y)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray((flat @ turn + (x, y)) * 72 / figure.dpi)


def meet(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two rectangles overlap: no line along a side of either has them on its two sides."""
    for shape in (one, other):
        for side in (shape[1] - shape[0], shape[3] - shape[0]):
            a, b = one @ side, other @ side
            if a.max() <= b.min() or b.max() <= a.min():
                return False
    return True


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap."""
    with quietly():
        found = [(text.get_text(), corners(figure, text)) for text in figure.axes[0].texts]
    found = [(text, place) for text, place in found if text.strip()]
    return [(a, b) for (a, one), (b, other) in itertools.combinations(found, 2) if meet(one, other)]


def missing(graph: nx.Graph) -> set[str]:
    """Return which of a plan's interface names, addresses, prefixes and labels a picture lacks."""
    plan = emu.plan_for(graph)
    wanted = {node.label for node in plan.nodes}
    wanted |= {one.name for node in plan.nodes for one in node.interfaces}
    wanted |= {str(address.ip) for node in plan.nodes for address in node.addresses}
    wanted |= {str(prefix) for segment in plan.segments for prefix in segment.prefixes}
    return wanted - set(texts(drawn(graph)))


def switched() -> Any:
    graph: Any = nx.Graph(name="switched")
    graph.add_node("S1", kind="switch")
    graph.add_node("S2", kind="switch")
    graph.add_edges_from([("S1", "S2"), ("S1", "H1"), ("S1", "H2"), ("S2", "H3"), ("S2", "R"), ("R", "H4")])
    return graph


THIRTY = {
    "tree": nx.balanced_tree(2, 4),
    "ring": nx.cycle_graph(30),
    "grid": nx.grid_2d_graph(5, 6),
    "internet": nx.random_internet_as_graph(30, seed=1),
    "petersen": nx.petersen_graph(),
    "switched": switched(),
}


# -- two_segment ----------------------------------------------------------------------------------


def test_two_segment_shows_everything_and_nothing_overlaps() -> None:
    graph = graph_from("two_segment")
    assert missing(graph) == set()
    assert overlaps(drawn(graph)) == []


def test_two_segment_lies_in_a_row() -> None:
    figure = drawn(graph_from("two_segment"))
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert places["HOST1"][0] < places["ROUTER"][0] < places["HOST2"][0]
    assert len({round(places[name][1], 3) for name in ("HOST1", "ROUTER", "HOST2")}) == 1


def test_an_interface_stands_at_its_end_and_the_prefix_between() -> None:
    figure = drawn(graph_from("two_segment"))
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts}
    left = ["HOST1", "HOST1-veth0", "192.0.2.0/24", "ROUTER-veth0", "ROUTER"]
    right = ["ROUTER-veth1", "198.51.100.0/24", "HOST2-veth0", "HOST2"]
    assert sorted(left + right, key=lambda text: x[text]) == left + right
    assert x["192.0.2.1"] == pytest.approx(x["HOST1-veth0"])
    assert x["192.0.2.254"] == pytest.approx(x["ROUTER-veth0"])


# -- larger ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", THIRTY)
def test_thirty_nodes_can_be_read(name: str) -> None:
    graph = THIRTY[name]
    assert missing(graph) == set()
    figure = drawn(graph)
    assert overlaps(figure) == []
    assert max(figure.get_size_inches()) <= 50
    assert min(float(text.get_fontsize()) for text in figure.axes[0].texts) >= 7


@pytest.mark.parametrize("name", THIRTY)
def test_no_text_lies_on_a_node(name: str) -> None:
    figure = drawn(THIRTY[name])
    boxes = [patch.get_window_extent().padded(-2) for patch in figure.axes[0].patches]
    nodes = [
        np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]) * 72 / figure.dpi
        for box in boxes
    ]
    beside = [text for text in figure.axes[0].texts if "veth" in text.get_text() or "/" in text.get_text()]
    for text in beside:
        if text.get_rotation_mode() == "anchor":  # a switch's prefix stands in the switch
            assert not any(meet(corners(figure, text), node) for node in nodes), text.get_text()


def test_large_networks_drop_what_could_not_be_read() -> None:
    hundred = texts(drawn(nx.random_internet_as_graph(100, seed=1)))
    assert {str(number) for number in range(100)} <= set(hundred)
    assert not [text for text in hundred if "veth" in text or "10.0" in text]
    thousand = texts(drawn(nx.random_internet_as_graph(1000, seed=1)))
    assert [text.strip() for text in thousand] == ["graph", "1000 nodes, 1457 links", "host", "router"]


def test_a_page_gets_what_can_be_read_on_it() -> None:
    """On a page a picture is as wide as the page: what is larger would have texts too small to read."""
    small, large = (svg_of(emu.plan_for(graph)) for graph in (nx.path_graph(3), nx.path_graph(8)))
    assert "veth" in small
    assert "veth" not in large
    assert max(map(len, (small, large))) < 200_000


def test_what_has_no_room_is_counted() -> None:
    dense = drawn(nx.complete_graph(13))
    assert overlaps(dense) == []
    assert any("left out for lack of room" in text for text in texts(dense))


# -- kinds ----------------------------------------------------------------------------------------


def test_kinds_differ_in_shape_and_colour_and_the_legend_has_those_present() -> None:
    assert len(set(EDGES.values())) == 3
    figure = drawn(switched())
    shapes = [type(patch) for patch in figure.axes[0].patches]
    assert {kind: shapes.count(kind) for kind in (FancyBboxPatch, Ellipse, Polygon)} == {
        FancyBboxPatch: 5, Ellipse: 2, Polygon: 3,  # one each is the legend's
    }  # fmt: skip
    assert {"host", "router", "switch"} <= set(texts(figure))
    assert {"host", "router", "switch"} & set(texts(drawn(nx.cycle_graph(3)))) == {"router"}


# -- texts ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_labels_of_any_script_and_length(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    leaves = ["東京", "$x_{", "word " * 40, "w" * 200]
    graph = nx.Graph([("Zürich", leaf) for leaf in leaves], name="name " * 100)
    plan = emu.plan_for(graph)
    export_plan(plan, tmp_path / "labels.png", default_plugins())
    shown = texts(figure_of(plan))
    assert {"東京", "Zürich", "$x_{"} <= set(shown)
    assert max(map(len, shown)) < 70
    assert overlaps(figure_of(plan)) == []
    assert capfd.readouterr() == ("", "")


def test_weights_are_shown_where_they_are_not_one() -> None:
    even = nx.Graph([("a", "b", {"weight": 10})])
    uneven = nx.DiGraph([("a", "b", {"weight": 2}), ("b", "a", {"weight": 3})])
    assert texts(drawn(even)).count("weight 10") == 1
    assert {"weight 2", "weight 3"} <= set(texts(drawn(uneven)))
    assert not [text for text in texts(drawn(nx.path_graph(2))) if "weight" in text]


def test_what_a_link_does_is_shown() -> None:
    even = nx.Graph([("a", "b", {"rate": "10mbit", "delay": "20ms", "loss": "1%"})])
    assert {"rate 10mbit, delay 20ms", "loss 1%"} <= set(texts(drawn(even)))
    uneven = nx.Graph([("a", "b", {"rate": {"a": "1mbit", "b": "8mbit"}})])
    assert {"rate 1mbit", "rate 8mbit"} <= set(texts(drawn(uneven)))
    samples = nx.Graph([("a", "b", {"delay": "9ms", "jitter": "1ms", "distribution": [*range(99)]})])
    assert max(map(len, texts(drawn(samples)))) < 30


# -- places ---------------------------------------------------------------------------------------


def test_parallel_links_are_drawn_apart() -> None:
    graph: Any = nx.MultiGraph([("a", "b"), ("b", "a"), ("a", "b")])
    assert missing(graph) == set()
    assert overlaps(drawn(graph)) == []
    (lines,) = [item for item in drawn(graph).axes[0].collections if isinstance(item, LineCollection)]
    heights = sorted(float(np.mean(line, axis=0)[1]) for line in lines.get_segments())
    assert len(heights) == 3
    assert min(np.diff(heights)) > 10


def test_a_link_passes_a_node_that_is_in_its_way() -> None:
    graph = nx.Graph([("a", "b"), ("b", "c"), ("a", "c")])
    nx.set_node_attributes(graph, {"a": (0, 0), "b": (1, 0), "c": (2, 0)}, "pos")
    (lines,) = [item for item in drawn(graph).axes[0].collections if isinstance(item, LineCollection)]
    assert sorted(len(line) > 2 for line in lines.get_segments()) == [False, False, True]


@pytest.mark.parametrize(
    "names", [("pos",), ("longitude", "latitude"), ("Longitude", "Latitude"), ("lon", "lat")]
)
def test_nodes_stand_where_the_graph_says(names: tuple[str, ...]) -> None:
    graph = nx.cycle_graph(4)
    places = [(0, 0), (3, 1), (4, 5), (-2, 2)]
    for node, place in enumerate(places):
        graph.nodes[node].update(dict(zip(names, place if len(names) > 1 else [place], strict=True)))
    found = {text.get_text(): text.get_position() for text in drawn(graph).axes[0].texts}
    x, y = np.array([found[str(node)] for node in range(4)]).T
    scale = (x[1] - x[0]) / 3
    assert scale > 0
    assert (x - x[0]) / scale == pytest.approx([0, 3, 4, -2])
    assert (y - y[0]) / scale == pytest.approx([0, 1, 5, 2])


def test_places_of_some_nodes_are_not_used() -> None:
    graph = nx.path_graph(3)
    graph.nodes[0]["pos"] = (0, 0)
    assert missing(graph) == set()


@pytest.mark.parametrize("place", [(0.0, 0.0), (1e308, -1e308), (5e-324, 0.0)])
def test_places_may_be_equal_or_extreme(place: tuple[float, float]) -> None:
    graph = nx.path_graph(3)
    nx.set_node_attributes(graph, {0: place, 1: (0.0, 0.0), 2: place}, "pos")
    assert overlaps(drawn(graph)) == []


def test_a_path_is_straight_and_a_ring_is_round() -> None:
    path = layout(6, [*nx.path_graph(6).edges])
    assert np.abs(path[:, 1]).max() == 0
    assert np.diff(path[:, 0]) == pytest.approx(np.ones(5), abs=0.05)
    ring = layout(12, [*nx.cycle_graph(12).edges])
    radii = np.linalg.norm(ring - ring.mean(axis=0), axis=1)
    assert radii == pytest.approx(np.full(12, radii.mean()), rel=0.1)


def test_parts_without_a_link_between_them_stand_apart() -> None:
    graph = nx.disjoint_union_all([nx.cycle_graph(5), nx.path_graph(4), nx.empty_graph(6)])
    places = layout(len(graph), [*graph.edges])
    parts = [places[sorted(part)] for part in nx.connected_components(graph)]
    for one, other in itertools.combinations(parts, 2):
        assert (one.max(axis=0) < other.min(axis=0)).any() or (other.max(axis=0) < one.min(axis=0)).any()


def test_large_graphs_are_laid_out_by_some_of_their_distances() -> None:
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(40, 40))
    places = layout(len(graph), [*graph.edges])
    lengths = np.array([math.dist(places[a], places[b]) for a, b in graph.edges])
    assert np.percentile(lengths, [5, 95]) == pytest.approx([1, 1], abs=0.5)


PLACES, SIZES = st.floats(-100, 100), st.floats(1, 60)
BOXES = st.builds(Box, PLACES, PLACES, SIZES, SIZES, st.floats(-1.5, 1.5))


@given(BOXES, BOXES)
def test_boxes_overlap_as_polygons_do(one: Box, other: Box) -> None:

    def polygon(box: Box) -> np.ndarray:
        half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (box.width / 2, box.height / 2)
        cos, sin = math.cos(box.angle), math.sin(box.angle)
        return np.asarray(half @ np.array([[cos, sin], [-sin, cos]]) + (box.x, box.y))

    room = Room()
    room.take(one)
    # Boxes that touch may be found to overlap or not: so many digits there are not.
    less, more = (replace(one, width=one.width + hair, height=one.height + hair) for hair in (-1e-6, 1e-6))
    found = bool(room.overlaps([other])[0])
    assert meet(polygon(less), polygon(other)) <= found <= meet(polygon(more), polygon(other))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=12))
def test_nodes_are_pushed_apart(centres: list[tuple[float, float]]) -> None:
    sizes = np.full((len(centres), 2), (30.0, 20.0))
    places = pushed_apart(np.array(centres), sizes)
    room = Room()
    for number, (x, y) in enumerate(places.tolist()):
        assert not room.overlaps([Box(x, y, 29.9, 19.9)], number)[0]
        room.take(Box(x, y, 29.9, 19.9), number)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_same_plan_gives_the_same_file(tmp_path: Path, suffix: str, magic: bytes) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for path in files:
        export_plan(emu.plan_for(graph_from("two_segment")), path, default_plugins())
    one, two = (path.read_bytes() for path in files)
    assert one == two
    assert one.startswith(magic)


def test_without_matplotlib_a_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(emu.EmuError, match=r"pip install 'emunet\[picture\]'") as caught:
        export_plan(emu.plan_for(nx.path_graph(2)), tmp_path / "x.png", default_plugins())
    assert str(caught.value).isprintable()
    assert not [*tmp_path.iterdir()]


def test_pictures_need_no_window() -> None:
    """A figure made without pyplot is in no list of open ones, and is freed like any other object."""
    drawn(nx.path_graph(2))
    assert "matplotlib.pyplot" not in sys.modules


def any_graph(count: int, pairs: list[tuple[int, int]], switches: set[int]) -> Any:
    graph: Any = nx.MultiGraph()
    graph.add_nodes_from((node, {"kind": "switch"} if node in switches else {}) for node in range(count))
    graph.add_edges_from((a % count, b % count) for a, b in pairs if a % count != b % count)
    return graph


@settings(max_examples=25)
@given(
    count=st.integers(1, 12), pairs=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=16),
    switches=st.sets(st.integers(0, 11), max_size=4),
)  # fmt: skip
def test_whatever_is_shown_does_not_overlap(
    count: int, pairs: list[tuple[int, int]], switches: set[int]
) -> None:  # fmt: skip
    assert overlaps(drawn(any_graph(count, pairs, switches))) == []
