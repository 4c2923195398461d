import math

import numpy as np
import pytest

from cfu_core.errors import StorageError
from cfu_core.evaluation.training_comparison import (
    LIGHTS,
    TrainingComparison,
    TrainingReference,
    describe_unlike,
    label_of,
    measure_images,
    most_images,
    sample_rows,
)


def reference_of(*distances: float) -> TrainingReference:
    """A reference whose validation images have these distances from the only training image, (1, 0)."""
    return fitted(np.array([[1.0, 0.0]]), points(*distances))


def points(*distances: float) -> np.ndarray:
    """Features at these distances from (1, 0): the ends of chords of the unit circle."""
    angles = [2 * math.asin(distance / 2) for distance in distances]
    return np.array([[math.cos(angle), math.sin(angle)] for angle in angles])


def fitted(training: np.ndarray, validation: np.ndarray) -> TrainingReference:
    """A reference of grey images."""
    measures = measure_images(grey(len(validation)))
    return TrainingReference.fit(training, [measure_images(grey(1))], [validation], measures)


def grey(n: int, level: int = 128) -> np.ndarray:
    return np.full((n, 8, 8, 3), level, np.uint8)


def compared(reference: TrainingReference, features: np.ndarray) -> list[tuple[float, bool]]:
    """Percentile, and whether the image is unlike the training images, of grey images with these features."""
    return [(each.percentile, each.unlike) for each in reference.compare(features, grey(len(features)))]


def test_the_distance_is_that_to_the_nearest_training_image_whatever_the_length_of_the_features():
    reference = fitted(np.array([[4.0, 0.0], [0.0, 0.5]]), np.ones((1, 2)))
    # between (1, 0) and (1, 1) / sqrt(2): sqrt(2 - sqrt(2)); between (1, 0) and (-1, -1) / sqrt(2): sqrt(2 + sqrt(2))
    expected = [0.0, math.sqrt(2 - math.sqrt(2)), math.sqrt(2 + math.sqrt(2))]
    found = reference.distances(np.array([[0.0, 9.0], [3.0, 3.0], [-7.0, -7.0]]))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    np.testing.assert_allclose(reference.validation, expected[1:2])


@pytest.mark.parametrize(("n", "exceeding"), [(1, 0), (19, 0), (20, 1), (100, 5), (109, 5)])
def test_five_percent_of_the_validation_images_are_farther_than_the_threshold(n, exceeding):
    distances = np.linspace(0.1, 1, n)
    reference = reference_of(*np.random.default_rng(0).permutation(distances))
    assert reference.n_exceeding == exceeding
    assert reference.threshold == pytest.approx(distances[n - 1 - exceeding])
    assert (reference.validation > reference.threshold).sum() == exceeding


def test_an_image_is_compared_with_the_validation_images():
    reference = reference_of(0.2, 0.4, 0.6, 0.8)  # the threshold is 0.8
    expected = [(0, False), (50, False), (75, False), (100, True)]
    assert compared(reference, points(0.1, 0.5, 0.79, 0.81)) == expected
    # last bits of the features do not turn a validation image into an unlike one
    assert compared(reference, points(0.800004)) == [(75, False)]
    (found,) = reference.compare(points(0.81), grey(1))
    assert found.reason == "features farther than those of 95 % of the validation images"


def test_features_of_zero_and_not_finite_ones_are_unlike():
    reference = reference_of(0.2, 0.4)
    assert compared(reference, np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])) == [(100, True)] * 3
    silent = fitted(np.zeros((2, 3)), np.zeros((2, 3)))  # of a network whose units are all inactive
    assert compared(silent, np.zeros((1, 3))) == [(0, False)]


def test_an_image_with_other_measures_is_unlike_although_its_features_are_near():
    measures = measure_images([*grey(15, 100), *grey(15, 140)])
    reference = TrainingReference.fit(np.ones((30, 2)), [measures], [np.ones((30, 2))], measures)
    (low, *_), (high, *_) = reference.ranges
    assert (low, high) == pytest.approx((42.4, 58.4), abs=0.1)  # L* of the grey levels 100 and 140
    # widened by 0.1 + 3 / 30 of 16: 39.2 to 61.6, the grey levels 93 to 149
    found = reference.compare(np.ones((4, 2)), np.concatenate([grey(1, level) for level in (91, 94, 148, 151)]))
    assert [each.unlike for each in found] == [True, False, False, True]
    assert {each.percentile for each in found} == {0}
    assert found[0].reason == "brightness 38.8 (training images 42.4 to 58.4)"


def test_each_measure_can_be_the_reason():
    reference = fitted(np.ones((1, 2)), np.ones((1, 2)))
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    orange = np.full((8, 8, 3), (160, 120, 80), np.uint8)
    found = reference.compare(np.ones((3, 2)), [noise, orange, np.zeros((8, 8, 3), np.uint8)])
    reasons = [[part.split()[0] for part in each.reason.split("), ")] for each in found]
    assert {"contrast", "sharpness", "entropy", "colourfulness"} <= set(reasons[0])
    assert reasons[1] == ["colourfulness", "redness", "yellowness"]
    assert reasons[2] == ["brightness"]


def test_the_limits_contain_copies_of_another_light_and_are_wider_for_few_images():
    images = [*grey(100, 100), *grey(100, 200)]
    plain, dark, bright = (measure_images(images, light=light) for light in LIGHTS)
    np.testing.assert_array_equal(dark[0], measure_images(grey(1, 90))[0])
    np.testing.assert_array_equal(bright[-1], measure_images(grey(1, 220))[0])
    reference = TrainingReference.fit(np.ones((200, 2)), [plain, dark, bright], [np.ones((1, 2))], plain[:1])
    assert reference.ranges[:, 0].tolist() == [dark[0, 0], bright[-1, 0]]
    few = TrainingReference.fit(np.ones((2, 2)), [plain[99:101]], [np.ones((1, 2))], plain[:1])
    width = plain[-1, 0] - plain[0, 0]
    np.testing.assert_allclose(few.limits[:, 0], (plain[0, 0] - 1.6 * width, plain[-1, 0] + 1.6 * width))


def test_the_distance_of_a_validation_image_is_the_largest_in_any_light():
    grey_measures = measure_images(grey(3))
    lights = [points(0.1, 0.2, 0.3), points(0.6, 0.1, 0.1), points(0.2, 0.2, 0.5)]
    reference = TrainingReference.fit(np.array([[1.0, 0.0]]), [grey_measures], lights, grey_measures)
    np.testing.assert_allclose(reference.validation, [0.2, 0.5, 0.6], atol=1e-6)


def test_validation_images_with_other_measures_make_false_alarms_more_likely():
    measures = measure_images([*grey(18), *grey(2, 250)])
    reference = TrainingReference.fit(np.ones((1, 2)), [measures[:1]], [np.ones((20, 2))], measures)
    assert reference.unlike_validation == 2
    low, high = reference.false_alarms()
    assert low < 0.1 < high
    assert high > fitted(np.ones((1, 2)), np.ones((20, 2))).false_alarms()[1]


@pytest.mark.parametrize("n", [1, 6, 19])
def test_the_false_alarms_to_expect_from_few_validation_images(n):
    # the threshold is the largest of n values: the fraction beyond is Beta(1, n), whose quantiles are 1 - (1 - q)^(1/n)
    found = reference_of(*np.linspace(0.1, 1, n)).false_alarms()
    assert found == pytest.approx((1 - 0.975 ** (1 / n), 1 - 0.025 ** (1 / n)))


def test_the_false_alarms_become_more_certain_with_the_number_of_validation_images():
    low, high = reference_of(*np.linspace(0.1, 1, 2000)).false_alarms()
    assert 0.04 < low < 0.05 < high < 0.061


def test_a_sample_has_all_images_of_small_classes_and_is_always_the_same():
    labels = np.repeat([0, 1, 2], [5000, 40, 1500])
    rows = sample_rows(labels, 1000)
    assert np.bincount(labels[rows]).tolist() == [480, 40, 480]
    assert len(rows) == 1000
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(labels, 1000))
    assert rows[479] > 4000  # not the first ones
    assert np.array_equal(sample_rows(labels[:900], 1000), np.arange(900))
    assert most_images(512) == 1000
    assert most_images(4096) == 512


def test_a_reference_is_the_same_after_it_was_stored(tmp_path):
    reference = reference_of(0.2, 0.4)
    path = tmp_path / "reference.npz"
    with path.open("wb") as file:
        reference.save(file)
    found = TrainingReference.load(path)
    assert np.array_equal(found.features, reference.features)
    assert np.array_equal(found.ranges, reference.ranges)
    assert np.array_equal(found.limits, reference.limits)
    assert np.array_equal(found.validation, reference.validation)
    assert found.unlike_validation == reference.unlike_validation
    path.write_bytes(path.read_bytes()[:100])
    for file in (path, tmp_path / "missing.npz"):
        with pytest.raises(StorageError, match="cannot be read"):
            TrainingReference.load(file)


def test_the_sentence_says_how_many_images_are_unlike_and_what_it_rests_on():
    many = reference_of(*np.linspace(0.1, 1, 60))
    assert describe_unlike(0, 20, many) == ""
    sentence = "3 of 20 images are unlike all training images: their answers are not to be trusted."
    assert describe_unlike(3, 20, many) == sentence
    assert describe_unlike(1, 1, many).startswith("1 of 1 image is unlike all training images: its answer is not")
    few = reference_of(*np.linspace(0.1, 1, 6))
    assert describe_unlike(3, 20, few).startswith(f"{sentence} The threshold rests on only 6 validation images: ")
    assert describe_unlike(0, 20, few).endswith("0.4% to 45.9% will be called unlike the training images.")
    assert describe_unlike(0, 2, None, "The dataset was deleted.").endswith("training images. The dataset was deleted.")
    assert describe_unlike(0, 0, None, "The dataset was deleted.") == ""


def test_the_label_in_tables():
    assert label_of(None) == "not checked"
    assert label_of(TrainingComparison(99.0, "brightness 12.0 (training images 60.1 to 80.2)")) == "yes"
    assert label_of(TrainingComparison(94.0, "")) == "no"
