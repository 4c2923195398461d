from pathlib import Path

import numpy as np
import pytest

from cfu_core.errors import RunError
from cfu_core.imaging.reading import read
from cfu_core.runs.model_files import predict
from cfu_core.runs.prediction import predict_files
from tests.pages.written import write_run


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
    expected = predict(finished_run, [read(path) for path in paths[:-1]])
    np.testing.assert_allclose([each.probabilities for each in found[:-1]], expected, atol=1e-5)


def test_a_batch_without_any_usable_file_gives_its_errors(finished_run):
    paths = [Path(f"{i}.png") for i in range(finished_run.config.batch_size + 1)]
    assert [each.error for each in predict_files(finished_run, paths)] == [f"{path} does not exist." for path in paths]
    assert list(predict_files(finished_run, [])) == []


def test_a_run_without_a_model_is_refused(small_dataset, tmp_path):
    run = write_run(small_dataset)
    with pytest.raises(RunError, match="has no trained model"):
        next(predict_files(run, [tmp_path / "a.png"]))
