"""From a matplotlib Figure to a small inline SVG that follows the page's light and dark colours.

Text stays text. Colours become both a class (which the page's style sheet follows) and a presentation attribute (which
still draws where a strict policy blocks style sheets). There are no ids but those of title and description, so
that charts on one page cannot clash, and nothing that changes from one rendering to the next.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.palette import role_of

__all__ = ["Chart", "inline_svg", "printable"]

_SVG: Final = "{http://www.w3.org/2000/svg}"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_RC: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "nexus-loadtests", "path.simplify_threshold": 0.2}
_NO_METADATA: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}
_KEPT: Final = ("stroke-width", "stroke-dasharray", "stroke-linecap", "fill-opacity", "stroke-opacity", "opacity")
_UNPRINTABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TOKEN: Final = re.compile(r"[MLQCzZ]|-?\d+(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True)
class Chart:
    """One chart: its message, what a screen reader says of it, the drawing and what must be known to read it."""

    title: str
    desc: str
    svg: Markup
    caption: str = ""


def printable(text: str) -> str:
    """The text without characters that XML forbids."""
    return _UNPRINTABLE.sub("\ufffd", text)


def inline_svg(figure: Figure, name: str, title: str, desc: str) -> Markup:
    """Draw the figure as an ``<svg>`` element; ``name`` makes its ids unique in the page."""
    FigureCanvasSVG(figure)
    drawn = io.StringIO()
    with mpl.rc_context(_RC):
        figure.savefig(drawn, format="svg", metadata=_NO_METADATA)
    root = ElementTree.fromstring(drawn.getvalue())  # noqa: S314 - our own drawing
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    shapes = {f"#{path.get('id')}": path for path in root.iter(f"{_SVG}path") if path.get("id")}
    body = "".join(_elements(root, shapes))
    return Markup(  # noqa: S704 - built of escaped parts only
        f'<svg class="chart" role="img" aria-labelledby="{name}-t {name}-d" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" font-size="12" font-family="system-ui,sans-serif">'
        f'<title id="{name}-t">{escape(printable(title))}</title><desc id="{name}-d">{escape(printable(desc))}</desc>'
        f"{body}</svg>"
    )


def _elements(node: ElementTree.Element, shapes: dict[str, ElementTree.Element]) -> Iterator[str]:
    """Every path and text below a node, flat, in drawing order; what was defined once is put where it is used."""
    for child in node:
        tag = child.tag.removeprefix(_SVG) if isinstance(child.tag, str) else ""
        style = _style(child.get("style", ""))
        if tag == "path":
            yield _path(child.get("d", ""), style, 0.0, 0.0)
        elif tag == "use":
            shape = shapes[child.get(_HREF, "")]
            x, y = float(child.get("x", 0)), float(child.get("y", 0))
            yield _path(shape.get("d", ""), _style(shape.get("style", "")) | style, x, y)
        elif tag == "text":
            yield _text(child, style)
        elif tag != "defs":
            yield from _elements(child, shapes)


def _style(text: str) -> dict[str, str]:
    pairs = (part.split(":", 1) for part in text.split(";") if ":" in part)
    return {name.strip(): value.strip() for name, value in pairs}


def _path(data: str, style: dict[str, str], dx: float, dy: float) -> str:
    shape = _shortened(data, lambda x, y: (round(x + dx, 1), round(y + dy, 1)))
    if not shape or (style.get("fill", "#000000") == "none" and style.get("stroke", "none") == "none"):
        return ""
    return f'<path d="{shape}"{_paint(style)}/>'


def _text(node: ElementTree.Element, style: dict[str, str]) -> str:
    words = escape("".join(node.itertext()))
    x, y = float(node.get("x", 0)), float(node.get("y", 0))
    anchor = style.get("text-anchor", "start")
    anchored = f' text-anchor="{anchor}"' if anchor != "start" else ""
    weight = ' font-weight="600"' if "bold" in style.get("font", style.get("font-weight", "")) else ""
    return f'<text x="{x:.4g}" y="{y:.4g}"{anchored}{weight}{_paint(style)}>{words}</text>'


def _paint(style: dict[str, str]) -> str:
    classes, attributes = [], []
    for name in ("fill", "stroke"):
        colour = style.get(name)
        role = role_of(colour) if colour else None
        if role:
            classes.append(f"{name[0]}-{role}")
        if colour:
            attributes.append(f' {name}="{colour}"')
    attributes += [f' {name}="{_number(style[name])}"' for name in _KEPT if name in style]
    marked = f' class="{" ".join(classes)}"' if classes else ""
    return marked + "".join(attributes)


def _number(text: str) -> str:
    return re.sub(r"\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), text)


def _shortened(data: str, move: Callable[[float, float], tuple[float, float]]) -> str:
    """A path with one decimal, and horizontal and vertical lines as such."""
    tokens = _TOKEN.findall(data)
    words: list[str] = []
    at, i, command = (float("nan"), float("nan")), 0, "M"
    while i < len(tokens):
        if tokens[i].isalpha():
            command, i = tokens[i], i + 1
            if command in "zZ":
                words.append("z")
                continue
        points = [move(float(tokens[i + 2 * k]), float(tokens[i + 2 * k + 1])) for k in range(_POINTS[command])]
        i += 2 * len(points)
        (x, y) = points[-1]
        if command != "L":
            words.append(command + " ".join(f"{px:g} {py:g}" for px, py in points))
        elif x == at[0] and y != at[1]:
            words.append(f"V{y:g}")
        elif y == at[1] and x != at[0]:
            words.append(f"H{x:g}")
        elif (x, y) != at:
            words.append(f"L{x:g} {y:g}")
        at = (x, y)
    return "".join(words)


_POINTS: Final = {"M": 1, "L": 1, "Q": 2, "C": 3}
