"""Colony boxes over an image, to look at or to edit; shared by the components that show an image.

Such a component puts `BOXES_JS` before its own script and `BOXES_CSS` before its own styles. The two colours and the
label of a box that was set by hand are defined here once, for Python, JavaScript and CSS.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfu_core.imaging.cropping import Box
from pages.components.browser.messages import read_part

FOUND, BY_HAND = "Found automatically", "Set by hand"
FOUND_COLOR, BY_HAND_COLOR = "#2f8fff", "#f0386b"

_FOLDER = Path(__file__).parent
BOXES_JS = f"const BY_HAND = {json.dumps(BY_HAND)}\n" + read_part(_FOLDER, "boxes.js")
BOXES_CSS = f".boxes {{ --found: {FOUND_COLOR}; --by-hand: {BY_HAND_COLOR}; }}\n" + read_part(_FOLDER, "boxes.css")


@dataclass(frozen=True)
class MarkedBox:
    """A colony box over an image, dashed if it was found automatically.

    Parameters
    ----------
    box : Box
        In pixels of the image.
    by_hand : bool
        Whether a person set it.
    confidence : float, optional
        Of a box that was found, 0 to 1.
    """

    box: Box
    by_hand: bool = False
    confidence: float | None = None

    @property
    def label(self) -> str:
        """How the box was set, with the confidence if there is one."""
        if self.by_hand:
            return BY_HAND
        return FOUND if self.confidence is None else f"{FOUND}, {sure(self.confidence)}"

    @property
    def color(self) -> str:
        """Hexadecimal RGB colour."""
        return BY_HAND_COLOR if self.by_hand else FOUND_COLOR

    def as_json(self) -> dict[str, Any]:
        """Return the box as boxes.js reads it."""
        edges = {name: int(edge) for name, edge in self.box._asdict().items()}
        return {**edges, "label": self.label, "byHand": self.by_hand}


def sure(confidence: float) -> str:
    """Return a confidence from 0 to 1 in words: ``43 % sure``."""
    return f"{100 * confidence:.0f} % sure"


def read_box(value: object) -> Box | None:
    """Return the box that a browser reports, or None if it is not a valid box."""
    if not isinstance(value, dict):
        return None
    edges = [edge for name in Box._fields if type(edge := value.get(name)) is int]
    if len(edges) < len(Box._fields):
        return None
    box = Box(*edges)
    return box if 0 <= box.left < box.right and 0 <= box.top < box.bottom else None
