import io
import zipfile
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
    with zipfile.ZipFile(staged) as archive:
        assert archive.getinfo("plates/README.txt").file_size == 0
    found = import_source(staged)
    assert (found.name, found.source) == ("plates", "uploaded plates")
    assert found.images["path"].tolist() == ["A/1 é 🧫.png", "B/day 2/2.png"]
    assert [(issue.path, issue.kind) for issue in found.import_issues] == [("", "layout"), ("README.txt", "other-file")]
    discard_upload(staged)
    assert list((cfu_home / "incoming").iterdir()) == []


def test_names_of_any_length_are_kept_in_every_way_of_importing(cfu_home: Path, cases: Path, left_behind):
    source = cases / "12_unicode" / "long_names.zip"
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert max(len(name.rpartition("/")[2].encode()) for name in files) > 255
    by_zip = import_source(source, name="zip")
    zip_upload = stage_upload(stream({source.name: source.read_bytes()}), name="x")
    folder_upload = stage_upload(stream(files), name="y")
    by_uploads = [import_source(zip_upload), import_source(folder_upload)]
    assert by_zip.images["path"].tolist() == sorted(name.removeprefix("set/") for name in files)
    for found in by_uploads:
        assert found.images["path"].tolist() == by_zip.images["path"].tolist()
        assert found.images["digest"].tolist() == by_zip.images["digest"].tolist()
        assert found.import_issues == by_zip.import_issues
    discard_upload(zip_upload)
    discard_upload(folder_upload)
    assert not [path for path in left_behind() if path.startswith("incoming")]
    assert max(len(path.name.encode()) for path in cfu_home.rglob("*")) < 255


def test_names_that_some_file_systems_confuse_are_kept_apart(cfu_home: Path, picture):  # noqa: ARG001
    names = ["A/1.png", "A/1.PNG", "A/1.png/2.png", "A/con.png", "A/x .png", "A/x.png"]
    staged = stage_upload(stream({name: picture(seed) for seed, name in enumerate(names)}), name="x")
    found = import_source(staged)
    assert found.images["path"].tolist() == sorted(names)
    assert [found.read_bytes(i) for i in range(len(names))] == [picture(names.index(name)) for name in sorted(names)]


@pytest.mark.parametrize("first", ["more.zip", "A/1.png"])
def test_a_zip_among_other_files_is_left_out(cfu_home: Path, picture, first):  # noqa: ARG001
    files = {"more.zip": b"PK\x05\x06" + bytes(18), "A/1.png": picture(1), "B/2.png": picture(2)}
    ordered = {first: files[first]} | files
    found = import_source(stage_upload(stream(ordered), name="x"))
    assert found.counts == {"A": 1, "B": 1}
    assert [(issue.path, issue.kind) for issue in found.import_issues] == [("more.zip", "other-file")]


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
        ("./A//1.png", "occurs twice"),
        ("A/" + "x" * 70_000 + ".png", "too long"),
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
    assert staged.is_file()
