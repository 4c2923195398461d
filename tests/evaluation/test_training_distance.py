import math

import numpy as np
import pytest

from cfu_core.errors import StorageError
from cfu_core.evaluation.training_distance import (
    MOST_IMAGES,
    TrainingDistance,
    TrainingReference,
    describe_unlike,
    label_of,
    sample_rows,
)


def reference_of(*distances: float) -> TrainingReference:
    """A reference whose validation images have these distances from the only training image, (1, 0)."""
    angles = [2 * math.asin(distance / 2) for distance in distances]  # chord of the unit circle
    return TrainingReference.fit(np.array([[1.0, 0.0]]), np.array([[math.cos(a), math.sin(a)] for a in angles]))


def test_the_distance_is_that_to_the_nearest_training_image_whatever_the_length_of_the_features():
    reference = TrainingReference.fit(np.array([[4.0, 0.0], [0.0, 0.5]]), np.ones((1, 2)))
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
    points = [[math.cos(2 * math.asin(d / 2)), math.sin(2 * math.asin(d / 2))] for d in (0.1, 0.5, 0.79, 0.81)]
    found = reference.compare(np.array(points))
    assert found == [(0.0, False), (50.0, False), (75.0, False), (100.0, True)]
    # last bits of the features do not turn a validation image into an unlike one
    assert reference.compare(np.array([[math.cos(2 * math.asin(0.400002)), math.sin(2 * math.asin(0.400002))]])) == [
        (75.0, False)
    ]


def test_features_of_zero_and_not_finite_ones_are_unlike():
    reference = reference_of(0.2, 0.4)
    found = reference.compare(np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]]))
    assert found == [(100.0, True)] * 3
    silent = TrainingReference.fit(np.zeros((2, 3)), np.zeros((2, 3)))  # of a network whose units are all inactive
    assert silent.compare(np.zeros((1, 3))) == [(0.0, False)]


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
    rows = sample_rows(labels, 64)
    assert np.bincount(labels[rows]).tolist() == [480, 40, 480]
    assert len(rows) == MOST_IMAGES
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(labels, 64))
    assert rows[479] > 4000  # not the first ones
    assert len(sample_rows(labels, 4096)) == 512
    assert np.array_equal(sample_rows(labels[:900], 64), np.arange(900))


def test_a_reference_is_the_same_after_it_was_stored(tmp_path):
    reference = reference_of(0.2, 0.4)
    path = tmp_path / "reference.npz"
    with path.open("wb") as file:
        reference.save(file)
    found = TrainingReference.load(path)
    assert np.array_equal(found.features, reference.features)
    assert np.array_equal(found.validation, reference.validation)
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
    assert label_of(TrainingDistance(99.0, True)) == "yes"
    assert label_of(TrainingDistance(94.0, False)) == "no"
