"""The canvas of a demo frame: layers of absorbance that extend beyond each edge of the frame by a margin."""

import numpy as np
from numpy.typing import NDArray

FRAME_WIDTH, FRAME_HEIGHT = 1280, 960  # pixels
MARGIN = 160  # pixels beyond each edge of the frame, so that a patch never needs clipping

Layer = NDArray[np.float32]
Generator = np.random.Generator


def empty_layer() -> Layer:
    """Return a float32 layer of zeros, shape (FRAME_HEIGHT + 2 * MARGIN, FRAME_WIDTH + 2 * MARGIN)."""
    return np.zeros((FRAME_HEIGHT + 2 * MARGIN, FRAME_WIDTH + 2 * MARGIN), np.float32)
