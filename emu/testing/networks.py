"""The networks of tests: built when they are asked for, shared as far as their scope, ended with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ..errors import EmuError, PrivilegeError, UsageError, shown, suggestion
from ..running.network import Network
from .packets import Follow

if TYPE_CHECKING:
    import networkx as nx

_SCOPES: dict[str, type[pytest.Collector]] = {
    "class": pytest.Class,
    "module": pytest.Module,
    "package": pytest.Package,
    "session": pytest.Session,
}
#: The shared networks of a node of pytest's tree, by what was asked for.
_SHARED = pytest.StashKey[dict[Any, Network]]()
#: The networks that tests below a node of the tree use, with the fixture that has them: "" for none.
_USED = pytest.StashKey[list[tuple[str, Network]]]()


class NetworkFactory(Protocol):
    """What the fixture `emu_network` is."""

    def __call__(self, source: Any, scope: str = "", **parameters: Any) -> Network:
        """Return a running network; the arguments are those of the marker `emu`."""


def marked_network(item: pytest.Item) -> Network:
    """Return the network of a test's marker."""
    marker = item.get_closest_marker("emu")
    if marker is None or len(marker.args) != 1:
        pytest.fail(
            'the fixture net needs one network: mark the test with @pytest.mark.emu("two_segment")',
            pytrace=False,
        )
    parameters = dict(marker.kwargs)
    return network_for(item, marker.args[0], parameters.pop("scope", ""), parameters)


def network_for(
    item: pytest.Item,
    source: Any,
    scope: str,
    parameters: dict[str, Any],
    asking: pytest.FixtureRequest | None = None,
) -> Network:
    """Return the network that a test asks for: its own, or one of its scope that others asked for alike.

    The test is skipped, or fails where that is wanted, on a machine that cannot have it.

    Args:
        item: the test.
        source: what the network is made of.
        scope: how long it is kept, and shared; else it ends with the test, or with the fixture.
        parameters: of the topology, and the network's `families` and `ignore_unsupported`.
        asking: the fixture that asks for it.
    """
    if scope in {"", "function"}:
        net = _start(item, source, parameters)
        (asking or item).addfinalizer(lambda: _end(item.config, net))
    else:
        net = _shared(item, source, scope, parameters)
    if asking is None or asking.scope == "function":
        _use(item, "", net)
    else:
        _use(asking.node, asking.fixturename or "", net)
    return net


def _shared(item: pytest.Item, source: Any, scope: str, parameters: dict[str, Any]) -> Network:
    owner = _owner(item, scope)
    shared = owner.stash.setdefault(_SHARED, {})
    key = source, tuple(sorted((name, repr(value)) for name, value in parameters.items()))
    if key not in shared or not shared[key].is_running:  # a test may have ended it
        net = shared[key] = _start(item, source, parameters)
        owner.addfinalizer(lambda: _end(item.config, net))
    return shared[key]


def _use(node: Any, fixture: str, net: Network) -> None:
    used = node.stash.setdefault(_USED, [])
    if (fixture, net) not in used:
        used.append((fixture, net))


def networks_of(item: pytest.Item) -> list[Network]:
    """Return the networks that a test has used, by itself or through fixtures."""
    names = {"", *getattr(item, "fixturenames", ())}
    used = [one for node in item.listchain() for one in node.stash.get(_USED, [])]
    running = [net for fixture, net in used if fixture in names and (not fixture or net.is_running)]
    return list(dict.fromkeys(running))


def follow_of(config: pytest.Config) -> Follow:
    """Return what follows the networks of this run of pytest, from the first one on."""
    if not hasattr(config, "_emu_follow"):
        config._emu_follow = Follow(config.getoption("--emu-capture"))  # type: ignore[attr-defined]
    return config._emu_follow  # type: ignore[attr-defined,no-any-return]


def _owner(item: pytest.Item, scope: str) -> pytest.Collector:
    if scope not in _SCOPES:
        hint = suggestion(scope, _SCOPES) or f"; there are function, {', '.join(_SCOPES)}"
        pytest.fail(f"a network of scope {shown(scope)}: no such scope{hint}", pytrace=False)
    # As with fixtures: outside of a class, and of a package, it is the module that shares.
    return item.getparent(_SCOPES[scope]) or item.getparent(pytest.Module) or item.session


def _start(item: pytest.Item, source: Any, parameters: dict[str, Any]) -> Network:
    parameters = dict(parameters)
    families = parameters.pop("families", None)
    ignore_unsupported = bool(parameters.pop("ignore_unsupported", False))
    required = item.config.getoption("--emu-required") or item.config.getini("emu_required")
    failed = pytest.fail.Exception
    try:
        graph = _graph(source, parameters, item.path.parent)
        families = (families,) if isinstance(families, int) else families
        net = Network(graph, families=families, ignore_unsupported=ignore_unsupported)
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
    from ..hooks.plugin_manager import default_plugins
    from ..reading.sources import graph_from

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
    from ..reading.settings import parameters_of

    known = parameters_of(function)
    for key in parameters:
        if key not in known:
            hint = suggestion(key, known) or f"; it has {', '.join(known) or 'none'}"
            raise UsageError(f"topology {name} has no parameter {shown(key)}{hint}")
    graph: nx.Graph = function(**parameters)
    graph.graph.setdefault("name", name)
    return graph
