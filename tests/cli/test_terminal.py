"""Text of users is printed without control characters; outputs end quietly; a home that cannot be used is refused."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from cfu_core import PROJECT
from cfu_core.cli import main
from cfu_core.cli.terminal import print_error, print_json, print_line, print_table, printable
from cfu_core.dataset.edits import edit_dataset
from cfu_core.job import State
from tests.pages.written import write_run

HOSTILE = "a\x1b[2Jb\nc\td\x9be\u202ef\udcffg\x7f"


def test_control_characters_become_escapes():
    assert printable(HOSTILE) == r"a\x1b[2Jb\nc\td\x9be\u202ef\udcffg\x7f"
    plain = "CFU-GM, Größe 3 × 4, コロニー\u3000一, עברית"
    assert printable(plain) == plain


def test_every_way_to_print_is_safe(capsys):
    print_line(HOSTILE)
    print_error(HOSTILE)
    print_table(f"one\n{HOSTILE.replace(chr(10), '')}")
    out, err = capsys.readouterr()
    assert out.splitlines() == [printable(HOSTILE), "one", printable(HOSTILE.replace("\n", ""))]
    assert err.splitlines() == [printable(HOSTILE.replace("\n", " "))]


def test_a_json_document_is_safe_and_has_the_same_value(capsys):
    print_json({HOSTILE: [HOSTILE]})
    out = capsys.readouterr().out
    assert printable(out.replace("\n", "")) == out.replace("\n", "")
    assert json.loads(out) == {HOSTILE: [HOSTILE]}


def test_file_names_and_reasons_of_users_reach_the_terminal_escaped(nine_shapes, small_dataset, capsys):
    (nine_shapes / "disc" / "\x1b]0;title\x07\n.png").write_bytes(b"no image")
    (nine_shapes / "rin\x1b[31mg").mkdir()
    for path in (nine_shapes / "ring").iterdir():
        path.rename(nine_shapes / "rin\x1b[31mg" / path.name)
    edit_dataset(small_dataset.id, "exclude", {"ring/00.png": None}, why="seen\x1b[1A twice\nyes")
    for arguments in (["inspect", str(nine_shapes)], ["edits", "shapes"], ["show", "no\x1b[2Jrun"]):
        main(arguments)
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert "\\x1b[" in out + err or "\\x1b]" in out + err


def test_arguments_in_errors_are_escaped(capsys):
    with pytest.raises(SystemExit):
        main(["f\x1b[2Jly"])
    assert "\x1b" not in capsys.readouterr().err


# --- the reason of a failed run


@pytest.mark.parametrize("state", [State.FAILED, State.INTERRUPTED])
def test_show_says_why_a_run_failed_and_where_its_log_is(small_dataset, capsys, state):
    run = write_run(small_dataset, state, message="The disk is full: \x1b[2Jx.")
    assert main(["show", run.id]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f": {state.value}")
    assert lines[1] == r"The disk is full: \x1b[2Jx."
    assert lines[2].startswith("log: none")
    run.log.write_text("output")
    main(["show", run.id])
    assert f"log: {run.log}" in capsys.readouterr().out.splitlines()
    main(["show", run.id, "--json"])
    assert json.loads(capsys.readouterr().out)["log"] == str(run.log)


# --- a home folder that cannot be used


@pytest.mark.parametrize(
    "arguments",
    [
        *("runs", "device", "networks", "cache", "inspect x", "split /x", "survey x", "edits x", "exclude x y"),
        *("undo x", "show x", "compare x", "explain x", "pause x", "resume x", "again x", "predict x y", "repeat x"),
        *("report x --out y.html", "export x --out y", "verify x", "demo x", "work data", "job x"),
        *("train x --model alexnet --images original", "reproduce x"),
    ],
)
def test_every_verb_refuses_a_home_that_is_a_file_in_one_line(tmp_path, monkeypatch, capsys, arguments):
    (tmp_path / "file").write_text("text")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CFU_HOME", str(tmp_path / "file"))
    assert main(shlex.split(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"The home folder {tmp_path / 'file'} cannot be used: it is not a folder. It must be a folder, or a path at "
        "which a folder can be created. Set CFU_HOME to a folder of your own.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- a reader that ends early


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("arguments", ["cache", "cache --json"])
def test_a_reader_that_has_ended_is_no_error(tmp_path, arguments, buffered):
    environment = {**os.environ, "CFU_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "" if buffered else "1"}
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "cfu_core", *arguments.split()]
    try:
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.usefixtures("cfu_home")
def test_a_broken_pipe_elsewhere_stays_an_error(monkeypatch):
    def break_pipe(*_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("cfu_core.cli.run_verbs.list_runs", break_pipe)
    with pytest.raises(BrokenPipeError):
        main(["runs"])
