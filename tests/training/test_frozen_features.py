import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.errors import StopRequested
from cfu_core.imaging import recipe as recipes
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.networks import penultimate_features
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.models.weight_files import WeightsRecord
from cfu_core.training.cache import cache_folder
from cfu_core.training.compute_options import default_options
from cfu_core.training.frozen_features import BATCH, frozen_features, weights_identifier

CPU = default_options(torch.device("cpu"))
RECIPE = Recipe.original(299)


class Small(nn.Module):
    """A stand-in with a head called ``fc``, as ResNet-18 has, so that a test takes no seconds."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(3, 8, 9, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.fc = nn.Linear(8, 3)
        self.batches: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(x))
        return self.fc(self.body(x))


@pytest.fixture
def network() -> Small:
    return Small()


def compute(dataset: Dataset, network: Small, recipe: Recipe = RECIPE, weights: str = "none-0", **more):
    return frozen_features(dataset, recipe, "resnet18", weights, lambda: (network, CPU), **more)


def expected(dataset: Dataset, network: Small, recipe: Recipe = RECIPE) -> np.ndarray:
    images = [recipes.apply(recipe, dataset.read_image(i)) for i in range(len(dataset.images))]
    with torch.inference_mode(), penultimate_features(network.eval(), "resnet18") as features:
        return features(normalise(to_floats(torch.from_numpy(np.stack(images))))).numpy()


def test_features_are_the_input_of_the_head_in_the_order_of_the_images(small_dataset, network):
    found = compute(small_dataset, network)
    np.testing.assert_allclose(found.values, expected(small_dataset, network), atol=1e-5)
    assert found.values.shape == (36, 8)
    assert found.seconds > 0
    assert found.prepared is not None


def test_they_are_computed_once_for_each_image_recipe_and_weights(small_dataset, network):
    first = compute(small_dataset, network)
    network.batches.clear()
    again = compute(small_dataset, network)
    np.testing.assert_array_equal(again.values, first.values)
    assert (network.batches, again.seconds, again.prepared) == ([], 0.0, None)
    compute(small_dataset, network, weights="another")
    compute(small_dataset, network, Recipe.preprocessed(299, tiles=2))
    assert network.batches == [BATCH] * 6  # twice 36 images


def test_only_what_an_edit_changed_is_computed_again(small_dataset, network):
    recipe = Recipe.preprocessed(299, tiles=2)
    compute(small_dataset, network, recipe)
    network.batches.clear()
    paths = small_dataset.images["path"]
    edit_dataset(small_dataset.id, "exclude", {paths.iat[3]: None})
    edited = edit_dataset(small_dataset.id, "box", {paths.iat[5]: (10, 10, 40, 40)})
    found = compute(edited, network, recipe)
    assert len(found.values) == 35
    assert network.batches == [BATCH]
    # an image that is excluded lies between those that count
    whole = compute(small_dataset, network, recipe).values
    np.testing.assert_array_equal(found.values[:3], whole[:3])
    np.testing.assert_array_equal(found.values[5:], whole[6:])


def test_only_the_requested_images_are_computed(small_dataset, network):
    wanted = np.array([30, 2, 17])
    found = compute(small_dataset, network, subset=wanted)
    assert network.batches == [BATCH]
    np.testing.assert_allclose(found.values, expected(small_dataset, network)[wanted], atol=1e-5)


def test_the_bits_do_not_depend_on_what_was_cached_before(small_dataset, cfu_home, network):
    whole = compute(small_dataset, network).values
    shutil.rmtree(cfu_home / "cache")
    some = np.arange(len(whole))[5:12]
    np.testing.assert_array_equal(compute(small_dataset, network, subset=some).values, whole[some])
    np.testing.assert_array_equal(compute(small_dataset, network).values, whole)
    assert set(network.batches) == {BATCH}


def test_features_computed_before_a_stop_are_kept(small_dataset, network):
    def stop(done: int, _total: int) -> None:
        if done >= 16:
            raise StopRequested

    with pytest.raises(StopRequested):
        compute(small_dataset, network, progress=stop)
    network.batches.clear()
    compute(small_dataset, network)
    assert network.batches == [BATCH] * 2  # for the other 20


@pytest.mark.parametrize("damage", [lambda whole: whole[:100], lambda whole: b"", lambda whole: whole[::-1]])
def test_a_damaged_file_is_computed_again(small_dataset, network, damage):
    first = compute(small_dataset, network)
    (file,) = (cache_folder() / "features").glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    again = compute(small_dataset, network)
    np.testing.assert_allclose(again.values, first.values, atol=1e-6)


def test_weights_are_identified_by_their_file_or_by_their_seed():
    record = WeightsRecord(kind="file", name="a.pth", sha256="abc")
    assert weights_identifier(record, 5) == "abc"
    assert weights_identifier(replace(record, kind="none", sha256=""), 5) == "none-5"
