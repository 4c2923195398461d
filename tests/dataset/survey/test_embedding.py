from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cfu_core.dataset.survey.embedding import embed, principal_components
from cfu_core.errors import StopRequested


def clusters(count: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(4 * i, 1, (size, 20)) for i in range(count)]).astype(np.float32)


def test_points_on_a_line_have_one_component():
    line = np.array([[1, 10, 5], [2, 20, 5], [3, 30, 5], [4, 40, 5]], np.float32)
    found = principal_components(line, 50)
    # both features that vary become (-1.34, -0.45, 0.45, 1.34); along their diagonal that is root 2 times as long
    np.testing.assert_allclose(np.abs(found[:, 0]), np.sqrt(2) * np.array([1.3416, 0.4472, 0.4472, 1.3416]), rtol=1e-3)
    np.testing.assert_allclose(found[:, 1], 0, atol=1e-5)
    assert found[0, 0] * found[3, 0] < 0


def test_components_are_sorted_by_variance_and_keep_distances():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 7
    found = principal_components(features, 6)
    assert (np.diff(found.var(axis=0)) < 0).all()
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    np.testing.assert_allclose(
        np.linalg.norm(found[3] - found[8]), np.linalg.norm(standard[3] - standard[8]), rtol=1e-4
    )


def test_the_signs_of_the_components_are_deterministic():
    # the same axes for features and their negatives: the loading with the largest absolute value is positive
    features = np.random.default_rng(4).normal(size=(60, 5)) @ np.diag([1, 2, 3, 4, 5])
    np.testing.assert_allclose(principal_components(-features, 5), -principal_components(features, 5), atol=1e-4)
    loadings = np.linalg.lstsq(features - features.mean(axis=0), principal_components(features, 5), rcond=None)[0]
    loadings *= features.std(axis=0)[:, None]
    assert (loadings[np.abs(loadings).argmax(axis=0), np.arange(5)] > 0).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 9, 10, 11, 40])
@pytest.mark.parametrize("kind", ["different", "constant", "half the same", "one feature"])
def test_every_number_of_images_and_every_feature_has_a_map(count, kind):
    features = np.random.default_rng(count).normal(size=(count, 1 if kind == "one feature" else 7))
    if kind == "constant":
        features[:] = 3
    if kind == "half the same":
        features[count // 2 :] = 1
    found, how = embed(features)
    assert found.shape == (count, 2)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert ("t-SNE" in how) == (count >= 10 and kind != "constant")


def test_similar_images_are_close_and_the_map_is_reproducible():
    features = clusters(3, 40)
    found, _ = embed(features)
    nearest = cKDTree(found).query(found, k=2)[1][:, 1]
    assert (nearest // 40 == np.arange(120) // 40).all()
    np.testing.assert_array_equal(found, embed(features)[0])


def test_images_beyond_the_limit_are_added_to_the_map():
    features = clusters(3, 40)
    steps = []
    found, how = embed(features, max_tsne_images=90, progress=lambda done, total: steps.append((done, total)))
    assert "of 90 images chosen at random" in how
    nearest = cKDTree(found).query(found, k=2)[1][:, 1]
    assert (nearest // 40 == np.arange(120) // 40).mean() > 0.95
    assert steps[0][0] == 0
    assert steps[-1] == (620, 620)
    assert all(a[0] <= b[0] for a, b in pairwise(steps))


@pytest.mark.parametrize("at", [0, 50, 500])
def test_embedding_can_be_stopped_at_any_step(at):
    def stop(done: int, _total: int) -> None:
        if done >= at:
            raise StopRequested

    with pytest.raises(StopRequested):
        embed(clusters(2, 20), max_tsne_images=30, progress=stop)
