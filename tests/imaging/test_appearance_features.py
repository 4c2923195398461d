import cv2
import numpy as np
import pytest

from cfu_core.imaging.appearance_features import NAMES, features

LIGHT = (225, 222, 218)


def drawn(paint, size=(112, 112)) -> np.ndarray:
    image = np.full((*size, 3), LIGHT, np.uint8)
    paint(image)
    return image


def named(image: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, features(image).tolist(), strict=True))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(features(one) - features(other)))


@pytest.fixture
def textured() -> np.ndarray:
    """Two unlike spots, on a ground with some structure."""
    rng = np.random.default_rng(0)
    image = drawn(lambda i: cv2.ellipse(i, (50, 60), (30, 15), 0, 0, 360, (120, 60, 70), -1))
    cv2.circle(image, (90, 25), 8, (90, 90, 160), -1)
    return np.clip(image + cv2.GaussianBlur(rng.normal(0, 30, image.shape), (0, 0), 1), 0, 255).astype(np.uint8)


def test_names_are_unique():
    assert len(set(NAMES)) == len(NAMES) == len(features(np.zeros((5, 5, 3), np.uint8)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3), (6, 5), (4, 700), (112, 112)])
@pytest.mark.parametrize("content", ["black", "white", "noise"])
def test_features_are_finite_whatever_the_image(shape, content):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = features({"black": noise * 0, "white": noise * 0 + 255, "noise": noise}[content])
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_shape_of_an_ellipse():
    found = named(drawn(lambda i: cv2.ellipse(i, (56, 56), (40, 20), 30, 0, 360, (90, 40, 60), -1)))
    assert found["colony area"] == pytest.approx(np.sqrt(np.pi * 40 * 20 / 112**2), rel=0.03)
    assert found["colony eccentricity"] == pytest.approx(np.sqrt(1 - (20 / 40) ** 2), rel=0.02)
    assert found["colony length"] == pytest.approx(80 / np.hypot(112, 112), rel=0.03)
    assert found["colony solidity"] > 0.95
    assert found["colony off-centre"] == pytest.approx(0, abs=0.01)
    assert (found["colony spots"], found["colony at-border"]) == (0, 0)
    assert found["colony L difference"] < -100  # darker, in OpenCV's 8-bit lightness


def test_shape_of_four_spots():
    def four(image):
        for centre in ((20, 20), (80, 20), (20, 80), (85, 85)):
            cv2.circle(image, centre, 6 if centre != (85, 85) else 14, (90, 40, 60), -1)

    found = named(drawn(four))
    assert found["colony spots"] == 2  # the base-2 logarithm of four
    assert found["colony circularity"] > 0.85
    assert found["colony off-centre"] == pytest.approx(np.hypot(29.5, 29.5) / np.hypot(112, 112), rel=0.02)


def test_a_constant_image_has_no_shape_features():
    found = named(drawn(lambda i: None))
    assert {value for name, value in found.items() if name.startswith("colony")} == {0}


def test_moments_of_half_and_half():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    found = named(image)
    assert (found["L mean"], found["L spread"], found["L skewness"]) == (127.5, 127.5, 0)
    assert found["L bin 0"] == found["L bin 7"] == pytest.approx(np.sqrt(0.5))
    assert (found["a mean"], found["a spread"]) == (128, 0)


def test_coherence_is_high_for_stripes_and_low_for_noise():
    stripes = np.tile(np.repeat([[60, 200]], 4, axis=1).repeat(1, axis=0), (112, 14))[..., None].repeat(3, 2)
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 1)).repeat(3, 2)
    assert named(stripes.astype(np.uint8))["coherence"] > 0.95
    assert named(noise.astype(np.uint8))["coherence"] < 0.1


def test_a_rotated_or_mirrored_image_has_similar_features(textured):
    other = drawn(lambda i: cv2.circle(i, (56, 56), 30, (60, 120, 60), -1))
    for same in (np.rot90(textured), textured[::-1], textured[:, ::-1]):
        assert distance(textured, np.ascontiguousarray(same)) < 0.03 * distance(textured, other)


def test_a_larger_copy_has_similar_features(textured):
    larger = cv2.resize(textured, (448, 448), interpolation=cv2.INTER_NEAREST)
    assert distance(textured, larger) == 0


@pytest.mark.parametrize("shape", [(60, 80), (5, 90), (1, 1)])
def test_textures_are_those_of_scikit_image(shape):
    from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    image = np.repeat(cv2.GaussianBlur(noise, (0, 0), 1.5)[..., None], 3, axis=2)
    found, lightness = named(image), cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0]
    for radius in (1, 3):
        codes = local_binary_pattern(lightness, 8, radius, "uniform").astype(int).ravel()
        expected = np.sqrt(np.bincount(codes, minlength=10) / codes.size)
        np.testing.assert_allclose([found[f"pattern 8,{radius} bin {i}"] for i in range(10)], expected, atol=2e-3)
    angles = np.arange(4) * np.pi / 4
    pairs = graycomatrix(lightness // 16, (1, 2, 4), angles, 16, symmetric=True, normed=True)
    for name in ("contrast", "homogeneity", "energy", "correlation"):
        expected = graycoprops(pairs.mean(axis=3, keepdims=True), name)[:, 0]
        np.testing.assert_allclose([found[f"co-occurrence {name} at {d}"] for d in (1, 2, 4)], expected, atol=1e-4)


def test_shapes_are_those_of_scikit_image():
    from skimage.measure import label, regionprops

    image = drawn(lambda image: cv2.ellipse(image, (35, 30), (18, 9), 25, 0, 300, (90, 60, 120), -1), (60, 80))
    found = named(image)
    (region,) = regionprops(label(image[..., 0] < 200))
    assert found["colony eccentricity"] == pytest.approx(region.eccentricity, abs=1e-4)
    assert found["colony length"] == pytest.approx(region.axis_major_length / 100, abs=1e-4)
    assert found["colony circularity"] == pytest.approx(4 * np.pi * region.area / region.perimeter**2, abs=1e-4)
    assert found["colony extent"] == pytest.approx(region.extent, abs=1e-4)
    assert found["colony solidity"] == pytest.approx(region.solidity, abs=0.015)  # pixels at the edge of the hull
