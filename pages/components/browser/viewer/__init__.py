"""A large view of one image: zoom, pan, pixel values, steps to the next image, and the colony box to see or edit."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from cfu_core.imaging.cropping import Box
from pages.components.browser.boxes import BOXES_CSS, BOXES_JS, MarkedBox, read_box
from pages.components.browser.label_keys import LABELS_JS, label_header, pass_labels
from pages.components.browser.messages import MESSAGES_JS, pack, read_part
from pages.components.edit_lock import LONGEST_WAIT

_FOLDER = Path(__file__).parent
_VIEWER = st.components.v2.component(
    "cfu_viewer",
    html='<div class="viewer"></div>',
    css=BOXES_CSS + read_part(_FOLDER, "viewer.css"),
    js=MESSAGES_JS + LABELS_JS + BOXES_JS + read_part(_FOLDER, "viewer.js"),
)


class ViewerResult(NamedTuple):
    """What the user has just done; each value holds for one run of the script.

    Attributes
    ----------
    step : int or None
        -1 to the previous image, 1 to the next.
    closed : bool
    box : Box or None
        New position of the box, in pixels of the image.
    """

    step: int | None
    closed: bool
    box: Box | None


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
    label_keys: Mapping[str, str] | None = None,
    on_label: Callable[[dict[str, str]], bool] | None = None,
    on_labelled: Callable[[], None] | None = None,
) -> ViewerResult:
    """Show one image in a large view.

    The wheel zooms at the pointer, dragging pans, ``+`` ``-`` ``0`` ``1`` zoom, the left and right arrow keys go to the
    previous and the next image (from anywhere on the page where they have no other function), ``b`` shows and hides
    the boxes, Escape closes. At 100 % one image pixel is one pixel of the screen. A key that stands for a class labels
    the image instead of its other function, once until the next image is shown.

    Parameters
    ----------
    picture : bytes
        The image in a format that browsers show; best the file itself if it is a JPEG or PNG, so that the pixel values
        are those of the file.
    path : str
        Path of the image; a new path resets the view.
    key : str
        Unique key of this view.
    mime : str
        Media type of `picture`.
    size : (int, int), optional
        Width and height of the image if `picture` is a smaller copy; coordinates and boxes refer to this size.
    boxes : sequence of MarkedBox
    editable : bool
        Adds handles to the box set by hand, or else to the first, and a button that draws a new box. A box that the
        user has placed remains until `boxes` changes.
    place : str
        Position of the image among others: ``12 of 240``.
    has_previous, has_next : bool
        Whether there is an image to step to.
    closable : bool
        Whether there is a button that closes the view.
    height : int
        Height of the image area in CSS pixels.
    on_step, on_close, on_box : callable, optional
        Called before the script runs again, with the step, without arguments, or with the new box.
    label_keys : Mapping of str to str, optional
        The class that each key stands for.
    on_label : callable, optional
        Saves the class by path before the script runs again and returns whether that succeeded, see `pass_labels`.
    on_labelled : callable, optional
        Called after a label of this image was saved.
    """

    def pass_new_labels(timeout: float = -1) -> bool:
        """Return whether there were new labels."""
        labels, saved = pass_labels(key, on_label, timeout=timeout) if on_label else ({}, False)
        if saved and on_labelled and path in labels:
            on_labelled()
        return bool(labels)

    if pass_new_labels(LONGEST_WAIT):
        st.rerun()  # the label was given while a run was stopped, and the page does not have it yet
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
        "labels": label_header(key, label_keys or {}),
    }

    def reported(event: str) -> Any:
        return (st.session_state.get(key) or {}).get(event)

    def stepped() -> None:
        if on_step and (step := _step(reported("step"))):
            on_step(step)

    def labelled() -> None:
        pass_new_labels()

    def box_placed() -> None:
        if on_box and (box := _box(reported("box"), path)):
            on_box(box)

    result = _VIEWER(
        data=pack(header, [picture]),
        key=key,
        on_labels_change=labelled,
        on_step_change=stepped,
        on_close_change=lambda: on_close() if on_close else None,
        on_box_change=box_placed,
    )
    return ViewerResult(_step(result.step), bool(result.close), _box(result.box, path))


def _step(value: object) -> int | None:
    return value if type(value) is int and value in (-1, 1) else None


def _box(value: object, path: str) -> Box | None:
    """Return the reported box, or None if it belongs to the previous image."""
    return read_box(value.get("box")) if isinstance(value, dict) and value.get("path") == path else None
