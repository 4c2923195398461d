"""Range of samples of more than 8 bits: chosen for all images together, never for one by its brightest pixel."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile

from cfu_core.errors import ImageError
from cfu_core.imaging.reading import check, decode
from cfu_core.imaging.sample_range import (
    SampleRange,
    SampleStatistics,
    choose_range,
    depth_in_words,
    earlier_range,
    find_range,
    kind_in_words,
    sample_kinds,
    sample_statistics,
    to_eight_bits,
)
from tests.imaging.test_reading import tiff

CAMERA = np.random.default_rng(5).integers(1200, 3700, (96, 128), dtype=np.uint16)  # 12 bits in 16


def statistics(samples, declared=None):
    return sample_statistics(np.asarray(samples), declared)


def test_one_bright_pixel_changes_neither_its_image_nor_the_others():
    hot = CAMERA.copy()
    hot[5, 7] = 4100  # more than a camera of 12 bits can store
    files = [tiff(CAMERA), tiff(hot)]
    chosen = choose_range([check(data).samples for data in files]).range
    assert chosen == (0, 4095)
    plain, spotted = (decode(data, samples=chosen) for data in files)
    different = np.argwhere((plain != spotted).any(axis=2))
    assert different.tolist() == [[5, 7]]
    assert spotted[5, 7].tolist() == [255, 255, 255]


def test_a_dark_image_is_not_brightened():
    dark = CAMERA // 16  # at most 231, which would fit into 8 bits
    files = [tiff(CAMERA), tiff(dark)]
    chosen = choose_range([check(data).samples for data in files]).range
    means = [decode(data, samples=chosen).mean() for data in files]
    assert means[0] / means[1] == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([[0, 200]], (0, 255)),
        ([[0, 200], [0, 900]], (0, 1023)),
        ([[0, 65535]], (0, 65535)),
        ([[0, 100_000]], (0, 100_000)),
        ([[-2900, 12800]], (-2900, 12800)),
        ([[-5, -5]], (-5, -4)),  # white is greater than black
        ([np.float32([0.2, 0.9])], (0, 1)),
        ([np.float32([0.2, 1.2])], (0, 1.2)),
        ([np.float32([0.2, 0.9]), np.float32([0.1, 30.5])], (0, 30.5)),
        ([np.float32([7, 3648])], (0, 4095)),  # whole numbers are counts of a camera
        ([np.float32([-0.5, 3648.5])], (-0.5, 3648.5)),
        ([np.float32([np.nan, np.inf, 0.5])], (0, 1)),
        ([np.float32([np.nan])], (0, 1)),
    ],
)
def test_the_smallest_range_of_a_camera_that_contains_all_images(images, expected):
    chosen = choose_range([statistics(samples) for samples in images])
    assert chosen.range == pytest.approx(expected)
    assert chosen.reason


@pytest.mark.parametrize(
    ("images", "kinds"),
    [
        ([[0.2, 0.9], [0.1, 1.0]], ["float32 (0 to 1)"] * 2),
        ([[0.2, 0.9], [0.1, 1.2]], ["float32"] * 2),  # one scale: the first is only darker
        ([[0.2, 0.9], [0.1, 30]], ["float32"] * 2),
        ([[0.2, 0.9], [7, 3648]], ["float32 (0 to 1)", "float32"]),
        ([[0.2, 0.9], [7, 3648], [0.5, 30]], ["float32"] * 3),
    ],
)
def test_images_of_one_scale_are_of_one_kind(images, kinds):
    found = [statistics(np.float32(samples)) for samples in images]
    assert sample_kinds(found) == kinds
    ranges = {kind: SampleRange(0, place + 1) for place, kind in enumerate(dict.fromkeys(kinds))}
    assert [find_range(ranges, image) for image in found] == [ranges[kind] for kind in kinds]
    assert find_range(ranges, statistics(np.uint16([1, 2]))) is None


def test_an_image_beside_those_between_0_and_1_keeps_their_range():
    assert find_range({"float32 (0 to 1)": SampleRange(0, 1)}, statistics(np.float32([0.1, 1.2]))) == (0, 1)


@pytest.mark.parametrize(("peak", "white"), [(200, 255), (4000, 4095), (5000, 16383)])
def test_without_a_range_an_image_is_scaled_as_before_by_its_brightest_pixel(peak, white):
    samples = np.full((30, 40), 100, np.uint16)
    samples[3, 4] = peak
    assert earlier_range(samples) == (0, white)
    assert decode(tiff(samples))[0, 0, 0] == round(100 / white * 255)


def test_without_a_range_samples_that_are_no_colours_are_refused():
    for samples in (np.full((4, 4), 1000, np.float32), np.full((4, 4), -1, np.int16)):
        with pytest.raises(ImageError, match="which is not a colour range"):
            decode(tiff(samples))


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ([(0, 4095), (0, 4095)], (0, 4095)),
        ([(0, 3000), (100, 3900)], (0, 3900)),  # both fit
        ([(0, 4095), None], (0, 1023)),  # not all files state a range
        ([(300, 600), (300, 600)], (0, 1023)),  # the setting of a display, not the range of the samples
        ([(0, 4095), (0, 500)], (0, 4095)),
    ],
)
def test_a_stated_range_counts_if_all_state_one_and_it_contains_the_samples(declared, expected):
    images = [statistics([100, 900], SampleRange(*each) if each else None) for each in declared]
    assert choose_range(images).range == expected


def test_files_state_their_range():
    def stated(data):
        return check(data).samples.declared

    def tags(code, low, high):
        return tiff(CAMERA, extratags=[(code, 3, 1, low, True), (code + 1, 3, 1, high, True)])

    assert stated(tags(340, 7, 4000)) == (7, 4000)
    assert stated(tags(280, 0, 4095)) == (0, 4095)
    assert stated(tiff(CAMERA, ome=True, metadata={"SignificantBits": 12})) == (0, 4095)
    assert stated(tiff(CAMERA, imagej=True, metadata={"min": 5, "max": 3800})) == (5, 3800)
    assert stated(tiff(CAMERA)) is None
    png = cv2.imencode(".png", CAMERA)[1].tobytes()
    assert stated(png) is None
    assert stated(with_chunk(png, b"sBIT", b"\x0c")) == (0, 4095)
    for whole in (  # the range of the type says nothing
        tags(340, 0, 65535),
        tiff(CAMERA, ome=True, metadata={"SignificantBits": 16}),
        tiff(CAMERA, imagej=True, metadata={"min": 0, "max": 65535}),
        with_chunk(png, b"sBIT", b"\x10"),
    ):
        assert stated(whole) is None


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """Return a PNG with one more chunk after its header."""
    chunk = name + content
    return png[:33] + struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]


def test_samples_of_8_bits_have_no_statistics(picture_files):
    assert all(check(data).samples is None for data in picture_files)


@pytest.fixture
def picture_files() -> list[bytes]:
    grey = (CAMERA // 16).astype(np.uint8)
    return [tiff(grey), *(cv2.imencode(suffix, grey)[1].tobytes() for suffix in (".png", ".jpg", ".bmp"))]


def test_values_outside_of_the_range_are_clipped_and_nan_is_black():
    samples = np.array([[np.nan, -1, 0, 0.5, 1, 2, np.inf]], np.float32)
    assert to_eight_bits(samples, SampleRange(0, 1)).tolist() == [[0, 0, 0, 128, 255, 255, 255]]
    assert to_eight_bits(np.array([90, 100, 160, 200, 210], np.uint16), SampleRange(100, 200)).tolist() == [
        *(0, 0, 153, 255, 255)
    ]


@pytest.mark.parametrize("name", ["uint16_0_4095", "float32_0_1", "float32_0_4095", "float32_nan_neg", "int16_signed"])
def test_the_same_field_in_other_types_looks_the_same(cases, name):
    folder = cases / "02_twelve_bit_float"
    expected = cv2.imread(str(folder / "reference8.png"), cv2.IMREAD_GRAYSCALE)
    data = (folder / f"{name}.tif").read_bytes()
    found = decode(data, samples=choose_range([check(data).samples]).range)[..., 0]
    usual = np.isfinite(tifffile.imread(folder / f"{name}.tif")) & (found > 0)
    assert usual.mean() > 0.999
    assert np.corrcoef(found[usual], expected[usual])[0, 1] > 0.999
    if name != "int16_signed":  # whose file does not say where 0 is
        assert np.abs(found[usual].astype(int) - expected[usual]).max() <= 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("uint16", "16 bits"),
        ("int16", "16 bits with a sign"),
        ("float32", "32-bit floating point"),
        ("float64 (0 to 1)", "64-bit floating point (0 to 1)"),
    ],
)
def test_kinds_of_samples_in_words(kind, words):
    assert kind_in_words(kind) == words


@pytest.mark.parametrize(
    ("dtype", "bright", "declared", "words"),
    [
        ("uint16", 200, None, "8 bits"),
        ("uint16", 4095, None, "12 bits"),
        ("uint16", 900, SampleRange(0, 4095), "12 bits"),
        ("uint16", 4096, None, "14 bits"),
        ("uint16", 65535, None, "16 bits"),
        ("uint32", 70000, None, "32 bits"),
        ("int16", 900, None, "16 bits with a sign"),
        ("float32", 0.8, None, "32-bit floating point (0 to 1)"),
        ("float32", 900, None, "32-bit floating point"),
    ],
)
def test_the_depth_that_samples_use(dtype, bright, declared, words):
    found = SampleStatistics(dtype, 0, bright, 0, bright, declared, 0, False)
    assert depth_in_words(found) == words
