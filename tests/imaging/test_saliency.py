import cv2
import numpy as np
import pytest

from cfu_core.imaging.saliency import saliency


@pytest.mark.parametrize("size", [(60, 80), (61, 81), (8, 9)])
def test_an_empty_frame_has_almost_no_saliency(size: tuple[int, int]) -> None:
    coarse, fine, _ = saliency(np.full((*size, 3), (200, 190, 180), np.uint8))
    assert fine.shape == size
    assert coarse.shape == (round(size[0] / 2), round(size[1] / 2))
    assert coarse.max() < 1
    assert fine.max() < 1


def test_both_maps_peak_on_a_disc() -> None:
    image = np.full((120, 160, 3), (200, 190, 180), np.uint8)
    cv2.circle(image, (50, 70), 15, (120, 60, 60), -1)
    coarse, fine, _ = saliency(image)
    assert coarse[35, 25] > 20 * coarse[10, 70]
    assert fine[70, 50] > 20 * fine[20, 140]


def test_texture_is_salient_without_a_difference_of_the_mean() -> None:
    image = np.full((128, 128, 3), 180, np.uint8)
    chequers = np.indices((40, 40)).sum(axis=0) // 2 % 2 * 60 + 150  # mean 180
    image[40:80, 40:80] = chequers[..., None]
    coarse, fine, _ = saliency(image)
    assert coarse[30, 30] > 15
    assert fine[50:70, 50:70].min() > 15
    assert coarse[10, 10] < 1


def test_a_common_colour_is_less_salient() -> None:
    def saliency_of(number: int) -> float:
        """How much the pale disc in the middle stands out against a dark one, with that many pale ones around."""
        image = np.full((240, 240, 3), (250, 228, 200), np.uint8)
        places = [
            (x, y) for x in range(20, 240, 40) for y in range(20, 240, 40) if (x, y) not in {(100, 100), (140, 140)}
        ]
        for place in places[:number]:
            cv2.circle(image, place, 13, (205, 165, 165), -1)
        cv2.circle(image, (100, 100), 13, (205, 165, 165), -1)
        cv2.circle(image, (140, 140), 13, (90, 60, 140), -1)
        fine = saliency(image).fine
        return float(fine[100, 100] / fine[140, 140])

    assert saliency_of(34) < 0.8 * saliency_of(1)


def test_the_difference_has_the_sign_and_size_of_the_colour_difference() -> None:
    image = np.full((120, 160, 3), 200, np.uint8)
    cv2.circle(image, (50, 70), 15, (100, 100, 100), -1)
    difference = saliency(image).difference
    assert difference.shape == (60, 80, 3)
    # L of the greys 200 and 100 is 80.6 and 42.4 of 100, which OpenCV stores as 205 and 108 of 255
    np.testing.assert_allclose(difference[35, 25], (-97, 0, 0), atol=2)
    np.testing.assert_allclose(difference[10, 70], (0, 0, 0), atol=1)
