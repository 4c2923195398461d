"""Sliders with a picture that is updated while they are dragged.

``st.slider`` sends its value to Python only when it is released. These sliders send theirs during the drag, one request
at a time: the next request is sent when the picture for the last one has arrived. Every picture is computed in Python,
by the code that prepares the images for training; the browser only shows it.

A picture depends on the values, so a page reads the values first and shows the sliders last. Both are in a fragment of
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
            ...  # slow work, and changes of the URL

The value of a control is ``st.session_state[control.key]``, like that of a widget. Code that sets it before
`live_values` runs (a button, the URL, a click in a chart) moves the slider: each such change gets a new version, the
browser takes the values of a version that it does not know, and Python ignores requests of an older version. Otherwise
the values of the sliders hold, and Python does not send them back.

Each picture is sent once: every request lists the digests of the pictures that the browser has. During a drag
`live_jpeg` makes the picture as large as it is shown, and afterwards larger.
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

QUALITY, QUALITY_DRAGGING = 90, 75
"""JPEG quality at rest and during a drag."""

_FOLDER = Path(__file__).parent
_LIVE = st.components.v2.component(
    "cfu_live",
    html='<div class="live"></div>',
    css=read_part(_FOLDER, "live.css"),
    js=MESSAGES_JS + read_part(_FOLDER, "live.js"),
)


@dataclass(frozen=True, kw_only=True)
class Control:
    """A slider with a number field and a button that resets it to the default.

    Parameters
    ----------
    key : str
        Key of its value, in the result of `live_values` and in ``st.session_state``.
    label, help : str
    minimum, maximum, step : float
    default : int or float
        Initial value. An int makes a control of whole numbers.
    logarithmic : bool
        Equal distances along the slider are equal factors, with two significant digits; the minimum must be above 0.
        The number field takes any value.
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
        """Return a control for a declared setting.

        Raises
        ------
        ValueError
            If the setting has no limits or no step.
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

    def valid(self, value: object) -> int | float:
        """Return a value clipped to the limits, or the default if it is not a number. A browser may send anything."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return self.default
        clipped = min(max(value, self.minimum), self.maximum)
        return round(clipped) if isinstance(self.default, int) else float(clipped)


def live_values(key: str, controls: Sequence[Control]) -> Values:
    """Return the current values; call it once in a run, before the picture is computed and `live` shows it.

    Parameters
    ----------
    key : str
        Key of the view, as for `live`.
    controls : sequence of Control
        The controls that `live` will show; they can differ from run to run.
    """
    in_session = {c.key: c.valid(st.session_state.get(c.key, c.default)) for c in controls}
    request = _last_request(key)
    known: Mapping[str, Any] | None = st.session_state.get(_state_key(key))
    if known is None and isinstance(request.get("version"), str):
        version = request["version"]  # the server has restarted, the browser has not: its values hold
    elif known is None or known["values"] != in_session:
        version = secrets.token_hex(4)
    else:
        version = known["version"]
    values = in_session
    if request.get("version") == version and isinstance(request.get("values"), dict):
        values = {c.key: c.valid(request["values"].get(c.key, in_session[c.key])) for c in controls}
    st.session_state[_state_key(key)] = {"version": version, "values": values}
    for name, value in values.items():
        if st.session_state.get(name) != value:
            st.session_state[name] = value
    return dict(values)


def dragging(key: str) -> bool:
    """Return whether a slider is being dragged; slow work should wait. One more run follows when it is released."""
    return _last_request(key).get("dragging") is True


def live_jpeg(key: str, picture: np.ndarray, *, most: int = 1024) -> bytes:
    """Return a picture for `live` as JPEG; during a drag, as large as it is shown.

    Parameters
    ----------
    key : str
        Key of the view, as for `live`.
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    most : int
        Longer side in pixels to which a larger picture is reduced.
    """
    drag = dragging(key)
    shown = _last_request(key).get("side")
    side = min(most, shown) if drag and isinstance(shown, int) and shown > 0 else most
    scale = side / max(picture.shape[:2])
    if scale < 1:
        # averaging areas takes five times as long, and differs little for factors above a half
        method = cv2.INTER_LINEAR if drag and scale >= 0.5 else cv2.INTER_AREA
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    return encode_jpeg(picture, QUALITY_DRAGGING if drag else QUALITY)


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
        Result of `live_values` for these controls.
    before, after : bytes
        JPEG or PNG of the same area of the image.
    size : (int, int)
        Width and height in pixels of the processed image; the pictures may be smaller copies.
    tiles : int, optional
        Number of tiles along each side that "Show tiles" draws; without it there is no such checkbox.
    caption_before, caption_after : str
        Short captions on the pictures.
    key : str
        Unique key of this view.

    Raises
    ------
    ValueError
        If `live_values` was not called before.
    """
    if _state_key(key) not in st.session_state:
        raise ValueError("Call live_values before live: the pictures depend on the values.")
    have = _last_request(key).get("have")
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
        "version": st.session_state[_state_key(key)]["version"],
        "answers": _last_request(key).get("serial", 0),
        "pictures": pictures,
        "size": size,
        "tile": tile_size(size[::-1], tiles)[::-1] if tiles else None,
    }
    _LIVE(data=pack(header, parts), key=key, on_request_change=_no_callback)


def _last_request(key: str) -> Mapping[str, Any]:
    """Return the last request of the browser; empty before the first one."""
    request = (st.session_state.get(key) or {}).get("request")
    return request if isinstance(request, dict) else {}


def _state_key(key: str) -> str:
    return f"{key}:values"


def _no_callback() -> None:
    """Do nothing: Streamlit requires a callback for each state of a component."""
