import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from cfu_core import PROJECT, worker_process
from cfu_core.errors import DatasetError, ImageError
from cfu_core.worker_process import Hand


@pytest.fixture
def working(tmp_path, monkeypatch):
    """Gives a hand that works by a module with this text."""
    made = []
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PROJECT}")

    def make(text: str, first: object = None) -> Hand:
        (tmp_path / "some_work.py").write_text("from cfu_core import worker_process\n" + text, encoding="utf-8")
        made.append(Hand("some_work", first, name="The counting"))
        return made[-1]

    yield make
    for hand in made:
        hand.end()


ADD = "def serve(): worker_process.serve(lambda first: lambda question: first + question)\n"


def test_every_question_is_answered_by_what_came_first(working):
    hand = working(ADD, 40)
    assert [hand.ask(number) for number in (2, 3)] == [42, 43]


def test_an_error_is_raised_where_the_question_came_from_and_the_hand_goes_on(working):
    hand = working(
        "from cfu_core.errors import ImageError\n"
        "def work(question):\n"
        "    if question < 0: raise ImageError('Too small.', kind='empty')\n"
        "    return 1 / question\n"
        "def serve(): worker_process.serve(lambda first: work)\n"
    )
    with pytest.raises(ZeroDivisionError):
        hand.ask(0)
    with pytest.raises(ImageError, match="Too small") as caught:
        hand.ask(-1)
    assert caught.value.kind == "empty"
    assert hand.ask(4) == 0.25


def test_a_hand_that_was_ended_from_outside_is_told_of(working):
    hand = working("import os\ndef serve(): worker_process.serve(lambda first: lambda question: os._exit(9))\n")
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"^The counting broke off: a process .* start it again"):
            hand.ask(1)


def test_a_hand_ends_when_the_one_that_asks_is_killed(working):
    working(ADD).end()  # writes the module
    program = (
        "from cfu_core.worker_process import Hand\n"
        "hand = Hand('some_work', 1, name='The counting')\n"
        "print(hand.ask(1), hand._process.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=PROJECT) as asking:
        answer, number = asking.stdout.readline().split()
        assert answer == "2"
        hand = psutil.Process(int(number))
        asking.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while hand.is_running() and hand.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not hand.is_running() or hand.status() == psutil.STATUS_ZOMBIE


def test_no_more_hands_than_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert worker_process.hands() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert worker_process.hands() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    assert worker_process.hands() == 8
