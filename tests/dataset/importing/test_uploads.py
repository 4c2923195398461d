import io
import shutil
from pathlib import Path

import pytest

from cfu_core.dataset.importing.source import ImportLimits, discard_upload, import_source, stage_upload
from cfu_core.errors import ArchiveError


def stream(files: dict[str, bytes]):
    return [(name, io.BytesIO(content)) for name, content in files.items()]


def test_a_zip_is_staged_imported_and_discarded(cfu_home: Path, write_zip, picture, left_behind):
    content = write_zip({"A/1.png": picture(1), "B/2.png": picture(2)}).read_bytes()
    staged = stage_upload(stream({"My plates.ZIP": content}), name="My plates é")
    assert staged.read_bytes() == content
    assert staged.is_relative_to(cfu_home / "incoming")
    found = import_source(staged, name="My plates é")
    assert (found.name, found.counts) == ("My plates é", {"A": 1, "B": 1})
    assert str(cfu_home) not in found.source
    discard_upload(staged)
    assert not [path for path in left_behind() if path.startswith("incoming")]
    discard_upload(staged)  # once more does no harm


def test_a_folder_is_staged_with_its_paths(cfu_home: Path, picture):
    files = {
        "plates/A/1 é 🧫.png": picture(1),
        "plates/B/day 2/2.png": picture(2),
        "plates/README.txt": b"not needed",
        "plates/.DS_Store": b"junk",
        "plates/A/Thumbs.db": b"junk",
    }
    staged = stage_upload(stream(files), name="plates")
    assert (staged / "plates" / "README.txt").stat().st_size == 0
    found = import_source(staged)
    assert found.images["path"].tolist() == ["A/1 é 🧫.png", "B/day 2/2.png"]
    assert [(issue.path, issue.kind) for issue in found.import_issues] == [("README.txt", "not-an-image")]
    discard_upload(staged)
    assert list((cfu_home / "incoming").iterdir()) == []


def test_a_manifest_in_an_upload_must_not_lead_out(cfu_home: Path, picture, left_behind):
    (cfu_home.parent / "secret.png").write_bytes(picture(9))
    rows = f"path,label\n{cfu_home.parent / 'secret.png'},A\n1.png,B\n"
    staged = stage_upload(stream({"manifest.csv": rows.encode(), "1.png": picture(1)}), name="x")
    with pytest.raises(ArchiveError, match="is an absolute path"):
        import_source(staged)
    discard_upload(staged)
    assert left_behind() == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.png", "leads out"),
        ("A/../../evil.png", "leads out"),
        ("/tmp/evil.png", "absolute"),
        ("C:/evil.png", "drive letter"),
        ("C:evil.png", "drive letter"),
        ("A\\..\\evil.png", "backslash"),
        ("A/evil\0.png", "contains a NUL"),
        ("A/evil\udcff.png", "not valid Unicode"),
        ("", "is empty"),
        ("A/1.png", "occurs twice"),
        ("A/1.png/2.png", "occurs twice"),
        ("A/" + "x" * 300 + ".png", "too long"),
        ("more.zip", "is an archive among other files"),
    ],
)
def test_a_hostile_upload_leaves_nothing(cfu_home: Path, picture, left_behind, name, reason):
    files = [("A/1.png", io.BytesIO(picture(1))), (name, io.BytesIO(picture(2)))]
    with pytest.raises(ArchiveError, match=reason):
        stage_upload(files, name="x")
    assert left_behind() == []
    assert list((cfu_home / "incoming").iterdir()) == []
    assert not list(cfu_home.parent.rglob("*evil*"))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ImportLimits(entries=2), "more than 2 files"),
        (ImportLimits(total_bytes=100), "larger than the limit"),
    ],
)
def test_limits(picture, left_behind, limits, reason):
    with pytest.raises(ArchiveError, match=reason):
        stage_upload(stream({f"A/{n}.png": picture(n) for n in range(3)}), name="x", limits=limits)
    assert left_behind() == []


def test_nothing_uploaded(left_behind):
    with pytest.raises(ArchiveError, match="is empty"):
        stage_upload([], name="x")
    assert left_behind() == []


def test_a_broken_connection_leaves_nothing(cfu_home: Path, picture):
    def files():
        yield "A/1.png", io.BytesIO(picture(1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage_upload(files(), name="x")
    assert list((cfu_home / "incoming").iterdir()) == []


def test_only_uploads_are_discarded(cfu_home: Path, picture):
    staged = stage_upload(stream({"A/1.png": picture(1)}), name="x")
    for path in (cfu_home, cfu_home / "incoming", cfu_home / "incoming" / "..", cfu_home / "datasets", Path("/tmp/x")):
        with pytest.raises(ValueError, match=r"not an upload|subpath"):
            discard_upload(path)
    assert staged.is_dir()
    shutil.rmtree(staged)
