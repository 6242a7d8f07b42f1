"""Plugins are found, and one that is broken costs one line that names it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import emu
from emu.errors import PluginError, UsageError
from emu.hooks.plugin_manager import PluginManager, default_plugins

Install = Callable[..., PluginManager]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Yield what installs packages, each with one module, and returns the plugins that are then found."""
    before = set(sys.modules)

    def install_all(*sources: str, entry_point: str = "") -> PluginManager:
        for number, source in enumerate(sources, start=1):
            (tmp_path / f"part{number}.py").write_text(source)
            info = tmp_path / f"package{number}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package{number}\nVersion: 1.0\n")
            point = entry_point or f"part = part{number}"
            (info / "entry_points.txt").write_text(f"[emu]\n{point}\n")
        monkeypatch.syspath_prepend(tmp_path)
        plugins = PluginManager()
        plugins.load_entry_points()
        return plugins

    yield install_all
    for name in set(sys.modules) - before:
        if name.startswith(("part", "emu_file_")):
            del sys.modules[name]


TOPOLOGY = """
import networkx as nx, emu

@emu.topology
def my_ring(n: int = 3) -> nx.Graph:
    "A ring of one's own."
    return nx.cycle_graph(n)
"""
COMMAND = """
import click, emu

@click.command()
def hello():
    "Say hello."

@emu.hookimpl
def emu_register_commands(register):
    register(hello)
"""
HOOK = "import emu\n@emu.hookimpl\ndef "
FINE = TOPOLOGY + COMMAND.replace("import click, emu", "import click")


def check_line(plugins: PluginManager, *words: str) -> None:
    """Check that there is one problem, on one line, that holds these words."""
    (line,) = plugins.problems
    assert "\n" not in line
    for word in ("package1", *words):
        assert word in line


# -- what works -------------------------------------------------------------------------------------


def test_an_installed_package_brings_topologies_and_commands(install: Install) -> None:
    plugins = install(FINE)
    assert plugins.topologies["my_ring"](4).order() == 4
    assert plugins.topologies.entry("my_ring").owner == "package1 (part1)"
    assert plugins.commands["hello"].name == "hello"
    assert plugins.problems == []
    assert ("package1 (part1)", "emu_register_commands, emu_register_topologies") in [
        found[:2] for found in plugins.loaded()
    ]


def test_the_built_in_plugins_have_no_problems() -> None:
    plugins = PluginManager()
    plugins.load_package("emu.plugins")
    assert list(plugins.topologies)
    assert list(plugins.commands)
    assert list(plugins.exporters)
    assert list(plugins.programs)
    assert plugins.problems == []
    assert {"plan", "run"} <= {name.rpartition(".")[2] for name, _, _ in plugins.loaded()}


def test_a_file_is_loaded_once_by_whatever_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab.py").write_text(FINE)
    monkeypatch.chdir(tmp_path)
    plugins = PluginManager()
    first = plugins.load_file(Path("lab.py"))
    assert plugins.load_file(tmp_path / "lab.py") is first
    assert plugins.load_file(Path("..") / tmp_path.name / "lab.py") is first
    assert plugins.topologies["my_ring"](4).order() == 4


def test_two_files_of_one_name_are_two_plugins(tmp_path: Path) -> None:
    plugins = PluginManager()
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "lab.py").write_text(TOPOLOGY.replace("my_ring", f"ring{number}"))
        plugins.load_file(tmp_path / str(number) / "lab.py")
    assert {"ring1", "ring2"} <= set(plugins.topologies)


def test_what_lies_in_the_working_directory_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for name in ("emu_plugin.py", "conftest.py", "topologies.py", "click.py", "lab.py"):
        (tmp_path / name).write_text("raise SystemExit('imported')")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    plugins = PluginManager()
    plugins.load_package("emu.plugins")
    plugins.load_entry_points()
    assert list(plugins.topologies)
    assert plugins.problems == []
    files = [str(getattr(module, "__file__", "")) for module in sys.modules.values()]
    assert not [file for file in files if str(tmp_path) in file]


# -- what does not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nosuchmodule", ["ModuleNotFoundError", "nosuchmodule", "part1.py:1"]),
        ("\n1 / 0", ["ZeroDivisionError", "part1.py:2"]),
        ("def broken(:\n", ["SyntaxError", "part1.py:1"]),
        ("raise SystemExit('enough')", ["SystemExit: enough", "part1.py:1"]),
        ("raise ValueError('two\\nlines')", ["two lines"]),
        ("def f(): f()\nf()", ["RecursionError", "part1.py:1"]),
        (HOOK + "emu_register_commands(registrar): pass", ["registrar"]),
        (HOOK + "emu_register_command(register): pass", ["did you mean emu_register_commands"]),
        ("def emu_register_commands(register): pass", ["emu_register_commands is not called", "hookimpl"]),
        ("x = 1", ["it has no hooks"]),
    ],
)
def test_a_broken_plugin_costs_one_line(install: Install, source: str, words: list[str]) -> None:
    if "is not called" in " ".join(words):
        source += "\n" + TOPOLOGY  # which is a reason to be there
    plugins = install(source, FINE.replace("my_ring", "other_ring"))
    check_line(plugins, *words)
    assert plugins.topologies["other_ring"](3)
    assert plugins.commands["hello"]
    assert "package2 (part2)" in [found[0] for found in plugins.loaded()]


@pytest.mark.parametrize(
    ("hook", "use"),
    [
        ("emu_register_topologies(register)", lambda plugins: plugins.topologies),
        ("emu_register_commands(register)", lambda plugins: plugins.commands),
        ("emu_register_exporters(register)", lambda plugins: plugins.exporters),
        ("emu_register_programs(register)", lambda plugins: plugins.programs),
    ],
)
@pytest.mark.parametrize("body", ["1 / 0", "register()", "register(7)", "register(1, 2, 3, 4, 5)"])
def test_a_hook_that_fails_costs_one_line(
    install: Install, hook: str, use: Callable[[PluginManager], Any], body: str
) -> None:
    plugins = install(f"{HOOK}{hook}:\n    {body}", FINE)
    assert list(use(plugins)) == list(use(plugins))
    check_line(plugins, "part1.py:4")
    assert plugins.topologies["my_ring"](3)


@pytest.mark.parametrize(
    "point", ["x = nosuchmodule", "x = part1:nosuchname", "x = part1:number", "x = json:dumps"]
)
def test_an_entry_point_to_nothing_of_use_costs_one_line(install: Install, point: str) -> None:
    plugins = install("number = 42", entry_point=point)
    check_line(plugins, point.removeprefix("x = "))


def test_two_owners_of_one_topology_are_both_named(install: Install) -> None:
    plugins = install(TOPOLOGY, FINE)
    assert "my_ring" not in list(plugins.topologies)
    (line,) = plugins.problems
    assert "'my_ring' is claimed by package1 (part1) and by package2 (part2)" in line
    assert plugins.commands["hello"]
    with pytest.raises(PluginError, match=r"package1 \(part1\) and by package2 \(part2\)"):
        plugins.topologies["my_ring"]


def test_two_owners_of_one_command_are_both_named(install: Install) -> None:
    plugins = install(COMMAND, FINE)
    assert "hello" not in list(plugins.commands)
    assert "package1 (part1) and by package2 (part2)" in plugins.problems[0]


def test_marking_and_registering_one_function_is_fine(install: Install) -> None:
    both = TOPOLOGY + "\n@emu.hookimpl\ndef emu_register_topologies(register):\n    register(my_ring)\n"
    plugins = install(both)
    assert plugins.topologies["my_ring"](3)
    assert plugins.problems == []


def test_problems_are_reported_when_they_arise(install: Install) -> None:
    plugins = install(HOOK + "emu_register_commands(register):\n    1 / 0")
    seen: list[str] = []
    plugins.report = seen.append
    assert plugins.problems == seen == []
    assert list(plugins.commands) == []
    assert plugins.problems == seen != []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nosuchmodule", "No module named 'nosuchmodule'"),
        (HOOK + "emu_register_commands(registrar): pass", "registrar"),
        ("\0", "null byte"),
        ("é = '\xff'", "SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_a_plugin_error(tmp_path: Path, source: str, words: str) -> None:
    path = tmp_path / "lab.py"
    path.write_text(source, encoding="latin-1")
    plugins = PluginManager()
    for _ in range(2):  # nothing of the first attempt is in the way of the second
        with pytest.raises(PluginError) as caught:
            plugins.load_file(path)
        assert str(caught.value).startswith(f"load {path}: ")
        assert words in str(caught.value)
        assert str(caught.value).isprintable()
    assert "emu_file_lab" not in sys.modules
    assert plugins.loaded() == PluginManager().loaded()


@pytest.mark.parametrize(
    "hook",
    [
        "emu_prepare_graph(graph)",
        "emu_assign_addresses(topology)",
        "emu_compute_routes(topology, addressing)",
    ],
)
def test_a_hook_that_fails_while_planning_is_an_error_that_names_it(install: Install, hook: str) -> None:
    plugins = install(f"{HOOK}{hook}:\n    raise RuntimeError('no\\nidea')")
    with pytest.raises(PluginError) as caught:
        plugins.plan_for(nx.path_graph(3))
    for word in ("package1 (part1)", hook.partition("(")[0], "RuntimeError: no idea", "part1.py:4"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_expected_error_of_a_hook_stays_what_it_is(install: Install) -> None:
    plugins = install(HOOK + "emu_load_graph(source):\n    raise emu.UsageError('not so')")
    with pytest.raises(UsageError, match=r"^not so$"):
        plugins.call("emu_load_graph", source="x")


def test_hooks_take_part_in_planning(install: Install) -> None:
    plugins = install(HOOK + "emu_prepare_graph(graph):\n    graph.add_edge('x', 'y')")
    assert [node.name for node in plugins.plan_for(nx.Graph([("a", "b")])).nodes] == ["a", "b", "x", "y"]


def test_the_plugins_of_a_process_are_found_once() -> None:
    assert default_plugins() is default_plugins()
    assert emu.plan_for(nx.path_graph(2)).nodes
