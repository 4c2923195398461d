"""A grid of picture tiles: look, choose several, open one.

The browser owns what is chosen while a person clicks; Python is told 150 ms after the last change. Python changes
it by `select`, before the grid is shown in the same run (in a callback, say). What is chosen outlives paging,
filtering and visits to other pages: it belongs to the key, not to the tiles shown.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import streamlit as st

from cfu_core.errors import ImageError
from cfu_core.imaging.headers import read_header
from pages.components.browser.messages import MESSAGES_JS, pack, read_part

_FOLDER = Path(__file__).parent
_TILES = st.components.v2.component(
    "cfu_tiles",
    html='<div class="tiles"></div>',
    css=read_part(_FOLDER, "tiles.css"),
    js=MESSAGES_JS + read_part(_FOLDER, "tiles.js"),
)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of the grid.

    Parameters
    ----------
    id : str
        What the result names it by: the path of the image.
    picture : bytes
        A small JPEG or PNG; empty where the image cannot be read.
    title, subtitle : str
        The two lines below it: class and file name.
    badge : str
        A short word beside the title: the partition.
    warning : str
        What is wrong with it; shown when the sign is pointed at or the tile has the focus.
    excluded : bool
        Shown pale and struck out.
    """

    id: str
    picture: bytes
    title: str
    subtitle: str = ""
    badge: str = ""
    warning: str = ""
    excluded: bool = False


class TilesResult(NamedTuple):
    """What is chosen, in the order of choosing; how many of these no tile shows; and what was opened just now."""

    selected: list[str]
    unseen: int
    opened: str | None


@dataclass(frozen=True)
class _Choice:
    """What Python last told the browser to choose, under a version; and what was chosen when last seen."""

    version: str
    told: tuple[str, ...]
    latest: tuple[str, ...]


def selection(key: str) -> list[str]:
    """What is chosen in the grid with this key; before the grid, after it, and in callbacks."""
    kept = _kept(key)
    return list(_reported(key, kept) if kept else ())


def select(ids: Sequence[str], *, key: str) -> None:
    """Choose exactly these, in place of what the person chose. Call it before `tiles`, or in a callback."""
    st.session_state[_slot(key)] = _choice(ids)


def tiles(
    items: Sequence[Tile],
    *,
    key: str,
    size: int = 160,
    label: str = "Images",
    empty: str = "There is no image to show.",
    on_open: Callable[[str], None] | None = None,
) -> TilesResult:
    """Show a grid of tiles of at least `size` pixels in width.

    A click chooses and lets go, with Shift all between; a double click, Enter or the sign in the corner opens.
    Arrow keys go from tile to tile, Space chooses, Ctrl+A chooses all shown, Escape lets all go.

    Parameters
    ----------
    items : sequence of Tile
        With identifiers of their own; a page of them, not thousands.
    key : str
        One grid's own; name the dataset in it, so that a choice does not outlive its dataset.
    on_open : callable, optional
        Called before the script runs again, with the identifier that `opened` will hold.

    Raises
    ------
    ValueError
        Two tiles have the same identifier.
    """
    if len({item.id for item in items}) < len(items):
        raise ValueError("Every tile needs an identifier of its own.")
    kept = _kept(key)
    if kept is None:
        kept = _choice(())
    elif st.session_state.get(key) is None and kept.told != kept.latest:
        kept = _choice(kept.latest)  # the grid was away for a while, and Streamlit forgot its state
    st.session_state[_slot(key)] = kept
    result = _TILES(
        data=_message(items, kept, key=key, size=size, label=label, empty=empty),
        key=key,
        on_selected_change=lambda: None,
        on_opened_change=lambda: on_open(st.session_state[key]["opened"]) if on_open else None,
    )
    chosen = _reported(key, kept)
    st.session_state[_slot(key)] = _Choice(kept.version, kept.told, chosen)
    return TilesResult(list(chosen), len(set(chosen) - {item.id for item in items}), result.opened)


def _slot(key: str) -> str:
    return f"{key}:choice"


def _kept(key: str) -> _Choice | None:
    return st.session_state.get(_slot(key))


def _choice(ids: Sequence[str]) -> _Choice:
    return _Choice(secrets.token_hex(8), tuple(ids), tuple(ids))


def _reported(key: str, kept: _Choice) -> tuple[str, ...]:
    """What the browser says, unless it answers to an older version than Python's last word."""
    said = (st.session_state.get(key) or {}).get("selected")
    if isinstance(said, dict) and said.get("version") == kept.version:
        return tuple(dict.fromkeys(str(identifier) for identifier in said.get("ids", ())))
    return kept.latest


def _message(items: Sequence[Tile], kept: _Choice, *, key: str, size: int, label: str, empty: str) -> bytes:
    header: dict[str, Any] = {
        "key": key,
        "size": size,
        "ratio": _ratio(items),
        "label": label,
        "empty": empty,
        "version": kept.version,
        # not the latest: the message stays the same while a person chooses, and its pictures are not sent again
        "selected": kept.told,
        "items": [
            {
                "id": item.id,
                "title": item.title,
                "subtitle": item.subtitle,
                "badge": item.badge,
                "warning": item.warning,
                "excluded": item.excluded,
                "digest": hashlib.blake2b(item.picture, digest_size=8).hexdigest() if item.picture else "",
            }
            for item in items
        ],
    }
    return pack(header, [item.picture for item in items])


def _ratio(items: Sequence[Tile]) -> float:
    """Width by height that most of the pictures have, within what makes a good tile."""
    ratios = []
    for item in items:
        try:
            header = read_header(item.picture, name=item.id)
        except ImageError:
            continue
        ratios.append(header.width / header.height)
    return round(min(1.6, max(0.75, median(ratios))), 3) if ratios else 1.0
