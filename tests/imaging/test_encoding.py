"""Pixels as JPEG: what a decoder gives back."""

import numpy as np
import pytest

from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.reading import decode


@pytest.mark.parametrize("colour", [(200, 40, 60), (20, 160, 90), (30, 40, 200)])
def test_red_stays_red(colour):
    image = np.full((24, 40, 3), colour, np.uint8)
    again = decode(encode_jpeg(image, 95), name="again.jpg")
    assert again.shape == image.shape
    assert np.abs(again.astype(int) - image).max() <= 3


def test_a_lower_quality_gives_a_smaller_file():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert len(encode_jpeg(image, 40)) < len(encode_jpeg(image)) < len(encode_jpeg(image, 98))
