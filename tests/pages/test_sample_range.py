"""The range of samples on Explore: shown, previewed, and changed for all images of the kind."""

import numpy as np
import pytest

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.jobs.queue import all_jobs
from cfu_core.jobs.tasks import execute
from tests.imaging.test_reading import tiff


@pytest.fixture
def camera(cfu_home, tmp_path) -> Dataset:  # noqa: ARG001 - sets CFU_HOME
    for label in ("A", "B"):
        (tmp_path / "camera" / label).mkdir(parents=True)
        for number in range(3):
            samples = np.full((40, 50), 1000 + 500 * number, np.uint16)
            (tmp_path / "camera" / label / f"{number}.tif").write_bytes(tiff(samples))
    return import_source(tmp_path / "camera")


def opened(visit, dataset):
    app = visit("data/explore", dataset=dataset.id, image="A/1.tif")
    app.session_state["range_editor"] = True  # opened
    app.run()
    (white,) = [field for field in app.number_input if field.label == "White"]
    return app, white


@pytest.mark.parametrize(("button", "changed"), [("range_all", 6), ("range_one", 1)])
def test_the_range_is_changed_for_all_images_of_the_kind_or_for_one(visit, camera, button, changed):
    app, white = opened(visit, camera)
    assert white.value == 4095
    assert app.button(key=button).disabled
    white.set_value(3000).run()
    app.button(key=button).click().run()
    assert not app.exception
    ranges = [load_dataset(camera.id).sample_range(row) for row in range(6)]
    assert ranges.count((0, 3000)) == changed
    assert ranges.count((0, 4095)) == 6 - changed
    assert load_dataset(camera.id).sample_range(1) == (0, 3000)
    app.button(key="edit_undo").click().run()
    assert opened(visit, camera)[1].value == 4095


def test_black_must_be_less_than_white(visit, camera):
    app, white = opened(visit, camera)
    white.set_value(0).run()
    assert any("Black must be less than white" in error.value for error in app.error)
    assert not [button for button in app.button if button.key == "range_all"]


def test_images_of_8_bits_have_no_range(visit, small_dataset):
    app = visit("data/explore", dataset=small_dataset.id, image=small_dataset.images["path"].iat[0])
    assert not app.number_input


def test_every_change_of_a_range_in_a_session_is_measured(visit, camera):
    app = visit("data/explore", dataset=camera.id)
    for number, white in enumerate((3000, 2000, 1000), start=1):
        jobs = [job for job in all_jobs() if job.kind == "survey"]
        assert len(jobs) == number
        assert execute(jobs[-1]).state == "finished"
        edit_dataset(camera.id, "range", {"A/1.tif": [0, white]})
        app.run()
        app.run()  # and once only
