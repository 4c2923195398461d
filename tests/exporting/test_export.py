"""Export of a small, real run."""

import json
import shutil
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

from cfu_core.bundle.classification import verify
from cfu_core.bundle.command_line import main
from cfu_core.bundle.contents import MANIFEST, SELFTEST, WEIGHTS, open_bundle, write_manifest
from cfu_core.errors import BundleError, RunError, StopRequested
from cfu_core.evaluation.training_comparison import label_of
from cfu_core.exporting.bundled_code import required_files
from cfu_core.exporting.export import export_run, export_zip, verify_bundle
from cfu_core.job import State, create_job
from cfu_core.jobs.worker import run_in_foreground
from cfu_core.runs.model_files import load_model
from cfu_core.runs.prediction import predict_files
from cfu_core.runs.run import BUNDLE, Run
from cfu_core.runs.training_reference_store import read_record, read_reference
from tests.runs.test_execution import Silent

pytestmark = pytest.mark.processes


@pytest.fixture(scope="session")
def exported(_trained_home, tmp_path_factory):
    home, identifier = _trained_home
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CFU_HOME", str(home))
        found = export_run(Run(home / "runs" / identifier), folder, Silent())
    return folder, found


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(exported[0], tmp_path / "bundle")


def test_the_bundle_gives_the_dashboards_probabilities(exported, finished_run):
    folder, found = exported
    expected = json.loads((folder / SELFTEST).read_text())["images"]
    assert len(expected) == min(20, len(finished_run.predictions()) + len(finished_run.predictions("validation")))
    assert {each["true"] for each in expected} == set(finished_run.classes)
    table = finished_run.predictions().set_index("path")
    for each in expected[: len(table)]:
        row = table.loc[each["path"]]
        assert each["probabilities"] == {name: row[f"probability_{name}"] for name in finished_run.classes}
    for by in ("ONNX", "PyTorch"):
        assert found[by].images == len(expected)
        assert found[by].largest < 1e-5
    assert open_bundle(folder).recipe == finished_run.recipe


def test_use_py_works_without_this_program(bundle, drawn_shapes, finished_run, tmp_path):
    def use(*arguments):
        # isolated: without the working directory and PYTHONPATH
        return subprocess.run(
            [sys.executable, "-I", str(bundle / "use.py"), *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    done = use("verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert "No file has been changed" in done.stdout
    row = finished_run.predictions().iloc[0]
    done = use("predict", drawn_shapes / row["path"])
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer["predicted"] == row["predicted"]
    for name, value in answer["probabilities"].items():
        assert value == pytest.approx(row[f"probability_{name}"], abs=1e-5)
    (expected,) = predict_files(finished_run, [drawn_shapes / row["path"]], read_reference(finished_run))
    assert answer["unlike_training"] == label_of(expected.comparison)
    assert answer["distance_percentile"] == expected.comparison.percentile
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((300, 900, 3), np.uint8))
    done = use("predict", drawn_shapes / row["path"], tmp_path / "black.png")
    assert [json.loads(line)["unlike_training"] for line in done.stdout.splitlines()] == ["no", "yes"]
    assert done.stderr.startswith("1 of 2 images is unlike all training images: its answer is not to be trusted. ")
    assert use("predict", tmp_path / "none.png").returncode == 2
    assert not list(bundle.rglob("__pycache__"))


def test_the_bundled_code_imports_neither_torch_nor_pages():
    names = {path.relative_to(path.parents[-2]).as_posix().rpartition("cfu_core/")[2] for path in required_files()}
    assert {"bundle/command_line.py", "imaging/recipe.py", "imaging/reading.py", "errors.py", "__init__.py"} <= names
    assert {name.partition("/")[0] for name in names} == {
        "bundle",
        "evaluation",
        "imaging",
        "errors.py",
        "settings.py",
        "wording.py",
        "__init__.py",
    }


@pytest.mark.parametrize("name", [WEIGHTS, "model.onnx", "selftest/01.png", "code/cfu_core/imaging/recipe.py"])
def test_one_changed_byte_is_noticed(bundle, name):
    path = bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=name):
        verify(bundle)


def test_a_missing_file_is_noticed(bundle):
    (bundle / "selftest" / "02.png").unlink()
    with pytest.raises(BundleError, match="missing"):
        verify(bundle)


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ("recipe", lambda facts: facts["recipe"].update(clip_limit=2.5)),
        ("recipe", lambda facts: facts["recipe"].update(gamma=1.1)),  # of a step that is off
        ("classes", lambda facts: facts["classes"].reverse()),
        ("normalisation", lambda facts: facts["normalisation"]["mean"].reverse()),
        ("more", lambda facts: facts.update(more=1)),
    ],
)
def test_one_changed_entry_is_named(bundle, entry, change):
    facts = json.loads((bundle / MANIFEST).read_text())
    change(facts)
    (bundle / MANIFEST).write_text(json.dumps(facts))
    with pytest.raises(BundleError, match=f"the entry '{entry}' does not match its checksum"):
        verify(bundle)


def with_new_checksums(bundle, **changed):
    """Someone who changes a bundle can update its checksums too."""
    facts = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).unlink()
    kept = {name: value for name, value in facts.items() if name not in ("seals", "files", "format", "recipe_version")}
    write_manifest(bundle, kept | changed)


def test_another_recipe_with_valid_checksums_gives_other_probabilities(bundle):
    recipe = open_bundle(bundle).manifest["recipe"]
    with_new_checksums(bundle, recipe={**recipe, "crop": False, "contrast": "none"})
    with pytest.raises(BundleError, match="probabilities of the bundle differ from those of the dashboard"):
        verify(bundle)


def test_a_file_outside_of_the_bundle_is_refused(bundle):
    expected = json.loads((bundle / SELFTEST).read_text())
    expected["images"][0]["file"] = "../outside.png"
    (bundle / SELFTEST).write_text(json.dumps(expected))
    with_new_checksums(bundle)
    with pytest.raises(BundleError, match="outside"):
        verify(bundle)


def test_a_folder_that_is_not_a_bundle_is_an_error(tmp_path):
    with pytest.raises(BundleError, match="not a bundle"):
        verify(tmp_path)
    (tmp_path / MANIFEST).write_text("[]")
    with pytest.raises(BundleError, match="not a bundle"):
        verify(tmp_path)


def test_the_code_in_the_model_card_loads_the_weights(bundle, finished_run, monkeypatch):
    card = (bundle / "README.md").read_text(encoding="utf-8")
    lines = card.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(bundle)
    space: dict = {}
    exec(lines, space)
    ours = load_model(finished_run).state_dict()
    assert all(np.array_equal(tensor, ours[name]) for name, tensor in space["network"].state_dict().items())


def test_the_card_has_the_accuracy_the_initial_weights_and_the_classes(bundle, finished_run):
    card = (bundle / "README.md").read_text(encoding="utf-8")
    evaluation = finished_run.evaluation()
    assert f"{evaluation.correct} of {evaluation.n_images} test images were classified correctly" in card
    assert "random weights" in card
    assert "disc, ring, square" in card


def test_the_card_says_what_unlike_training_rests_on(bundle, finished_run):
    card = (bundle / "README.md").read_text(encoding="utf-8")
    record = read_record(finished_run)
    assert f"the nearest of {record.training_images} training images (`reference.npz`)" in card
    assert f"than 95 % of the {record.validation_images} validation images are;" in card
    assert "0.4 % to 45.9 % will be called unlike" in card


def test_a_bundle_without_the_check_says_why(finished_run, tmp_path, monkeypatch, drawn_shapes, capsys):
    def refuse(*_: object) -> None:
        raise RunError("A training image is missing.")

    monkeypatch.setattr("cfu_core.exporting.export.training_reference", refuse)
    export_run(finished_run, tmp_path / "bundle", Silent())
    assert "A training image is missing." in (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert not (tmp_path / "bundle" / "reference.npz").exists()
    assert main(tmp_path / "bundle", ["predict", str(drawn_shapes / "disc" / "00.png")]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["unlike_training"] == "not checked"
    assert found.err.endswith("unlike the training images. A training image is missing.\n")


def test_a_non_empty_folder_and_a_stop_leave_all_files_unchanged(bundle, finished_run, tmp_path):
    before = sorted(bundle.rglob("*"))
    with pytest.raises(BundleError, match="exists already"):
        export_run(finished_run, bundle, Silent())
    assert sorted(bundle.rglob("*")) == before
    with pytest.raises(StopRequested):
        export_run(finished_run, tmp_path / "new", Silent(reports=1))
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_exported_zip_has_a_valid_bundle(finished_run, tmp_path):
    export_zip(finished_run, tmp_path / "bundle.zip", Silent())
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    assert folder.name == f"bundle-{finished_run.id}"
    assert verify_bundle(folder)["PyTorch"].largest < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.zip", "unpacked"]


def test_the_job_leaves_the_zip_in_the_runs_folder(finished_run):
    status = run_in_foreground(create_job("export", {"run": finished_run.id}))
    assert status.state is State.FINISHED, status.message
    zipped = finished_run.folder / BUNDLE
    assert zipfile.is_zipfile(zipped)
    zipped.unlink()
