import json
import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest
from filelock import FileLock

from cfu_core.errors import RunError, StorageError
from cfu_core.job import Job, State, Status, create_job, jobs_folder
from cfu_core.jobs.queue import all_jobs, open_job
from cfu_core.processes import process_alive, process_started

pytestmark = pytest.mark.usefixtures("cfu_home")


@pytest.fixture
def job() -> Job:
    return create_job("import", {"source": "/somewhere", "name": None})


def mine() -> dict:
    """Return the fields of a status that identify this process."""
    return {"pid": os.getpid(), "pid_started": process_started(os.getpid())}


def test_a_new_job_is_queued_and_has_its_request(job):
    assert job.status() == Status(state=State.QUEUED)
    assert job.kind == "import"
    assert job.spec["source"] == "/somewhere"
    assert job.folder.parent == jobs_folder()
    assert job.id == job.folder.name


@pytest.mark.parametrize("state", State)
def test_only_queued_and_running_jobs_have_not_ended(state):
    assert state.ended == (state not in ("queued", "running"))


def test_a_status_is_read_back_as_it_was_written(job):
    written = Status(state=State.RUNNING, phase="Training", details={"done": 3, "total": 4}, **mine())
    job.write_status(written)
    assert job.status() == written


def test_unknown_fields_in_the_status_of_an_earlier_version_are_ignored(job):
    job.write_status(Status(state=State.FINISHED, phase="Testing"))
    saved = json.loads(job.status_file.read_text()) | {"updated": 1.7e9}
    job.status_file.write_text(json.dumps(saved))
    assert job.status() == Status(state=State.FINISHED, phase="Testing")


def test_a_damaged_rank_is_ignored(job):
    before = job.rank
    job.set_rank(3.5)
    assert job.rank == 3.5
    (job.folder / "rank.json").write_text("{ nonsense")
    assert job.rank == before == job.created.timestamp()


def test_a_job_whose_process_has_ended_is_interrupted(job):
    process = subprocess.Popen(["sleep", "60"])
    started = process_started(process.pid)
    job.write_status(Status(state=State.RUNNING, phase="Training", pid=process.pid, pid_started=started))
    assert job.status().state is State.RUNNING
    process.kill()
    process.wait()
    found = job.status()
    assert found.state is State.INTERRUPTED
    assert found.phase == "Training"
    assert "ended unexpectedly" in found.message


def test_another_process_with_the_same_number_is_recognised(job):
    who = mine()
    assert process_alive(who["pid"], who["pid_started"])
    assert not process_alive(who["pid"], who["pid_started"] - 100)
    job.write_status(Status(state=State.RUNNING, pid=who["pid"], pid_started=who["pid_started"] - 100))
    assert job.status().state is State.INTERRUPTED


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there the start is on a clock of its own")
def test_a_clock_that_is_set_back_does_not_make_a_process_look_dead(job, monkeypatch):
    job.write_status(Status(state=State.RUNNING, **mine()))
    before, booted = psutil.Process().create_time(), psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted - 3600)  # what the system reports then
    assert psutil.Process().create_time() < before - 3000
    assert job.status().state is State.RUNNING


def test_a_zombie_is_not_alive():
    process = subprocess.Popen(["true"])
    try:
        started = process_started(process.pid)
        deadline = time.monotonic() + 30
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not process_alive(process.pid, started)
    finally:
        process.wait()


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.STOPPED])
def test_a_job_that_has_ended_needs_no_process(job, state):
    job.write_status(Status(state=state, message="why"))
    assert job.status().state is state
    assert job.status().message == "why"


def test_a_stop_removes_a_queued_job_from_the_queue(job):
    assert not job.stop_requested()
    job.request_stop()
    assert job.stop_requested()
    assert job.status().state is State.STOPPED


def test_a_stop_does_not_change_the_status_of_a_running_job(job):
    job.write_status(Status(state=State.RUNNING, **mine()))
    job.request_stop()
    assert job.stop_requested()
    assert job.status().state is State.RUNNING


def test_a_pause_changes_the_status_of_a_queued_job_but_not_of_a_running_one(job):
    job.request_pause()
    assert job.status().state is State.PAUSED
    job.write_status(Status(state=State.RUNNING, **mine()))
    job.request_pause()
    assert job.pause_requested()
    assert job.status().state is State.RUNNING


def test_a_stop_ends_a_paused_job(job):
    job.write_status(Status(state=State.PAUSED, details={"epoch": 2}))
    job.request_stop()
    assert (job.status().state, job.status().details) == (State.STOPPED, {"epoch": 2})


@pytest.mark.parametrize("state", [State.PAUSED, State.STOPPED, State.FAILED, State.INTERRUPTED])
def test_an_unfinished_job_can_be_queued_again(job, state):
    job.request_pause()
    job.request_stop()
    if state is State.INTERRUPTED:
        who = mine()
        job.write_status(Status(state=State.RUNNING, pid=who["pid"], pid_started=who["pid_started"] - 100))
    else:
        job.write_status(Status(state=state, message="why", details={"epoch": 2}))
    job.requeue()
    assert job.status().state is State.QUEUED
    assert not job.stop_requested()
    assert not job.pause_requested()
    assert job.status().message == ""


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.FINISHED])
def test_a_queued_running_or_finished_job_is_not_resumed(job, state):
    job.write_status(Status(state=state, **mine()))
    with pytest.raises(RunError, match=f"is {state}. Only a job that was paused"):
        job.requeue()


def test_a_job_that_a_process_works_on_is_not_resumed(job, monkeypatch):
    monkeypatch.setattr("cfu_core.job.LOCK_RELEASE_SECONDS", 0.1)
    job.write_status(Status(state=State.STOPPED))
    with FileLock(job.folder / "lock"), pytest.raises(RunError, match="is still working on"):
        job.requeue()


def test_a_deleted_job_is_not_resumed_and_stays_deleted(job):
    shutil.rmtree(job.folder)
    with pytest.raises(RunError, match="has been deleted"):
        job.requeue()
    assert not job.folder.exists()


def test_a_job_is_ranked_by_its_age_unless_it_was_moved(job):
    later = create_job("import", {})
    assert job.rank < later.rank
    later.set_rank(job.rank - 1)
    assert later.rank < job.rank


def test_a_stop_does_not_change_how_a_job_ended(job):
    job.write_status(Status(state=State.FINISHED))
    job.request_stop()
    assert job.status().state is State.FINISHED


@pytest.mark.parametrize(
    ("state", "details", "fraction"),
    [
        (State.QUEUED, {}, 0),
        (State.RUNNING, {"done": 3, "total": 4}, 0.75),
        (State.RUNNING, {"done": 0, "total": 0}, 0),
        (State.RUNNING, {"epoch": 1, "epochs": 2, "batch": 0, "batches": 5}, 0),
        (State.RUNNING, {"epoch": 2, "epochs": 4, "batch": 5, "batches": 10}, 0.375),
        (State.RUNNING, {"epoch": 4, "epochs": 4, "batch": 10, "batches": 10}, 1),
        (State.FINISHED, {}, 1),
        (State.RUNNING, {"device": "CPU"}, 0),
    ],
)
def test_fraction_of_finished_work(state, details, fraction):
    assert Status(state=state, details=details).fraction == fraction


@pytest.mark.parametrize("text", ["[]", "null", "{"])
def test_a_damaged_request_is_reported_and_left_out_of_the_queue(job, text):
    (job.folder / "spec.json").write_text(text)
    with pytest.raises(StorageError, match=r"spec\.json is damaged"):
        open_job(job.folder)
    assert list(all_jobs()) == []


def test_all_jobs_come_oldest_first():
    made = [create_job(kind, {"source": "x"}) for kind in ("import", "demo", "import", "demo", "demo")]
    assert list(all_jobs()) == made


@pytest.mark.parametrize("content", ["", "{", "null", "3", "[]", '{"kind": "survey"}'])
def test_a_job_without_a_complete_request_is_not_readable(job, content):
    assert job.readable()
    (job.folder / "spec.json").write_text(content)
    assert not Job(job.folder).readable()


def test_without_a_home_there_are_no_jobs():
    assert list(all_jobs()) == []
