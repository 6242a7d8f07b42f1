"""Topologies in YAML: what the form means, and that every fault is told with its line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

import emu
from emu.errors import TopologyError, UsageError
from emu.graph.attributes import KNOWN
from emu.reading.files import LARGEST
from emu.reading.sources import graph_from

LAB = """\
name: lab
families: 4
nodes:
  HOST1: host
  ROUTER: {kind: router, pos: [0.5, 2]}
  SWITCH1:
    kind: switch
    prefix: 10.1.0.0/24
  HOST2:            # its kind follows from its one link
  NO: {kind: host}
links:
  - [HOST1, ROUTER]
  - ends: [ROUTER, HOST2]
    prefix: 198.51.100.0/24
    weight: 2
    addresses: {HOST2: 198.51.100.7}
  - [ROUTER, SWITCH1]
  - [SWITCH1, NO]
"""


def written(folder: Path, content: str | bytes, name: str = "lab.yaml") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def plan(folder: Path, content: str) -> emu.Plan:
    return emu.plan_for(graph_from(written(folder, content)))


def faults(folder: Path, content: str) -> dict[int, str]:
    """Return the faults of a file by line, those of one line together."""
    source = written(folder, content)
    with pytest.raises(TopologyError) as caught:
        graph_from(source)
    assert str(caught.value).isprintable()
    found: dict[int, str] = {}
    for fault in caught.value.faults:
        line, _, text = fault.removeprefix(f"{source}:").partition(": ")
        found[int(line)] = "; ".join(filter(None, (found.get(int(line)), text)))
    return found


def refusal(folder: Path, content: str | bytes) -> str:
    """Return why a file is no YAML, without the attempt, or a file at all."""
    source = written(folder, content)
    with pytest.raises(UsageError) as caught:
        graph_from(source)
    assert str(caught.value).isprintable()
    return str(caught.value).removeprefix(f"read {source}:").strip()


# -- what the form means ---------------------------------------------------------------------------


def test_the_whole_form(tmp_path: Path) -> None:
    found = plan(tmp_path, LAB)
    kinds = {"HOST1": "host", "ROUTER": "router", "SWITCH1": "switch", "HOST2": "host", "NO": "host"}
    assert found.name == "lab"
    assert found.families == (4,)
    assert {node.name: node.kind for node in found.nodes} == kinds
    prefixes = {str(prefix) for segment in found.segments for prefix in segment.prefixes}
    assert prefixes == {"10.0.0.0/24", "10.1.0.0/24", "198.51.100.0/24"}
    assert [str(node.addresses[0]) for node in found.nodes if node.name == "HOST2"] == ["198.51.100.7/24"]
    assert not found.notes + found.warnings


def test_routes_loopbacks_and_macs(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        """
        families: 4
        loopbacks: yes
        routes: none
        nodes:
          A: {kind: router, loopback: 192.0.2.1, routes: {default: 10.0.0.253, 198.18.0.0/15: unreachable}}
          B: {kind: router, routes: {203.0.113.0/24: [10.0.0.254]}}
        links:
          - {ends: [A, B], macs: {A: 02:00:00:00:00:10}}
        """,
    )
    assert [str(node.loopback[0]) for node in found.nodes] == ["192.0.2.1/32", "10.255.0.1/32"]
    assert [[str(route.destination) for route in node.routes] for node in found.nodes] == [
        ["None", "198.18.0.0/15"], ["203.0.113.0/24"],
    ]  # fmt: skip
    assert [node.interfaces[0].mac for node in found.nodes] == ["02:00:00:00:00:10", "02:00:00:02:00:00"]


def test_links_alone_are_a_graph_named_as_the_file(tmp_path: Path) -> None:
    found = plan(tmp_path, "links: [[A, B], [B, C]]")
    assert found.name == "lab"
    assert [(node.name, node.kind) for node in found.nodes] == [("A", "host"), ("B", "router"), ("C", "host")]


def test_a_list_of_nodes(tmp_path: Path) -> None:
    assert [node.name for node in plan(tmp_path, "nodes:\n- A\n- B\nlinks:\n- [B, A]").nodes] == ["A", "B"]


@pytest.mark.parametrize("name", ["NO", "yes", "null", "on", "Off", "true", "1e", "R.2", "a_b"])
def test_names_are_what_is_written_whatever_yaml_makes_of_them(tmp_path: Path, name: str) -> None:
    assert plan(tmp_path, f"nodes: [{name}, X]\nlinks: [[{name}, X]]").nodes[0].name == name


def test_a_node_is_called_as_the_file_calls_it_and_shows_its_label(tmp_path: Path) -> None:
    source = written(tmp_path, "nodes: {SP: {label: São Paulo}, R: router}\nlinks: [[SP, R]]")
    assert [(node.name, node.label) for node in emu.plan_for(graph_from(source)).nodes] == [
        ("SP", "São Paulo"), ("R", "R"),
    ]  # fmt: skip


def test_a_label_is_a_text_also_where_it_looks_like_a_number(tmp_path: Path) -> None:
    graph = graph_from(written(tmp_path, "nodes: {A: {label: 1.10}, B: {label: null}}"))
    assert dict(graph.nodes(data=True)) == {"A": {"label": "1.10"}, "B": {}}


def test_a_weight_is_a_number_in_any_notation(tmp_path: Path) -> None:
    content = "links:\n" + "".join(f"- {{ends: [A, B], weight: {text}}}\n" for text in ("2", "1.5", "1e3"))
    graph = graph_from(written(tmp_path, content))
    assert [one["weight"] for *_, one in graph.edges(data=True)] == [2, 1.5, 1000.0]


def test_links_between_the_same_nodes_are_parallel(tmp_path: Path) -> None:
    assert len(plan(tmp_path, "links: [[A, B], [B, A], [A, B]]").links) == 3


def test_a_value_for_each_end_is_one_for_each_direction(tmp_path: Path) -> None:
    graph: Any = graph_from(
        written(
            tmp_path,
            "links:\n- [A, B]\n"
            "- {ends: [B, C], weight: {B: 5, C: 7}, prefix: 192.0.2.0/24, addresses: {C: 192.0.2.9}}\n",
        )
    )
    found = emu.plan_for(graph)
    assert len(found.links) == 2
    assert [found.interfaces[end].weight for end in found.links[1].ends] == [5, 7]
    assert "192.0.2.9/24" in map(str, found.nodes[2].addresses)


def test_each_attribute_that_graphs_know_is_known(tmp_path: Path) -> None:
    """Keys that the form does not know are faults, so a fault must be about the value."""
    wrong = {key: "{x: {y: z}}" for element in KNOWN.values() for key in element}
    parts = [f"{key}: {wrong[key]}" for key in KNOWN["graph"]]
    parts.append("nodes: {A: {" + ", ".join(f"{key}: {wrong[key]}" for key in KNOWN["node"]) + "}, B: }")
    parts.append("links: [{ends: [A, B], " + ", ".join(f"{key}: {{A: [x]}}" for key in KNOWN["link"]) + "}]")
    unknown = re.compile(r"\ba (graph|node|link) has no ")
    assert not [text for text in faults(tmp_path, "\n".join(parts)).values() if unknown.search(text)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    source = written(tmp_path, "nodes: {A: {label: São Paulo}}".encode(encoding))
    assert graph_from(source).nodes["A"]["label"] == "São Paulo"


@pytest.mark.parametrize("name", ["lab.yml", "lab.YAML", "l a b.Yml"])
def test_suffixes(tmp_path: Path, name: str) -> None:
    assert len(graph_from(written(tmp_path, "nodes: [A]", name))) == 1


# -- faults of the form, with their lines --------------------------------------------------------


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    content = """\
familes: 4
nodes:
  HOST1: hots
  São Paulo: {kind: host}
  HOST1: host
  host1: host
  R: {kind: router, kint: host, prefix: 10.0.0.0/33, pos: here}
  [1, 2]: host
links:
  - [HOST1, R, R]
  - [HOST2, R]
  - [R, R]
  - ends: [HOST1, R]
    weight: -1
    weight: 2
    addresses:
      X: 1.2.3.4
      R: 300.0.0.1
  - {ends: [HOST1, R], weight: {R: fast}}
  - HOST1
  - {weight: 1}
  - [[R], R]
"""
    found = faults(tmp_path, content)
    expected = {
        1: "a graph has no 'familes'; did you mean families",
        3: "unknown kind 'hots'; did you mean host?",
        4: "'São Paulo' cannot be typed as a node's name and be a host name; write Sao-Paulo and 'label: São",
        5: "a second node HOST1",
        6: "nodes HOST1 and host1 differ in nothing but case",
        7: "a node has no 'kint'; did you mean kind?; prefix '10.0.0.0/33': does not appear",
        8: "nodes is a list of names, or a mapping such as",
        10: "a link has two ends; one looks like [HOST1, ROUTER]",
        11: "no node 'HOST2'; did you mean ",
        12: "a link from 'R' to itself",
        14: "weight -1 is not a finite number above zero",
        15: "a second weight; the first is on line 14",
        17: "addresses of a link has no 'X'; known are HOST1, R",
        18: "address '300.0.0.1': does not appear",
        19: "weight 'fast' is not a number",
        20: "a link has two ends",
        21: "a link has two ends",
        22: "a link has the names of two nodes",
    }
    assert sorted(found) == sorted(expected)
    for line, text in expected.items():
        assert found[line].startswith(text), (line, found[line])
    assert "pos 'here' is not two numbers" in found[7]


@pytest.mark.parametrize(
    ("content", "line", "text"),
    [
        ("nodes:\n  A:\n    routes:\n      10.0.0.0/8: 10.0.0.1\n      x: 10.0.0.1", 5, "destination 'x'"),
        ("nodes: [A, B]\nlinks:\n- ends: [A, B]\n  macs:\n    A: 1", 5, "MAC '1' is not six bytes"),
        ("routes: some\nnodes: [A]", 1, "unknown routes 'some'"),
        ("- A\n- B", 1, "a graph is a mapping; one looks like"),
        ("just text", 1, "a graph is a mapping"),
        ("name: x", 1, "a graph has nodes or links"),
        ("nodes: 7\nlinks: []", 1, "nodes is a list"),
        ("\nlinks: {A: B}", 2, "links is a list of links"),
        ("links:\n- [A, ]", 2, "a link has two ends"),
        ("links:\n- [A, ~]", 2, "'~' cannot be typed"),
        ("links:\n- [A, '']", 2, "'' cannot be typed as a node's name and be a host name; it is empty"),
        ("nodes:\n- localhost", 1 + 1, "'localhost' cannot be typed"),
        ("nodes:\n- 10.0.0.1", 2, "'10.0.0.1' cannot be typed"),
        ("nodes:\n- 7", 2, "'7' cannot be typed as a node's name and be a host name; write n7"),
        ("nodes:\n- 'a b'", 2, "'a b' cannot be typed"),
        ("nodes:\n- 'a\\x1b[2J'", 2, "cannot be typed"),
        ("nodes:\n- " + "x" * 64, 2, "cannot be typed"),
        ("nodes:\n- A: {kind: host}", 2, "nodes is a list of names, or a mapping"),
        ("links:\n- {ends: [A, B], weight: '2'}", 2, "weight '2' is not a number"),
        ("links:\n- {ends: [A, B], weight: .nan}", 2, "weight '.nan' is not a number"),
        ("links:\n- {ends: [A, B], weight: nan}", 2, "weight nan is not a finite number"),
        ("links:\n- {ends: [A, B], weight: [2]}", 2, "weight [2] is not a number"),
        ("families: [4, 5]\nnodes: [A]", 1, "families [4, 5] is not one or both"),
        ("nodes: [A]\n<<: {name: x}", 2, "a graph has no '<<'"),
        ("nodes:\n  A: [host]", 2, "unknown kind"),
    ],
)  # fmt: skip
def test_a_fault_and_its_line(tmp_path: Path, content: str, line: int, text: str) -> None:
    found = faults(tmp_path, content)
    assert list(found) == [line]
    assert text in found[line]


def test_thousands_of_misspelt_names_take_no_time_to_speak_of(tmp_path: Path) -> None:
    nodes = "".join(f"- N{number}\n" for number in range(5_000))
    links = "".join(f"- [N{number}, M{number}]\n" for number in range(5_000))
    assert len(faults(tmp_path, f"nodes:\n{nodes}links:\n{links}")) == 5_000


def test_what_only_the_whole_graph_shows_is_told_by_name(tmp_path: Path) -> None:
    content = "nodes: {A: {kind: router, prefix: 10.0.0.0/8}, B: host}\nlinks: [[A, B]]"
    with pytest.raises(TopologyError, match="node A: a prefix belongs on a link or a switch"):
        plan(tmp_path, content)


# -- what is no YAML, or no file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("links:\n\t- [A, B]", "2: a tab in the indentation; YAML takes spaces only"),
        ("links:\n  - [A, B]\n\t- [A, B]", "3: a tab in the indentation"),
        ("links: [[A, B]\nname: x", "while parsing a flow sequence that begins on line 1"),
        ("links: [\n- A", "2: "),
        ("name: a: b", "1: mapping values are not allowed"),
        ("name: @x", "put quotes around what begins with @"),
        ("links:\n- {ends: [A, B], addresses: {A: ::1}}", "2: "),
        ("nodes: &n [A]\nlinks: *n", "2: *n: emu reads no aliases"),
        ("nodes: [A]\n---\nnodes: [B]", "2: a second document begins"),
        ("links: " + "[" * 100_000, "1: "),
        ("links: " + "[" * 30 + "]" * 30, "1: it is nested more than 20 levels deep"),
        ("- " * 30, "1: it is nested more than 20 levels deep"),
        ("# nothing\n", "it is empty"),
        ("---\n", "a graph is a mapping"),
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("name: \x7f", r"1: the character '\x7f' cannot stand in YAML"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "1: the character"),
        (b"name: x\n\xff\xd8", "2: it is not UTF-8 text; is it a binary file?"),
        (b"\xff\xfea", "1: it is not UTF-16 text"),
        ("name: !!python/object/apply:os.system [id]", "a graph has nodes or links"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_one_line(tmp_path: Path, content: str | bytes, text: str) -> None:
    assert text in refusal(tmp_path, content)


def test_a_quote_is_suggested_where_an_address_begins_with_a_colon(tmp_path: Path) -> None:
    content = "links:\n- ends: [A, B]\n  addresses: {A: ::1}"
    assert refusal(tmp_path, content).endswith("put quotes around what begins with :")


def test_aliases_cannot_make_much_of_little(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)},' * 9}]\n" for n in range(20)
    )
    assert "emu reads no aliases" in refusal(tmp_path, bomb)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(UsageError, match="it has 50 MB, and a graph has 50 MB at most"):
        graph_from(str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")  # nobody writes to it
    (tmp_path / "folder.yaml").mkdir()
    written(tmp_path, "nodes: [A]")
    for name, text in {
        "pipe.yaml": "it is no regular file",
        "folder.yaml": "(?i)directory|folder",
        "lap.yml": r"no such file; did you mean lab\.yaml",
        "no/lab.yaml": "no such file$",
        "x" * 300 + ".yaml": "File name too long",
        "\0.yaml": "embedded null",
    }.items():
        with pytest.raises(UsageError, match=text) as caught:
            graph_from(str(tmp_path / name))
        assert str(caught.value).isprintable()
