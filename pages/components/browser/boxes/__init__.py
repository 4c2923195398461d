"""Boxes over a picture, to look at or to move: the part in the browser that several components share.

A component that wants it puts `BOXES_JS` before its own script and `BOXES_CSS` before its own styles.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cfu_core.imaging.cropping import Box
from pages.components.browser.messages import read_part

_FOLDER = Path(__file__).parent
BOXES_JS = read_part(_FOLDER, "boxes.js")
BOXES_CSS = read_part(_FOLDER, "boxes.css")


@dataclass(frozen=True)
class MarkedBox:
    """A box to draw over a picture, in pixels of the image.

    Parameters
    ----------
    box : Box
    label : str
        The words at its upper left corner.
    kind : {"automatic", "by hand"}
        Found by the software, drawn dashed; or set by a person.
    """

    box: Box
    label: str = "Colony"
    kind: Literal["automatic", "by hand"] = "automatic"

    def as_json(self) -> dict[str, Any]:
        return {**{side: int(at) for side, at in self.box._asdict().items()}, "label": self.label, "kind": self.kind}


def read_box(said: object) -> Box | None:
    """The box that a browser reports, or None where it is not one."""
    if not isinstance(said, dict):
        return None
    sides = [at for side in Box._fields if type(at := said.get(side)) is int]
    if len(sides) < len(Box._fields):
        return None
    box = Box(*sides)
    return box if 0 <= box.left < box.right and 0 <= box.top < box.bottom else None
