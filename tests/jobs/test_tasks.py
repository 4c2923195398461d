import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from cfu_core import PROJECT
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.errors import DatasetError, RunError, StopRequested
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job, State, Status, create_job
from cfu_core.jobs import tasks
from cfu_core.jobs.tasks import TASKS, JobObserver, execute
from cfu_core.jobs.worker import run_in_foreground

pytestmark = pytest.mark.usefixtures("cfu_home")


@pytest.fixture
def job() -> Job:
    return create_job("import", {"source": "/somewhere", "name": None})


@pytest.fixture
def doing(monkeypatch):
    """Replace the work of import jobs."""
    return lambda action: monkeypatch.setitem(TASKS, "import", action)


def test_a_job_that_ends_well_is_finished_and_keeps_its_details(job, doing):
    doing(lambda job, observer: {"dataset": "d"})
    status = execute(job)
    assert (status.state, status.details) == (State.FINISHED, {"dataset": "d"})
    assert job.status().state is State.FINISHED
    assert job.status().details == {"dataset": "d"}


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (StopRequested(), State.STOPPED, "Stopped on request"),
        (DatasetError("Found.", "Expected.", "Do."), State.FAILED, "Found. Expected. Do."),
        (MemoryError(), State.FAILED, "Out of memory."),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), State.FAILED, "Out of memory."),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), State.FAILED, "Out of memory."),
        (RuntimeError("boom"), State.FAILED, "Unexpected error: RuntimeError: boom"),
    ],
)
def test_the_final_status_says_how_a_job_ended(job, doing, capfd, error, state, message):
    def act(_job: Job, _observer: JobObserver) -> dict:
        raise error

    doing(act)
    assert execute(job).state is state
    assert job.status().state is state
    assert message in job.status().message
    assert ("Traceback" in capfd.readouterr().err) == ("Unexpected" in message)


def test_a_running_or_ended_job_is_not_run_again(job, doing):
    doing(lambda *_: pytest.fail("done twice"))
    for status in (JobObserver(job)._process | {"state": State.RUNNING}, {"state": State.STOPPED}):
        job.write_status(Status(**status))
        assert execute(job).state is status["state"]


def test_a_deleted_job_is_not_run_and_stays_deleted(job, doing):
    doing(lambda *_: pytest.fail("done"))
    assert job.kind == "import"
    shutil.rmtree(job.folder)
    for run in (execute, run_in_foreground):
        with pytest.raises(RunError, match="has been deleted"):
            run(job)
    assert not job.folder.exists()


@pytest.mark.parametrize(
    ("number", "state", "message"),
    [
        (signal.SIGINT, State.STOPPED, "Stopped on request."),
        (signal.SIGTERM, State.INTERRUPTED, "The operating system ended the process"),
    ],
)
def test_a_signal_stops_a_job_with_a_final_status(job, doing, number, state, message):
    def act(_job: Job, observer: JobObserver) -> dict:
        assert not observer.stop_requested()
        os.kill(os.getpid(), number)
        observer.progress("Working")(1, 2)
        return {}

    doing(act)
    before = signal.getsignal(number)
    status = execute(job)
    assert status.state is state
    assert message in status.message
    assert status.details == {"done": 1, "total": 2}
    assert signal.getsignal(number) is before


def test_a_stop_file_stops_a_job_at_its_next_step(job, doing):
    seen = []

    def act(job: Job, observer: JobObserver) -> dict:
        count = observer.progress("Working")
        for done in range(10):
            seen.append(done)
            if done == 3:
                job.request_stop()
            count(done, 10)
        return {}

    doing(act)
    assert execute(job).state is State.STOPPED
    assert seen == [0, 1, 2, 3]


def test_progress_is_written_when_the_phase_changes_or_some_time_has_passed(job, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown = []
    observer = JobObserver(job, on_status=lambda status: shown.append((status.phase, status.details.get("n"))))
    for seconds, phase, n in [(0, "a", 1), (0.2, "a", 2), (0.2, "b", 3), (0.4, "b", 4), (0.2, "b", 5)]:
        now[0] += seconds
        observer.report(phase, n=n)
    assert shown == [("a", 1), ("b", 3), ("b", 5)]
    assert json.loads((job.folder / "status.json").read_text())["details"] == {"n": 5}
    assert job.status().state is State.RUNNING
    assert job.status().pid == os.getpid()


def test_an_import_makes_a_dataset(drawn_shapes):
    status = execute(create_job("import", {"source": str(drawn_shapes), "name": "mine"}))
    assert status.state is State.FINISHED, status.message
    assert load_dataset(status.details["dataset"]).name == "mine"


def test_an_import_of_a_missing_folder_fails_with_a_message(tmp_path):
    status = execute(create_job("import", {"source": str(tmp_path / "nowhere"), "name": None}))
    assert status.state is State.FAILED
    assert "does not exist" in status.message


def test_an_upload_is_discarded_whether_its_import_works_or_not(monkeypatch, tmp_path):
    discarded = []
    monkeypatch.setattr(tasks, "discard_upload", discarded.append)
    spec = {"source": str(tmp_path / "nowhere"), "name": None, "uploaded": True}
    assert execute(create_job("import", spec)).state is State.FAILED
    assert discarded == [tmp_path / "nowhere"]


# --- preparing images


def prepare_job(dataset: Dataset) -> Job:
    return create_job("prepare", {"dataset": dataset.id, "recipe": Recipe.preprocessed(32, tiles=2).to_dict()})


def test_a_preparation_reports_its_time_size_and_number_of_images(small_dataset):
    status = execute(prepare_job(small_dataset))
    assert status.state is State.FINISHED, status.message
    assert status.details.pop("seconds") > 0
    assert status.details == {"dataset": small_dataset.id, "bytes": 36 * 32 * 32 * 3, "images": 36, "reused": 0}
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    again = execute(prepare_job(small_dataset))
    assert (again.details["images"], again.details["reused"]) == (35, 35)


def test_a_preparation_with_invalid_input_fails_with_a_message(small_dataset):
    assert "There is no dataset" in execute(create_job("prepare", {"dataset": "nothing", "recipe": {}})).message
    unknown = execute(create_job("prepare", {"dataset": small_dataset.id, "recipe": {"sharpen": True}}))
    assert (unknown.state, "unknown settings: sharpen" in unknown.message) == (State.FAILED, True)


_KILLED = """
import sys, time
from pathlib import Path
from cfu_core.jobs.queue import open_job
from cfu_core.jobs.tasks import JobObserver, execute
from cfu_core.training import prepared_images

def report(self, phase, _report=JobObserver.report, **details):
    _report(self, phase, **details)
    if details.get("done") == 20:
        print("reached", flush=True)
        time.sleep(300)

JobObserver.report = report
prepared_images.SAVE_SECONDS = 0.0
execute(open_job(Path(sys.argv[1])))
"""


def test_a_killed_preparation_is_interrupted_and_a_new_job_continues_it(small_dataset):
    job = prepare_job(small_dataset)
    command = [sys.executable, "-c", _KILLED, str(job.folder)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reached\n"
        assert job.status().state is State.RUNNING
        process.kill()
    assert job.status().state is State.INTERRUPTED
    status = execute(prepare_job(small_dataset))
    assert (status.state, status.details["reused"]) == (State.FINISHED, 20)
