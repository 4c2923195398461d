import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from cfu_core import PROJECT
from cfu_core.errors import DatasetError, ImageError
from cfu_core.worker_process import WorkerProcess, worker_count


@pytest.fixture
def start_worker(tmp_path, monkeypatch):
    """Starts a worker process with a module of the given text: start_worker(text, first=None)."""
    started = []
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PROJECT}")

    def start(text: str, first: object = None) -> WorkerProcess:
        (tmp_path / "some_work.py").write_text("from cfu_core import worker_process\n" + text, encoding="utf-8")
        started.append(WorkerProcess("some_work", first, name="The counting"))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


ADD = "def serve(): worker_process.serve(lambda first: lambda question: first + question)\n"


def test_questions_are_answered_with_the_first_message_in_mind(start_worker):
    worker = start_worker(ADD, 40)
    assert [worker.ask(number) for number in (2, 3)] == [42, 43]


def test_an_error_is_raised_in_the_asking_process_and_the_worker_goes_on(start_worker):
    worker = start_worker(
        "from cfu_core.errors import ImageError\n"
        "def work(question):\n"
        "    if question < 0: raise ImageError('Too small.', kind='empty')\n"
        "    return 1 / question\n"
        "def serve(): worker_process.serve(lambda first: work)\n"
    )
    with pytest.raises(ZeroDivisionError):
        worker.ask(0)
    with pytest.raises(ImageError, match="Too small") as caught:
        worker.ask(-1)
    assert caught.value.kind == "empty"
    assert worker.ask(4) == 0.25


def test_a_worker_that_was_ended_from_outside_is_an_error(start_worker):
    worker = start_worker("import os\ndef serve(): worker_process.serve(lambda first: lambda question: os._exit(9))\n")
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"^The counting stopped: one of its worker .* then start it again"):
            worker.ask(1)


def test_a_worker_ends_when_the_asking_process_is_killed(start_worker):
    start_worker(ADD).close()  # writes the module
    program = (
        "from cfu_core.worker_process import WorkerProcess\n"
        "worker = WorkerProcess('some_work', 1, name='The counting')\n"
        "print(worker.ask(1), worker.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=PROJECT) as asking:
        answer, pid = asking.stdout.readline().split()
        assert answer == "2"
        worker = psutil.Process(int(pid))
        asking.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_no_more_workers_than_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert worker_count() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert worker_count() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    assert worker_count() == 8
