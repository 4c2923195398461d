"""JPEGs are decoded to the same pixels as by OpenCV, whatever their kind."""

import io

import cv2
import imagecodecs
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from cfu_core.imaging.jpeg_decoding import decode_jpeg

SMOOTH = cv2.resize(np.random.default_rng(7).integers(0, 256, (6, 8, 3), dtype=np.uint8), (83, 61))


def encoded(mode: str = "RGB", **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(SMOOTH).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def by_opencv(data: bytes, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]


@pytest.mark.parametrize(
    "data",
    [
        *(encoded(subsampling=subsampling, progressive=subsampling == 1) for subsampling in (0, 1, 2)),
        encoded("L"),
        encoded("CMYK"),
        imagecodecs.jpeg8_encode(SMOOTH, subsampling="411"),
        imagecodecs.jpeg8_encode(SMOOTH, subsampling="440"),
    ],
)
def test_pixels_are_those_of_opencv(data):
    assert (decode_jpeg(data) == by_opencv(data)).all()


def test_a_rare_subsampling_is_decoded():
    data = bytearray(imagecodecs.jpeg8_encode(np.full((64, 64, 3), 90, np.uint8), subsampling="420"))
    frame = data.index(b"\xff\xc0")
    data[frame + 11] = 0x42  # the first component is sampled 4 by 2 times as often as the others
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg_header(bytes(data))
    assert (decode_jpeg(bytes(data)) == by_opencv(bytes(data))).all()


@pytest.mark.parametrize(
    ("factor", "flag"),
    [(2, cv2.IMREAD_REDUCED_COLOR_2), (4, cv2.IMREAD_REDUCED_COLOR_4), (8, cv2.IMREAD_REDUCED_COLOR_8)],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_reduced_pixels_are_those_of_opencv(factor, flag, mode):
    data = encoded(mode)
    assert (decode_jpeg(data, factor=factor) == by_opencv(data, flag)).all()


def test_damage_that_no_decoder_reads_is_an_error():
    data = encoded()
    with pytest.raises(ValueError, match="its content is damaged"):
        decode_jpeg(data[:100])
