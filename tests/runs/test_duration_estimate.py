from dataclasses import replace

import pytest

from cfu_core.job import State
from cfu_core.runs.duration_estimate import expected_seconds, training_images_of
from cfu_core.storage import write_json
from tests.pages.written import EPOCHS, write_run


def timed(dataset, seconds: float, **options):
    run = write_run(dataset, **options)
    write_json(run.folder / "timing.json", {"seconds": {"total": seconds}})
    return run


def test_the_time_of_the_newest_run_is_scaled_by_epochs_and_images(small_dataset):
    older, newer = timed(small_dataset, 10.0), timed(small_dataset, 40.0)
    images = training_images_of(newer)
    assert images == 25
    config = replace(newer.config, epochs=2 * EPOCHS)
    assert expected_seconds(config, images, [newer, older]) == pytest.approx(80.0)
    assert expected_seconds(config, 3 * images, [newer, older]) == pytest.approx(240.0)


def test_a_run_of_another_network_or_mode_or_without_a_result_says_nothing(small_dataset):
    alexnet = timed(small_dataset, 10.0)
    stopped = timed(small_dataset, 10.0, state=State.STOPPED)
    config = alexnet.config
    assert expected_seconds(replace(config, mode="probe"), 25, [alexnet]) is None
    assert expected_seconds(timed(small_dataset, 1.0, key="squeezenet1_1").config, 25, [alexnet]) is None
    assert expected_seconds(config, 25, [stopped]) is None
    assert expected_seconds(config, 25, []) is None


def test_epochs_do_not_lengthen_a_probe(small_dataset):
    run = timed(small_dataset, 12.0)
    spec = run.spec
    spec["config"]["mode"] = "probe"
    write_json(run.folder / "spec.json", spec)
    probe = type(run)(run.folder)
    assert expected_seconds(replace(probe.config, epochs=50), 25, [probe]) == pytest.approx(12.0)
