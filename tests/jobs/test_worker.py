import subprocess
import sys
from types import SimpleNamespace

import pytest
from filelock import FileLock, Timeout

from cfu_core.job import Job, State, Status, create_job
from cfu_core.jobs import worker
from cfu_core.jobs.queue import lane_lock, move, running, start_marker, waiting
from cfu_core.jobs.tasks import TASKS, execute
from cfu_core.jobs.worker import run_in_foreground, work
from cfu_core.processes import process_started

pytestmark = pytest.mark.usefixtures("cfu_home")


@pytest.fixture
def done(monkeypatch) -> list[str]:
    """The names of import and demo jobs in the order in which they ran, in this process."""
    names: list[str] = []

    def act(job: Job, _observer: object) -> dict:
        assert not lane_is_free("data")
        names.append(job.spec["name"])
        return {}

    monkeypatch.setitem(TASKS, "import", act)
    monkeypatch.setitem(TASKS, "demo", act)
    monkeypatch.setattr(worker, "_run_in_child", execute)
    return names


def queued(name: str, kind: str = "import") -> Job:
    return create_job(kind, {"name": name})


def lane_is_free(lane: str) -> bool:
    lock = FileLock(lane_lock(lane).lock_file)
    try:
        with lock.acquire(timeout=0):
            return True
    except Timeout:
        return False


def test_jobs_run_in_the_order_of_their_requests(done):
    jobs = [queued("a"), queued("b", "demo"), queued("c")]
    assert waiting("data") == jobs
    assert waiting("device") == []
    work("data")
    assert done == ["a", "b", "c"]
    assert waiting("data") == running("data") == []
    assert lane_is_free("data")


def test_waiting_jobs_can_be_moved(done):
    a, b, c = (queued(name) for name in "abc")
    for job, place, order in (
        (c, 1, "acb"),
        (c, 1, "acb"),
        (c, -5, "cab"),
        (c, 0, "cab"),
        (a, 2, "cba"),
        (c, 1, "bca"),
        (b, 9, "cab"),
        (b, 2, "cab"),
    ):
        move(job, place)
        assert "".join(waiting_job.spec["name"] for waiting_job in waiting("data")) == order
    work("data")
    assert done == ["c", "a", "b"]
    rank = a.rank
    move(a, 0)  # too late
    assert a.rank == rank


@pytest.mark.usefixtures("done")
def test_waiting_jobs_can_be_moved_any_number_of_times():
    queue = [queued(name) for name in "abcd"]
    for _ in range(100):
        move(queue[-1], 2)
        queue.insert(2, queue.pop())
        assert waiting("data") == queue
    later = queued("later")
    assert waiting("data") == [*queue, later]


def test_a_job_that_is_queued_while_another_runs_is_run_too(done, monkeypatch):
    act = TASKS["demo"]

    def act_and_queue(job: Job, observer: object) -> dict:
        queued("later", "demo")
        return act(job, observer)

    monkeypatch.setitem(TASKS, "import", act_and_queue)
    queued("first")
    work("data")
    assert done == ["first", "later"]


def test_a_job_that_was_removed_from_the_queue_is_not_run(done):
    queued("a").request_stop()
    queued("b")
    work("data")
    assert done == ["b"]


@pytest.mark.usefixtures("done")
def test_a_worker_releases_its_lane_before_it_checks_the_queue_for_the_last_time(monkeypatch):
    # a job that is queued after the last look finds the lane free, so that its sender starts another worker
    free = []
    look = worker.waiting

    def watched(lane: str) -> list[Job]:
        found = look(lane)
        free.append((len(found), lane_is_free(lane)))
        return found

    monkeypatch.setattr(worker, "waiting", watched)
    queued("a")
    work("data")
    assert free == [(1, True), (1, False), (0, False), (0, True)]


def test_a_worker_that_ends_does_not_keep_the_next_one_from_starting(monkeypatch):
    marker = start_marker("data")
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text("{}")
    seen = []
    monkeypatch.setattr(worker, "_run_in_child", lambda job: (seen.append(marker.exists()), job.request_stop()))
    queued("a")
    work("data")
    assert seen == [False]  # the lock says that it is there
    marker.write_text("{}")
    work("data")  # nothing is queued
    assert not marker.exists()


def test_a_lane_has_only_one_worker(done):
    job = queued("a")
    with lane_lock("data"):
        work("data")
        assert done == []
    assert job.status().state is State.QUEUED


def test_a_worker_waits_for_a_job_whose_worker_was_killed(done, monkeypatch):
    # its worker was killed and the job goes on: the device is not free before it ends
    orphan = queued("orphan")
    queued("behind")
    process = subprocess.Popen(["sleep", "60"])
    started = process_started(process.pid)
    orphan.write_status(Status(state=State.RUNNING, pid=process.pid, pid_started=started))
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        assert done == []
        process.kill()
        process.wait()

    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=wait))
    work("data")
    assert len(waits) == 1
    assert done == ["behind"]
    assert orphan.status().state is State.INTERRUPTED


def test_a_job_whose_process_cannot_start_fails_and_the_next_job_runs(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    jobs = [queued("a"), queued("b")]
    work("data")
    for job in jobs:
        assert job.status().state is State.FAILED
        assert "could not start" in job.status().message


def test_a_job_in_the_foreground_waits_for_its_lane(done):
    job = queued("a")
    lock = lane_lock("data")
    lock.acquire()
    shown: list[Status] = []

    def show(status: Status) -> None:
        shown.append(status)
        lock.release()

    assert run_in_foreground(job, on_status=show).state is State.FINISHED
    assert shown[0].state is State.QUEUED
    assert done == ["a"]
    assert lane_is_free("data")


def test_a_job_in_the_foreground_that_a_worker_runs_is_only_followed(done):
    job = queued("a")
    lock = lane_lock("data")
    lock.acquire()

    def show(_status: Status) -> None:
        job.write_status(Status(state=State.FINISHED))

    assert run_in_foreground(job, on_status=show).state is State.FINISHED
    assert done == []
    lock.release()


def test_ctrl_c_removes_a_queued_job_from_the_queue(done):
    job = queued("a")

    def interrupt(_status: Status) -> None:
        raise KeyboardInterrupt

    with lane_lock("data"):
        assert run_in_foreground(job, on_status=interrupt).state is State.STOPPED
    assert done == []
