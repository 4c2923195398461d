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

from cfu_core.reporting.figure_fonts import use_installed_fonts

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
_JOINERS = "\u200c\u200d"  # part of the spelling of Persian and of Indic languages


class LineStyle(NamedTuple):
    """Colour and dashes of a line.

    Attributes
    ----------
    colour : str
        Colour as ``#rrggbb``.
    dash : str
        Line style of Matplotlib: one of `DASHES`.
    """

    colour: str
    dash: str


def line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """Return a line style for each class name.

    The style depends only on the position of the name, so that a class has the same style in every figure. Styles
    differ between up to 32 classes and then repeat.
    """
    return {
        name: LineStyle(COLOURS[i % len(COLOURS)], DASHES[(i // len(COLOURS) + i) % len(DASHES)])
        for i, name in enumerate(names)
    }


def plain_text(text: str, width: int = 0) -> str:
    """Prepare text for Matplotlib, which would read text between dollar signs as a formula.

    Parameters
    ----------
    text : str
        Text of any origin, such as the name of a class.
    width : int
        Maximum length of a line in characters; 0 for a single line.

    Returns
    -------
    str
        The text with escaped dollar signs, with spaces in place of unprintable characters (except joiners of letters),
        broken into lines; a word that is longer than a line is broken too.
    """
    printable = "".join(c if c.isprintable() or c in _JOINERS else " " for c in text)
    lines = textwrap.wrap(printable, width) if width else [printable]
    return "\n".join(lines).replace("$", r"\$")


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Create an empty figure in the style of all figures for print.

    Parameters
    ----------
    width, height : float
        Size in inches.
    rows, columns : int
        Number of axes in each direction.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Figure with constrained layout, not known to pyplot.
    axes : list of matplotlib.axes.Axes
        Axes from left to right, row by row.
    """
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
    """Set the title and the labels of axes, in the style of all figures; empty texts remove them."""
    axes.set_title(title, fontsize=NORMAL, color=INK, fontweight="bold", loc="left")
    axes.set_xlabel(x, fontsize=SMALL, color=INK)
    axes.set_ylabel(y, fontsize=SMALL, color=INK)


def add_legend(axes: Axes, where: Literal["best", "lower left", "lower right"] = "best") -> None:
    """Add a legend of the labelled lines to axes; `where` is Matplotlib's ``loc``."""
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc=where, handlelength=2.6)


def percent_axes(axes: Axes, *, x: bool = False, y: bool = False, low: float = 0) -> None:
    """Set the limits of one or both axes to percentages, with a margin of 2 % for markers at the limits.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes of data in percent.
    x, y : bool
        Whether to set the limits of the x axis and of the y axis.
    low : float
        Lower limit in percent, less than 100; the upper limit is 100.
    """
    margin = 0.02 * (100 - low)
    if x:
        axes.set_xlim(low - margin, 100 + margin)
    if y:
        axes.set_ylim(low - margin, 100 + margin)


def png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file, at `DPI` dots per inch.

    Texts use installed fonts for characters that the default font lacks.
    """
    use_installed_fonts(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """Return a figure as the content of an SVG file, with text as paths; the same figure gives the same bytes.

    Texts use installed fonts for characters that the default font lacks.
    """
    use_installed_fonts(figure)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return file.getvalue()


def inline_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element for an HTML page.

    Screen readers skip the element, because the page has a caption for it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Figure to convert, with text as paths.
    name : str
        Letters and digits, different for each figure of a page: prefix of all identifiers in the SVG, which must be
        unique within the page.
    """
    text = svg(figure).decode()
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", element, flags=re.DOTALL)
    element = re.sub(r'(\sid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", element)
    return element.replace("<svg", '<svg aria-hidden="true"', 1)
