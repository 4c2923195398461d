import json
import math
from dataclasses import replace

import pytest

from cfu_core.errors import CfuError, TrainingError
from cfu_core.imaging.augmentation import Augmentation
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import ARCHITECTURES
from cfu_core.published import zamani_2023
from cfu_core.training.config import TrainingConfig


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig(dataset="d", architecture="resnet18", recipe=Recipe.preprocessed(299))


def test_the_defaults_are_those_of_the_paper(config):
    assert (config.epochs, config.batch_size, config.learning_rate) == (10, 15, 0.0001)
    assert (config.epochs, config.batch_size, config.learning_rate) == (
        zamani_2023.EPOCHS,
        zamani_2023.BATCH_SIZE,
        zamani_2023.LEARNING_RATE,
    )
    assert config.weights == "imagenet"


def test_a_configuration_survives_json(config):
    changed = replace(
        config,
        weights="/some/file.pth",
        epochs=3,
        batch_size=4,
        learning_rate=0.01,
        optimizer="sgd",
        seed=8,
        split_seed=9,
        augmentation=Augmentation(reflect=False, rotation=10.0, translation=0.0),
        recipe=Recipe.preprocessed(299, clip_limit=3.0, tiles=4),
    )
    assert TrainingConfig.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, r"Epochs is 0\. It must be a whole number from 1 to 1000"),
        ("epochs", 1001, "Epochs is 1001"),
        ("epochs", 1.5, r"Epochs is 1\.5.*whole number"),
        ("epochs", True, "Epochs is True"),
        ("epochs", "3", "Epochs is '3'"),
        ("batch_size", 0, "Batch size is 0"),
        ("batch_size", -1, "Batch size is -1"),
        ("batch_size", 4097, "Batch size is 4097"),
        ("learning_rate", math.nan, r"Learning rate is nan\. It must be a number from 1e-08 to 1"),
        ("learning_rate", 0.0, r"Learning rate is 0\.0"),
        ("learning_rate", -0.1, r"Learning rate is -0\.1"),
        ("learning_rate", 1.1, r"Learning rate is 1\.1"),
        ("learning_rate", math.inf, "Learning rate is inf"),
        ("learning_rate", None, "Learning rate is None"),
        ("optimizer", "lion", r"Optimizer is 'lion'\. It must be one of: adam, sgd\."),
        ("seed", -1, "Seed is -1"),
        ("seed", 2**31, "Seed is 2147483648"),
        ("split_seed", -1, "Split seed is -1"),
    ],
)
def test_values_out_of_bounds_are_refused_with_their_bounds(config, field, value, message):
    with pytest.raises(TrainingError, match=message):
        replace(config, **{field: value})


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 1, "batch_size": 1, "learning_rate": 1e-8, "seed": 0},
        {"epochs": 1000, "batch_size": 4096, "learning_rate": 1, "seed": 2**31 - 1},
    ],
)
def test_the_bounds_themselves_are_allowed(config, values):
    replace(config, **values)


def test_the_error_for_an_unknown_model_lists_the_known_ones(config):
    with pytest.raises(TrainingError, match=r"no model named 'vgg99'.*alexnet"):
        replace(config, architecture="vgg99")


@pytest.mark.parametrize(("architecture", "size"), [("alexnet", 299), ("resnet18", 224), ("googlenet", 64)])
def test_a_recipe_of_another_size_is_refused(config, architecture, size):
    right = ARCHITECTURES[architecture].input_size
    with pytest.raises(TrainingError, match=f"images of {size} pixels. {architecture} takes {right}"):
        replace(config, architecture=architecture, recipe=Recipe.original(size))


def test_settings_of_the_recipe_are_checked_when_read_back(config):
    saved = config.to_dict()
    saved["recipe"]["tiles"] = 0
    with pytest.raises(CfuError, match="Tiles per side is 0"):
        TrainingConfig.from_dict(saved)


def test_a_batch_must_not_be_larger_than_the_training_partition(config):
    replace(config, batch_size=25).check_against(25)
    with pytest.raises(TrainingError, match=r"batch size is 26, .* only 25 images"):
        replace(config, batch_size=26).check_against(25)
    replace(config, batch_size=26, mode="probe").check_against(25)  # a probe has no batches
