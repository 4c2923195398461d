import json
from collections import Counter

import pytest

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.splitting import split_of
from cfu_core.errors import StopRequested, TrainingError
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, create_job
from cfu_core.jobs.queue import LANES
from cfu_core.jobs.tasks import ESTIMATE, execute
from cfu_core.training import accuracy_estimate
from cfu_core.training.accuracy_estimate import Comparison, estimate

KEY, SIZE = "squeezenet1_1", 224
PLAIN, COLOURLESS = Recipe.original(SIZE), Recipe.preprocessed(SIZE, tiles=2)


def silent(_phase: str):
    return lambda done, total: None


def ask(dataset: Dataset, *recipes: Recipe, seed: int = 0, progress=silent) -> Comparison:
    return estimate(dataset, recipes, KEY, "none", split_seed=seed, progress=progress)


def test_all_recipes_use_the_same_training_and_validation_images(small_dataset, monkeypatch):
    seen = []
    original = accuracy_estimate.frozen_features

    def watch(dataset, recipe, *arguments, **options):
        seen.append(dataset.images["path"].iloc[options["subset"]].tolist())
        return original(dataset, recipe, *arguments, **options)

    monkeypatch.setattr(accuracy_estimate, "frozen_features", watch)
    found = ask(small_dataset, PLAIN, COLOURLESS, PLAIN)
    assignment = split_of(small_dataset, seed=0).assignment
    expected = [path for path in small_dataset.images["path"] if assignment[path] != "test"]
    assert seen == [expected] * 3
    assert [e.images for e in found.estimates] == [len(expected)] * 3
    assert found.estimates[0] == found.estimates[2]  # the same recipe, the same folds
    assert found.against[1].difference == 0
    first, second = found.estimates[:2]
    assert found.against[0].difference == pytest.approx(first.accuracy - second.accuracy)
    assert first.low < first.accuracy <= first.high
    assert first.accuracy > 0.8  # coloured shapes, and random filters see colour
    assert found.weights == "random weights"
    assert found.all_images


def test_an_estimate_is_reproducible(small_dataset):
    assert ask(small_dataset, PLAIN) == ask(small_dataset, PLAIN)


def test_many_images_are_sampled(small_dataset, monkeypatch):
    monkeypatch.setattr(accuracy_estimate, "MAX_IMAGES", 25)
    found = ask(small_dataset, PLAIN)
    assert found.estimates[0].images == 25
    assert not found.all_images


def test_images_of_one_dish_are_always_in_the_same_fold(small_dataset, monkeypatch):
    groups = {path: f"{path[:4]}{int(path[-6:-4]) // 2}" for path in small_dataset.images["path"]}
    edited = edit_dataset(small_dataset.id, "group", groups)
    parted = []
    original = accuracy_estimate.cross_validate

    def watch(features, labels, folds, *arguments, **options):
        parted.append(folds)
        return original(features, labels, folds, *arguments, **options)

    monkeypatch.setattr(accuracy_estimate, "cross_validate", watch)
    ask(edited, PLAIN)
    assignment = split_of(edited, seed=0).assignment
    wanted = [group for path, group in zip(edited.images["path"], edited.images["group"], strict=True)
              if assignment[path] != "test"]  # fmt: skip
    pairs = {(group, fold) for group, fold in zip(wanted, parted[0], strict=True)}
    assert max(Counter(group for group, _ in pairs).values()) == 1


def test_too_few_images_are_refused(small_dataset):
    paths = small_dataset.images["path"].tolist()
    few = [path for path in paths if path.startswith("disc")][4:]
    edited = edit_dataset(small_dataset.id, "exclude", dict.fromkeys(few))
    with pytest.raises(TrainingError, match=r"too few images for an estimate\. Each class needs at least 5"):
        ask(edited, PLAIN)


def test_an_estimate_reports_its_phases_and_can_be_stopped(small_dataset):
    phases: list[str] = []

    def progress(phase: str):
        def count(done: int, _total: int) -> None:
            phases.append(phase)
            if phase.startswith("Cross") and done == 2:
                raise StopRequested

        return count

    with pytest.raises(StopRequested):
        ask(small_dataset, PLAIN, COLOURLESS, progress=progress)
    assert list(dict.fromkeys(phases)) == [
        "Preprocessing (1 of 2)", "Computing features with SqueezeNet 1.1 (1 of 2)", "Cross-validating (1 of 2)"
    ]  # fmt: skip


def test_as_a_job_it_does_not_wait_for_trainings_and_writes_its_result(small_dataset):
    assert LANES["estimate"] not in {LANES[kind] for kind in ("train", "import", "demo", "survey", "prepare")}
    spec = {
        "dataset": small_dataset.id,
        "recipes": {"now": PLAIN.to_dict(), "other": COLOURLESS.to_dict()},
        "architecture": KEY,
        "weights": "none",
        "split_seed": 0,
    }
    job = create_job("estimate", spec)
    status = execute(job)
    assert status.state is State.FINISHED, status.message
    assert json.loads((job.folder / ESTIMATE).read_text()) == ask(small_dataset, PLAIN, COLOURLESS).to_dict()
