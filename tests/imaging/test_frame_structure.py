import cv2
import numpy as np
import pytest

from cfu_core.imaging.frame_structure import (
    STRUCTURE_LENGTH,
    frame_structure,
    invariant_structures,
    oriented_structures,
)
from cfu_core.imaging.registration import orient


def frame(seed: int, height: int = 60, width: int = 48) -> np.ndarray:
    """Smooth light and dark, another one for each seed."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return 140 + 40 * smooth / smooth.std()


def test_a_structure_has_length_1_and_a_blank_frame_none():
    found = frame_structure(frame(0))
    assert (found.dtype, found.shape) == (np.float32, (STRUCTURE_LENGTH,))
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    noise = np.random.default_rng(0).normal(128, 0.5, (60, 48)).astype(np.float32)
    for blank in (np.full((60, 48), 255, np.float32), noise):
        assert not frame_structure(blank).any()


@pytest.mark.parametrize(
    "change",
    [
        lambda light: 0.7 * light,
        lambda light: 255 * (light / 255) ** 1.25,
        lambda light: light - 40 * np.linspace(0, 1, light.shape[1], dtype=np.float32),
        lambda light: cv2.createCLAHE(3, (8, 8)).apply(light.clip(0, 255).astype(np.uint8)).astype(np.float32),
        lambda light: cv2.resize(light, (33, 40), interpolation=cv2.INTER_AREA),
    ],
)
def test_light_and_size_change_it_little_and_another_frame_much(change):
    assert frame_structure(frame(1)) @ frame_structure(change(frame(1).clip(0, 255))) > 0.85
    assert frame_structure(frame(1)) @ frame_structure(change(frame(2).clip(0, 255))) < 0.4


def test_orientations_are_those_of_the_frame():
    light = frame(3)
    structures = np.stack([frame_structure(light), frame_structure(frame(4))])
    oriented = oriented_structures(structures)
    assert oriented.shape == (8, 2, STRUCTURE_LENGTH)
    for orientation in range(8):
        np.testing.assert_allclose(oriented[orientation, 0], frame_structure(orient(light, orientation)), atol=1e-5)


def test_invariant_structures_do_not_depend_on_the_orientation_and_bound_the_distance():
    structures = np.stack([frame_structure(frame(seed)) for seed in range(20)])
    invariant = invariant_structures(structures)
    np.testing.assert_allclose(np.linalg.norm(invariant, axis=1), 1, atol=1e-5)
    oriented = oriented_structures(structures)
    for turned in oriented:
        np.testing.assert_allclose(invariant_structures(turned), invariant, atol=1e-5)
    assert (invariant @ invariant.T >= np.max(oriented @ structures.T, axis=0) - 1e-5).all()
