import io

import cv2
import numpy as np
import pytest
from PIL import Image

from cfu_core.errors import ImageError
from cfu_core.imaging.reading import decode, decode_small


def encoded(pixels: np.ndarray, kind: str = "JPEG", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.fixture
def quarters() -> np.ndarray:
    """400 x 250, a colour in each quarter."""
    image = np.zeros((250, 400, 3), np.uint8)
    image[:125, 200:] = (220, 30, 40)
    image[125:, :200] = (30, 200, 60)
    image[125:, 200:] = (240, 240, 250)
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("side", "factor"), [(400, 1), (201, 1), (200, 2), (101, 2), (100, 4), (50, 8), (3, 8)])
def test_a_jpeg_is_shrunk_no_further_than_asked_and_looks_the_same(quarters, orientation, side, factor):
    data = encoded(quarters, orientation=orientation)
    whole, small = decode(data), decode_small(data, side=side)
    assert small.shape[:2] == tuple(-(-length // factor) for length in whole.shape[:2])
    expected = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_other_formats_are_decoded_whole(quarters, kind):
    np.testing.assert_array_equal(decode_small(encoded(quarters, kind), side=10), quarters)


@pytest.mark.parametrize("side", [10, 400])
def test_a_damaged_file_cannot_be_decoded_at_a_reduced_size(quarters, side):
    whole = encoded(quarters)
    for data in (b"", b"text", whole[:40], whole[:-500]):
        with pytest.raises(ImageError) as one:
            decode(data)
        with pytest.raises(ImageError) as other:
            decode_small(data, side=side)
        assert other.value.kind == one.value.kind
