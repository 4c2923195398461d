"""Style of figures for print: sizes, fonts and colour-blind safe colours; and export of figures as PNG and SVG.

Figures are Matplotlib objects without pyplot, which keeps its figures in memory and is not thread-safe.
"""

import io
import re
import textwrap
from collections.abc import Sequence
from typing import Literal, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Matplotlib reads these settings only globally; they make the file of a figure reproducible
mpl.rcParams["svg.hashsalt"] = "cfu-workbench"
mpl.rcParams["svg.fonttype"] = "path"  # looks the same if the font is not installed

DPI = 300
WIDTH, HALF = 6.9, 3.4  # inches: the text width of an A4 page, and half of it
SMALL, NORMAL = 7.5, 8.5  # points
INK, FAINT = "#222222", "#8a8a8a"
#: Palette of Okabe and Ito (2008); yellow, which is faint on white, is last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
DASHES = ("-", "--", "-.", ":")


class LineStyle(NamedTuple):
    """Colour and dashes of a line.

    Attributes
    ----------
    colour : str
        Hexadecimal colour.
    dash : str
        Line style of Matplotlib.
    """

    colour: str
    dash: str


def line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """Return the line style of each class, which depends only on its position: the same in every figure."""
    return {
        name: LineStyle(COLOURS[i % len(COLOURS)], DASHES[(i // len(COLOURS) + i) % len(DASHES)])
        for i, name in enumerate(names)
    }


def plain_text(text: str, width: int = 0) -> str:
    """Prepare text for Matplotlib, so that it is not read as a formula.

    Parameters
    ----------
    text : str
    width : int
        Maximum length of a line in characters; 0 for a single line.

    Returns
    -------
    str
        Spelled as in `text`, except that unprintable characters are spaces.
    """
    printable = "".join(c if c.isprintable() else " " for c in text)
    lines = textwrap.wrap(printable, width) if width else [printable]
    return "\n".join(lines).replace("$", r"\$")


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of `width` by `height` inches, and its axes row by row."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = [each for row in grid for each in row]
    for each in axes:
        each.tick_params(labelsize=SMALL, colors=INK, length=3, width=0.6)
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            each.spines[side].set(color=FAINT, linewidth=0.6)
    return figure, axes


def label_axes(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Set the title and the labels of the axes."""
    axes.set_title(title, fontsize=NORMAL, color=INK, fontweight="bold", loc="left")
    axes.set_xlabel(x, fontsize=SMALL, color=INK)
    axes.set_ylabel(y, fontsize=SMALL, color=INK)


def add_legend(axes: Axes, where: Literal["best", "lower left", "lower right"] = "best") -> None:
    """Add a legend."""
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc=where, handlelength=2.6)


def percent_axes(axes: Axes, *, x: bool = False, y: bool = False, low: float = 0) -> None:
    """Set the limits of axes in percent, from `low` to 100 with a margin for markers on the limits."""
    margin = 0.02 * (100 - low)
    if x:
        axes.set_xlim(low - margin, 100 + margin)
    if y:
        axes.set_ylim(low - margin, 100 + margin)


def png(figure: Figure) -> bytes:
    """Return a figure as PNG at 300 dpi."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return file.getvalue()


def inline_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element of an HTML page; screen readers skip it and read the caption.

    Parameters
    ----------
    figure : Figure
    name : str
        Letters and digits; prefix of every identifier in the SVG, so that figures of one page do not share
        identifiers.

    Returns
    -------
    str
    """
    text = svg(figure).decode()
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", element, flags=re.DOTALL)
    element = re.sub(r'(\sid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", element)
    return element.replace("<svg", '<svg aria-hidden="true"', 1)
