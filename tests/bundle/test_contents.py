"""Bundles without a network: their manifest, their files and their command line."""

import errno
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cfu_core.bundle.classification import Outputs, classify, self_test, verify
from cfu_core.bundle.command_line import main
from cfu_core.bundle.contents import MANIFEST, SELFTEST, check_files, open_bundle, write_manifest
from cfu_core.errors import BundleError
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import Recipe
from tests.imaging.test_reading import tiff

RNG = np.random.default_rng(3)


def undecided(images: np.ndarray) -> Outputs:
    """A network of two classes without features, as in bundles of earlier versions."""
    return Outputs(np.full((len(images), 2), 0.5))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "code").mkdir()
    for name in ("model.onnx", "code/a.py"):
        (tmp_path / name).write_text("text")
    facts = {"classes": ["a", "b"], "recipe": Recipe.original(16).to_dict(), "architecture": "resnet18"}
    write_manifest(tmp_path, facts)
    return tmp_path


def test_intact_files_are_counted(folder):
    assert check_files(open_bundle(folder)) == 2


@pytest.mark.parametrize("method", ["open", "stat"])  # stat fails for a file in a closed folder
def test_a_file_without_permission_is_an_error_in_words(folder, monkeypatch, capsys, method):
    original = getattr(Path, method)

    def refusing(path, *arguments, **options):
        if path.name == "a.py":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, method, refusing)
    with pytest.raises(BundleError, match=r"code/a\.py cannot be read: Permission denied"):
        verify(folder)
    assert main(folder, ["verify"]) == 2
    assert capsys.readouterr().err.startswith("code/a.py cannot be read")


@pytest.mark.parametrize("content", [None, b"{"])
def test_a_self_test_that_cannot_be_read_is_an_error_in_words(folder, content):
    if content:
        (folder / SELFTEST).write_bytes(content)
    with pytest.raises(BundleError, match=r"selftest\.json cannot be read"):
        self_test(open_bundle(folder), lambda images: images)


@pytest.mark.parametrize("entry", ["files", "classes", "recipe", "architecture"])
def test_an_entry_that_is_missing_with_its_checksum_is_named(folder, entry):
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest[entry], manifest["seals"][entry]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"lacks the entry '{entry}'"):
        open_bundle(folder)


def test_predict_goes_on_after_files_that_cannot_be_read(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cfu_core.bundle.command_line.onnx_network", lambda bundle: undecided)
    good, torn, missing = (tmp_path / f"{name}.png" for name in ("good", "torn", "missing"))
    cv2.imwrite(str(good), np.full((20, 30, 3), 90, np.uint8))
    torn.write_bytes(good.read_bytes()[:40])
    assert main(folder, ["predict", *map(str, (torn, good, missing, tmp_path, good))]) == 2
    found = capsys.readouterr()
    assert [json.loads(line)["path"] for line in found.out.splitlines()] == [str(good)] * 2
    *reasons, count, check = found.err.splitlines()
    assert all(reason.startswith(str(path)) for reason, path in zip(reasons, (torn, missing, tmp_path), strict=True))
    assert all(reason.count(str(path)) == 1 for reason, path in zip(reasons[:2], (torn, missing), strict=True))
    assert count == "No prediction for 3 of 5 files."
    assert check.startswith("It was not checked whether the images are unlike the training images.")
    assert main(folder, ["predict", str(good)]) == 0
    found = capsys.readouterr()
    assert found.err == f"{check}\n"
    assert json.loads(found.out)["unlike_training"] == "not checked"


def test_predict_on_a_bundle_without_its_network_stops_at_once(folder, capsys):
    (folder / "model.onnx").unlink()
    assert main(folder, ["predict", "a.png", "b.png"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_small_image_does_not_stop_a_bundle_with_many_tiles(folder):
    manifest = {
        "classes": ["a", "b"],
        "recipe": Recipe(contrast="clahe", tiles=64, size=16).to_dict(),
        "architecture": "resnet18",
    }
    write_manifest(folder, manifest)
    image = np.zeros((5, 9, 3), np.uint8)
    assert classify(open_bundle(folder), [image], undecided).shape == (1, 2)


def test_there_must_be_a_box_for_each_image(folder):
    images = [np.zeros((9, 9, 3), np.uint8)] * 2
    for boxes in (None, [None, Box(0, 0, 9, 9)]):
        assert classify(open_bundle(folder), images, undecided, boxes).shape == (2, 2)
    for boxes in ([], [None]):
        with pytest.raises(ValueError, match="zip"):
            classify(open_bundle(folder), images, undecided, boxes)


@pytest.mark.parametrize(
    ("added", "picture"), [({}, 0), ({"plane": 1, "samples": [0, 4095]}, 1), ({"plane": -2, "samples": [0, 4095]}, 1)]
)
def test_a_test_image_is_read_as_the_export_did_also_from_a_bundle_made_before(folder, added, picture):
    stack = np.array([np.full((16, 16), 40), RNG.integers(300, 3000, (16, 16))]).astype(np.uint16)
    (folder / "stack.tif").write_bytes(tiff(stack, photometric="minisblack"))
    entry = {"file": "stack.tif", "path": "A/stack.tif", "box": None, "probabilities": {"a": 0.5, "b": 0.5}, **added}
    (folder / SELFTEST).write_text(json.dumps({"allowed": 1e-4, "images": [entry]}))
    seen = []

    def network(images):
        seen.extend(images)
        return Outputs(np.full((len(images), 2), 0.5))

    assert self_test(open_bundle(folder), network).images == 1
    white = 4095 if picture else 255  # before, the range of each image was chosen by its brightest pixel
    expected = np.rint(stack[picture] / white * 255)
    assert np.abs(seen[0][..., 0].astype(int) - expected).max() <= 1
