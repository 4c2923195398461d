"""The paper on which figures are drawn: size, type, colours that colour-blind readers tell apart, and files.

Figures are Matplotlib's objects without pyplot, which keeps its figures in the process and is not for threads.
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

# settings that Matplotlib reads from the process alone, set once and never again: the same figure gives the same file
mpl.rcParams["svg.hashsalt"] = "cfu-workbench"
mpl.rcParams["svg.fonttype"] = "path"  # looks the same where the font is not installed

DPI = 300
WIDTH, HALF = 6.9, 3.4  # inches: the text of an A4 page, and half of it
SMALL, NORMAL = 7.5, 8.5  # points
INK, FAINT = "#222222", "#8a8a8a"
#: Okabe and Ito (2008); yellow, which is faint on white, comes last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
DASHES = ("-", "--", "-.", ":")


class Stroke(NamedTuple):
    """How a line is drawn, told apart by dashes as well."""

    colour: str
    dash: str


def strokes(names: Sequence[str]) -> dict[str, Stroke]:
    """The line of each class, by its place among the classes: the same in every figure."""
    return {
        name: Stroke(COLOURS[i % len(COLOURS)], DASHES[(i // len(COLOURS) + i) % len(DASHES)])
        for i, name in enumerate(names)
    }


def plain(text: str, width: int = 0) -> str:
    """`text` as it stands, no formula in it, in lines of at most `width` characters, where that is given."""
    printable = "".join(c if c.isprintable() else " " for c in text.replace("_", " "))
    lines = textwrap.wrap(printable, width) if width else [printable]
    return "\n".join(lines).replace("$", r"\$")


def sheet(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure and its axes, row by row; in inches."""
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


def label(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Name the axes; empty where there is nothing to say."""
    axes.set_title(title, fontsize=NORMAL, color=INK, fontweight="bold", loc="left")
    axes.set_xlabel(x, fontsize=SMALL, color=INK)
    axes.set_ylabel(y, fontsize=SMALL, color=INK)


def legend(axes: Axes, where: Literal["best", "lower left", "lower right"] = "best") -> None:
    """Name the lines."""
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc=where, handlelength=2.6)


def per_cent(axes: Axes, *, x: bool = False, y: bool = False, low: float = 0) -> None:
    """Axes in per cent, with room for what lies on 0 and on 100."""
    room = 0.02 * (100 - low)
    if x:
        axes.set_xlim(low - room, 100 + room)
    if y:
        axes.set_ylim(low - room, 100 + room)


def png(figure: Figure) -> bytes:
    """A figure at 300 dpi."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """A figure as it can be drawn at any size; the same bytes each time."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return file.getvalue()


def inline_svg(figure: Figure, name: str) -> str:
    """A figure as an element of a page, described by its caption there.

    Parameters
    ----------
    figure : Figure
    name : str
        Letters and digits; begins every identifier in it, so that figures of one page do not borrow from each other.
    """
    text = svg(figure).decode()
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", element, flags=re.DOTALL)
    element = re.sub(r'(\sid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", element)
    return element.replace("<svg", '<svg aria-hidden="true"', 1)
