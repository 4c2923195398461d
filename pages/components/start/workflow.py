"""The steps of the workflow, each with a drawing in the colours of the theme."""

import streamlit as st

from pages.components.charts import theme

_FRAME = '<svg viewBox="0 0 120 80" width="120" height="80" xmlns="http://www.w3.org/2000/svg">{body}</svg>'
_CELLS = [(38, 36), (48, 30), (58, 37), (50, 44), (41, 48), (61, 49), (68, 42), (55, 55), (47, 60), (66, 32)]
_INK, _ACCENT = "INK", "ACCENT"  # placeholders for colours of the theme


def _circle(x: float, y: float, r: float, fill: float = 0.35, accent: bool = True) -> str:
    """Return a circle in SVG."""
    color = _ACCENT if accent else _INK
    return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{color}" fill-opacity="{fill}" stroke="{color}"/>'


def _gallery() -> str:
    """Return a drawing of a grid of images."""
    tiles = []
    for row in range(2):
        for column in range(3):
            x, y = 10 + column * 35, 6 + row * 36
            tiles.append(f'<rect x="{x}" y="{y}" width="30" height="31" rx="3" fill="none" stroke="{_INK}"/>')
            for i in range(4 + 2 * row + column):
                dx, dy = _CELLS[i]
                tiles.append(_circle(x + 15 + (dx - 53) / 3, y + 15 + (dy - 43) / 3, 2))
    return "".join(tiles)


def _preprocessing() -> str:
    """Return a drawing of a faint colony and an enhanced one."""
    faint = "".join(_circle(x - 28, y - 4, 4, 0.12, accent=False) for x, y in _CELLS)
    strong = "".join(_circle(x + 37, y - 4, 5, 0.5) for x, y in _CELLS)
    arrow = f'<path d="M54 39h10m-4-4 4 4-4 4" fill="none" stroke="{_INK}" stroke-width="2"/>'
    box = f'<rect x="70" y="14" width="42" height="50" rx="2" fill="none" stroke="{_INK}" stroke-dasharray="3 3"/>'
    return faint + arrow + strong + box


def _training() -> str:
    """Return a drawing of learning curves."""
    axes = f'<path d="M14 6v62h96" fill="none" stroke="{_INK}"/>'
    loss = f'<path d="M16 14C28 52 52 60 108 62" fill="none" stroke="{_ACCENT}" stroke-width="3"/>'
    validation = f'<path d="M16 20C30 46 56 52 108 53" fill="none" stroke="{_INK}" stroke-dasharray="4 3"/>'
    return axes + loss + validation


def _results() -> str:
    """Return a drawing of a confusion matrix."""
    cells = []
    for row in range(3):
        for column in range(3):
            opacity = (0.9, 0.75, 0.85)[row] if row == column else 0.12
            x, y = 27 + column * 22, 7 + row * 22
            cells.append(
                f'<rect x="{x}" y="{y}" width="20" height="20" rx="2" fill="{_ACCENT}" fill-opacity="{opacity}"/>'
            )
    return "".join(cells)


STEPS = (
    ("Explore", "pages/data/explore.py", "Look at the images, the classes and the split.", _gallery),
    ("Preprocess", "pages/data/preprocess.py", "Crop to the colony, enhance contrast, compare.", _preprocessing),
    ("Train", "pages/model/train.py", "Train a network and follow its learning curves.", _training),
    ("Results", "pages/model/results.py", "Read metrics, tables and confusion matrices.", _results),
)


def workflow() -> None:
    """Show the four steps, each with a link to its page."""
    colors = theme()
    with st.grid(4, min_column_width=190) as tiles:
        for number, (title, page, text, draw) in enumerate(STEPS, 1):
            with tiles.cell(), st.container(border=True, height="stretch"):
                st.image(
                    _FRAME.format(body=draw()).replace(_INK, colors.ink).replace(_ACCENT, colors.accent),
                    width=150,
                    alt=title,
                )
                st.page_link(page, label=f"{number}. {title}")
                st.caption(text)
