"""A grid of image tiles, in which the user selects several or opens one.

The browser holds the selection while the user clicks and sends it to Python 150 ms after the last change. Python
changes it by `select` before the grid is shown in the same run, for example in a callback. The selection outlives
paging, filtering and visits to other pages: it belongs to the key, not to the tiles shown.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import streamlit as st

from cfu_core.errors import ImageError
from cfu_core.imaging.headers import read_header
from pages.components.browser.label_keys import LABELS_JS, label_header, pass_labels
from pages.components.browser.messages import MESSAGES_JS, pack, read_part
from pages.components.edit_lock import LONGEST_WAIT

_FOLDER = Path(__file__).parent
_TILES = st.components.v2.component(
    "cfu_tiles",
    html='<div class="tiles"></div>',
    css=read_part(_FOLDER, "tiles.css"),
    js=MESSAGES_JS + LABELS_JS + read_part(_FOLDER, "tiles.js"),
)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One image of the grid.

    Parameters
    ----------
    id : str
        Unique identifier, by which the result refers to the tile: the path of the image.
    picture : bytes
        Small JPEG or PNG; empty if the image cannot be read.
    title, subtitle : str
        Two lines below the picture: class and file name.
    badge : str
        Short text beside the title: the partition.
    warning : str
        Shown while the pointer is over the warning icon or the tile has the focus.
    excluded : bool
        Draws the picture pale and the text struck through.
    """

    id: str
    picture: bytes
    title: str
    subtitle: str = ""
    badge: str = ""
    warning: str = ""
    excluded: bool = False


class TilesResult(NamedTuple):
    """State of a grid.

    Attributes
    ----------
    selected : list of str
        Selected identifiers, in the order of selection.
    unseen : int
        Number of selected identifiers without a tile in the grid.
    opened : str or None
        Identifier that the user has just opened, for one run of the script.
    """

    selected: list[str]
    unseen: int
    opened: str | None


@dataclass(frozen=True)
class _Selection:
    """The selection that Python last sent, with its version, and the latest selection."""

    version: str
    sent: tuple[str, ...]
    latest: tuple[str, ...]


def selection(key: str) -> list[str]:
    """Return the selected identifiers of the grid with this key; valid before the grid, after it and in callbacks."""
    stored = _stored(key)
    return list(_latest(key, stored) if stored else ())


def select(ids: Sequence[str], *, key: str) -> None:
    """Replace the selection by these identifiers. Call it before `tiles` or in a callback."""
    st.session_state[_state_key(key)] = _new_selection(ids)


def tiles(
    items: Sequence[Tile],
    *,
    key: str,
    size: int = 160,
    label: str = "Images",
    empty: str = "There are no images to show.",
    on_open: Callable[[str], None] | None = None,
    label_keys: Mapping[str, str] | None = None,
    on_label: Callable[[dict[str, str]], bool] | None = None,
) -> TilesResult:
    """Show a grid of tiles that are at least `size` pixels wide.

    A click selects or deselects, with Shift a range; a double click, Enter or the button in the corner opens a tile.
    The arrow keys move the focus, Space selects, Ctrl+A selects all shown, Escape clears the selection. A key that
    stands for a class labels the selected tiles, or the one with the focus, which then moves on.

    Parameters
    ----------
    items : sequence of Tile
        One page of images, not thousands.
    key : str
        Unique key of this grid. Include the dataset's identifier, so that a selection does not outlive its dataset.
    size : int
        Minimum width of a tile in CSS pixels.
    label : str
        Name of the grid for screen readers.
    empty : str
        Text shown without items.
    on_open : callable, optional
        Called with the opened identifier before the script runs again.
    label_keys : Mapping of str to str, optional
        The class that each key stands for.
    on_label : callable, optional
        Saves the class of each newly labelled identifier before the script runs again and returns whether that
        succeeded, see `pass_labels`.

    Raises
    ------
    ValueError
        If two tiles have the same identifier.
    """
    if len({item.id for item in items}) < len(items):
        raise ValueError("Each tile needs an identifier of its own.")
    if on_label and pass_labels(key, on_label, timeout=LONGEST_WAIT)[0]:
        st.rerun()  # these labels were given while a run was stopped, and the tiles do not have them yet
    stored = _stored(key)
    if stored is None:
        stored = _new_selection(())
    elif st.session_state.get(key) is None and stored.sent != stored.latest:
        stored = _new_selection(stored.latest)  # the grid was not shown for a while, and Streamlit dropped its state
    st.session_state[_state_key(key)] = stored

    def labelled() -> None:
        if on_label:
            pass_labels(key, on_label)

    result = _TILES(
        data=_message(items, stored, key=key, size=size, label=label, empty=empty, keys=label_keys or {}),
        key=key,
        on_labels_change=labelled,
        on_selected_change=lambda: None,
        on_opened_change=lambda: on_open(st.session_state[key]["opened"]) if on_open else None,
    )
    selected = _latest(key, stored)
    st.session_state[_state_key(key)] = _Selection(stored.version, stored.sent, selected)
    return TilesResult(list(selected), len(set(selected) - {item.id for item in items}), result.opened)


def _state_key(key: str) -> str:
    return f"{key}:choice"


def _stored(key: str) -> _Selection | None:
    return st.session_state.get(_state_key(key))


def _new_selection(ids: Sequence[str]) -> _Selection:
    return _Selection(secrets.token_hex(8), tuple(ids), tuple(ids))


def _latest(key: str, stored: _Selection) -> tuple[str, ...]:
    """Return the browser's selection, or the stored one if the browser's belongs to an older version."""
    reported = (st.session_state.get(key) or {}).get("selected")
    if isinstance(reported, dict) and reported.get("version") == stored.version:
        return tuple(dict.fromkeys(str(identifier) for identifier in reported.get("ids", ())))
    return stored.latest


def _message(
    items: Sequence[Tile],
    stored: _Selection,
    *,
    key: str,
    size: int,
    label: str,
    empty: str,
    keys: Mapping[str, str],
) -> bytes:
    header: dict[str, Any] = {
        "key": key,
        "labels": label_header(key, keys),
        "size": size,
        "ratio": _ratio(items),
        "label": label,
        "empty": empty,
        "version": stored.version,
        # not the latest: the message stays the same while the user selects, and its pictures are not sent again
        "selected": stored.sent,
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
    """Return the median of width over height of the pictures, within limits that make a good tile."""
    ratios = []
    for item in items:
        try:
            header = read_header(item.picture, name=item.id)
        except ImageError:
            continue
        ratios.append(header.width / header.height)
    return round(min(1.6, max(0.75, median(ratios))), 3) if ratios else 1.0
