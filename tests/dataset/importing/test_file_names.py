import shutil
from pathlib import Path

import pytest

from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.importing.source import import_source, stage_upload

pytestmark = pytest.mark.usefixtures("cfu_home")

READ = {
    "UPPER.JPG": ".jpg",
    "UPPER.TIF": ".tif",
    "animated.gif": ".gif",
    "mpo_named.jpg": ".jpg",
    "photo.jp2": ".jp2",
    "photo.webp": ".webp",
    "really_png.jpg": ".png",
    "two_pictures.mpo": ".jpg",
}


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
    extensions = dict(zip(found.images["path"].str.removeprefix("A/"), found.images["extension"], strict=True))
    assert extensions == READ
    assert all(found.read_image(row).std() > 5 for row in range(len(READ)))
    left_out = {issue.path.removeprefix("A/"): issue for issue in found.import_issues if issue.left_out}
    assert {name: issue.kind for name, issue in left_out.items()} == {
        "really_heic.jpg": "not-an-image",
        "notes.txt": "other-file",
    }
    assert left_out["really_heic.jpg"].detail.startswith("A/really_heic.jpg is HEIC, which is not read. Save it as")
    assert {issue.path.removeprefix("A/"): issue.detail for issue in found.import_issues if issue.kind == "plane"} == {
        "animated.gif": "1 file has 2 pictures (frames). Of them, the sharpest is used; another one can be chosen on "
        "Explore.",
        "mpo_named.jpg": "2 files have 2 pictures each (views). Of them, the main one is used; another one can be "
        "chosen on Explore.",
    }


@pytest.mark.parametrize("name", ["a.jpg", "A.TIFF", "b/c.HeIc", "d.webp", "e.jfif", "f.tar.png"])
def test_names_of_images(name):
    assert is_image(name)


@pytest.mark.parametrize("name", ["a", "README", "a.txt", "a.jpg.txt", "jpg", "a.zip", "a.png/b"])
def test_other_names(name):
    assert not is_image(name)
