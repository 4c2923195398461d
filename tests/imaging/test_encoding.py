"""Pixels as JPEG: what a decoder gives back."""

import numpy as np
import pytest

from cfu_core.errors import ImageError
from cfu_core.imaging.encoding import MAX_SIDE, encode_jpeg
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


@pytest.mark.parametrize("shape", [(1, MAX_SIDE, 3), (MAX_SIDE, 1, 3)])
def test_the_longest_side_of_a_jpeg_is_encoded(shape):
    assert decode(encode_jpeg(np.zeros(shape, np.uint8)), name="long.jpg").shape == shape


def test_a_longer_side_is_refused_with_its_size():
    with pytest.raises(ImageError, match="65501 x 1 pixels") as refused:
        encode_jpeg(np.zeros((1, MAX_SIDE + 1, 3), np.uint8))
    assert refused.value.kind == "too-large"
