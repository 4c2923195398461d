"""A run's class activation maps on disk, and how often they point at the colony."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cfu_core.runs.run import Run
from cfu_core.storage import read_json, replacing, write_json

MAPS, FIGURES = "gradcam.npz", "gradcam.json"


@dataclass(frozen=True, kw_only=True)
class Pointing:
    """How often the map of the predicted class is highest within the colony's true box.

    Parameters
    ----------
    images : int
        Test images with a box that is known.
    trained, untrained : int
        How many of them it is for the run's network, and for the same one before it learned.
    chance : float
        How many it would be for points at random: the sum of the boxes' shares of what the network saw.
    """

    images: int
    trained: int
    untrained: int
    chance: float

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def write_attention(run: Run, paths: list[str], maps: np.ndarray, pointing: Pointing) -> None:
    """Keep the maps (N, C, h, w) of the test images with these paths; the figures are written last."""
    with replacing(run.folder / MAPS) as draft, draft.open("wb") as file:
        np.savez_compressed(file, paths=np.array(paths), maps=maps.astype(np.float32))
    write_json(run.folder / FIGURES, pointing.to_dict())


def read_maps(run: Run, path: str) -> np.ndarray | None:
    """The maps of a test image, float32 of shape (C, h, w) in the order of the classes; None while there are none."""
    if read_pointing(run) is None:
        return None
    with np.load(run.folder / MAPS) as kept:
        places = np.flatnonzero(kept["paths"] == path)
        return kept["maps"][places[0]] if len(places) else None


def read_pointing(run: Run) -> Pointing | None:
    """How often the maps point at the colony, or None while nobody has looked."""
    file = run.folder / FIGURES
    return Pointing(**read_json(file)) if file.exists() else None
