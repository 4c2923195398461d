from dataclasses import replace

import pytest

from cfu_core.imaging.published_recipe import recipe_departures
from cfu_core.imaging.recipe import Recipe

PAPER = Recipe.preprocessed()


@pytest.mark.parametrize("change", [{}, {"clip_limit": 7.0, "tiles": 3}, {"margin": 0.1}, {"size": 299}])
def test_crop_with_a_thin_margin_and_any_clahe_is_the_papers(change):
    assert recipe_departures(replace(PAPER, **change)) == []


def test_each_departure_is_named():
    other = Recipe(background="flatten", colour="neutral", crop=True, margin=0.65, contrast="gamma")
    assert recipe_departures(other) == [
        "the light is evened out",
        "the background is made grey",
        "the margin is 65% of the colony, not thin",
        "the contrast step is not CLAHE",
    ]
    assert recipe_departures(Recipe.original()) == ["the images are not cropped", "there is no contrast step"]
    assert recipe_departures(replace(PAPER, colour="stain")) == ["stains are normalised"]
