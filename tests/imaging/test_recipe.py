import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cfu_core.errors import RecipeError
from cfu_core.imaging.colour import flatten_background, neutralise_background, normalise_stain
from cfu_core.imaging.contrast import adjust_gamma, clahe, equalise, stretch
from cfu_core.imaging.cropping import Box, crop_to, locate_colony, square_around
from cfu_core.imaging.recipe import Recipe, apply, enhance, resize


@pytest.fixture
def colony() -> np.ndarray:
    image = np.random.default_rng(0).normal(200, 2, (240, 320, 3))
    image = np.clip(image, 0, 255).astype(np.uint8)
    cv2.circle(image, (130, 100), 40, (120, 60, 50), -1)
    cv2.circle(image, (118, 92), 9, (170, 120, 100), -1)
    return image


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe.original(299),
        Recipe.preprocessed(299, clip_limit=3.5, tiles=4),
        Recipe(crop=True, margin=0.2, size=64),
        Recipe(background="flatten", colour="stain", contrast="gamma", gamma=1.5),
    ],
)
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_the_papers_two_kinds_of_images():
    original, preprocessed = Recipe.original(224), Recipe.preprocessed(299)
    assert (original.crop, original.contrast, original.size, original.kind) == (False, "none", 224, "original")
    assert (preprocessed.crop, preprocessed.contrast, preprocessed.size) == (True, "clahe", 299)
    assert preprocessed.kind == "preprocessed"
    assert Recipe(crop=True).kind == Recipe(contrast="clahe").kind == "custom"


def test_recipes_of_earlier_versions_are_read():
    old = {"crop": True, "margin": 0.05, "clahe": True, "clip_limit": 3.0, "tiles": 4, "size": 224}
    assert Recipe.from_dict(old) == Recipe.preprocessed(224, clip_limit=3.0, tiles=4)
    assert Recipe.from_dict(old | {"crop": False, "clahe": False}).kind == "original"


def test_another_step_makes_it_custom():
    assert replace(Recipe.original(), colour="neutral").kind == "custom"
    assert replace(Recipe.preprocessed(), background="flatten").kind == "custom"
    assert replace(Recipe.preprocessed(), contrast="equalise").kind == "custom"


def test_the_summary_names_the_steps_in_order():
    everything = Recipe(background="flatten", colour="stain", crop=True, contrast="gamma", gamma=0.5)
    assert everything.steps == [
        "even out the light",
        "stain normalisation",
        "crop (margin 5%)",
        "gamma 0.5",
        "resize to 224 × 224",
    ]
    assert Recipe.original(224).summary == "resize to 224 × 224"
    assert Recipe.preprocessed(299).summary == "crop (margin 5%) → CLAHE (clip 2, 8 × 8 tiles) → resize to 299 × 299"


@pytest.mark.parametrize(
    "change",
    [
        {"crop": False},
        {"contrast": "none"},
        {"contrast": "gamma"},
        {"background": "flatten"},
        {"colour": "neutral"},
        {"margin": 0.06},
        {"clip_limit": 2.1},
        {"tiles": 9},
        {"size": 225},
    ],
)
def test_the_digest_changes_with_everything_that_changes_pixels(change):
    recipe = Recipe.preprocessed()
    assert replace(recipe, **change).digest != recipe.digest


@pytest.mark.parametrize("change", [{"margin": 0.5}, {"clip_limit": 9.0}, {"tiles": 3}, {"gamma": 2.0}])
def test_the_digest_ignores_settings_without_an_effect(change):
    assert replace(Recipe.original(), **change).digest == Recipe.original().digest


def test_a_whole_number_has_the_digest_of_the_same_float():
    whole = Recipe.from_dict({"contrast": "clahe", "clip_limit": 2, "crop": True, "margin": 0})
    assert whole == Recipe(contrast="clahe", clip_limit=2.0, crop=True, margin=0.0)
    assert whole.digest == Recipe(contrast="clahe", clip_limit=2.0, crop=True, margin=0.0).digest


def test_the_digest_is_twelve_hexadecimal_digits():
    assert len(Recipe().digest) == 12
    int(Recipe().digest, 16)


@pytest.mark.parametrize("value", [0, 0.0, 0.09, 40.1, -1, math.nan, math.inf, -math.inf, "2", None, True])
def test_a_clip_limit_out_of_bounds_is_refused(value):
    with pytest.raises(RecipeError, match=r"Clip limit is .*from 0\.1 to 40"):
        Recipe(contrast="clahe", clip_limit=value)


@pytest.mark.parametrize("value", [0, -1, 65, 2.5, 8.0, True, "8", None, 10**400])
def test_a_number_of_tiles_out_of_bounds_is_refused(value):
    with pytest.raises(RecipeError, match=r"Tiles per side is .*a whole number from 1 to 64"):
        Recipe(contrast="clahe", tiles=value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("margin", -0.01), ("margin", 1.01), ("margin", math.nan), ("size", 15), ("size", 2049), ("size", 224.0)],
)
def test_margin_and_size_out_of_bounds_are_refused(field, value):
    with pytest.raises(RecipeError, match="It must be"):
        Recipe(**{field: value})


@pytest.mark.parametrize(("field", "value"), [("crop", 1), ("crop", None), ("crop", "yes")])
def test_a_switch_must_be_true_or_false(field, value):
    with pytest.raises(RecipeError, match="true or false"):
        Recipe(**{field: value})


@pytest.mark.parametrize("values", [{"clip_limit": 0.1, "tiles": 1}, {"clip_limit": 40, "tiles": 64}, {"margin": 1}])
def test_the_bounds_themselves_are_allowed(values):
    recipe = Recipe(crop=True, contrast="clahe", **values)
    assert {name: getattr(recipe, name) for name in values} == values


@pytest.mark.parametrize("field", ["background", "colour", "contrast"])
def test_a_step_that_does_not_exist_is_refused(field):
    with pytest.raises(RecipeError, match=r"is 'sharpen'\. It must be one of: none, "):
        Recipe(**{field: "sharpen"})


def test_unknown_settings_are_named():
    with pytest.raises(RecipeError, match=r"unknown settings: sharpen, zoom\..*clip_limit"):
        Recipe.from_dict({**Recipe().to_dict(), "zoom": 2, "sharpen": True})


def test_steps_come_in_order_crop_then_clahe_then_resize(colony):
    recipe = Recipe.preprocessed(96, clip_limit=3.0, tiles=4)
    frame = square_around(locate_colony(colony).box, recipe.margin)
    by_hand = cv2.resize(clahe(crop_to(colony, frame), clip_limit=3.0, tiles=4), (96, 96), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(apply(recipe, colony), by_hand)


def test_illumination_and_colour_are_estimated_on_the_whole_frame(colony):
    recipe = Recipe(background="flatten", colour="neutral", crop=True, size=96)
    balanced = neutralise_background(flatten_background(colony))
    np.testing.assert_array_equal(apply(recipe, colony), apply(Recipe(crop=True, size=96), balanced))


@pytest.mark.parametrize(
    ("recipe", "step"),
    [
        (Recipe(contrast="equalise"), equalise),
        (Recipe(contrast="stretch"), stretch),
        (Recipe(contrast="gamma", gamma=0.4), lambda image: adjust_gamma(image, gamma=0.4)),
        (Recipe(contrast="none"), lambda image: image),
        (Recipe(colour="stain"), normalise_stain),
    ],
)
def test_every_choice_does_its_step(colony, recipe, step):
    np.testing.assert_array_equal(enhance(colony, recipe).image, step(colony))


def test_a_given_box_is_cropped_without_detection(colony):
    given = Box(200, 150, 240, 200)
    enhanced = enhance(colony, Recipe(crop=True, margin=0.1), given)
    assert enhanced.colony == given
    assert enhanced.frame == square_around(given, 0.1)
    assert enhance(colony, Recipe(), given).frame == Box(0, 0, 320, 240)


def test_clahe_alone_works_on_the_whole_frame_before_the_resize(colony):
    by_hand = resize(clahe(colony, clip_limit=2.0, tiles=8), 96)
    np.testing.assert_array_equal(apply(Recipe(contrast="clahe", size=96), colony), by_hand)


def test_enhance_returns_the_colony_and_the_frame(colony):
    enhanced = enhance(colony, Recipe(crop=True, margin=0.1))
    assert enhanced.colony == locate_colony(colony).box
    assert enhanced.frame == square_around(enhanced.colony, 0.1)
    assert enhanced.image.shape == (enhanced.frame.height, enhanced.frame.width, 3)


def test_an_image_without_a_colony_is_not_cropped():
    blank = np.full((100, 150, 3), 190, np.uint8)
    enhanced = enhance(blank, Recipe(crop=True))
    assert enhanced.colony is None
    assert enhanced.frame == Box(0, 0, 150, 100)
    np.testing.assert_array_equal(enhanced.image, blank)


def test_no_colony_is_detected_without_a_crop(colony):
    assert enhance(colony, Recipe.original()).colony is None


@pytest.mark.parametrize("shape", [(10, 40), (40, 10), (15, 16), (1, 1), (1, 300)])
def test_an_image_smaller_than_the_grid_has_as_many_tiles_as_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    recipe = Recipe(contrast="clahe", tiles=16, size=32)
    enhanced = enhance(image, recipe)
    assert enhanced.tiles == min(shape)
    np.testing.assert_array_equal(enhanced.image, clahe(image, clip_limit=2.0, tiles=min(shape)))
    np.testing.assert_array_equal(apply(recipe, image), resize(enhanced.image, 32))


def test_the_number_of_tiles_that_were_used_is_known(colony):
    assert enhance(colony, Recipe(contrast="clahe", tiles=64)).tiles == 64
    assert enhance(colony, Recipe(contrast="gamma")).tiles is None


def test_the_crop_decides_how_many_tiles_fit(colony):
    recipe = Recipe.preprocessed(32, tiles=64)
    enhanced = enhance(colony, recipe, Box(100, 140, 100, 140))
    assert enhanced.tiles == min(enhanced.image.shape[:2]) < 64


@pytest.mark.parametrize("shape", [(480, 640), (100, 50), (64, 64), (1, 1), (1, 3000)])
@pytest.mark.parametrize("recipe", [Recipe.original(64), Recipe(crop=True, size=64)], ids=["original", "crop"])
def test_the_input_of_a_network_is_a_square_of_its_size(shape, recipe):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    seen = apply(recipe, image)
    assert (seen.shape, seen.dtype) == ((64, 64, 3), np.uint8)


def test_shrinking_averages_areas():
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)
    image = np.repeat(checkers[..., None], 3, axis=2)
    assert (resize(image, 32) == 100).all()


def test_an_image_of_the_right_size_is_not_changed(colony):
    square = np.ascontiguousarray(colony[:64, :64])
    np.testing.assert_array_equal(apply(Recipe.original(64), square), square)


def test_the_input_is_not_changed(colony):
    before = colony.copy()
    apply(Recipe.preprocessed(64), colony)
    np.testing.assert_array_equal(colony, before)
