"""JPEG 2000: depth, alpha, extra channels and colours are read as the file states them."""

import struct

import imagecodecs
import numpy as np
import pytest

from cfu_core.errors import ImageError
from cfu_core.imaging.jpeg2000_files import jpeg2000_header
from cfu_core.imaging.reading import check, decode
from cfu_core.imaging.sample_range import SampleRange

RAMP = (np.arange(40 * 60).reshape(40, 60) % 4096).astype(np.uint16)


def encoded(samples: np.ndarray, **options) -> bytes:
    return imagecodecs.jpeg2k_encode(samples, level=0, **options)


def with_colours(data: bytes, number: int) -> bytes:
    """Change the number of the enumerated colour space."""
    place = data.index(b"colr") + 7
    return data[:place] + struct.pack(">I", number) + data[place + 4 :]


def test_twelve_bits_are_the_range_that_the_file_states():
    data = encoded(RAMP, bitspersample=12)
    found = check(data)
    assert (found.header.format, found.header.width, found.header.height) == ("JPEG 2000", 60, 40)
    assert found.samples.declared == SampleRange(0, 4095)
    assert (found.samples.dtype, found.samples.highest) == ("uint16", RAMP.max())
    assert (decode(data, samples=SampleRange(0, 4095))[..., 0] == np.rint(RAMP / 4095 * 255)).all()


def test_sixteen_bits_state_no_range():
    assert check(encoded(RAMP)).samples.declared is None


def test_samples_with_a_sign():
    statistics = check(encoded(RAMP.astype(np.int16) - 100)).samples
    assert (statistics.dtype, statistics.lowest, statistics.declared) == ("int16", -100, None)


def test_channels_that_are_neither_colour_nor_alpha_are_counted():
    pixels = np.random.default_rng(3).integers(0, 256, (40, 60, 5), dtype=np.uint8)
    two, five = encoded(pixels[..., :2].copy()), encoded(pixels)
    assert check(two).plane.extra_channels == 1
    assert (decode(two) == pixels[..., :1]).all()
    assert check(five).plane.extra_channels == 2
    assert (decode(five) == pixels[..., :3]).all()
    with pytest.raises(ImageError, match="it has 6 channels"):
        check(encoded(np.dstack([pixels, pixels[..., :1]])))


def test_colours_of_an_unknown_model_are_refused(capfd):
    pixels = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    data = encoded(pixels, codecformat="jp2")
    assert jpeg2000_header(data).colours == "RGB"
    for changed in (with_colours(data, 14), with_colours(encoded(pixels[..., :2].copy(), codecformat="jp2"), 18)):
        with pytest.raises(ImageError, match="its colours are stored in an unsupported way"):
            decode(changed)
    assert capfd.readouterr() == ("", "")


def test_luminance_and_chroma_are_converted():
    ycc = np.full((8, 8, 3), 128, np.uint8)
    ycc[..., 0] = 100
    data = encoded(ycc, codecformat="jp2", colorspace="SYCC")
    assert jpeg2000_header(data).colours == "sYCC"
    assert (decode(data) == 100).all()


def test_a_codestream_without_a_file_format():
    data = encoded(RAMP.astype(np.uint8), codecformat="j2k")
    assert data.startswith(b"\xff\x4f")
    assert (decode(data)[..., 0] == RAMP.astype(np.uint8)).all()
    with pytest.raises(ImageError, match="incomplete"):
        check(data[:-2])
