"""Drawing a plan with matplotlib. The figure's coordinates are points (1/72 inch), as its fonts are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..graph.attributes import Kind
from .fonts import Ruler, quietly
from .notes import LINE, SMALL
from .parts import Box, Shape, Words
from .scene import LABEL, Scene, is_detailed, scene_of, texts_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from ..planning.plan import Plan

#: Edge and fill by kind: colours that the colour-blind tell apart, from M. Okabe and K. Ito, "Color
#: Universal Design", 2008; the fill is the edge's colour on white.
EDGES = {Kind.HOST: "#0072B2", Kind.ROUTER: "#D55E00", Kind.SWITCH: "#009E73"}
FILLS = {Kind.HOST: "#DCEBF5", Kind.ROUTER: "#FBE6D8", Kind.SWITCH: "#DBF0E9"}
_LINE, _TEXT = "#6B6B6B", "#1A1A1A"
_MARGIN, _TITLE, _TITLE_LETTERS, _KEY = 22.0, 11.0, 60, 8.0
_PAGE = 1080.0  # how wide a picture is at most whose small texts can still be read on a page or a screen
_DPI, _PIXELS = 160, 6000  # of a .png: its resolution, and its longer side at most


def write_picture(plan: Plan, path: Path) -> None:
    """Draw a plan into a file; its suffix says in which of matplotlib's formats."""
    import matplotlib

    figure = figure_of(plan)
    dpi = min(_DPI, _PIXELS / max(figure.get_size_inches()))
    # No date and no random identifiers: the same plan gives the same file.
    metadata: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.hashsalt": "emu"}), quietly():
        figure.savefig(path, dpi=dpi, metadata=metadata.get(path.suffix.lower()))


def svg_of(plan: Plan) -> str:
    """Return a drawing of a plan as SVG, for a page: without what could not be read when it fits there."""
    import io

    import matplotlib

    figure = figure_of(plan)
    if is_detailed(plan) and 72 * figure.get_size_inches()[0] > _PAGE:
        figure = figure_of(plan, detailed=False)
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "emu"}), quietly():
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def figure_of(plan: Plan, *, detailed: bool = True) -> Figure:
    """Return the figure of a plan, which belongs to no window.

    Args:
        plan: what to draw.
        detailed: name interfaces and prefixes, unless there are too many.
    """
    from matplotlib.figure import Figure

    ruler = Ruler(texts_of(plan))
    scene = scene_of(plan, ruler, detailed and is_detailed(plan))
    left, bottom, right, top = scene.extent()
    legend = _legend(plan, scene, ruler)
    title = (plan.name if len(plan.name) <= _TITLE_LETTERS else f"{plan.name[:_TITLE_LETTERS]}…") + "   "
    facts = f"{len(plan.nodes)} nodes, {len(plan.links)} links"
    title_width = ruler.width(title, _TITLE, bold=True)
    widest = max(right - left, title_width + ruler.width(facts, _KEY), legend[-1].x + legend[-1].width)
    width, height = widest + 2 * _MARGIN, top - bottom + 2 * _MARGIN + 3 * _TITLE + 3 * _KEY
    left -= (width - (right - left)) / 2
    bottom -= _MARGIN + 3 * _KEY
    figure = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, left + width), ylim=(bottom, bottom + height))
    axes.set_axis_off()
    pen = _Pen(axes, ruler)
    pen.scene(scene)
    x, y = left + _MARGIN, bottom + height - _MARGIN
    pen.text(title, x, y, _TITLE, bold=True, align="left")
    pen.text(facts, x + title_width, y, _KEY, align="left")
    for key in legend:
        pen.key(key, x, bottom + _MARGIN)
    return figure


class _Key:
    """An entry of the legend, at `x` from its left: a kind of node, or a remark."""

    def __init__(self, text: str, kind: Kind | None, x: float, ruler: Ruler) -> None:
        self.text, self.kind, self.x = text, kind, x
        self.width = ruler.width(text, _KEY) + (24 if kind else 0)


def _legend(plan: Plan, scene: Scene, ruler: Ruler) -> list[_Key]:
    """Return the legend: the kinds that there are, and whether anything is missing."""
    counts = Counter(node.kind for node in plan.nodes)
    entries: list[tuple[str, Kind | None]] = [(str(kind), kind) for kind in Kind if counts[kind]]
    if scene.left_out:
        what = "interfaces and prefixes" if scene.left_out > 1 else "interface or prefix"
        entries.append((f"{scene.left_out} {what} left out for lack of room", None))
    keys: list[_Key] = []
    for text, kind in entries:
        x = keys[-1].x + keys[-1].width + 16 if keys else 0.0
        keys.append(_Key(text, kind, x, ruler))
    return keys


class _Pen:
    """Puts a scene's parts on matplotlib's axes."""

    def __init__(self, axes: Axes, ruler: Ruler) -> None:
        self.axes, self.ruler = axes, ruler

    def scene(self, scene: Scene) -> None:
        """Draw all of a scene: lines lowest, nodes highest."""
        from matplotlib.collections import LineCollection

        lines = [[curve.point(k / 24) for k in range(25)] if curve.bend else [curve.start, curve.end]
                 for curve in scene.curves]  # fmt: skip
        labelled = bool(scene.shapes[0].label)
        # Where thousands of lines cross, those of one colour would be a blot.
        look = {"linewidths": 1.3} if labelled else {"linewidths": 0.5, "alpha": 0.5}
        self.axes.add_collection(LineCollection(lines, colors=_LINE, zorder=1, **look), autolim=False)
        if not labelled:
            self._dots(scene.shapes)
            return
        for words in scene.words:
            self._words(words)
        for shape in scene.shapes:
            self._shape(shape)

    def text(
        self, text: str, x: float, y: float, size: float, *, bold: bool = False, align: str = "center",
        zorder: float = 5, **style: Any,
    ) -> None:  # fmt: skip
        """Write a text around or from a point."""
        self.axes.text(
            x, y, text, size=size, color=style.pop("color", _TEXT), ha=align, va=style.pop("va", "center"),
            family=self.ruler.families, weight="bold" if bold else "normal", parse_math=False, usetex=False,
            zorder=zorder,
            **style,
        )  # fmt: skip

    def key(self, key: _Key, x: float, y: float) -> None:
        """Draw an entry of the legend from this point on."""
        x += key.x
        if key.kind:
            self.axes.add_patch(_outline(Shape(key.kind, Box(x + 9, y, 18, 12))))
            x += 24
        self.text(key.text, x, y, _KEY, align="left", va="center_baseline")

    def _words(self, words: Words) -> None:
        box, pad = words.box, 0.15 if words.on_line else 0.0
        style: dict[str, Any] = {
            "bbox": {"boxstyle": f"square,pad={pad}", "facecolor": "white", "edgecolor": "none"}
        }
        self.text(
            words.text, box.x, box.y, SMALL, rotation=math.degrees(box.angle), rotation_mode="anchor",
            linespacing=1.1, multialignment="center", zorder=2, **style,
        )  # fmt: skip

    def _shape(self, shape: Shape) -> None:
        self.axes.add_patch(_outline(shape))
        lines = [(line, LABEL) for line in shape.label] + [(line, SMALL) for line in shape.below]
        y = shape.box.y + LINE * sum(size for _, size in lines) / 2
        for line, size in lines:
            y -= LINE * size / 2
            self.text(line, shape.box.x, y, size, bold=size == LABEL, va="center_baseline")
            y -= LINE * size / 2

    def _dots(self, shapes: Sequence[Shape]) -> None:
        for kind, marker in {Kind.HOST: "s", Kind.ROUTER: "o", Kind.SWITCH: "H"}.items():
            boxes = [shape.box for shape in shapes if shape.kind is kind]
            self.axes.scatter(
                [box.x for box in boxes], [box.y for box in boxes], s=[box.width**2 for box in boxes],
                marker=marker, facecolors=FILLS[kind], edgecolors=EDGES[kind], linewidths=0.8, zorder=3,
            )  # fmt: skip


def _outline(shape: Shape) -> Patch:
    """Return a node's outline: a rectangle for a host, an ellipse for a router, a hexagon for a switch."""
    from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon

    x, y, width, height = shape.box.x, shape.box.y, shape.box.width, shape.box.height
    style: dict[str, Any] = {
        "facecolor": FILLS[shape.kind], "edgecolor": EDGES[shape.kind], "linewidth": 1.6, "zorder": 3,
    }  # fmt: skip
    if shape.kind is Kind.ROUTER:
        return Ellipse((x, y), width, height, **style)
    w, h = width / 2, height / 2
    if shape.kind is Kind.SWITCH:
        inset = min(9.0, w / 2)
        corners = [(-w, 0), (inset - w, h), (w - inset, h), (w, 0), (w - inset, -h), (inset - w, -h)]
        return Polygon([(x + dx, y + dy) for dx, dy in corners], closed=True, **style)
    return FancyBboxPatch((x - w, y - h), width, height, boxstyle="round,pad=0,rounding_size=2", **style)
