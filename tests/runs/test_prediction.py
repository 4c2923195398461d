from pathlib import Path

import cv2
import numpy as np
import pytest

from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import RunError
from cfu_core.imaging.reading import read
from cfu_core.imaging.recipe import Recipe, apply
from cfu_core.runs.model_files import build_run_network, load_predictor, save_model
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.prediction import predict_files
from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig
from tests.pages.written import write_run


def predicted(run: Run, images: list[np.ndarray]) -> np.ndarray:
    """Class probabilities of decoded images."""
    probabilities, _ = load_predictor(run)(np.stack([apply(run.recipe, image) for image in images]))
    return probabilities


def test_files_are_predicted_in_batches(finished_run, drawn_shapes):
    size = finished_run.config.batch_size
    paths = [*sorted(drawn_shapes.glob("*/*.png"))[: size + 2], Path("nowhere.png")]
    taken = []

    def give():
        for path in paths:
            taken.append(path)
            yield path

    results = predict_files(finished_run, give())
    first = next(results)
    assert taken == paths[:size]  # no more images than one batch are held
    found = [first, *results]
    assert [each.path for each in found] == paths
    assert [each.error for each in found[:-1]] == [""] * (size + 2)
    assert found[-1].error == "nowhere.png does not exist."
    assert found[-1].probabilities is None
    expected = predicted(finished_run, [read(path) for path in paths[:-1]])
    np.testing.assert_allclose([each.probabilities for each in found[:-1]], expected, atol=1e-5)


def test_a_batch_without_any_usable_file_gives_its_errors(finished_run):
    paths = [Path(f"{i}.png") for i in range(finished_run.config.batch_size + 1)]
    assert [each.error for each in predict_files(finished_run, paths)] == [f"{path} does not exist." for path in paths]
    assert list(predict_files(finished_run, [])) == []


def test_a_run_without_a_model_is_refused(small_dataset, tmp_path):
    run = write_run(small_dataset)
    with pytest.raises(RunError, match="has no trained model"):
        next(predict_files(run, [tmp_path / "a.png"]))


def test_samples_of_16_bits_are_shown_in_the_range_of_the_dataset(tmp_path, cfu_home):  # noqa: ARG001
    rng = np.random.default_rng(0)
    for name in ("dark", "bright"):
        (tmp_path / "source" / name).mkdir(parents=True)
        for i in range(3):
            image = rng.integers(0, 900 if name == "dark" else 4096, (64, 64, 3), np.uint16)
            cv2.imwrite(str(tmp_path / "source" / name / f"{i}.png"), image)
    dataset = import_source(tmp_path / "source")
    config = TrainingConfig(
        dataset=dataset.id, architecture="squeezenet1_1", recipe=Recipe.original(224), weights="none", batch_size=2
    )
    (run,) = plan_runs([config], dataset)
    save_model(run, build_run_network(run).state_dict(), {})
    results = list(predict_files(run, sorted((tmp_path / "source").glob("*/*.png"))))
    expected = predicted(run, [dataset.read_image(row) for row in range(6)])
    np.testing.assert_allclose([each.probabilities for each in results], expected, atol=1e-6)
    assert {each.remark for each in results} == {""}


def test_a_range_that_was_chosen_for_one_image_alone_is_reported(finished_run, tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((64, 64, 3), 3000, np.uint16))
    (found,) = predict_files(finished_run, [tmp_path / "deep.png"])
    assert found.error == ""
    assert "which the dataset does not have" in found.remark
