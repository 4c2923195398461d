"""What an import left out is said again later, with the classes it concerns."""

import shutil
from dataclasses import replace

import pytest

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.dataset.left_out import check_missing_classes, describe_left_out, missing_classes
from cfu_core.errors import TrainingError

pytestmark = pytest.mark.usefixtures("cfu_home")


def with_broken(folder, *names):
    for name in names:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"no image")
    return folder


def test_a_dataset_of_which_everything_was_used_is_silent(nine_shapes):
    data = scan_source(nine_shapes)
    assert (describe_left_out(data), missing_classes(data)) == ("", [])
    check_missing_classes(data, "")


def test_a_class_of_which_no_file_could_be_read_is_missing(nine_shapes):
    data = scan_source(with_broken(nine_shapes, *(f"star/{i}.png" for i in range(8))))
    assert missing_classes(data) == ["star"]
    assert describe_left_out(data) == (
        "8 files were left out at the import, all of the class star. The class star has no image in the dataset."
    )
    with pytest.raises(
        TrainingError, match=r"The class star has no image in the dataset\. .* without this class\. .* Go on\."
    ):
        check_missing_classes(data, "Go on.")


def test_a_class_folder_without_images_is_missing(nine_shapes):
    (nine_shapes / "empty").mkdir()
    data = scan_source(nine_shapes)
    assert describe_left_out(data) == "The class empty has no image in the dataset."
    assert missing_classes(data) == ["empty"]


@pytest.mark.parametrize("name", ["plan.pdf", "sub/notes.txt"])
def test_a_folder_of_documents_is_no_class(nine_shapes, name):
    file = nine_shapes / "protocol" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"%PDF-1.7")
    data = scan_source(nine_shapes)
    assert [(issue.path, issue.kind) for issue in data.import_issues] == [(f"protocol/{name}", "other-file")]
    assert missing_classes(data) == []
    assert describe_left_out(data) == "1 file was left out at the import, in the folder protocol."
    check_missing_classes(data, "")


def test_a_folder_of_documents_is_no_class_in_a_dataset_that_was_imported_before(nine_shapes):
    issues = [("protocol", "empty-class"), ("protocol/plan.pdf", "not-an-image"), ("star/0.png", "not-an-image")]
    data = replace(
        scan_source(nine_shapes),
        import_issues=tuple(ImportIssue(path=path, kind=kind, detail="") for path, kind in issues),
    )
    assert missing_classes(data) == ["star"]


def test_files_of_classes_that_have_other_images_are_counted_by_class(nine_shapes):
    data = scan_source(with_broken(nine_shapes, "disc/a.png", "disc/b.png", "ring/c.png", "d.png"))
    assert missing_classes(data) == []
    assert describe_left_out(data) == (
        "4 files were left out at the import: 2 of the class disc, 1 outside the class folders, 1 of the class ring."
    )


def test_the_folder_of_a_manifest_is_no_class(nine_shapes):
    images = sorted(path.relative_to(nine_shapes).as_posix() for path in nine_shapes.rglob("*.png"))
    rows = [f"{path},{'one' if i % 2 else 'two'}" for i, path in enumerate(images)]
    with_broken(nine_shapes, "star/0.png")
    (nine_shapes / "manifest.csv").write_text("\n".join(["path,label", *rows, "star/0.png,one"]))
    data = scan_source(nine_shapes)
    assert missing_classes(data) == []
    assert describe_left_out(data) == "1 file was left out at the import, of the class one."
    earlier = replace(data, import_issues=tuple(replace(issue, label="") for issue in data.import_issues))
    assert describe_left_out(earlier) == "1 file was left out at the import, in the folder star."


def test_a_class_of_a_manifest_of_which_no_file_could_be_read_is_missing(nine_shapes):
    with_broken(nine_shapes, "disc/a.png", "disc/b.png")
    rows = [f"{path.relative_to(nine_shapes).as_posix()},one" for path in nine_shapes.rglob("[0-9]*.png")]
    lines = ["path,label", *rows, "disc/a.png,rare", "disc/b.png,rare"]
    (nine_shapes / "manifest.csv").write_text("\n".join(lines))
    assert missing_classes(scan_source(nine_shapes)) == ["rare"]


def test_a_class_to_which_images_were_assigned_is_no_longer_missing(nine_shapes):
    data = import_source(with_broken(nine_shapes, "star/0.png"))
    assert missing_classes(data) == ["star"]
    data = edit_dataset(data.id, "relabel", {data.images["path"].iat[0]: "star"})
    assert missing_classes(data) == []


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        ("truncated", True),
        ("not-listed", True),
        ("empty-class", True),
        ("other-file", True),
        ("range", False),
        ("class-name", False),
    ],
)
def test_remarks_are_not_files_that_were_left_out(kind, left_out):
    assert ImportIssue(path="a", kind=kind, detail="").left_out is left_out


def test_real_broken_files_are_counted_with_their_class(nine_shapes, cases):
    (nine_shapes / "CFU-GM").mkdir()
    for name in ("half.jpg", "half.png", "page.jpg", "zero.jpg"):
        shutil.copy(cases / "14_broken" / name, nine_shapes / "CFU-GM")
    data = scan_source(nine_shapes)
    assert missing_classes(data) == ["CFU-GM"]
    assert describe_left_out(data).startswith("4 files were left out at the import, all of the class CFU-GM. ")
