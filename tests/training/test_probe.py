import numpy as np
import pytest

from cfu_core.dataset.group_allocation import stratified_folds
from cfu_core.errors import StopRequested
from cfu_core.training.probe import C_VALUES, FOLDS, cross_validate, fit_head


def blobs(images: int, features: int, *, classes: int = 3, seed: int = 0, noise: float = 1.0):
    """Images whose first features depend on their class, on scales of many sizes; the last feature never changes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    x = rng.normal(0, noise, (images, features))
    x[np.arange(images), labels] += 2
    x = x * np.geomspace(0.01, 100, features) + 7
    x[:, -1] = 3
    return x.astype(np.float32), labels


@pytest.mark.parametrize("features", [10, 300])  # fewer than images, and more
def test_the_head_equals_scikit_learns_on_standardised_features(features):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = blobs(90, features)
    head = fit_head(x, y, *blobs(60, features, seed=1), 3)
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(C=head.c, max_iter=5000, tol=1e-8).fit(scaler.transform(x), y)
    fresh, _ = blobs(60, features, seed=2)
    expected = reference.predict_proba(scaler.transform(fresh))
    logits = head.logits(fresh)
    found = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(found / found.sum(1, keepdims=True), expected, atol=0.01)
    assert head.weight.shape == (3, features)
    assert np.abs(head.weight[:, -1]).max() == 0  # a feature that never changes says nothing


def test_features_of_any_scale_can_be_fitted():
    x, y = blobs(90, 10)
    fresh, labels = blobs(60, 10, seed=1)
    expected = fit_head(x, y, fresh, labels, 3)
    tiny = fit_head(x * 1e-20, y, fresh * 1e-20, labels, 3)  # as deep random networks give
    assert tiny.c == expected.c
    np.testing.assert_array_equal(tiny.logits(fresh * 1e-20).argmax(1), expected.logits(fresh).argmax(1))


def test_the_regularisation_is_the_best_one_on_held_out_images():
    x, y = blobs(60, 200, noise=1.5)
    head = fit_head(x, y, *blobs(300, 200, seed=1, noise=1.5), 3)
    assert [trial.c for trial in head.trials] == list(C_VALUES)
    losses = {trial.c: trial.validation_loss for trial in head.trials}
    assert head.c == min(losses, key=losses.__getitem__)
    assert head.c not in (C_VALUES[0], C_VALUES[-1])  # too much and too little are both worse
    training = [trial.training_loss for trial in head.trials]
    assert training == sorted(training, reverse=True)
    chosen = next(trial for trial in head.trials if trial.c == head.c)
    seen, labels = blobs(300, 200, seed=1, noise=1.5)
    assert chosen.validation_accuracy == (head.logits(seen).argmax(1) == labels).mean()


def test_two_classes_have_two_outputs():
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(80, 6, classes=2)
    head = fit_head(x, y, *blobs(40, 6, classes=2, seed=1), 2)
    assert head.weight.shape == (2, 6)
    scaled = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    reference = LogisticRegression(C=head.c, max_iter=5000).fit(scaled, y)
    logits = head.logits(x)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], reference.decision_function(scaled), atol=0.02)


def test_the_same_features_give_the_same_head():
    first, second = (fit_head(*blobs(60, 30), *blobs(30, 30, seed=1), 3) for _ in range(2))
    np.testing.assert_array_equal(first.weight, second.weight)


def test_a_fit_can_be_stopped():
    def stop() -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        fit_head(*blobs(30, 5), *blobs(30, 5), 3, check_stop=stop)


# --- cross-validation


def test_each_image_is_predicted_by_a_head_that_was_not_fitted_to_it():
    x, y = blobs(100, 8, noise=0.3)
    folds = stratified_folds(y, np.arange(100), count=FOLDS, seed=0)
    assert (cross_validate(x, y, folds, 3) == y).mean() > 0.97
    # labels that are pure chance: whoever has seen an image would know its label from 500 features
    rng = np.random.default_rng(0)
    noise, chance = rng.normal(0, 1, (200, 500)).astype(np.float32), rng.integers(0, 2, 200)
    predicted = cross_validate(noise, chance, stratified_folds(chance, np.arange(200), count=FOLDS, seed=0), 2)
    assert 0.35 < (predicted == chance).mean() < 0.65


def test_copies_in_one_unit_do_not_help():
    rng = np.random.default_rng(1)
    single, labels = rng.normal(0, 1, (60, 300)).astype(np.float32), rng.integers(0, 2, 60)
    x, y, units = np.repeat(single, 3, axis=0), np.repeat(labels, 3), np.repeat(np.arange(60), 3)
    together = (cross_validate(x, y, stratified_folds(y, units, count=FOLDS, seed=0), 2) == y).mean()
    apart = (cross_validate(x, y, stratified_folds(y, np.arange(180), count=FOLDS, seed=0), 2) == y).mean()
    assert together < 0.7 < apart


def test_cross_validation_reports_its_progress():
    x, y = blobs(50, 4)
    shown = []
    cross_validate(
        x,
        y,
        stratified_folds(y, np.arange(50), count=FOLDS, seed=0),
        3,
        progress=lambda done, of: shown.append((done, of)),
    )
    assert shown == [(i, 5) for i in range(6)]
