import cv2
import numpy as np
import pytest

from cfu_core.imaging.contrast import clahe
from cfu_core.imaging.contrast_effect import above_clip, effect, histogram, lightness, local_contrast, tile_size


def grey(light: np.ndarray) -> np.ndarray:
    return np.repeat(light[..., None], 3, axis=2).astype(np.uint8)


def test_a_flat_picture_has_no_contrast():
    flat = effect(grey(np.full((64, 64), 128)))
    assert flat.rms_contrast == pytest.approx(0, abs=1e-3)
    assert flat.local_contrast == pytest.approx(0, abs=0.02)
    assert (flat.entropy, flat.clipped) == (0, 0)


def test_halves_of_black_and_white():
    halves = np.zeros((64, 64))
    halves[:, 32:] = 255
    found = effect(grey(halves))
    assert found.rms_contrast == pytest.approx(50)
    assert found.entropy == pytest.approx(1)
    assert found.clipped == 1
    # windows of 4: only the three columns of windows that straddle the edge see any difference
    straddling = [np.sqrt(p * (1 - p)) * 100 for p in (1 / 4, 1 / 2, 3 / 4)]
    assert found.local_contrast == pytest.approx(sum(straddling) / 64, rel=0.01)


def test_fine_texture_has_more_local_contrast_than_a_slope_of_the_same_spread():
    slope = np.tile(np.linspace(60, 200, 128), (128, 1))
    shuffled = np.random.default_rng(0).permutation(slope.ravel()).reshape(128, 128)
    assert local_contrast(grey(shuffled)) > 5 * local_contrast(grey(slope))


def test_the_histogram_is_of_lightness_and_adds_up_to_one():
    image = grey(np.array([[0, 0, 255, 255], [0, 0, 0, 255]]))
    shares = histogram(image)
    assert (shares[0], shares[255], shares.sum()) == (5 / 8, 3 / 8, 1)


def test_the_share_above_the_clip_limit_by_hand():
    # two tiles a side of 16 x 16: one of a single lightness, three of all 256 values once each
    spread = np.arange(256).reshape(16, 16)
    light = np.block([[np.full((16, 16), 255), spread], [spread, spread]])
    image = grey(light)
    counts = [np.bincount(lightness(grey(part)).ravel(), minlength=256) for part in (light[:16, :16], spread)]
    expected = sum(np.maximum(c - 2, 0).sum() * n for c, n in zip(counts, (1, 3), strict=True)) / 1024
    assert above_clip(image, clip_limit=2.0, tiles=2) == pytest.approx(expected)
    assert above_clip(image, clip_limit=256.0, tiles=2) == 0
    assert above_clip(image, clip_limit=2.0, tiles=64) == above_clip(image, clip_limit=2.0, tiles=32)


@pytest.mark.parametrize(
    ("shape", "tiles", "size"),
    [
        ((64, 64), 8, (8, 8)),
        ((65, 64), 8, (9, 9)),
        ((64, 70), 8, (9, 9)),
        ((100, 50), 3, (34, 17)),
        ((8, 8), 8, (1, 1)),
        ((4, 12), 8, (1, 3)),  # four tiles
    ],
)
def test_the_size_of_tiles_is_opencvs(shape, tiles, size):
    assert tile_size(shape, tiles) == size


def test_the_borders_of_tiles_are_those_of_opencv():
    # a bright spot changes the equalised values of its own tile and of the neighbours that are blended with it
    image = grey(np.random.default_rng(1).integers(90, 110, (67, 64)))
    height, _ = tile_size(image.shape, 8)
    spot = image.copy()
    spot[height : 2 * height, 16:24] = 200
    changed = (clahe(image, clip_limit=40, tiles=8) != clahe(spot, clip_limit=40, tiles=8)).any(axis=(1, 2))
    rows = np.flatnonzero(changed)
    # blended between the centres of the tiles above and below
    assert rows.min() == pytest.approx(height // 2, abs=1)
    assert rows.max() == pytest.approx(2 * height + height // 2, abs=1)


@pytest.mark.parametrize(
    ("width", "height", "tiles"), [(64, 64, 8), (65, 64, 8), (64, 65, 8), (100, 90, 8), (64, 70, 7), (37, 41, 5)]
)
def test_tiles_cover_the_same_area_as_those_of_opencv(width, height, tiles):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width), dtype=np.uint8)
    equalise = cv2.createCLAHE(clipLimit=400.0, tileGridSize=(tiles, tiles)).apply
    plain = equalise(image)

    def extent(axis: int) -> int:
        """Count the columns (1) or rows (0) that affect the first one."""
        last = 0
        for place in range(1, image.shape[axis]):
            other = image.copy()
            line = (slice(None), place) if axis else (place, slice(None))
            other[line] = np.where(other[line] < 128, 255, 0)
            if (equalise(other).take(0, axis) != plain.take(0, axis)).any():
                last = place
        return last + 1

    assert tile_size(image.shape, tiles) == (extent(0), extent(1))
