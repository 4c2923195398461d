import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from cfu_core import PROJECT
from cfu_core.cli import main
from cfu_core.cli.data_argument import add_data_argument
from cfu_core.cli.data_argument import import_data as imported
from cfu_core.dataset.audit.limits import save_limit
from cfu_core.dataset.catalog import list_datasets
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import survey
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State
from cfu_core.jobs.queue import lane_lock
from cfu_core.models.registry import ARCHITECTURES
from cfu_core.published import zamani_2023
from cfu_core.reporting.replay_commands import train_command
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.run_store import list_runs
from cfu_core.training.config import TrainingConfig
from tests.pages.written import write_run


@pytest.fixture
def shell(capsys):
    """Run a verb in this process: exit status, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def answer(shell):
    """Run a verb with --json and parse its output, which must be all that it prints."""

    def run(*arguments: object):
        status, out, err = shell(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out, parse_constant=pytest.fail)

    return run


@pytest.fixture
def refusal(shell):
    """Run a verb that fails, and return its one-line error."""

    def run(*arguments: object) -> str:
        status, out, err = shell(*arguments)
        assert (status, out) == (2, "")
        assert err.endswith("\n")
        assert len(err.splitlines()) == 1, err
        return err

    return run


def trained(*arguments: object) -> list[object]:
    return ["train", *arguments, "--model", "resnet18", "--images", "original", "--weights", "none"]


# --- inspect and split


def test_inspect_counts_a_folder_and_names_what_is_wrong_with_it(answer, cfu_home, nine_shapes):
    (nine_shapes / "disc" / "broken.png").write_bytes(b"no image")
    shutil.copy(nine_shapes / "disc" / "00.png", nine_shapes / "disc" / "again.png")
    found = answer("inspect", nine_shapes)
    assert found["classes"] == {"disc": 4, "ring": 3, "square": 3}
    assert found["images"] == 10
    assert [problem["path"] for problem in found["problems"]] == ["disc/broken.png"]
    assert found["duplicates"] == [["disc/00.png", "disc/again.png"]]
    assert not cfu_home.exists()  # looking leaves no trace


@pytest.mark.usefixtures("cfu_home")
def test_inspect_prints_the_same_as_text(shell, nine_shapes):
    status, out, err = shell("inspect", nine_shapes)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "9 images"
    assert "  ring: 3" in out


@pytest.mark.usefixtures("cfu_home")
def test_inspect_lists_every_check_of_the_audit(shell, nine_shapes):
    _, out, _ = shell("inspect", nine_shapes)
    lines = out.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("audit, split seed 0: 32 checks: "))
    assert lines[place + 1] == "  ok: Files left out at the import: 0 files"
    assert "  ok: Blurred: 0 of 0 images; 9 not measured yet" in lines
    assert "  warning: Few images to test: 3 of 3 classes" in lines
    assert lines[-1] == "The images are not measured yet; “survey” measures them."


def test_inspect_names_the_limits_that_were_moved(shell, answer, cfu_home, nine_shapes):  # noqa: ARG001
    dataset = import_source(nine_shapes)
    survey(dataset)
    save_limit(dataset.id, "small-test", 1)
    edit_dataset(dataset.id, "exclude", {"ring/00.png": None})
    _, out, _ = shell("inspect", nine_shapes)
    assert f"audit with 1 edit of the dataset {dataset.id}, split seed 0: " in out
    assert "  ok: Few images to test: 0 of 2 classes; limit changed from 10 to 1\n" in out
    assert "not measured" not in out
    found = answer("inspect", dataset.id)["audit"]
    assert (found["dataset"], found["version"], found["measured"]) == (dataset.id, 1, 9)
    moved = next(check for check in found["checks"] if check["kind"] == "small-test")
    assert (moved["limit"], moved["default_limit"], moved["severity"]) == (1, 10, "")
    missing = next(check for check in found["checks"] if check["kind"] == "small-class")
    assert (missing["severity"], missing["result"]) == ("error", "1 of 3 classes")
    assert missing["detail"].startswith("ring 2 images.")


@pytest.mark.usefixtures("cfu_home")
def test_inspect_tells_files_that_were_left_out_from_remarks(shell, nine_shapes):
    (nine_shapes / "disc" / "broken.png").write_bytes(b"no image")
    (nine_shapes / "Ring").mkdir()
    shutil.copy(nine_shapes / "ring" / "00.png", nine_shapes / "Ring" / "again.png")
    _, out, _ = shell("inspect", nine_shapes)
    assert [line.split(":")[:2] for line in out.splitlines() if line.startswith(("not", "remark"))] == [
        ["not imported", " disc/broken.png (not-an-image)"],
        ["remark", " ring (class-name)"],
    ]


@pytest.mark.usefixtures("cfu_home")
def test_a_class_that_could_not_be_read_is_named_and_trained_without_only_on_request(
    shell, refusal, nine_shapes, monkeypatch
):
    (nine_shapes / "star").mkdir()
    for i in range(8):
        (nine_shapes / "star" / f"{i}.png").write_bytes(b"no image")
    line = "8 files were left out at the import, all of the class star. The class star has no image in the dataset."
    status, out, err = shell("split", nine_shapes, "--json")
    assert (status, err) == (0, f"{line} “inspect” lists each with the reason.\n")
    assert json.loads(out)["dataset"] is None
    monkeypatch.setattr("cfu_core.cli.data_verbs.run_job", lambda *_: "stopped")
    assert line in shell("survey", nine_shapes)[2]
    for command in (trained(nine_shapes), ["reproduce", nine_shapes, "--weights", "none"]):
        message = refusal(*command)
        assert line in message
        assert "--without-missing-classes" in message
    assert list_runs() == []
    monkeypatch.setattr("cfu_core.cli.training_verbs.run_job", lambda *_: "stopped")
    _, _, err = shell(*trained(nine_shapes), "--batch-size", "3", "--without-missing-classes")
    assert line in err
    (run,) = list_runs()
    assert "--without-missing-classes" in train_command(run)


def test_a_dataset_is_found_by_its_name(answer, small_dataset):
    assert answer("inspect", "shapes")["classes"] == {"disc": 12, "ring": 13, "square": 11}
    assert answer("inspect", small_dataset.id)["images"] == 36


@pytest.mark.usefixtures("cfu_home")
def test_split_prints_where_each_image_goes(answer, nine_shapes):
    found = answer("split", nine_shapes)
    assert found["counts"] == {c: {"training": 1, "validation": 1, "test": 1} for c in ("disc", "ring", "square")}
    assert len(found["assignment"]) == 9
    assert found["nearness"]


@pytest.mark.usefixtures("small_dataset")
def test_the_seed_decides_the_split(answer):
    one, same, other = (answer("split", "shapes", "--seed", seed)["assignment"] for seed in (5, 5, 6))
    assert one == same != other


@pytest.mark.usefixtures("cfu_home")
def test_split_prints_one_line_per_class(shell, nine_shapes):
    status, out, _ = shell("split", nine_shapes)
    assert status == 0
    assert out.splitlines()[0] == "disc: training 1, validation 1, test 1"


@pytest.mark.usefixtures("cfu_home")
@pytest.mark.real
def test_real_images_in_the_papers_numbers_are_split_as_in_table_2(answer, real_images):
    found = answer("split", real_images / "blood_lineages")["counts"]
    assert [list(parts.values()) for parts in found.values()] == [
        list(parts.values()) for parts in zamani_2023.TABLE_2.values()
    ]


# --- edits


def test_edits_from_a_shell_take_effect_at_once_and_are_in_the_log(shell, answer, small_dataset):
    done = answer("relabel", "shapes", "oval", "disc/00.png", "disc/01.png", "--who", "Ada", "--why", "seen again")
    assert done["classes"] == {"disc": 10, "oval": 2, "ring": 13, "square": 11}
    assert done | {"dataset": small_dataset.id, "version": 1} == done
    status, out, _ = shell("exclude", small_dataset.id, "ring/00.png")
    assert (status, out) == (0, "shapes, version 2: 35 images (disc 10, oval 2, ring 12, square 11)\n")
    assert answer("undo", "shapes", "--who", "Ben")["classes"]["ring"] == 13
    assert answer("redo", "shapes")["classes"]["ring"] == 12
    assert answer("include", "shapes", "ring/00.png")["version"] == 5
    assert answer("undo", "shapes")["classes"]["ring"] == 12
    log = answer("edits", "shapes")
    assert [(edit["kind"], edit["who"], edit["counts"]) for edit in log] == [
        *[("relabel", "Ada", True), ("exclude", "", True), ("undo", "Ben", False)],
        *[("redo", "", False), ("include", "", False), ("undo", "", False)],
    ]
    lines = shell("edits", "shapes")[1].splitlines()
    assert len(lines) == 6
    assert lines[0].endswith("  Ada  2 images relabelled as oval: disc/00.png, disc/01.png  seen again")
    assert lines[2].endswith("  Ben  undo of edit 2")
    assert lines[4].endswith("  1 image included again: ring/00.png (undone)")
    assert answer("inspect", "shapes")["images"] == 35


@pytest.mark.usefixtures("small_dataset")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["exclude", "shapes", "ring/99.png"], "does not contain ring/99.png"),
        (["relabel", "shapes", " ", "ring/00.png"], "new label is empty"),
        (["undo", "shapes"], "shapes has no edit that can be undone"),
        (["redo", "shapes"], "Nothing was undone"),
        (["edits", "nothing"], "There is no dataset 'nothing'"),
    ],
)
def test_invalid_edits_are_refused_in_one_line(refusal, arguments, message):
    assert message in refusal(*arguments)


def test_a_folder_that_was_imported_before_is_trained_on_with_its_edits(cfu_home, nine_shapes):  # noqa: ARG001
    dataset = import_source(nine_shapes)
    edit_dataset(dataset.id, "exclude", {"ring/00.png": None})
    parser = argparse.ArgumentParser()
    add_data_argument(parser)
    assert imported(parser.parse_args([str(nine_shapes)])).version == 1


# --- survey


@pytest.mark.usefixtures("cfu_home")
def test_survey_prints_its_results(answer, shell, nine_shapes):
    found = answer("survey", nine_shapes)
    assert (found["status"], found["done"], found["total"], found["unreadable"]) == ("finished", 9, 9, {})
    assert found["map"].startswith("Colour, texture and shape")
    status, out, err = shell("survey", found["dataset"])
    assert (status, err) == (0, "")
    assert out.startswith("9 of 9 images measured, ")
    assert f"map: {found['map']}" in out.splitlines()


@pytest.mark.usefixtures("cfu_home")
def test_survey_names_what_cannot_be_read(shell, answer, small_dataset):
    file = small_dataset.image_file(7)
    file.write_bytes(file.read_bytes()[:90])
    path = small_dataset.images["path"].iat[7]
    out = shell("survey", "shapes")[1]
    assert f"\nunreadable: {path}: The " in out
    assert list(answer("survey", "shapes")["unreadable"]) == [path]


# --- refusals


@pytest.mark.usefixtures("cfu_home")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "nothing"], "There is no dataset 'nothing'"),
        (["survey", "nothing"], "There is no dataset 'nothing'"),
        (["split", "/nowhere/at/all"], "/nowhere/at/all does not exist"),
        (["show", "nothing"], "There is no run 'nothing'"),
        (["predict", "nothing", "a.png"], "There is no run 'nothing'"),
        (["show", "../../etc"], "There is no run '../../etc'"),
        (["train", "FOLDER", "--model", "vgg99", "--images", "original"], "no model named 'vgg99'"),
        (["reproduce", "FOLDER", "--models", "alexnet,vgg99"], "no model named 'vgg99'"),
        ([*trained("FOLDER"), "--epochs", "0"], "Epochs is 0. It must be a whole number from 1 to 1000."),
        ([*trained("FOLDER"), "--batch-size", "0"], "Batch size is 0."),
        ([*trained("FOLDER"), "--batch-size", "4"], "only 3 images"),
        ([*trained("FOLDER"), "--learning-rate", "nan"], "Learning rate is nan."),
        ([*trained("FOLDER"), "--seed", "-1"], "is -1"),
        ([*trained("FOLDER"), "--clip-limit", "3"], "--clip-limit and --tiles were given with --images original"),
        ([*trained("FOLDER"), "--tiles", "4"], "Use --images preprocessed"),
        ([*trained("FOLDER"), "--batch-size", "3", "--weights", "/nowhere/w.pth"], "no weights file at /nowhere/w.pth"),
        (["train", "FOLDER", "--model", "alexnet", "--images", "preprocessed", "--tiles", "0"], "Tiles per side is 0"),
        (["train", "FOLDER", "--model", "alexnet", "--images", "preprocessed", "--clip-limit", "0"], "Clip limit is 0"),
        (["split", "FOLDER", "--seed", "-1"], "seed is -1"),
    ],
)
def test_an_error_that_a_user_can_fix_is_one_line(refusal, nine_shapes, arguments, message):
    assert message in refusal(*(nine_shapes if a == "FOLDER" else a for a in arguments))
    assert list_runs() == []


@pytest.mark.usefixtures("cfu_home")
def test_with_json_a_refusal_prints_nothing_to_stdout(refusal):
    refusal("inspect", "nothing", "--json")
    refusal("show", "nothing", "--json")


@pytest.mark.usefixtures("cfu_home")
def test_a_class_that_is_too_small_is_named(refusal, nine_shapes):
    (nine_shapes / "ring" / "00.png").unlink()
    assert "ring has 2" in refusal(*trained(nine_shapes))


@pytest.mark.usefixtures("cfu_home")
def test_a_relative_path_of_weights_is_kept_whole(refusal, nine_shapes, tmp_path, monkeypatch):
    # the worker that may train is in another folder
    monkeypatch.chdir(tmp_path)
    message = refusal(*trained(nine_shapes), "--batch-size", "3", "--weights", "mine.pth")
    assert f"no weights file at {tmp_path / 'mine.pth'}" in message


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "x"], ["inspect"]])
def test_a_wrong_use_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "--help" in err


# --- runs


@pytest.mark.usefixtures("cfu_home")
def test_without_runs_the_list_is_empty(answer, shell):
    assert answer("runs") == []
    assert shell("runs") == (0, "", "")


def test_runs_lists_what_was_trained(answer, shell, finished_run):
    (row,) = answer("runs")
    assert row["run"] == finished_run.id
    assert row["status"] == "finished"
    assert (row["model"], row["images"], row["weights"]) == ("squeezenet1_1", "preprocessed", "random weights")
    assert row["accuracy"] == finished_run.evaluation().accuracy
    assert finished_run.id in shell("runs")[1]


def test_show_prints_all_results_of_a_run(answer, shell, finished_run):
    found = answer("show", finished_run.id)
    evaluation = finished_run.evaluation()
    assert found["status"] == "finished"
    assert found["confusion"] == evaluation.confusion
    assert found["accuracy"] == evaluation.accuracy
    assert found["precision"] == {"macro": evaluation.precision_macro, "micro": evaluation.precision_micro}
    assert found["history"] == finished_run.history()
    assert found["config"] == finished_run.config.to_dict()
    assert Path(found["predictions"]).is_file()
    printed = shell("show", finished_run.name)[1]
    assert f"test accuracy {evaluation.accuracy:.4f}" in printed
    assert "rows true, columns predicted" in printed


def test_show_of_a_run_that_diverged_is_still_json(answer, shell, finished_run, tmp_path, monkeypatch):
    home = tmp_path / "copy"
    shutil.copytree(finished_run.folder, home / "runs" / finished_run.id)
    monkeypatch.setenv("CFU_HOME", str(home))
    (run,) = list_runs()
    run.append_metrics("epoch", {**finished_run.history()[0], "epoch": 2, "validation_loss": float("nan")})
    assert answer("show", run.id)["history"][1]["validation_loss"] is None
    assert "validation loss undefined" in shell("show", run.id)[1]


def test_predictions_come_in_the_order_that_was_given(shell, finished_run, drawn_shapes):
    table = finished_run.predictions().set_index("path")
    names = list(reversed(table.index))
    paths = [drawn_shapes / name for name in names]
    status, out, err = shell("predict", finished_run.id, *paths, "--json")
    found = json.loads(out, parse_constant=pytest.fail)
    assert (status, found["run"]) == (0, finished_run.id)
    assert err.startswith("The threshold rests on only 6 validation images")
    assert [row["path"] for row in found["predictions"]] == [str(path) for path in paths]
    assert [row["predicted"] for row in found["predictions"]] == table.loc[names, "predicted"].tolist()
    for row in found["predictions"]:
        assert list(row["probabilities"]) == finished_run.classes
        assert sum(row["probabilities"].values()) == pytest.approx(1)
    lines = shell("predict", finished_run.id, paths[0], paths[1])[1].splitlines()
    assert [line.split(":")[0] for line in lines] == [str(paths[0]), str(paths[1])]


def test_an_image_that_cannot_be_read_is_named(refusal, finished_run, tmp_path):
    assert "nowhere.png does not exist" in refusal("predict", finished_run.id, tmp_path / "nowhere.png")
    (tmp_path / "text.png").write_text("text")
    assert "text.png" in refusal("predict", finished_run.id, tmp_path / "text.png")


def test_networks_prints_table_1(answer, shell):
    found = answer("networks")
    sizes = {row["Network"]: (row["Layers"], row["Parameters, 1000 classes"]) for row in found["table_1"]}
    assert len(sizes) == len(ARCHITECTURES)
    papers = {"AlexNet": (8, 61_100_840), "GoogLeNet": (22, 6_624_904), "ResNet-18": (18, 11_689_512)}
    assert dict(list(sizes.items())[:3]) == papers
    assert "61100840" in shell("networks")[1]


def test_device_prints_the_device_of_training(answer, shell):
    said = answer("device")["device"]
    assert said.startswith(("CPU, ", "GPU: "))
    assert shell("device")[1] == f"{said}\n"


# --- real processes


@pytest.mark.parametrize("verb", ["pause", "stop", "resume"])
def test_a_finished_run_is_neither_paused_nor_stopped_nor_resumed(refusal, finished_run, verb):
    expected = "job that was paused" if verb == "resume" else "queued or running run"
    assert f"{finished_run.id} is finished. Only a {expected}" in refusal(verb, finished_run.id)


def test_a_queued_run_is_paused_and_stopped(answer, small_dataset):
    config = TrainingConfig(
        dataset=small_dataset.id, architecture="resnet18", recipe=Recipe.original(299), weights="none"
    )
    (run,) = plan_runs([config], small_dataset)
    assert answer("pause", run.id) == {"run": run.id, "status": "paused"}
    assert answer("runs")[0]["status"] == "paused"
    assert answer("stop", run.id) == {"run": run.id, "status": "stopped"}


def test_a_verb_of_a_real_process_prints_one_json_document(tmp_path, nine_shapes):
    environment = {**os.environ, "CFU_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "cfu_core", "inspect", str(nine_shapes), "--json"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["images"] == 9


@pytest.mark.processes
@pytest.mark.usefixtures("cfu_home")
def test_ctrl_c_stops_a_training_which_can_be_resumed(nine_shapes, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # three images a step: more threads would only wait for each other
    command = [sys.executable, "-m", "cfu_core", "train", str(nine_shapes), "--model", "squeezenet1_1"]
    command += ["--images", "original", "--weights", "none", "--epochs", "1000", "--batch-size", "3", "--json"]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not any(run.history() for run in list_runs()):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (130, "")
    (run,) = list_runs()
    assert json.loads(out) == {"run": run.id, "status": "stopped"}
    assert run.status().state is State.STOPPED
    assert (run.folder / "model.safetensors").exists()
    assert run.evaluation() is None
    assert [dataset.name for dataset in list_datasets()] == ["nine shapes"]
    epochs = len(run.history())
    resumed = [sys.executable, "-m", "cfu_core", "resume", run.id, "--json"]
    with subprocess.Popen(
        resumed, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            while len(run.history()) <= epochs:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err, json.loads(out)["status"]) == (130, "", "stopped")
    assert [epoch["epoch"] for epoch in run.history()] == list(range(1, len(run.history()) + 1))
    with FileLock(lane_lock("device").lock_file, timeout=10):
        pass


def test_the_size_of_the_cache_is_printed_and_it_is_emptied(answer, shell, cfu_home, monkeypatch):
    monkeypatch.setenv("CFU_CACHE_GB", "2")
    entry = cfu_home / "cache" / "aaaa-1111"
    entry.mkdir(parents=True)
    (entry / "pixels.npy").write_bytes(bytes(30_000_000))
    usage = answer("cache")
    assert (usage["bytes"], usage["limit_bytes"], usage["removed_bytes"]) == (30_000_000, 2e9, 0)
    assert shell("cache")[1] == f"0.03 GB of at most 2 GB (CFU_CACHE_GB) in {cfu_home / 'cache'}\n"
    assert shell("cache", "--clear")[1].startswith("Removed 0.03 GB.\n0.00 GB")
    assert not entry.exists()


@pytest.mark.usefixtures("cfu_home")
def test_a_very_long_argument_is_neither_a_path_nor_a_dataset(refusal):
    assert "There is no dataset" in refusal("inspect", "x" * 300)


@pytest.mark.parametrize("status", ["stopped", "running"])
def test_explain_that_is_stopped_says_so(shell, small_dataset, monkeypatch, status):
    run = write_run(small_dataset)
    monkeypatch.setattr("cfu_core.cli.run_verbs.run_job", lambda job, title: status)
    exit_status, out, err = shell("explain", run.id, "--json")
    assert (exit_status, json.loads(out), err) == (130, {"run": run.id, "status": status}, "")
    assert shell("explain", run.id) == (130, f"{run.id}: {status}\n", "")


# --- bundles


@pytest.mark.processes
def test_export_writes_a_bundle_that_verify_accepts_until_a_byte_changes(answer, refusal, finished_run, tmp_path):
    out = tmp_path / "bundle"
    exported = answer("export", finished_run.id, "--out", out)
    seen = len(finished_run.predictions()) + len(finished_run.predictions("validation"))  # less than 20
    assert {by: found["images"] for by, found in exported["self_test"].items()} == {"ONNX": seen, "PyTorch": seen}
    assert answer("verify", out)["self_test"]["ONNX"]["largest"] < 1e-4
    assert "exists already" in refusal("export", finished_run.id, "--out", out)

    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "bundle")
    assert answer("verify", tmp_path / "packed.zip")["self_test"]["PyTorch"]["largest"] < 1e-4

    weights = out / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "model.safetensors is damaged or has been changed" in refusal("verify", out)


def test_verify_refuses_a_folder_that_is_not_a_bundle(refusal, tmp_path):
    assert "cannot be read" in refusal("verify", "x" * 300)
    assert "cannot be read" in refusal("verify", tmp_path / "nothing")
    (tmp_path / "text.zip").write_text("text")
    assert "cannot be read" in refusal("verify", tmp_path / "text.zip")
    assert "not a bundle" in refusal("verify", tmp_path)


def test_a_run_without_results_is_not_exported(refusal, small_dataset, tmp_path):
    config = TrainingConfig(
        dataset=small_dataset.id, architecture="resnet18", recipe=Recipe.original(299), weights="none"
    )
    run = plan_runs([config], small_dataset)[0]
    assert "has not finished" in refusal("export", run.id, "--out", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
