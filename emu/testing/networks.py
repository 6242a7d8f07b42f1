"""The networks of tests: built when they are asked for, shared as far as their scope, ended with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ..errors import EmuError, PrivilegeError, UsageError, shown, suggestion
from ..network import Network
from .packets import Follow

if TYPE_CHECKING:
    import networkx as nx

_SCOPES: dict[str, type[pytest.Collector]] = {
    "class": pytest.Class,
    "module": pytest.Module,
    "package": pytest.Package,
    "session": pytest.Session,
}
#: The networks of a node of pytest's tree by what was asked for, and all that a test has used.
_Cache = dict[Any, Network]
_CACHE = pytest.StashKey[_Cache]()
USED = pytest.StashKey[list[Network]]()


class Factory(Protocol):
    """What the fixture `emu_network` is."""

    def __call__(self, source: Any, scope: str = "function", **parameters: Any) -> Network:
        """Return a running network; the arguments are those of the marker."""


def marked_network(item: pytest.Item) -> Network:
    """Return the network of a test's marker."""
    marker = item.get_closest_marker("emu")
    if marker is None or len(marker.args) != 1:
        pytest.fail(
            'the fixture net needs one network: mark the test with @pytest.mark.emu("two_segment")',
            pytrace=False,
        )
    parameters = dict(marker.kwargs)
    return network_for(item, marker.args[0], parameters.pop("scope", "function"), parameters)


def network_for(item: pytest.Item, source: Any, scope: str, parameters: dict[str, Any]) -> Network:
    """Return the network that a test asks for: its own, or one of its scope that others asked for alike.

    The test is skipped, or fails where that is wanted, on a machine that cannot have it.
    """
    owner = _owner(item, scope)
    cache = owner.stash.setdefault(_CACHE, {})
    key = (_key(source), tuple(sorted((name, repr(value)) for name, value in parameters.items())))
    net = cache.get(key) if scope != "function" else None
    if net is not None and not net.is_running:  # a test has ended it
        net = None
    if net is None:
        net = _start(item, source, parameters)
        cache[key if scope != "function" else object()] = net
        owner.addfinalizer(lambda: _end(item.config, net))
    used = item.stash.setdefault(USED, [])
    if net not in used:
        used.append(net)
    return net


def follow_of(config: pytest.Config) -> Follow:
    """Return what follows the networks of this run of pytest, from the first one on."""
    if not hasattr(config, "_emu_follow"):
        config._emu_follow = Follow(config.getoption("--emu-capture"))  # type: ignore[attr-defined]
    return config._emu_follow  # type: ignore[attr-defined,no-any-return]


def _owner(item: pytest.Item, scope: str) -> pytest.Item | pytest.Collector:
    if scope == "function":
        return item
    if scope not in _SCOPES:
        hint = suggestion(scope, _SCOPES) or f"; there are function, {', '.join(_SCOPES)}"
        pytest.fail(f"a network of scope {shown(scope)}: no such scope{hint}", pytrace=False)
    # As with fixtures: outside of a class, and of a package, it is the module that shares.
    return item.getparent(_SCOPES[scope]) or item.getparent(pytest.Module) or item.session


def _key(source: Any) -> Any:
    return source if isinstance(source, str) else id(source)


def _start(item: pytest.Item, source: Any, parameters: dict[str, Any]) -> Network:
    required = item.config.getoption("--emu-required") or item.config.getini("emu_required")
    failed = pytest.fail.Exception
    try:
        net = Network(_graph(source, parameters, item.path.parent))
        net.start()
    except PrivilegeError as error:
        kind = failed if required else pytest.skip.Exception
        raise kind(f"no network can be built here: {error}", pytrace=False) from None
    except EmuError as error:
        raise failed(str(error), pytrace=False) from None
    follow_of(item.config).begin(net)
    return net


def _end(config: pytest.Config, net: Network) -> None:
    follow_of(config).end(net)
    net.close()


def _graph(source: Any, parameters: dict[str, Any], folder: Path) -> nx.Graph:
    """Return the graph that was asked for; files are looked for beside the test's, too."""
    from ..plugin_manager import default_plugins
    from ..sources import graph_from

    plugins = default_plugins()
    if isinstance(source, str | Path):
        name = str(source)
        if name in plugins.topologies:
            return _called(plugins.topologies[name], name, parameters)
        # FILE or FILE.py:function
        if (folder / re.sub(r"(?<=\.py):\w+$", "", name)).is_file():
            name = str(folder / name)
        return graph_from(name, [f"{key}={value}" for key, value in parameters.items()], plugins)
    if callable(source):
        return _called(source, getattr(source, "__name__", "graph"), parameters)
    if parameters:
        raise UsageError(f"build a network: a graph has no parameters, such as {next(iter(parameters))}")
    return source  # type: ignore[no-any-return]  # Network tells what is wrong with it


def _called(function: Callable[..., Any], name: str, parameters: dict[str, Any]) -> nx.Graph:
    """Call a topology's function and give its graph a name."""
    from ..settings import parameters_of

    known = parameters_of(function)
    for key in parameters:
        if key not in known:
            hint = suggestion(key, known) or f"; it has {', '.join(known) or 'none'}"
            raise UsageError(f"topology {name} has no parameter {shown(key)}{hint}")
    graph: nx.Graph = function(**parameters)
    graph.graph.setdefault("name", name)
    return graph
