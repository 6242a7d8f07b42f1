"""From what a user names to a graph: a topology, a Python file, or a file that a plugin can read."""

from __future__ import annotations

import inspect
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmuError, Terminated, UsageError, shown, suggestion, where
from ..graph.file_paths import count_paths_from
from ..hooks.marking import is_hook, marked_topologies
from ..hooks.plugin_manager import PluginManager, default_plugins
from .settings import arguments_for, parameters_of

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["graph_from", "parameters_of"]

_PYTHON_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<function>\w+))?")


def graph_from(source: str, settings: Sequence[str] = (), plugins: PluginManager | None = None) -> nx.Graph:
    """Return the graph that `source` names; relative paths in a file, but for Python, count from its folder.

    Args:
        source: a topology's name, `FILE.py[:function]`, or a file or key that a plugin can load.
        settings: `key=value` for the topology's parameters.
        plugins: whose topologies to look in; default those that are installed.

    Raises:
        UsageError: there is no such thing, or it is no graph; or a setting does not fit.
    """
    plugins = plugins or default_plugins()
    if match := _PYTHON_FILE.fullmatch(source):
        function = _function_in(Path(match["path"]), match["function"], plugins)
        return _call(function, function.__name__, settings)
    if source in plugins.topologies:
        return _call(plugins.topologies[source], source, settings)
    graph = plugins.call("emu_load_graph", source=source)
    if graph is None:
        raise UsageError(_unknown(source, plugins))
    if settings:
        raise UsageError(f"set {settings[0]}: {source} has no parameters")
    graph = _named(graph, Path(source).stem)
    if os.path.isfile(source):
        count_paths_from(graph, Path(source).parent)
    return graph


def _unknown(source: str, plugins: PluginManager) -> str:
    hint = suggestion(source, plugins.topologies)
    if not hint:
        hint = "; 'emu topologies' lists them, and a file is named .py, .yaml, .graphml, .gml, .json or .dot"
    return f"no topology or file {shown(source)}{hint}"


def _function_in(path: Path, name: str | None, plugins: PluginManager) -> Callable[..., Any]:
    """Return the topology function of a Python file."""
    _check_file(path)
    module = plugins.load_file(path)
    own = {
        key: value for key, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    }  # fmt: skip
    if name is not None:
        if name not in own:
            raise UsageError(f"read {path}: no function {name!r}{suggestion(name, own)}")
        return own[name]
    marked = [function for function in marked_topologies(module) if function in own.values()]
    public = [function for key, function in own.items() if not key.startswith("_") and not is_hook(function)]
    candidates = marked or public
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise UsageError(f"read {path}: it has no function that could return a graph")
    choice = ", ".join(f"{path}:{function.__name__}" for function in candidates)
    raise UsageError(f"read {path}: which of its functions? Name one: {choice}")


def _check_file(path: Path) -> None:
    """Raise UsageError unless there is such a file."""
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return
        reason = "it is a folder" if path.is_dir() else "it is no regular file"
    except FileNotFoundError:
        reason = f"no such file{suggestion(str(path), map(str, path.parent.glob('*.py')))}"
    except (OSError, ValueError) as error:  # not allowed; a name too long, or with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
    raise UsageError(f"read {path}: {reason}")


def _call(function: Callable[..., Any], name: str, settings: Sequence[str]) -> nx.Graph:
    """Call a topology function with the user's settings and return its graph."""
    arguments = arguments_for(function, name, settings)
    try:
        graph = function(*arguments.args, **arguments.kwargs)
    except (EmuError, Terminated):
        raise
    except (Exception, SystemExit) as error:
        file = inspect.getsourcefile(inspect.unwrap(function)) if inspect.isroutine(function) else None
        raise UsageError(f"topology {name}: {where(error, file)}") from error
    return _named(graph, name)


def _named(graph: Any, name: str) -> nx.Graph:
    """Check that it is a graph, and give it a name if it has none."""
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        raise UsageError(f"topology {name}: it returned {type(graph).__name__}, not a networkx graph")
    if not graph.graph.get("name"):
        graph.graph["name"] = name
    return graph
