"""From what a user names to a graph, and what is said where that does not work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.errors import EmuError, PluginError, UsageError
from emu.hooks.plugin_manager import PluginManager
from emu.reading.sources import graph_from

HEAD = """import emu, networkx as nx; from pathlib import Path
from typing import Literal, Optional, Sequence
"""
MARKED = "@emu.topology\ndef marked(): return nx.path_graph(3)\n"
PLAIN = "def plain(): return nx.path_graph(4)\n"
OTHER = "def other(): return nx.path_graph(5)\n"


@pytest.fixture
def plugins() -> PluginManager:
    found = PluginManager()
    found.load_package("emu.plugins")
    return found


@pytest.fixture
def load(tmp_path: Path, plugins: PluginManager) -> Any:
    """Return what writes a Python file and loads a graph from it."""

    def from_file(text: str, function: str = "", *settings: str) -> nx.Graph:
        path = tmp_path / "lab.py"
        path.write_text(HEAD + text)
        return graph_from(f"{path}{function}", settings, plugins)

    return from_file


def fault(load: Any, *arguments: str, kind: type[EmuError] = UsageError) -> str:
    with pytest.raises(kind) as caught:
        load(*arguments)
    assert str(caught.value).isprintable()
    assert caught.value.exit_status == 2
    return str(caught.value)


# -- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "function", "order"),
    [
        (MARKED, "", 3),
        (PLAIN, "", 4),
        (MARKED + PLAIN, "", 3),
        (MARKED + PLAIN, ":plain", 4),
        (PLAIN + OTHER, ":other", 5),
        (PLAIN + "def _helper(): pass\n", "", 4),
        (PLAIN + "from os.path import join\n", "", 4),
        (PLAIN + "@emu.hookimpl\ndef emu_prepare_graph(graph): pass\n", "", 4),
        (PLAIN + "class Thing: pass\nthing = lambda: 7\n", ":plain", 4),
    ],
)
def test_the_function_of_a_file(load: Any, text: str, function: str, order: int) -> None:
    graph = load(text, function)
    assert graph.order() == order
    assert graph.name in ("marked", "plain", "other")


@pytest.mark.parametrize(
    ("text", "function", "words"),
    [
        (PLAIN + OTHER, "", ["which of its functions", "lab.py:plain", "lab.py:other"]),
        (MARKED + MARKED.replace("marked", "also"), "", ["which of its functions", "lab.py:marked", ":also"]),
        ("x = 1\n", "", ["no function that could return a graph"]),
        ("from os.path import join\n", "", ["no function that could return a graph"]),
        (PLAIN, ":plane", ["no function 'plane'; did you mean plain?"]),
        (PLAIN, ":zzz", ["no function 'zzz'"]),
        ("def f(): return 7\n", "", ["topology f", "it returned int, not a networkx graph"]),
        ("def f(): return None\n", "", ["it returned NoneType"]),
        ("def f(): return nx.Graph\n", "", ["it returned type"]),
        ("def f():\n    1 / 0\n", "", ["topology f", "ZeroDivisionError", "lab.py:4"]),
        ("def f():\n    return nx.path_graph(None)\n", "", ["lab.py:4"]),
        ("def f():\n    raise ValueError('two\\nlines')\n", "", ["ValueError: two lines", "lab.py:4"]),
        ("def f(): return f()\n", "", ["RecursionError", "lab.py:3"]),
        ("def f():\n    raise SystemExit(0)\n", "", ["SystemExit", "lab.py:4"]),
        ("def f():\n    raise emu.UsageError('so there')\n", "", ["so there"]),
        ("def f(): yield 1\n", "", ["it returned generator"]),
    ],
)
def test_what_a_file_cannot_be(load: Any, text: str, function: str, words: list[str]) -> None:
    text = fault(load, text, function)
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", ["SyntaxError", "lab.py:3"]),
        ("import nosuchmodule\n", ["ModuleNotFoundError", "nosuchmodule", "lab.py:3"]),
        ("raise SystemExit(0)\n", ["SystemExit", "lab.py:3"]),
        ("import sys; sys.exit('enough')\n", ["SystemExit: enough"]),
        ("def f(): f()\nf()\n", ["RecursionError", "lab.py:3"]),
        ("nx.path_graph(None)\n", ["lab.py:3"]),
        ("(" * 500 + "\n", ["SyntaxError"]),
    ],
)
def test_a_file_that_cannot_be_imported(load: Any, text: str, words: list[str]) -> None:
    found = fault(load, text, kind=PluginError)
    for word in ("load ", *words):
        assert word in found


def test_a_missing_file_gets_the_nearest(tmp_path: Path, plugins: PluginManager) -> None:
    (tmp_path / "my_lab.py").touch()
    with pytest.raises(UsageError, match=r"my_lap\.py: no such file; did you mean .*my_lab\.py\?"):
        graph_from(str(tmp_path / "my_lap.py"), (), plugins)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder.py", "it is a folder"),
        ("missing/lab.py", "no such file"),
        ("file/lab.py", "Not a directory"),
        ("x" * 300 + ".py", "File name too long"),
        ("zero\0byte.py", "null byte"),
        ("pipe.py", "no regular file"),
    ],
    ids=range(6),
)
def test_what_is_no_file(tmp_path: Path, plugins: PluginManager, name: str, words: str) -> None:
    import os

    (tmp_path / "folder.py").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(UsageError, match=words):
        graph_from(str(tmp_path / name), (), plugins)


@given(st.binary(max_size=60))
def test_no_file_whatsoever_gives_a_traceback(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lab.py"
    path.write_bytes(content)
    with pytest.raises(EmuError) as caught:
        graph_from(str(path), (), PluginManager())
    assert str(caught.value).isprintable()


# -- names ------------------------------------------------------------------------------------------


def test_a_topology_by_its_name(plugins: PluginManager) -> None:
    assert graph_from("two_segment", (), plugins).name == "two_segment"


@pytest.mark.parametrize("name", ["two_segmnet", "two-segment", "TWO_SEGMENT", "two_segments"])
def test_an_unknown_name_gets_the_nearest(plugins: PluginManager, name: str) -> None:
    with pytest.raises(UsageError, match=f"no topology or file '{name}'; did you mean .*two_segment"):
        graph_from(name, (), plugins)


@pytest.mark.parametrize(
    "name", ["zzzzzz", "", " ", "\0", "-", "lab.py.txt", "x" * 5000, "é", "\ud800"], ids=range(9)
)
def test_a_name_near_to_none_is_told_where_to_look(plugins: PluginManager, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        graph_from(name, (), plugins)
    assert str(caught.value).isprintable()


# -- settings ---------------------------------------------------------------------------------------

FUNCTION = """
def f(
    number: int = 1, ratio: float = 0.5, text: str = "", flag: bool = False, size: "int | None" = None,
    either: int | str = 0, optional: Optional[float] = None, kind: Literal["ring", "star", 3, 0] = "ring",
    many: list[int] = [], words: tuple[str, ...] = (), guessed=2.5, anything=None,
    pair: tuple[int, float] = (1, 1.0), path: Path = Path("."), rows: "Sequence[int]" = (),
    several: set[int] = set(),
):
    graph = nx.path_graph(2)
    graph.graph["got"] = locals()
    return graph
"""


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("number=-3", -3), ("ratio=1e3", 1000.0), ("ratio=2", 2.0), ("text=a=b", "a=b"), ("text=", ""),
        ("flag=true", True), ("flag=Yes", True), ("flag=1", True), ("flag=off", False), ("flag=NO", False),
        ("size=4", 4), ("size=none", None), ("size=", None),
        ("either=4", 4), ("either=four", "four"),
        ("optional=2", 2.0), ("optional=None", None),
        ("kind=star", "star"), ("kind=3", 3), ("kind=0", 0),
        ("many=1,2 3", [1, 2, 3]), ("many=", []), ("words=a,b", ("a", "b")),
        ("guessed=3", 3.0), ("anything=x", "x"), ("pair=1,2", (1, 2.0)),
        ("path=a/b", Path("a/b")), ("rows=1,2", [1, 2]), ("several=2,2", {2}),
    ],
)  # fmt: skip
def test_settings_get_the_type_of_their_parameter(load: Any, setting: str, value: Any) -> None:
    got = load(FUNCTION, "", setting).graph["got"][setting.partition("=")[0]]
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("number", "'number': write it as key=value"),
        ("", "write it as key=value"),
        ("=3", "no such parameter"),
        ("numbr=3", "set 'numbr': topology f has no such parameter; did you mean number?"),
        ("number=x", "number must be int"),
        ("number=", "number must be int"),
        ("number=1.5", "number must be int"),
        ("number=" + "9" * 5000, "number must be int"),
        ("ratio=half", "ratio must be float"),
        ("flag=perhaps", "flag must be yes or no"),
        ("size=x", "size must be int or none"),
        ("optional=x", "optional must be float or none"),
        ("kind=rign", "kind must be ring, star, 3 or 0; did you mean ring?"),
        ("many=1,x", "many must be a list of int"),
        ("guessed=x", "guessed must be float"),
        ("pair=1", "pair must be int,float"),
        ("pair=1,2,3", "pair must be int,float"),
    ],
    ids=range(17),
)
def test_settings_that_do_not_fit(load: Any, setting: str, words: str) -> None:
    found = fault(load, FUNCTION, "", setting)
    assert words in found
    assert len(found) < 300


def test_the_last_of_two_settings_counts(load: Any) -> None:
    assert load(FUNCTION, "", "number=1", "number=2").graph["got"]["number"] == 2


def test_parameters_without_a_default_are_asked_for(load: Any) -> None:
    text = "def f(n: int, m: int, *, k): return nx.path_graph(n)\n"
    assert "topology f needs --set m=..., --set k=..." in fault(load, text, "", "n=3")


def test_positional_parameters_can_be_set(load: Any) -> None:
    assert load("def f(n: int, /): return nx.path_graph(n)\n", "", "n=3").order() == 3


def test_functions_with_any_parameters_get_what_they_name(load: Any) -> None:
    assert load("def f(n: int = 2, *args, **options): return nx.path_graph(n)\n", "", "n=3").order() == 3
    assert "no such parameter" in fault(load, "def f(*args): return nx.Graph()\n", "", "args=3")


def test_a_function_without_parameters_says_so(load: Any) -> None:
    assert "has no such parameter; it has none" in fault(load, PLAIN, "", "n=3")


def test_an_annotation_that_cannot_be_read_is_no_trouble(load: Any) -> None:
    assert load("def f(n: 'NoSuchType' = 3): return nx.path_graph(n)\n", "", "n=4").order() == 4


@given(st.text(max_size=20))
def test_no_setting_whatsoever_gives_a_traceback(setting: str) -> None:
    plugins = PluginManager()
    with pytest.raises(EmuError) as caught:
        graph_from("two_segment", ["zzz" + setting], plugins)
    assert str(caught.value).isprintable()
