"""What Preprocess shows is what is trained: one recipe through pages, address, run, bundle and shell."""

from dataclasses import replace
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest

from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.run_store import list_runs
from cfu_core.saved_recipes import find_recipe, recipe_json, save_recipe
from cfu_core.settings import setting
from pages.components.current_recipe import CURRENT, KEYS, START, allowed, recipe_text

ODD = Recipe(background="flatten", colour="neutral", crop=True, margin=0.65, contrast="gamma", gamma=0.7)


def any_recipes(count: int) -> list[Recipe]:
    """Recipes with every setting drawn at random from what its declaration allows."""
    rng = np.random.default_rng(11)

    def value(name: str) -> object:
        if name == "crop":
            return bool(rng.integers(2))
        declared = setting(Recipe, name)
        if declared.choices:
            return declared.choices[rng.integers(len(declared.choices))]
        if isinstance(getattr(START, name), int):
            return int(rng.integers(declared.minimum, declared.maximum + 1))
        return float(rng.uniform(declared.minimum, declared.maximum))

    return [Recipe(**{name: value(name) for name in KEYS}) for _ in range(count)]


def link(recipe: Recipe) -> dict[str, str]:
    """The recipe's part of an address, as the pages write it."""
    values = {key: getattr(recipe, name) for name, key in KEYS.items() if getattr(recipe, name) != getattr(START, name)}
    return {key: texts[-1] for key, texts in parse_qs(urlencode(values)).items()}


def captions(app) -> list[str]:
    return [caption.value for caption in app.main.caption]


def in_address(app) -> dict[str, str]:
    values = {key: app.query_params[key] for key in KEYS.values() if key in app.query_params}
    return {key: value[-1] if isinstance(value, list) else value for key, value in values.items()}


@pytest.mark.parametrize("recipe", any_recipes(6), ids=lambda recipe: recipe.digest)
def test_any_recipe_goes_from_a_link_over_the_pages_into_a_run(visit, small_dataset, recipe):
    app = visit("data/preprocess", dataset=small_dataset.id, **link(recipe))
    assert f"Recipe: {recipe_text(recipe)}." in captions(app)
    assert in_address(app) == link(recipe)
    app.switch_page("pages/model/train.py").run()
    assert not app.exception
    assert f"Recipe: {recipe_text(recipe)}." in captions(app)
    assert in_address(app) == link(recipe)  # a reload keeps it
    app.button_group(key="train_weights").set_value("none").run()
    app.button(key="start").click().run()
    assert not app.exception
    (run,) = list_runs()
    assert run.recipe == recipe.at(299)
    assert run.spec["config"]["recipe"] == recipe.at(299).to_dict()
    app.switch_page("pages/data/preprocess.py").run()
    assert f"Recipe: {recipe_text(recipe)}." in captions(app)
    assert in_address(app) == link(recipe)


@pytest.mark.parametrize("recipe", any_recipes(200), ids=lambda recipe: recipe.digest)
def test_any_recipe_survives_address_json_and_file(cfu_home, tmp_path, recipe):
    texts = link(recipe)
    read = {
        name: (texts[key] == "True" if name == "crop" else type(getattr(START, name))(texts[key]))
        for name, key in KEYS.items()
        if key in texts
    }
    assert replace(START, **read).at(recipe.size) == recipe
    assert all(allowed(name)(getattr(recipe, name)) for name in KEYS)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    (tmp_path / "recipe.json").write_text(recipe_json("some", recipe), encoding="utf-8")
    save_recipe("mine", recipe)
    assert find_recipe("mine") == find_recipe(str(tmp_path / "recipe.json")) == recipe
    assert (cfu_home / "recipes" / "mine.json").is_file()


def test_the_papers_protocol_takes_the_recipe_of_the_visit_and_says_where_it_departs(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id, **link(ODD))
    (note,) = [text for text in captions(app) if text.startswith("The paper's protocol")]
    assert recipe_text(ODD) in note
    for departure in ("light is evened out", "background is made grey", "65%", "not CLAHE"):
        assert departure in note
    app.button_group(key="train_weights").set_value("none").run()
    app.button(key="protocol").click().run()
    assert not app.exception
    runs = list_runs()[::-1]
    assert [(run.config.architecture, run.recipe.at(224)) for run in runs] == [
        (network, recipe.at(224))
        for network in ("alexnet", "googlenet", "resnet18")
        for recipe in (Recipe.original(), ODD)
    ]


def test_the_protocol_of_the_paper_itself_departs_nowhere(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id)
    assert "The paper's protocol. Preprocessed images: crop and CLAHE, as in the paper." in captions(app)


def test_without_any_step_there_is_no_protocol(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id, crop="False", contrast="none")
    assert app.button(key="protocol").disabled
    assert any("no step is on" in text for text in captions(app))


def test_a_change_on_preprocess_is_what_train_chooses(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id)
    app.button_group(key="train_images").set_value("original").run()
    app.switch_page("pages/data/preprocess.py").run()
    app.switch_page("pages/model/train.py").run()
    assert app.button_group(key="train_images").value == "original"  # nothing was changed there
    app.switch_page("pages/data/preprocess.py").run()
    app.slider(key="margin").set_value(0.4).run()
    app.switch_page("pages/model/train.py").run()
    assert app.button_group(key="train_images").value == CURRENT
    assert any("margin 40%" in text for text in captions(app))


def test_a_saved_recipe_is_trained_whole(visit, small_dataset):
    save_recipe("original", ODD)  # a name that another choice has
    app = visit("model/train", dataset=small_dataset.id, train_images="saved: original")
    assert f"Recipe: {recipe_text(ODD)}." in captions(app)
    app.button_group(key="train_weights").set_value("none").run()
    app.button(key="start").click().run()
    (run,) = list_runs()
    assert run.recipe == ODD.at(299)


def test_all_settings_of_train_stand_in_the_address(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id)
    app.button_group(key="train_weights").set_value("none").run()
    app.button_group(key="train_images").set_value("original").run()
    app.number_input(key="train_epochs").set_value(3).run()
    app.number_input(key="train_batch_size").set_value(7).run()
    app.number_input(key="train_learning_rate").set_value(0.002).run()
    app.number_input(key="train_seed").set_value(5).run()
    app.number_input(key="split_seed").set_value(6).run()
    app.selectbox(key="train_optimizer").set_value("sgd").run()
    reloaded = visit("model/train", **app.query_params)
    reloaded.button(key="start").click().run()
    assert not reloaded.exception
    (run,) = list_runs()
    config = run.config
    assert (config.weights, config.recipe.kind, config.epochs, config.batch_size) == ("none", "original", 3, 7)
    assert (config.learning_rate, config.seed, config.split_seed, config.optimizer) == (0.002, 5, 6, "sgd")
