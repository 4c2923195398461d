import shutil

import numpy as np
import pytest
import torch

from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import load_survey, survey
from cfu_core.job import Job, State, Status, create_job
from cfu_core.jobs.queue import LANES
from cfu_core.jobs.tasks import execute
from cfu_core.models.network_features import WEIGHT_FILES, NetworkFeatures
from cfu_core.models.networks import build_network
from cfu_core.models.weight_files import weights_folder

pytestmark = pytest.mark.usefixtures("cfu_home")


@pytest.fixture
def nine(nine_shapes):
    return import_source(nine_shapes, name="nine")


@pytest.fixture
def job(nine) -> Job:
    return create_job("survey", {"dataset": nine.id})


def test_a_survey_has_a_lane_of_its_own():
    assert LANES["survey"] not in (LANES["train"], LANES["import"])


def test_a_survey_reports_what_it_does(job, nine):
    reported: list[Status] = []
    status = execute(job, on_status=reported.append)
    assert status.state is State.FINISHED, status.message
    assert status.details == {"dataset": nine.id}
    assert load_survey(nine).complete
    assert [s.phase for s in reported][:2] == ["Starting", "Measuring images"]


def test_a_stop_request_ends_a_survey_and_the_next_one_resumes(job, nine):
    status = execute(job, on_status=lambda status: status.phase == "Measuring images" and job.request_stop())
    assert status.state is State.STOPPED
    assert not load_survey(nine).complete
    assert execute(create_job("survey", {"dataset": nine.id})).state is State.FINISHED
    assert load_survey(nine).complete


def test_a_survey_of_a_missing_dataset_fails_with_a_message():
    status = execute(create_job("survey", {"dataset": "nothing"}))
    assert status.state is State.FAILED
    assert "There is no dataset 'nothing'" in status.message


def test_damaged_weights_are_reported_with_the_map(job, nine):
    weights_folder().mkdir(parents=True)
    (weights_folder() / WEIGHT_FILES[0]).write_bytes(b"cut short")
    status = execute(job)
    assert status.state is State.FINISHED, status.message
    source = load_survey(nine).map_source
    assert source.startswith("Colour, texture and shape")
    assert "A network was not used: resnet18-f37072fd.pth is damaged or truncated" in source


def test_a_real_network_makes_the_map(nine, tmp_path):
    file = tmp_path / "random.pth"
    torch.save(build_network("resnet18", seed=0).state_dict(), file)
    network = NetworkFeatures(file, lambda: torch.device("cpu"), label="ResNet-18 with random weights", side=64)
    survey(nine, network=network)
    found = load_survey(nine)
    assert found.map_source.startswith("ResNet-18 with random weights, ")
    assert np.isfinite(found.table[["map_x", "map_y"]].to_numpy()).all()


@pytest.mark.real
def test_truncated_real_weights_are_reported(job, nine, real_images):
    weights_folder().mkdir(parents=True)
    shutil.copy(real_images / "broken_weights" / "truncated-resnet18-5c106cde.pth", weights_folder() / WEIGHT_FILES[1])
    assert execute(job).state is State.FINISHED
    assert "resnet18-5c106cde.pth is damaged or truncated" in load_survey(nine).map_source
