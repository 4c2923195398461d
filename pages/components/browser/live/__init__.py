"""Sliders, and a picture that follows them while they are dragged.

``st.slider`` tells Python its value only when it is let go. These sliders send theirs while the hand moves, one
request at a time: the next one leaves when the picture that answers the last one has come. What is shown is always
computed in Python, by the code that prepares the images for training; the browser only shows it.

A picture depends on the values, so the values are asked for first and the sliders are shown last, in a fragment of
their own, so that nothing else runs again::

    CONTROLS = [Control.of("clip", setting(Recipe, "clip_limit"), 2.0),
                Control.of("tiles", setting(Recipe, "tiles"), 8)]

    @st.fragment
    def workbench(image):
        values = live_values("live", CONTROLS)
        recipe = Recipe(contrast="clahe", clip_limit=values["clip"], tiles=values["tiles"])
        after = live_jpeg("live", enhance(image, recipe).image)
        live(CONTROLS, values, before=encode_jpeg(image), after=after, size=..., tiles=recipe.tiles, key="live")
        if not dragging("live"):
            ...  # what is slow, or goes into the address: when the hand rests

The value of a control stands in ``st.session_state[control.key]``, as that of a widget does. Whoever sets it there
before `live_values` runs (a button, the address, a click in a chart) moves the slider: each such change gets a new
version, the browser takes the values of a version it does not know, and Python ignores what the browser says under
an older one. Otherwise the hand's values stand, and nothing is echoed back.

A picture is sent once: the browser says with each request which pictures it has, by their digests. While the hand
moves, `live_jpeg` sends it at the size at which it is shown, and larger when the hand rests.
"""

import hashlib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st

from cfu_core.imaging.contrast_effect import tile_size
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.settings import Setting
from pages.components.browser.messages import MESSAGES_JS, pack, read_part

Values = dict[str, Any]
"""The value of each control by its key: int where the control's default is an int, else float."""

QUALITY, QUALITY_MOVING = 90, 75
"""Of the JPEG when the hand rests, and while it moves."""

_FOLDER = Path(__file__).parent
_LIVE = st.components.v2.component(
    "cfu_live",
    html='<div class="live"></div>',
    css=read_part(_FOLDER, "live.css"),
    js=MESSAGES_JS + read_part(_FOLDER, "live.js"),
)


@dataclass(frozen=True, kw_only=True)
class Control:
    """One slider with its number field and its way back to the default.

    Parameters
    ----------
    key : str
        Of its value, in the result and in ``st.session_state``.
    label, help : str
        For people.
    minimum, maximum, step : float
    default : int or float
        Where the slider begins, and what its reset button goes back to. An int makes a control of whole numbers.
    logarithmic : bool
        Equal ways along the slider are equal factors, in two digits; the minimum must be above 0. Its number field
        takes any value.
    """

    key: str
    label: str
    minimum: float
    maximum: float
    step: float
    default: float
    help: str = ""
    logarithmic: bool = False

    @classmethod
    def of(cls, key: str, declared: Setting, default: float, *, logarithmic: bool = False) -> "Control":
        """The control of a setting, from its declaration.

        Raises
        ------
        ValueError
            The declaration has no limits or no step.
        """
        if declared.minimum is None or declared.maximum is None or declared.step is None:
            raise ValueError(f"{declared.label} has no limits or no step, so it cannot be a slider.")
        return cls(
            key=key,
            label=declared.label,
            help=declared.help,
            minimum=declared.minimum,
            maximum=declared.maximum,
            step=declared.step,
            default=default,
            logarithmic=logarithmic,
        )

    def admit(self, value: object) -> int | float:
        """`value` within the limits; the default where it is no number. A browser may say anything."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return self.default
        within = min(max(value, self.minimum), self.maximum)
        return round(within) if isinstance(self.default, int) else float(within)


def live_values(key: str, controls: Sequence[Control]) -> Values:
    """The values now; call it once in a run, before the picture is computed and `live` shows it.

    Parameters
    ----------
    key : str
        That of `live`.
    controls : sequence of Control
        Those that `live` will show. They may be others in the next run.
    """
    wanted = {c.key: c.admit(st.session_state.get(c.key, c.default)) for c in controls}
    said = _said(key)
    known: Mapping[str, Any] | None = st.session_state.get(_slot(key))
    if known is None and isinstance(said.get("version"), str):
        version = said["version"]  # the server has started anew, the browser has not: its hand's values stand
    elif known is None or known["values"] != wanted:
        version = secrets.token_hex(4)
    else:
        version = known["version"]
    values = wanted
    if said.get("version") == version and isinstance(said.get("values"), dict):
        values = {c.key: c.admit(said["values"].get(c.key, wanted[c.key])) for c in controls}
    st.session_state[_slot(key)] = {"version": version, "values": values}
    for name, value in values.items():
        if st.session_state.get(name) != value:
            st.session_state[name] = value
    return dict(values)


def dragging(key: str) -> bool:
    """Whether the hand is still on a slider: what is slow had better wait. When it lets go, one more run follows."""
    return _said(key).get("dragging") is True


def live_jpeg(key: str, picture: np.ndarray, *, most: int = 1024) -> bytes:
    """A picture for `live` as JPEG; while the hand moves, at the size at which it is shown.

    Parameters
    ----------
    key : str
        That of `live`.
    picture : ndarray of uint8, shape (H, W, 3)
        RGB, at its full size.
    most : int
        Pixels of the longer side when the hand rests; a larger picture is shrunk to that.
    """
    moving = dragging(key)
    shown = _said(key).get("side")
    side = min(most, shown) if moving and isinstance(shown, int) and shown > 0 else most
    scale = side / max(picture.shape[:2])
    if scale < 1:
        # averaging areas takes five times as long, and differs little above a half
        method = cv2.INTER_LINEAR if moving and scale >= 0.5 else cv2.INTER_AREA
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    return encode_jpeg(picture, QUALITY_MOVING if moving else QUALITY)


def live(
    controls: Sequence[Control],
    values: Mapping[str, Any],
    *,
    before: bytes,
    after: bytes,
    size: tuple[int, int],
    tiles: int | None = None,
    caption_before: str = "Before",
    caption_after: str = "After",
    key: str,
) -> None:
    """Show the sliders and both pictures: as a curtain, side by side, their difference, or the second alone.

    Parameters
    ----------
    controls : sequence of Control
    values : mapping
        What `live_values` gave for them.
    before, after : bytes
        JPEG or PNG of the same frame.
    size : (int, int)
        Width and height in pixels of the image that was worked on; the pictures may be smaller copies.
    tiles : int, optional
        Tiles along each side that "Show tiles" draws; without it there is no such button.
    caption_before, caption_after : str
        Short words that stand on the pictures.
    key : str
        One view's own.

    Raises
    ------
    ValueError
        `live_values` was not called before.
    """
    if _slot(key) not in st.session_state:
        raise ValueError("live_values comes before live: the pictures depend on the values.")
    have = _said(key).get("have")
    have = have if isinstance(have, list) else []
    pictures = []
    parts = []
    for caption, picture in ((caption_before, before), (caption_after, after)):
        digest = hashlib.blake2b(picture, digest_size=8).hexdigest()
        pictures.append({"digest": digest, "caption": caption})
        parts.append(b"" if digest in have else picture)
    header = {
        "key": key,
        "controls": [{**asdict(c), "whole": isinstance(c.default, int)} for c in controls],
        "values": dict(values),
        "version": st.session_state[_slot(key)]["version"],
        "answers": _said(key).get("serial", 0),
        "pictures": pictures,
        "size": size,
        "tile": tile_size(size[::-1], tiles)[::-1] if tiles else None,
    }
    _LIVE(data=pack(header, parts), key=key, on_said_change=_nothing)


def _said(key: str) -> Mapping[str, Any]:
    """What the browser said last; empty before it has said anything."""
    said = (st.session_state.get(key) or {}).get("said")
    return said if isinstance(said, dict) else {}


def _slot(key: str) -> str:
    return f"{key}:values"


def _nothing() -> None:
    """A state needs a callback to have a name; the next run reads it."""
