"""From what a user names to a graph: a topology, a Python file, or a file that a plugin can read."""

from __future__ import annotations

import inspect
import re
import stat
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import EmuError, UsageError, suggestion, where
from .marking import is_hook, marked_topologies
from .plugin_manager import PluginManager, default_plugins

if TYPE_CHECKING:
    import networkx as nx

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_PYTHON_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<function>\w+))?")


def graph_from(source: str, settings: Sequence[str] = (), plugins: PluginManager | None = None) -> nx.Graph:
    """Return the graph that `source` names.

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
        raise UsageError(f"set {settings[0]}: {source} is a file and has no parameters")
    return _named(graph, Path(source).stem)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a topology's parameters by name, their annotations evaluated."""
    return dict(inspect.signature(function, eval_str=True).parameters)


def _unknown(source: str, plugins: PluginManager) -> str:
    hint = suggestion(source, plugins.topologies)
    if not hint:
        hint = "; 'emu topologies' lists them, and a file is named FILE.py, .graphml, .gml or .json"
    return f"no topology or file {source!r}{hint}"


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
    arguments = _arguments(function, name, settings)
    try:
        graph = function(**arguments)
    except EmuError:
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


def _arguments(function: Callable[..., Any], name: str, settings: Sequence[str]) -> dict[str, Any]:
    parameters = parameters_of(function)
    arguments = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"set {setting!r}: write it as key=value")
        if key not in parameters:
            hint = suggestion(key, parameters) or (
                f"; it has {', '.join(parameters)}" if parameters else "; it has none"
            )
            raise UsageError(f"set {key!r}: topology {name} has no such parameter{hint}")
        arguments[key] = _converted(text, key, parameters[key])
    missing = [
        key for key, parameter in parameters.items()
        if key not in arguments and parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]  # fmt: skip
    if missing:
        raise UsageError(f"topology {name} needs {', '.join(f'--set {key}=...' for key in missing)}")
    return arguments


def _converted(text: str, key: str, parameter: inspect.Parameter) -> Any:
    """Return the text of a setting as the type that the parameter is annotated with."""
    wanted = parameter.annotation
    if wanted is parameter.empty:
        wanted = str if parameter.default in (parameter.empty, None) else type(parameter.default)
    for kind in _alternatives(wanted):
        try:
            return _parsed(text, kind)
        except ValueError:
            continue
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in _alternatives(wanted))
    raise UsageError(f"set {key}={text}: {key} must be {names}")


def _alternatives(wanted: Any) -> list[Any]:
    """Return the types of a union, text last: every text is one."""
    if isinstance(wanted, types.UnionType) or typing.get_origin(wanted) is typing.Union:
        return sorted(typing.get_args(wanted), key=lambda kind: kind is str)
    return [wanted]


def _parsed(text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if kind is type(None):
        if text.lower() not in ("", "none"):
            raise ValueError(text)
        return None
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return next((value for value in inner if str(value) == text), None) or _refuse(text)
    if kind in (list, tuple) or origin in (list, tuple):
        item = inner[0] if inner else str
        return (origin or kind)(_parsed(word, item) for word in re.split(r"[,\s]+", text) if word)
    return kind(text) if kind in (int, float, str) else text


def _refuse(text: str) -> Any:
    raise ValueError(text)
