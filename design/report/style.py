"""One look for every figure: colour-blind safe, the same bytes on every run, readable on white and on black.

In: a matplotlib `Figure`. Out: SVG and PNG bytes without dates or random ids, and an SVG fragment for the page whose colours
follow the page's light or dark theme. A glyph that the bundled font lacks is drawn as an empty box.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1b2330", "#5a6472", "#d9dee5", "#ffffff"
BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY, YELLOW = "#cc79a7", "#56b4e9", "#f0e442"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
"""Okabe and Ito's palette (jfly.uni-koeln.de/color, 2008), in the order the modalities take it."""

THEMED = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    BLUE: "blue",
    VERMILLION: "vermillion",
    GREEN: "green",
    ORANGE: "orange",
    PURPLE: "purple",
    SKY: "sky",
}
"""Colours that the page replaces by its own custom property `--fig-NAME`."""

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_RC: dict[str, object] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "brainworth",
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Plot:
    """A finished figure and the words that go with it."""

    name: str
    """File stem and prefix of every id in the page."""
    title: str
    """Heading above the figure."""
    alt: str
    """What the figure shows, for readers who cannot see it."""
    caption: str
    """One sentence saying what to see."""
    svg: bytes
    png: bytes
    inline: str
    """The SVG element for the page."""
    axes_box: tuple[float, float, float, float]
    """Left, right, top and bottom of the first axes, as fractions of the picture."""
    x_limits: tuple[float, float]
    """Data limits of the first axes' x."""
    y_limits: tuple[float, float]
    """Data limits of the first axes' y."""
    log_x: bool
    log_y: bool
    """Whether the first axes are logarithmic."""
    wide: bool = False
    """Whether the figure takes the whole width of the page."""


@contextmanager
def house_style() -> Generator[None]:
    """Draw in the house style, and restore the caller's settings afterwards."""
    with mpl.rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        warnings.filterwarnings("ignore", message=r"constrained_layout not applied")
        yield


def save(figure: Figure, words: dict[str, str], *, wide: bool = False, dpi: int = 160) -> Plot:
    """Turn a figure into files and a page fragment. Call inside `house_style`.

    Parameters
    ----------
    figure
        The figure; its first axes give the position of the cursor in the page.
    words
        `name`, `title`, `alt` and `caption`.
    wide
        Whether the figure takes the whole width of the page.
    dpi
        Resolution of the PNG, in pixels per inch.

    Returns
    -------
    Plot
    """
    svg, png = io.BytesIO(), io.BytesIO()
    canvas = FigureCanvasSVG(figure)
    _find_places(figure)
    canvas.print_svg(svg, metadata={"Date": None, "Creator": None, "Title": words["title"]})
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
    axes, box = figure.axes[0], figure.axes[0].get_position()
    right = (
        max(other.get_position().x1 for other in figure.axes if other.get_label() == "map") if spans(figure) else box.x1
    )
    return Plot(
        name=words["name"],
        title=words["title"],
        alt=words["alt"],
        caption=words["caption"],
        svg=svg.getvalue(),
        png=png.getvalue(),
        inline=page_fragment(svg.getvalue(), words),
        axes_box=(box.x0, right, 1 - box.y1, 1 - box.y0),
        x_limits=axes.get_xlim(),
        y_limits=axes.get_ylim(),
        log_x=axes.get_xscale() == "log",
        log_y=axes.get_yscale() == "log",
        wide=wide,
    )


def _find_places(figure: Figure) -> None:
    """Lay a figure out once, for all its files: ``savefig`` would draw it once more for each of them to do so."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


def spans(figure: Figure) -> bool:
    """Whether the figure is a row of maps with one y axis, which a cursor crosses."""
    return figure.axes[0].get_label() == "map"


def page_fragment(svg: bytes, words: dict[str, str]) -> str:
    """Rewrite a matplotlib SVG so that it can live inside a page.

    Ids get the figure's name as a prefix, so that they are unique on the page; styles and metadata that would apply
    to the whole page are removed; a title and a description are added; palette colours become custom properties.

    Parameters
    ----------
    svg
        A complete SVG document.
    words
        `name`, `title` and `alt` of the figure.

    Returns
    -------
    str
        One `<svg>` element.
    """
    name = words["name"]
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}:
                parent.remove(child)
    for element in root.iter():
        _rewrite(element, name)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for tag, text in (("desc", words["alt"]), ("title", words["title"])):
        label = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        label.text = printable(text)
        root.insert(0, label)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    return ET.tostring(root, encoding="unicode")


def _rewrite(element: ET.Element, name: str) -> None:
    """Prefix the ids of one element and replace its palette colours."""
    for key, value in list(element.attrib.items()):
        if key == "id":
            new = f"{name}-{value}"
        elif key.endswith("href") and value.startswith("#"):
            new = f"#{name}-{value[1:]}"
        else:
            new = re.sub(r"url\(#", f"url(#{name}-", value)
            if key in {"style", "fill", "stroke"}:
                new = re.sub(r"#[0-9a-f]{6}\b", _themed, new)
        element.set(key, new)


def _themed(match: re.Match[str]) -> str:
    """Name the custom property of a palette colour, with the colour itself as fallback."""
    colour = match.group(0)
    return f"var(--fig-{THEMED[colour]},{colour})" if colour in THEMED else colour


def printable(text: str) -> str:
    """Replace the control characters that XML forbids and text cannot show."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text)


def shorten(text: str, length: int = 24) -> str:
    """One printable line of at most `length` characters, for labels in figures."""
    line = " ".join(printable(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def legend_above(axes: Axes, columns: int = 3, handles: Sequence[Artist] | None = None) -> None:
    """Put the legend above the axes, where it never covers data."""
    shown = axes.get_legend_handles_labels()[0] if handles is None else handles
    place = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "borderaxespad": 0.2}
    axes.legend(handles=list(shown), ncols=columns, handlelength=1.8, **place)
