"""Finding plugins, calling their hooks, and the names that they registered."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from ..commands import bare_python
from ..errors import EmuError, PluginError, Terminated, UsageError, shown, where
from . import hookspecs
from .marking import MarkedTopologies, hook_faults, marked_topologies
from .registry import Registry

if TYPE_CHECKING:
    import click
    import networkx as nx

    from ..graph.topology import Topology
    from ..planning.addressing import Addressing
    from ..planning.plan import Plan
    from ..planning.routes import Route
    from ..progress import Progress

T = TypeVar("T")

#: What is added to a plugin's name for the part that registers its marked functions.
_TOPOLOGIES = " (topologies)"
#: Frames of these files are not where a plugin's fault is.
_MACHINERY = ("importlib", "pluggy", __file__)


@dataclass(frozen=True)
class NodeProgram:
    """A module that nodes run as a program; `standalone`: without site-packages."""

    module: str
    standalone: bool = False

    def script(self) -> str:
        """Return the shell script that runs it, whatever lies in the working directory."""
        words = [sys.executable or "/usr/bin/python3", "-P", "-m", self.module]
        if self.standalone:
            package = importlib.util.find_spec(self.module.partition(".")[0])
            if package is None or package.origin is None:
                raise PluginError(f"run module {self.module} in nodes: there is no such module")
            code = f"import runpy; runpy.run_module({self.module!r}, run_name='__main__')"
            words = bare_python(code, folder=str(Path(package.origin).parent.parent))
        return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


class PluginManager:
    """The plugins of one process.

    Attributes:
        problems: a line on each plugin that could not be loaded, and on each name that two claim.
        report: called with each such line when it arises.
    """

    def __init__(self, report: Callable[[str], None] | None = None) -> None:
        self.manager = pluggy.PluginManager("emu")
        self.manager.add_hookspecs(hookspecs)
        self.hook = self.manager.hook
        self.problems: list[str] = []
        self.report = report

    def _problem(self, line: str) -> None:
        self.problems.append(line)
        if self.report is not None:
            self.report(line)

    # -- loading ----------------------------------------------------------------------------------

    def load_package(self, name: str) -> None:
        """Load every module of a package: one file, one plugin."""
        package = importlib.import_module(name)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
            full = f"{name}.{module.name}"
            self._load(full, functools.partial(importlib.import_module, full))

    def load_entry_points(self) -> None:
        """Load what installed packages declare in the entry-point group `emu`."""
        from importlib.metadata import entry_points

        found = {
            f"{point.dist.name} ({point.value})" if point.dist else point.value: point
            for point in entry_points(group="emu")
        }
        for owner, point in sorted(found.items()):
            self._load(owner, point.load)
            plugin = self.manager.get_plugin(owner)
            if plugin is not None and not self._callers(owner):
                self._problem(f"plugin {owner}: it has no hooks; mark its functions with @emu.hookimpl")

    def load_file(self, path: Path) -> ModuleType:
        """Load a user's own file as a plugin and return its module.

        Raises:
            PluginError: it cannot be imported; says where.
        """
        owner = str(path.resolve())
        known = self.manager.get_plugin(owner)
        if isinstance(known, ModuleType):
            return known
        spec = importlib.util.spec_from_file_location(f"emu_file_{path.stem}", owner)
        if spec is None or spec.loader is None:
            raise PluginError(f"load {path}: it is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            self._register(owner, module)
        except Terminated:
            raise
        except (Exception, SystemExit) as error:
            del sys.modules[spec.name]
            raise PluginError(f"load {path}: {where(error, owner, _MACHINERY)}") from error
        return module

    def _load(self, owner: str, load: Callable[[], Any]) -> None:
        try:
            self._register(owner, load())
        except Terminated:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a plugin does, emu goes on
            self._problem(f"plugin {owner}: {where(error, hidden=_MACHINERY)}; emu goes on without it")

    def _register(self, owner: str, plugin: Any) -> None:
        try:
            self.manager.register(plugin, owner)
        except pluggy.PluginValidationError:
            self.manager.unregister(name=owner)  # what pluggy did before it found the fault
            raise
        if isinstance(plugin, ModuleType) and marked_topologies(plugin):
            self.manager.register(MarkedTopologies(plugin), owner + _TOPOLOGIES)
        for line in hook_faults(plugin):
            self._problem(f"plugin {owner}: {line}")

    def _callers(self, owner: str) -> list[Any]:
        """Return the hooks that a plugin and its marked functions take part in."""
        plugins = (self.manager.get_plugin(name) for name in (owner, owner + _TOPOLOGIES))
        return [caller for plugin in plugins for caller in self.manager.get_hookcallers(plugin) or []]

    def loaded(self) -> list[tuple[str, str, str]]:
        """Return each plugin's name, its hooks and its file, topologies included."""
        self.topologies  # noqa: B018  # loads the built-in ones
        hooks: dict[str, list[str]] = {}
        files: dict[str, str] = {}
        for name, plugin in self.manager.list_name_plugin():
            owner = name.removesuffix(_TOPOLOGIES)
            found = self.manager.get_hookcallers(plugin) or []
            hooks.setdefault(owner, []).extend(caller.name for caller in found)
            files.setdefault(owner, getattr(plugin, "__file__", None) or type(plugin).__module__)
        return [
            (owner, ", ".join(sorted(set(names))), files[owner]) for owner, names in sorted(hooks.items())
        ]  # fmt: skip

    # -- what was registered ----------------------------------------------------------------------

    @functools.cached_property
    def topologies(self) -> Registry[Callable[..., Any]]:
        """Topology functions by name. The built-in ones are loaded here, as they need networkx."""
        self.load_package("emu.topologies")
        registry: Registry[Callable[..., Any]] = Registry("topology")
        for owner, hook in self._implementations("emu_register_topologies"):

            def register(function: Callable[..., Any], name: str | None = None, owner: str = owner) -> None:
                registry.add(name or function.__name__, function, owner)

            self._call(owner, hook, register)
        return self._checked(registry)

    @functools.cached_property
    def commands(self) -> Registry[click.Command]:
        """Prompt commands by name."""
        registry: Registry[click.Command] = Registry("command")
        for owner, hook in self._implementations("emu_register_commands"):

            def register(command: click.Command, owner: str = owner) -> None:
                registry.add(str(command.name), command, owner)

            self._call(owner, hook, register)
        return self._checked(registry)

    @functools.cached_property
    def exporters(self) -> Registry[tuple[hookspecs.Exporter, str]]:
        """Exporters by file suffix, each with its summary."""
        registry: Registry[tuple[hookspecs.Exporter, str]] = Registry("file format")
        for owner, hook in self._implementations("emu_register_exporters"):

            def register(
                suffix: str, write: hookspecs.Exporter, summary: str = "", owner: str = owner
            ) -> None:  # fmt: skip
                registry.add(suffix, (write, summary), owner)

            self._call(owner, hook, register)
        return self._checked(registry)

    @functools.cached_property
    def programs(self) -> Registry[NodeProgram]:
        """Node programs by name."""
        registry: Registry[NodeProgram] = Registry("program")
        for owner, hook in self._implementations("emu_register_programs"):

            def register(name: str, module: str, standalone: bool = False, owner: str = owner) -> None:
                registry.add(name, NodeProgram(module, standalone), owner)

            self._call(owner, hook, register)
        return self._checked(registry)

    def cli_group(self, cli: click.Group) -> click.Group:
        """Let every plugin add its commands to the command line, each under a name of its own."""
        registry: Registry[click.Command] = Registry("command-line command")
        for owner, hook in self._implementations("emu_add_cli_commands"):
            collector = type(cli)(cli.name)
            self._call(owner, hook, collector)
            for name, command in collector.commands.items():
                registry.add(name, command, owner)
        for name in self._checked(registry):
            cli.add_command(registry[name], name)
        return cli

    def _implementations(self, name: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield every plugin's function for a hook with the plugin's name, in order of loading."""
        for implementation in getattr(self.hook, name).get_hookimpls():
            owner = implementation.plugin_name.removesuffix(_TOPOLOGIES)
            names = implementation.argnames
            function = implementation.function
            yield owner, lambda value, function=function, names=names: function(*[value][: len(names)])

    def _call(self, owner: str, hook: Callable[..., Any], value: Any) -> None:
        try:
            hook(value)
        except Exception as error:  # noqa: BLE001  # likewise
            self._problem(f"plugin {owner}: {where(error, hidden=_MACHINERY)}; emu goes on without it")

    def _checked(self, registry: Registry[T]) -> Registry[T]:
        for line in registry.conflicts():
            self._problem(line)
        return registry

    # -- what plugins take part in ------------------------------------------------------------------

    def call(self, name: str, **arguments: Any) -> Any:
        """Call a hook of all plugins and return its result.

        Raises:
            PluginError: one of them failed; names it, and the line.
        """
        hook = getattr(self.hook, name)
        try:
            return hook(**arguments)
        except EmuError:
            raise
        except Exception as error:
            frames = {frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)}
            owners = " or ".join(
                one.plugin_name for one in hook.get_hookimpls()
                if getattr(one.function, "__code__", None) in frames
            )  # fmt: skip
            raise PluginError(f"plugin {owners}: {name}: {where(error, hidden=_MACHINERY)}") from error

    def plan_for(
        self,
        graph: nx.Graph,
        name: str | None = None,
        families: tuple[int, ...] | None = None,
        progress: Progress | None = None,
    ) -> Plan:
        """Return the plan of a graph, with every plugin's part in it; `progress` is told how far it is.

        Raises:
            TopologyError: with every fault of the graph.
            PlanError: when addresses run out.
        """
        import networkx as nx

        from ..graph.topology import topology_from
        from ..planning.compiler import compile_plan
        from ..progress import Progress

        if not isinstance(graph, nx.Graph):
            raise UsageError(f"plan {shown(graph)}: it is not a networkx graph")
        note = progress or Progress()

        def assign(topology: Topology) -> Addressing:
            note.begin("assigning addresses")
            return self.addressing(topology)

        def route(topology: Topology, addressing: Addressing) -> Mapping[str, Iterable[Route]]:
            note.begin("computing routes")
            return self.routes(topology, addressing)

        note.begin("checking the graph")
        graph = graph.copy()
        self.call("emu_prepare_graph", graph=graph)
        plan = compile_plan(topology_from(graph, name, families), assign, route)
        note.end()
        return plan

    def addressing(self, topology: Topology) -> Addressing:
        """Return all prefixes and addresses: those of a plugin, or the usual ones."""
        from ..planning.addressing import assign_addresses

        found: Addressing | None = self.call("emu_assign_addresses", topology=topology)
        return found or assign_addresses(topology)

    def routes(self, topology: Topology, addressing: Addressing) -> Mapping[str, Iterable[Route]]:
        """Return every node's routes: those of a plugin, or shortest paths."""
        from ..planning.routing import compute_routes

        found: Mapping[str, Iterable[Route]] | None = self.call(
            "emu_compute_routes", topology=topology, addressing=addressing
        )
        return found or compute_routes(topology, addressing)


@functools.cache
def default_plugins() -> PluginManager:
    """Return the plugins of this process: the built-in ones and those of installed packages."""
    plugins = PluginManager()
    plugins.load_package("emu.plugins")
    plugins.load_entry_points()
    return plugins


def plan_for(graph: nx.Graph, name: str | None = None, families: tuple[int, ...] | None = None) -> Plan:
    """Return the plan of a graph, with the installed plugins' part in it; see `PluginManager.plan_for`."""
    return default_plugins().plan_for(graph, name, families)
