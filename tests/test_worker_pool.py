import os
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from cfu_core import PROJECT
from cfu_core.worker_pool import WorkerPool


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """Two worker processes, which answer with their process id and the question plus ten."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PROJECT}")
    text = (
        "import os, time\n"
        "from cfu_core import worker_process\n"
        "def answer(first, question):\n"
        "    time.sleep(0.01)\n"
        "    return os.getpid(), 1 / question + first\n"
        "def serve(): worker_process.serve(lambda first: lambda question: answer(first, question))\n"
    )
    (tmp_path / "some_work.py").write_text(text, encoding="utf-8")
    with WorkerPool("some_work", 10, name="The counting") as pool:
        yield pool


def test_several_threads_share_the_processes(pool):
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(pool.ask, range(1, 21)))
    assert [number for _, number in answers] == [10 + 1 / question for question in range(1, 21)]
    assert len({pid for pid, _ in answers}) == 2


def test_every_process_is_asked_once_and_can_be_asked_again(pool):
    for _ in range(2):
        answers = pool.ask_each(1)
        assert [number for _, number in answers] == [11, 11]
        assert len({pid for pid, _ in answers}) == 2


def test_after_an_error_the_process_is_idle_again(pool):
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            pool.ask(0)
        with pytest.raises(ZeroDivisionError):
            pool.ask_each(0)
    assert len(pool.ask_each(1)) == 2


def test_the_processes_have_ended_after_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PROJECT}")
    text = (
        "import os\nfrom cfu_core.worker_process import serve as s\ndef serve(): s(lambda _: lambda _: os.getpid())\n"
    )
    (tmp_path / "some_work.py").write_text(text, encoding="utf-8")
    with WorkerPool("some_work", None, name="The counting") as pool:
        pids = pool.ask_each(None)
        assert all(psutil.pid_exists(pid) for pid in pids)
    assert not any(psutil.pid_exists(pid) for pid in pids)
