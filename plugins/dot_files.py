"""Files in DOT, the language of Graphviz, as topologies (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import emu
from emu.errors import one_line
from emu.reading.files import content_of

if TYPE_CHECKING:
    import networkx as nx
    from lark import Lark, Token, Tree

_SUFFIXES = (".dot", ".gv")
_INSTALL = "pip install 'emunet[dot]'"
#: Subgraphs that are nested deeper were not written by hand, and what follows them here recurses.
_DEPTH = 100
#: Two subgraphs of 10,000 nodes each, linked in a line, have a hundred million.
_LINKS = 1_000_000
_GRAMMAR = r"""
start: STRICT? (GRAPH | DIGRAPH) id? "{" _statements "}"
_statements: (_statement ";"?)*
_statement: assignment | defaults | node | edge | subgraph
assignment: id "=" id
defaults: (GRAPH | NODE | EDGE) attributes
node: point attributes
edge: _end (EDGE_OPERATOR _end)+ attributes
_end: point | subgraph
point: id (":" id)*
subgraph: (SUBGRAPH id?)? "{" _statements "}"
attributes: ("[" (attribute (";" | ",")?)* "]")*
attribute: id ("=" id)?
id: NAME | NUMBER | MARKUP | QUOTED ("+" QUOTED)*

STRICT.2: /strict\b/i
GRAPH.2: /graph\b/i
DIGRAPH.2: /digraph\b/i
SUBGRAPH.2: /subgraph\b/i
NODE.2: /node\b/i
EDGE.2: /edge\b/i
EDGE_OPERATOR: "--" | "->"
NAME: /(?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_]|[^\x00-\x7f])*/
NUMBER: /-?(?:\.\d+|\d+(?:\.\d*)?)(?![\w.])/
MARKUP: /<(?:[^<>]|<[^<>]*>)*>/
QUOTED: /"[^"\\]*(?:\\.[^"\\]*)*"/s
%ignore /\s+|\/\/[^\n]*|#[^\n]*|\/\*.*?\*\//s
"""
#: What Graphviz itself understands (https://graphviz.org/doc/info/attrs.html) is about drawing, but for
#: the names that emu knows too.
_DRAWN = """
    _background arrowhead arrowsize arrowtail bb beautify bgcolor center charset class cluster clusterrank
    color colorscheme comment compound concentrate constraint Damping decorate defaultdist dim dimen dir
    diredgeconstraints distortion dpi edgehref edgetarget edgetooltip edgeURL epsilon esep fillcolor
    fixedsize fontcolor fontname fontnames fontpath fontsize forcelabels gradientangle group head_lp
    headclip headhref headlabel headport headtarget headtooltip headURL height href id image imagepath
    imagepos imagescale inputscale K label_scheme labelangle labeldistance labelfloat labelfontcolor
    labelfontname labelfontsize labelhref labeljust labelloc labeltarget labeltooltip labelURL landscape
    layer layerlistsep layers layerselect layersep layout len levels levelsgap lhead lheight linelength lp
    ltail lwidth margin maxiter mclimit mindist minlen mode model newrank nodesep nojustify normalize
    notranslate nslimit nslimit1 oneblock ordering orientation outputorder overlap overlap_scaling
    overlap_shrink pack packmode pad page pagedir pencolor penwidth peripheries pin quadtree quantum
    radius rank rankdir ranksep ratio rects regular remincross repulsiveforce resolution root rotate
    rotation samehead sametail samplepoints scale searchsize sep shape shapefile showboxes sides size skew
    smoothing sortv splines start style stylesheet tail_lp tailclip tailhref taillabel tailport tailtarget
    tailtooltip tailURL target TBbalance tooltip truecolor URL vertices viewport voro_margin width
    xdotversion xlabel xlp z
"""

_DRAWING = frozenset(_DRAWN.split())

Raw = dict[str, str]


@emu.hookimpl
def emu_load_graph(source: str) -> nx.Graph | None:
    """Read a .dot or .gv file."""
    path = Path(source)
    if path.suffix.lower() not in _SUFFIXES:
        return None
    data = content_of(path, _SUFFIXES)
    name = one_line(source)
    try:
        import lark
    except ImportError:
        raise emu.UsageError(f"read {name}: DOT needs the package lark: {_INSTALL}") from None
    try:
        return graph_of(_parser().parse(data.decode("utf-8-sig")))
    except lark.UnexpectedInput as error:
        reason = _explained(error)
    except UnicodeDecodeError:
        reason = "it is a binary file, or text that is not UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    except emu.UsageError as error:
        reason = str(error)
    raise emu.UsageError(f"read {name}: it is not DOT: {reason}")


@functools.cache
def _parser() -> Lark:
    import lark

    return lark.Lark(_GRAMMAR, parser="lalr")


def _explained(error: Any) -> str:
    """Return what a parser stumbled over, and on which line."""
    token, text = getattr(error, "token", None), getattr(error, "char", "")
    if token is not None and token.type == "$END":
        return "it ends too early; a brace } is missing"
    found = text if token is None else str(token)
    return f"line {error.line}: {one_line(repr(found[:40]))} cannot stand in column {error.column}"


# -- from a tree to a graph -------------------------------------------------------------------------


def graph_of(tree: Tree[Token]) -> nx.Graph:
    """Return the graph of a parsed file; a multigraph unless it is strict."""
    import networkx as nx

    marks = {child.type for child in tree.children if not hasattr(child, "data")}
    classes = (nx.MultiGraph, nx.MultiDiGraph), (nx.Graph, nx.DiGraph)
    graph: Any = classes["STRICT" in marks]["DIGRAPH" in marks]()
    for name in (child for child in tree.children if getattr(child, "data", None) == "id"):
        graph.graph["name"] = _plain(_raw(name))
    block = _Block(graph)
    block.run(tree)
    graph.graph.update(_converted(block.own))
    return cast("nx.Graph", graph)


@dataclass
class _Block:
    """A graph or subgraph: attributes that its later nodes and links start with, and its nodes."""

    graph: Any
    node_defaults: Raw = field(default_factory=dict)
    edge_defaults: Raw = field(default_factory=dict)
    depth: int = 0
    own: Raw = field(default_factory=dict)
    nodes: dict[str, None] = field(default_factory=dict)

    def run(self, tree: Any) -> None:
        """Go through the statements in order."""
        for statement in tree.children:
            kind = getattr(statement, "data", None)
            if kind == "assignment":
                name, value = map(_raw, statement.children)
                self.own[_plain(name)] = value
            elif kind == "defaults":
                which = {"GRAPH": self.own, "NODE": self.node_defaults, "EDGE": self.edge_defaults}
                which[statement.children[0].type].update(_attributes(statement))
            elif kind == "node":
                (name,) = self.ends(statement.children[0])
                self.graph.nodes[name].update(_converted(_attributes(statement), name))
            elif kind == "edge":
                self.add_edges(statement)
            elif kind == "subgraph":
                self.ends(statement)

    def ends(self, tree: Any) -> list[str]:
        """Return the nodes that an end of a link stands for; those that are new are added."""
        if tree.data == "subgraph":
            if self.depth >= _DEPTH:
                raise RecursionError
            inner = _Block(self.graph, {**self.node_defaults}, {**self.edge_defaults}, self.depth + 1)
            inner.run(tree)
            self.nodes |= inner.nodes
            return list(inner.nodes)
        name = _plain(_raw(tree.children[0]))  # a port may follow
        self.nodes[name] = None
        if name not in self.graph:
            self.graph.add_node(name, **_converted(self.node_defaults, name))
        return [name]

    def add_edges(self, tree: Any) -> None:
        """Add the links of a chain, in which a subgraph stands for each of its nodes."""
        parts = (one for one in tree.children[:-1] if hasattr(one, "data"))  # between them are operators
        points = [self.ends(one) for one in parts]
        given = _converted({**self.edge_defaults, **_attributes(tree)})
        key = {"key": given.pop("key")} if "key" in given and self.graph.is_multigraph() else {}
        for tails, heads in itertools.pairwise(points):
            if len(tails) * len(heads) + self.graph.number_of_edges() > _LINKS:
                raise emu.UsageError(f"it has more than {_LINKS:,} links")
            for tail, head in itertools.product(tails, heads):
                self.graph.add_edge(tail, head, **key, **given)


# -- values -----------------------------------------------------------------------------------------


def _raw(tree: Any) -> str:
    """Return an identifier as it is written, in quotes if it has any; joined if it is in parts."""
    tokens = [str(token).replace("\\\r\n", "").replace("\\\n", "") for token in tree.children]
    return tokens[0] if len(tokens) == 1 else '"' + "".join(token[1:-1] for token in tokens) + '"'


def _plain(raw: str) -> str:
    r"""Return the text of an identifier, in which `\"` is a quote and `\\` a backslash."""
    return re.sub(r'\\(["\\])', r"\1", raw[1:-1]) if raw.startswith('"') else raw


def _label(raw: str, node: str) -> str:
    r"""Return a label in one line, in which `\N` is the node, `\n` ends a line, and HTML may stand."""
    if raw.startswith("<"):
        raw = " ".join(re.sub(r"<[^<>]*>", " ", raw[1:-1]).split())
    elif raw.startswith('"'):
        escapes = {"n": " ", "l": " ", "r": " ", "N": node}
        raw = re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), raw[1:-1], flags=re.DOTALL)
    return html.unescape(raw)


def _attributes(tree: Any) -> Raw:
    """Return the attributes that stand in brackets after a statement."""
    pairs = ([*map(_raw, one.children), "true"] for one in tree.children[-1].children)
    return {_plain(name): value for name, value, *_ in pairs}


def _converted(attributes: Raw, node: str | None = None) -> dict[str, Any]:
    """Return attributes with their values, without those that say only how to draw."""
    return dict(_values(attributes, node))


def _values(attributes: Raw, node: str | None) -> Iterator[tuple[str, Any]]:
    from emu.graph.attributes import number_or_text

    for name, raw in attributes.items():
        if name == "label" and node is not None:
            if (label := _label(raw, node)).strip():
                yield name, label
        elif name not in _DRAWING and name != "label":
            yield name, number_or_text(_plain(raw))
