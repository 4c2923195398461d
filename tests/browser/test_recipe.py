"""What Preprocess shows is what is trained, through a real browser and real processes."""

import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from cfu_core.imaging.recipe import Recipe, apply
from cfu_core.job import State
from cfu_core.runs.run import Run
from tests.browser.driving import runs_in

pytestmark = pytest.mark.browser

STEPS = "even out the light → neutral background → crop (margin 100%) → gamma 0.7 → resize to the network’s input"
SENTENCE = f"Recipe: {STEPS}."
RECIPE = Recipe(background="flatten", colour="neutral", crop=True, margin=1.0, contrast="gamma", gamma=0.7)


@pytest.fixture
def preprocessed(screen, dataset):
    """A visitor who has set background, colour, margin and contrast on Preprocess, and goes to Train."""
    screen.open("preprocess", dataset=dataset.id)
    screen.choose("background", "Even out light")
    screen.choose("colour", "Neutral grey")
    screen.press("margin", "End")
    screen.settle()
    screen.choose("contrast", "Gamma")
    expect(screen.text(SENTENCE)).to_be_visible()
    screen.go("Train")
    expect(screen.text(SENTENCE)).to_be_visible()
    screen.choose("train_mode", "The last layer (probe)")
    screen.choose("train_weights", "Random")
    return screen


def finished_runs(screen, server, count: int) -> list[Run]:
    """The newest runs of the server's home, once all have finished."""
    expect(screen.widget("stop-*")).to_have_count(count)  # all are planned
    runs = runs_in(server.home)[-count:]
    screen.expect_ended(*runs)
    assert [run.status().state for run in runs] == [State.FINISHED] * count
    return runs


def picture(screen, path: str) -> np.ndarray:
    """The pixels of an image's tile, RGB."""
    tile = screen.page.locator(f'[role=option][data-id="{path}"] img').first
    tile.scroll_into_view_if_needed()
    data = tile.evaluate("async image => [...new Uint8Array(await (await fetch(image.src)).arrayBuffer())]")
    return cv2.cvtColor(cv2.imdecode(np.array(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_the_recipe_of_preprocess_is_in_the_run_its_text_and_its_images(preprocessed, server, dataset):
    screen = preprocessed
    screen.choose("network", "SqueezeNet 1.1")
    expect(screen.page).to_have_url(re.compile("network=squeezenet1_1"))
    screen.reload()  # everything is in the address
    expect(screen.text(SENTENCE)).to_be_visible()
    screen.button("Start training").click()
    (run,) = finished_runs(screen, server, 1)
    recipe = RECIPE.at(224)
    assert run.spec["config"]["recipe"] == recipe.to_dict()
    assert run.mode == "probe"
    screen.go("Results")
    expect(screen.text(recipe.summary).first).to_be_visible()
    screen.select("cell", "All test images")
    path = run.predictions()["path"].iat[0]
    shown = picture(screen, path).astype(int)
    row = int(np.flatnonzero(dataset.images["path"] == path)[0])
    image = dataset.read_image(row)

    def distance(other: Recipe) -> float:
        seen = cv2.resize(apply(other, image, dataset.box(row)), shown.shape[1::-1], interpolation=cv2.INTER_AREA)
        return float(np.abs(shown - seen.astype(int)).mean())

    assert distance(recipe) < 4  # what JPEG loses
    assert distance(Recipe.preprocessed(224)) > 3 * distance(recipe)


def test_the_papers_protocol_trains_the_recipe_of_preprocess(preprocessed, server):
    screen = preprocessed
    expect(screen.text("This differs from the paper")).to_be_visible()
    screen.button("Run the paper's protocol").click()
    runs = finished_runs(screen, server, 6)
    assert [(run.config.architecture, run.recipe.at(224)) for run in runs] == [
        (network, recipe) for network in ("alexnet", "googlenet", "resnet18") for recipe in (Recipe.original(), RECIPE)
    ]
