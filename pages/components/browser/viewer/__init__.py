"""One image, large: zoom, pan, read pixels, go on to the next, and see or set the colony's box."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from cfu_core.imaging.cropping import Box
from pages.components.browser.boxes import BOXES_CSS, BOXES_JS, MarkedBox, read_box
from pages.components.browser.messages import MESSAGES_JS, pack, read_part

_FOLDER = Path(__file__).parent
_VIEWER = st.components.v2.component(
    "cfu_viewer",
    html='<div class="viewer"></div>',
    css=BOXES_CSS + read_part(_FOLDER, "viewer.css"),
    js=MESSAGES_JS + BOXES_JS + read_part(_FOLDER, "viewer.js"),
)


class ViewerResult(NamedTuple):
    """What the person did just now; each holds for one run of the script."""

    step: int | None
    """-1 to the previous image, +1 to the next."""
    closed: bool
    box: Box | None
    """Where the box was put, in pixels of the image."""


def viewer(
    picture: bytes,
    *,
    path: str,
    key: str,
    mime: str = "image/jpeg",
    size: tuple[int, int] | None = None,
    boxes: Sequence[MarkedBox] = (),
    editable: bool = False,
    place: str = "",
    has_previous: bool = True,
    has_next: bool = True,
    closable: bool = True,
    height: int = 620,
    on_step: Callable[[int], None] | None = None,
    on_close: Callable[[], None] | None = None,
    on_box: Callable[[Box], None] | None = None,
) -> ViewerResult:
    """Show one image large.

    The wheel zooms at the pointer, dragging pans, ``+`` ``-`` ``0`` ``1`` zoom, the left and right arrow go to the
    previous and the next image (from anywhere on the page where they mean nothing else), ``b`` shows and hides the
    boxes, Escape closes. 100 % is one image pixel on one pixel of the screen.

    Parameters
    ----------
    picture : bytes
        The image as a browser can show it: best the file itself, where it is a JPEG or PNG, so that the pixel values
        are those of the file.
    path : str
        What the image is called; a change of it shows a new image from the start.
    size : (int, int), optional
        Width and height of the image where `picture` is a smaller copy; coordinates and boxes refer to them.
    boxes : sequence of MarkedBox
        Drawn over the image.
    editable : bool
        Gives the box set by hand (where there is none, the first) handles, and a button to draw a new one. What a
        person placed stays on the screen until `boxes` changes.
    place : str
        Where the image stands among others: ``12 of 240``.
    height : int
        Of the picture's window, in CSS pixels.
    on_step, on_close, on_box : callable, optional
        Called before the script runs again, with what the result will hold: what they change is seen in that run.
    """
    header: dict[str, Any] = {
        "path": path,
        "digest": hashlib.blake2b(picture, digest_size=8).hexdigest(),
        "mime": mime,
        "size": size,
        "boxes": [box.as_json() for box in boxes],
        "editable": editable,
        "place": place,
        "previous": has_previous,
        "next": has_next,
        "closable": closable,
        "height": height,
    }

    def just_now(event: str) -> Any:
        return (st.session_state.get(key) or {}).get(event)

    def stepped() -> None:
        if on_step and (step := _step(just_now("step"))):
            on_step(step)

    def boxed() -> None:
        if on_box and (box := _box(just_now("box"), path)):
            on_box(box)

    result = _VIEWER(
        data=pack(header, [picture]),
        key=key,
        on_step_change=stepped,
        on_close_change=lambda: on_close() if on_close else None,
        on_box_change=boxed,
    )
    return ViewerResult(_step(result.step), bool(result.close), _box(result.box, path))


def _step(said: object) -> int | None:
    return said if type(said) is int and said in (-1, 1) else None


def _box(said: object, path: str) -> Box | None:
    """The reported box, unless it belongs to the image that was shown before."""
    return read_box(said.get("box")) if isinstance(said, dict) and said.get("path") == path else None
