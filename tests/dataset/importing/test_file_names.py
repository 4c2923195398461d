import shutil
from pathlib import Path

import pytest

from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.importing.source import import_source, stage_upload

pytestmark = pytest.mark.usefixtures("cfu_home")

READ = {"UPPER.JPG", "UPPER.TIF", "mpo_named.jpg", "really_png.jpg", "two_pictures.mpo"}
NAMED = {"animated.gif": "GIF", "photo.jp2": "JPEG 2000", "photo.webp": "WebP", "really_heic.jpg": "HEIC"}


@pytest.mark.parametrize("way", ["folder", "zip", "upload"])
def test_content_decides_and_other_formats_are_named_in_every_way_of_importing(cases: Path, tmp_path: Path, way):
    folder = tmp_path / "plates"
    shutil.copytree(cases / "13_extensions", folder / "A")
    (folder / "A" / "notes.txt").write_bytes(b"hello")
    source = folder
    if way == "zip":
        source = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", folder))
    elif way == "upload":
        files = [(path.relative_to(tmp_path).as_posix(), path.open("rb")) for path in sorted(folder.rglob("*.*"))]
        source = stage_upload(files, name="plates")
        for _, file in files:
            file.close()
    found = import_source(source)
    assert {path.removeprefix("A/") for path in found.images["path"]} == READ
    extensions = dict(zip(found.images["path"], found.images["extension"], strict=True))
    assert extensions["A/really_png.jpg"] == ".png"
    left_out = {issue.path.removeprefix("A/"): issue for issue in found.import_issues if issue.left_out}
    assert left_out.keys() == {*NAMED, "notes.txt"}
    assert {name: issue.kind for name, issue in left_out.items()} == {
        **dict.fromkeys(NAMED, "not-an-image"),
        "notes.txt": "other-file",
    }
    for name, kind in NAMED.items():
        assert left_out[name].detail == f"A/{name} is {kind}, which is not read. Save it as PNG or TIFF."


@pytest.mark.parametrize("name", ["a.jpg", "A.TIFF", "b/c.HeIc", "d.webp", "e.jfif", "f.tar.png"])
def test_names_of_images(name):
    assert is_image(name)


@pytest.mark.parametrize("name", ["a", "README", "a.txt", "a.jpg.txt", "jpg", "a.zip", "a.png/b"])
def test_other_names(name):
    assert not is_image(name)
