"""The maps of the package topohub as topologies: `topohub:topozoo/Abilene`.

They are networks of Internet Topology Zoo, SNDlib and CAIDA, backbones and Gabriel graphs, with the
places of their routers and the lengths of their links (https://github.com/piotrjurkiewicz/topohub).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import emu

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import networkx as nx

_SCHEME = "topohub:"
_INSTALL = "pip install 'emunet[topohub]'"
#: How long light takes for a kilometre of fibre, in milliseconds (refractive index 1.5).
_DELAY = 0.005
#: What links do that nobody asked for: a kernel that cannot do it carries packets all the same.
_SHAPING = "delays from the map's distances"
_STATISTICS = re.compile(r'"stats"\s*:\s*(\{[^{}]*\})')


@emu.hookimpl
def emu_load_graph(source: str) -> nx.Graph | None:
    """Return the map of a key."""
    if not source.startswith(_SCHEME):
        return None
    key = source.removeprefix(_SCHEME)
    known = _maps()
    if not known:
        raise emu.UsageError(f"read {source}: the package topohub is not installed; {_INSTALL}")
    if key not in known:
        from emu.errors import one_line

        raise emu.UsageError(f"read {one_line(source)[:80]}: topohub has no such map{_nearest(key)}")
    try:
        # topohub.get() would leave the file open, and read it in the user's encoding.
        return _graph(json.loads(known[key].read_text(encoding="utf-8")), key.replace("/", "-"))
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        from emu.errors import where

        raise emu.UsageError(f"read {source}: {where(error)}; another version of topohub may do") from error


@emu.hookimpl
def emu_search_graphs(word: str) -> list[tuple[str, str, str]]:
    """Return the maps whose keys have the word in them."""
    if not _maps():
        return [(f"{_SCHEME}KEY", f"707 public maps, once they are installed: {_INSTALL}", "emunet[topohub]")]
    names = [name for name in map(f"{_SCHEME}{{}}".format, _maps()) if word.lower() in name.lower()]
    return [(name, _counts(name.removeprefix(_SCHEME)), f"topohub {_version()}") for name in names]


# -- the package ------------------------------------------------------------------------------------


@functools.cache
def _maps() -> dict[str, Traversable]:
    """Return the file of every map by its key; none where topohub is not installed."""
    from importlib.resources import files

    try:
        folder = files("topohub") / "data"
        return dict(sorted(_files(folder, "")))
    except (ImportError, OSError):
        return {}


def _files(folder: Traversable, key: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.name.endswith(".json"):
            yield key + entry.name.removesuffix(".json"), entry
        elif entry.is_dir():
            yield from _files(entry, f"{key}{entry.name}/")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("topohub")
    except PackageNotFoundError:
        return ""


def _nearest(key: str) -> str:
    """Return the keys that somebody may have meant, and how to find others."""
    from emu.errors import suggestion

    # Most people know a map by the last part of its key.
    word = key.rpartition("/")[2].lower()
    called = [name for name in _maps() if name.rpartition("/")[2].lower() == word]
    hint = f"; did you mean {' or '.join(called)}?" if 0 < len(called) < 4 else suggestion(key, _maps())
    return hint or f"; 'emu topologies --search {_SCHEME}' lists them"


def _counts(key: str) -> str:
    """Return how large a map is, from its own statistics: reading all of it would take long."""
    try:
        found = _STATISTICS.search(_maps()[key].read_text(encoding="utf-8"))
        statistics = json.loads(found[1]) if found else {}
        return f"{statistics['nodes']} routers, {statistics['links']} links"
    except (OSError, LookupError, ValueError):
        return ""


# -- from a map to a graph --------------------------------------------------------------------------


def _graph(data: dict[str, Any], name: str) -> nx.Graph:
    """Return a map's graph; its statistics and demands are left out.

    Nodes are routers and keep their names as labels, and their positions. A link's weight is its length
    in km, as distances are what operators' metrics follow; one without a length is as long as the
    shortest that has one. Its delay is what light takes for it.
    """
    import networkx as nx

    graph: Any = nx.MultiGraph(name=name) if data.get("multigraph") else nx.Graph(name=name)
    graph.graph["optional_shaping"] = _SHAPING
    for node in data["nodes"]:
        label = str(node.get("name") or "").strip()
        given = {"label": label or None, "pos": node.get("pos")}
        kept = {key: value for key, value in given.items() if value is not None}
        graph.add_node(node["id"], kind="router", **kept)
    lengths = [_length(edge) for edge in data["edges"]]
    shortest = min(filter(None, lengths), default=1.0)
    for edge, length in zip(data["edges"], lengths, strict=True):
        delay = _delay(length)
        attributes = {"weight": length or shortest, **({"delay": delay} if delay else {})}
        graph.add_edge(edge["source"], edge["target"], **attributes)
    return graph  # type: ignore[no-any-return]  # of one of two classes


def _length(edge: dict[str, Any]) -> float:
    """Return a link's length in km, to the 10 m that maps give it in; 0 where it is not known."""
    length = edge.get("dist")
    return round(length, 2) if isinstance(length, int | float) and 0 < length < 1e6 else 0.0


def _delay(length: float) -> str:
    """Return what light takes for a length in km, to the microsecond; an empty text if that is none."""
    text = f"{length * _DELAY:.3f}".rstrip("0").rstrip(".")
    return "" if text == "0" else f"{text}ms"
