import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.folders import FolderTree
from cfu_core.dataset.importing.source import ImportLimits, import_source, scan_source
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import ArchiveError, DatasetError, ImageError

pytestmark = pytest.mark.usefixtures("cfu_home")


def labels(found: Dataset) -> dict[str, str]:
    return dict(zip(found.images["path"], found.images["label"], strict=True))


def kinds(found: Dataset) -> list[tuple[str, str]]:
    return [(issue.path, issue.kind) for issue in found.import_issues]


@pytest.fixture(params=["folder", "zip"])
def make(request, write_tree, write_zip):
    """Writes the same files as a folder or as a zip."""
    return write_tree if request.param == "folder" else write_zip


def test_a_folder_for_each_class(make, picture):
    found = import_source(
        make(
            {
                "CFU-E/b.png": picture(1),
                "CFU-E/a é 🧫.PNG": picture(2),
                "CFU-GM/day 7/left/c.jpg": picture(3, ".jpg"),
                "CFU-GM/d.BMP": picture(4, ".bmp"),
                "CFU-PreB/e.tif": picture(5, ".tiff"),
            }
        )
    )
    assert labels(found) == {
        "CFU-E/a é 🧫.PNG": "CFU-E",
        "CFU-E/b.png": "CFU-E",
        "CFU-GM/d.BMP": "CFU-GM",
        "CFU-GM/day 7/left/c.jpg": "CFU-GM",
        "CFU-PreB/e.tif": "CFU-PreB",
    }
    assert found.images["extension"].tolist() == [".png", ".png", ".bmp", ".jpg", ".tif"]
    assert [issue.detail for issue in found.import_issues] == [
        "Folders: level 1 (CFU-E, CFU-GM, CFU-PreB) is the class: names of colonies or cells; level 2 (day 7) is not "
        "used: named like days, dates or batches; level 3 (left) is not used: a single folder."
    ]
    assert found.name == "plates"


def test_one_folder_around_the_classes(make, picture):
    found = import_source(make({"2024 plates/A/1.png": picture(1), "2024 plates/B/1.png": picture(2)}))
    assert labels(found) == {"A/1.png": "A", "B/1.png": "B"}


def test_a_single_class_is_not_an_outer_folder(make, picture):
    assert labels(import_source(make({"A/1.png": picture(1), "A/2.png": picture(2)}))) == {
        "A/1.png": "A",
        "A/2.png": "A",
    }


def test_a_class_with_images_on_two_levels_is_not_an_outer_folder(make, picture):
    found = import_source(make({"A/1.png": picture(1), "A/more/2.png": picture(2)}))
    assert labels(found) == {"A/1.png": "A", "A/more/2.png": "A"}


def test_empty_class_folders_and_images_without_a_class(make, picture):
    found = import_source(make({"A/1.png": picture(1), "B/": b"", "stray.png": picture(2)}))
    assert labels(found) == {"A/1.png": "A"}
    assert kinds(found) == [("B", "empty-class"), ("stray.png", "no-class")]


@pytest.mark.parametrize("outer", ["", "2024 plates/"])
def test_a_class_folder_that_cannot_be_opened_is_not_called_empty(write_tree, picture, monkeypatch, outer):
    root = write_tree({f"{outer}A/1.png": picture(1), f"{outer}B/1.png": picture(2)})
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("/B"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = import_source(root)
    assert labels(found) == {"A/1.png": "A"}
    assert kinds(found) == [(f"{outer}B", "no-permission")]


def test_bad_images_are_listed_and_left_out(make, picture):
    found = import_source(
        make(
            {
                "A/good.png": picture(1),
                "A/empty.png": b"",
                "A/text.jpg": b"hello",
                "B/cut.jpg": picture(2, ".jpg")[:-40],
                "B/damaged.png": picture(3).replace(b"IDAT", b"IDOT"),
            }
        )
    )
    assert labels(found) == {"A/good.png": "A"}
    assert kinds(found) == [
        ("A/empty.png", "empty"),
        ("A/text.jpg", "not-an-image"),
        ("B/cut.jpg", "truncated"),
        ("B/damaged.png", "unreadable"),
    ]
    assert all(issue.path in issue.detail for issue in found.import_issues)


def test_other_files_in_a_folder_are_listed(write_tree, picture):
    found = import_source(write_tree({"A/1.png": picture(1), "A/notes.txt": b"", "B/more.zip": b"PK", "x.md": b""}))
    assert kinds(found) == [
        ("A/notes.txt", "other-file"),
        ("B/more.zip", "other-file"),
        ("x.md", "other-file"),
    ]


def test_other_files_beside_a_manifest_are_listed_as_without_one(make, picture):
    rows = b"path,label\nA/1.png,A\nA/named.txt,A\n"
    others = {"A/2.png": picture(2), "README.md": b"", "A/notes.txt": b"", "A/manifest.csv": b"", "A/named.txt": b""}
    found = import_source(make({"manifest.csv": rows, "A/1.png": picture(1)} | others))
    assert kinds(found) == [
        ("A/2.png", "not-listed"),
        ("A/manifest.csv", "other-file"),
        ("A/named.txt", "other-file"),
        ("A/notes.txt", "other-file"),
        ("README.md", "other-file"),
    ]


def test_files_of_operating_systems_are_ignored(write_tree, picture):
    leftovers = [".DS_Store", "A/Thumbs.db", "A/desktop.ini", "A/._1.png", "__MACOSX/A/1.png", ".git/x.png"]
    found = import_source(write_tree({"A/1.png": picture(1)} | dict.fromkeys(leftovers, b"junk")))
    assert labels(found) == {"A/1.png": "A"}
    assert found.import_issues == ()


@pytest.mark.parametrize("top", ["", "plates/"])  # the zip of a folder of images may contain the folder itself
def test_images_without_any_class_are_unlabelled(make, picture, top):
    found = import_source(make({f"{top}1.png": picture(1), f"{top}2.png": picture(2)}))
    assert labels(found) == {f"{top}1.png": "", f"{top}2.png": ""}
    assert (found.classes, found.counts, found.unlabelled) == ([], {}, 2)
    assert [issue.detail for issue in found.import_issues] == [
        "2 images are imported without a class: no folder is a class. Give them classes on Explore."
    ]


def test_an_empty_source(make):
    with pytest.raises(DatasetError, match="is empty") as caught:
        import_source(make({}))
    assert "CFU-E/01.jpg" in str(caught.value)


def test_only_empty_class_folders(make):
    with pytest.raises(DatasetError, match="contains no image"):
        import_source(make({"A/": b"", "B/": b""}))


def test_no_usable_image(make, left_behind):
    with pytest.raises(DatasetError, match=r"no usable image.*A/1\.png is empty.*And 2 more\.") as caught:
        import_source(make({f"A/{number}.png": b"" for number in range(1, 6)}))
    assert "A/4.png" not in str(caught.value)
    assert left_behind() == []


def test_links(write_tree, picture, tmp_path: Path):
    root = write_tree({"A/1.png": picture(1), "B/2.png": picture(2)})
    outside = tmp_path / "secret.png"
    outside.write_bytes(picture(3))
    (tmp_path / "plates too").mkdir()
    (tmp_path / "plates too" / "4.png").write_bytes(picture(4))
    (root / "A" / "inside.png").symlink_to("../B/2.png")
    (root / "A" / "outside.png").symlink_to(outside)
    (root / "A" / "beside.png").symlink_to("../../plates too/4.png")
    (root / "A" / "nowhere.png").symlink_to("none.png")
    (root / "A" / "loop.png").symlink_to("loop.png")
    (root / "C").symlink_to(tmp_path / "plates too")
    (root / "B" / "up").symlink_to("..")
    found = import_source(root)
    assert sorted(labels(found)) == ["A/1.png", "A/inside.png", "B/2.png"]
    link_kinds = dict(kinds(found))
    assert link_kinds.pop("A/loop.png") in ("link", "unreadable")
    assert link_kinds == dict.fromkeys(["A/beside.png", "A/nowhere.png", "A/outside.png", "B/up", "C"], "link")


def test_files_that_become_a_link_or_a_pipe_after_listing(write_tree, picture, tmp_path: Path):
    outside = tmp_path / "secret.png"
    outside.write_bytes(picture(3))
    root = write_tree({f"A/{name}.png": picture(1) for name in ("link", "pipe", "folder", "gone", "same")})
    tree = FolderTree(root, limits=ImportLimits())
    for name in ("link", "pipe", "folder", "gone"):
        (root / "A" / f"{name}.png").unlink()
    (root / "A" / "link.png").symlink_to(outside)
    os.mkfifo(root / "A" / "pipe.png")
    (root / "A" / "folder.png").mkdir()
    found = {}
    for file in tree.files:
        try:
            found[file] = tree.read(file)
        except ImageError as error:
            found[file] = error.kind
    assert found == {
        "A/folder.png": "not-an-image",
        "A/gone.png": "missing",
        "A/link.png": "link",
        "A/pipe.png": "not-an-image",
        "A/same.png": picture(1),
    }


def test_a_pipe_does_not_block_the_import(write_tree, picture):
    root = write_tree({"A/1.png": picture(1)})
    os.mkfifo(root / "A" / "pipe.png")
    assert kinds(import_source(root)) == [("A/pipe.png", "not-an-image")]


def test_names_that_are_not_utf_8(write_tree, picture):
    root = write_tree({"A/1.png": picture(1)})
    Path(os.fsdecode(bytes(root / "A") + b"/caf\xe9.png")).write_bytes(picture(2))
    found = import_source(root)
    assert kinds(found) == [("A/caf?.png", "name")]


MANIFEST = """Path , LABEL,group,box_left,box_top,box_right,box_bottom
plate 1/a é.png,CFU-E,dish 1,0,1,5,6
plate 1/b.png,CFU-GM,dish 1,,,,
plate 2/c.png, CFU-E ,dish 2,,,,
"""


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("top", ["", "wrapped/"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_manifest(make, picture, coding, separator, top, ending):
    text = MANIFEST.replace(",", separator).replace("\n", ending)
    found = import_source(
        make(
            {
                f"{top}manifest.csv": text.encode(coding),
                f"{top}plate 1/a é.png": picture(1),
                f"{top}plate 1/b.png": picture(2),
                f"{top}plate 2/c.png": picture(3),
            }
        )
    )
    assert labels(found) == {"plate 1/a é.png": "CFU-E", "plate 1/b.png": "CFU-GM", "plate 2/c.png": "CFU-E"}
    assert found.images["group"].tolist() == ["dish 1", "dish 1", "dish 2"]
    assert found.has_groups
    assert found.images[BOX_COLUMNS].iloc[0].tolist() == [0, 1, 5, 6]
    assert found.images[BOX_COLUMNS].iloc[1:].isna().all(axis=None)
    assert found.import_issues == ()
    assert not found.drawn


def test_rows_that_cannot_be_used(make, picture):
    rows = [
        "path,label,box_left,box_top,box_right,box_bottom",
        "1.png,A,,,,",
        "none.png,A,,,,",
        "2.png,,,,,",
        ",A,,,,",
        "3.png,A,0,0,6,6",
        "4.png,A,0,0,x,6",
        "5.png,A,3,0,3,6",
        "6.png,A,0,,3,6",
        "1.png,B,,,,",
        "notes.txt,A,,,,",
    ]
    images = {f"{number}.png": picture(number) for number in range(1, 8)}
    found = import_source(make({"manifest.csv": "\n".join(rows).encode()} | images))
    # a wrong box costs no image, nor does a label that is missing
    assert labels(found) == {f"{number}.png": "" if number == 2 else "A" for number in (1, 2, 3, 4, 5, 6)}
    assert found.images[BOX_COLUMNS].isna().all(axis=None)
    assert kinds(found) == [
        ("1.png", "listed-twice"),
        ("3.png", "box"),
        ("4.png", "box"),
        ("5.png", "box"),
        ("6.png", "box"),
        ("7.png", "not-listed"),
        ("manifest.csv", "no-label"),
        ("manifest.csv:5", "no-path"),
        ("none.png", "missing"),
        ("notes.txt", "other-file"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"path,note\n1.png,A\n", "has no column label; line 1 has path, note"),
        (b"sep=;\n1.png;A\n", "has no column path and no column label; line 2 has 1.png, A"),
        (b"", "has no column path and no column label"),
        (b"path,label\n", "has a header but no rows"),
        (b"path,label,label\n1.png,A,B\n", "has the column label twice"),
        ("path,label\n1.png,紅血球\n".encode("big5"), r"is not UTF-8 text \(line 2\)"),
        (b"path,label\n1.png,A\n2.png,\0\n", "line 3 has a NUL character"),
        (b'path,label\n1.png,"A\n2.png,B\n', r'quotation mark \("\) in line 2 that is not closed'),
        (b'path,label\n"' + b"x" * 200_000 + b'",A\n', "cannot be read as a table"),
        (b"path,label\nx.txt,A\n", "names no usable image"),
    ],
)
def test_manifests_that_cannot_be_used(make, picture, content, reason):
    with pytest.raises(DatasetError, match=reason):
        import_source(make({"manifest.csv": content, "1.png": picture(1)}))


@pytest.mark.parametrize("path", ["../1.png", "A/../../1.png", "/etc/1.png", "..\\1.png", "C:\\1.png"])
def test_a_manifest_must_not_lead_out(write_tree, write_zip, picture, left_behind, path):
    contents = {"manifest.csv": f"path,label\n{path},A\n1.png,A\n".encode(), "1.png": picture(1)}
    with pytest.raises(DatasetError, match="line 2: the path"):
        import_source(write_tree(contents))
    with pytest.raises(ArchiveError, match="line 2: the path"):
        import_source(write_zip(contents))
    assert left_behind() == []


def test_a_manifest_may_use_other_separators_and_accents(make, picture):
    rows = "path,label\n./A/1.png,x\nA\\2.png,x\nA/\u00e9.png,y\n"
    files = {"A/1.png": picture(1), "A/2.png": picture(2), "A/e\u0301.png": picture(3)}
    found = import_source(make({"manifest.csv": rows.encode()} | files))
    assert labels(found) == {"A/1.png": "x", "A/2.png": "x", "A/e\u0301.png": "y"}
    assert found.import_issues == ()


def test_a_manifest_may_use_other_letter_case(make, picture):
    rows = "path,label\nA/1.PNG,x\na\\2.png,y\nA/same.png,y\n"
    files = {"A/1.png": picture(1), "A/2.png": picture(2), "A/Same.png": picture(3), "A/SAME.png": picture(4)}
    found = import_source(make({"manifest.csv": rows.encode()} | files))
    assert labels(found) == {"A/1.png": "x", "A/2.png": "y"}
    assert kinds(found) == [  # which of the two is meant is not known
        ("A/SAME.png", "not-listed"),
        ("A/Same.png", "not-listed"),
        ("A/same.png", "missing"),
        ("manifest.csv", "letter-case"),
    ]
    assert "2 paths differ from their files in letter case, such as A/1.PNG, for which A/1.png" in str(
        found.import_issues[-1].detail
    )


@pytest.mark.parametrize("path", [".\\A\\1.png", "./a/1.PNG", "A//1.png", "..\\plates\\A\\1.png"])
def test_a_csv_given_directly_may_use_other_separators_and_letter_case(write_tree, picture, path):
    root = write_tree({"labels.csv": f"path,label\n{path},x\n".encode(), "A/1.png": picture(1)})
    found = import_source(root / "labels.csv")
    assert labels(found) == {("../plates/A/1.png" if "plates" in path else "A/1.png"): "x"}
    assert [kind for _, kind in kinds(found)] == ["letter-case"] * ("PNG" in path)


def test_a_csv_given_directly_finds_absolute_paths_in_other_accents(write_tree, picture):
    root = write_tree({"labels.csv": b"", "Mu\u0308ller/1.png": picture(1)})
    (root / "labels.csv").write_text(f"path,label\n{root.as_posix()}/M\u00fcller/1.png,x\n", encoding="utf-8")
    found = import_source(root / "labels.csv")
    assert labels(found) == {f"{root.as_posix()}/Mu\u0308ller/1.png": "x"}
    assert found.import_issues == ()


def test_class_folders_that_look_alike_are_one_class(make, picture):
    names = ["CFU-E", "cfu-e", "CFU\u2011E", "CFU-E\u200b", "CFU\u00a0GM", "CFU GM", "Mu\u0308", "M\u00fc"]
    files = {f"{name}/{number}.png": picture(number) for number, name in enumerate(names)}
    found = import_source(make(files | {"CFU-E/more.png": picture(9)}))
    assert found.counts == {"CFU GM": 2, "CFU-E": 5, "M\u00fc": 2}
    assert kinds(found) == [("CFU GM", "class-name"), ("CFU-E", "class-name"), ("M\u00fc", "class-name")]
    assert found.import_issues[1].detail == (
        'The classes "CFU-E" (2 images), "CFU-E\u200b" with U+200B (1 image), "CFU\u2011E" with U+2011 (1 image) and '
        '"cfu-e" (1 image) look alike and became the class CFU-E.'
    )


def test_classes_and_groups_of_a_manifest_that_look_alike_are_one(make, picture):
    rows = (
        "path,label,group\n1.png,cfu-e,Donor 1\n2.png,CFU\u2212E\u00a0,donor  1\n3.png,cfu-e,\n4.png,CFU-GM,Donor 2\n"
    )
    images = {f"{number}.png": picture(number) for number in range(1, 5)}
    found = import_source(make({"manifest.csv": rows.encode()} | images))
    assert labels(found) == {"1.png": "cfu-e", "2.png": "cfu-e", "3.png": "cfu-e", "4.png": "CFU-GM"}
    assert found.images["group"].tolist() == ["Donor 1", "Donor 1", "", "Donor 2"]
    assert kinds(found) == [("Donor 1", "group-name"), ("cfu-e", "class-name")]
    assert found.import_issues[1].detail == (
        'The classes "cfu-e" (2 images) and "CFU\u2212E\u00a0" with U+2212, U+00A0 (1 image) look alike and became the '
        "class cfu-e."
    )


@pytest.mark.parametrize(
    ("origins", "drawn"), [(("drawn", "Drawn"), True), (("drawn", ""), False), (("x", "x"), False)]
)
def test_drawn(make, picture, origins, drawn):
    rows = f"path,label,origin\n1.png,A,{origins[0]}\n2.png,B,{origins[1]}\n"
    found = import_source(make({"manifest.csv": rows.encode(), "1.png": picture(1), "2.png": picture(2)}))
    assert found.drawn is drawn


def test_a_csv_given_directly_may_name_files_in_any_folder(write_tree, picture, tmp_path: Path):
    (tmp_path / "elsewhere.png").write_bytes(picture(9))
    far = tmp_path / "far.png"
    far.write_bytes(picture(8))
    rows = f"path,label\nA/1.png,A\n../elsewhere.png,B\n{far},B\nnone.png,B\n"
    root = write_tree({"labels.csv": rows.encode(), "A/1.png": picture(1), "A/unlisted.png": picture(2)})
    found = import_source(root / "labels.csv")
    assert labels(found) == {"A/1.png": "A", "../elsewhere.png": "B", far.as_posix(): "B"}
    assert kinds(found) == [("none.png", "missing")]
    assert found.name == "labels"


def test_a_manifest_given_directly_is_named_after_its_folder(write_tree, picture):
    root = write_tree({"manifest.csv": b"path,label\n1.png,A\n", "1.png": picture(1)}, name="dish 12")
    assert scan_source(root / "manifest.csv").name == "dish 12"


def remarks(found: Dataset, kind: str) -> list[str]:
    return [issue.detail for issue in found.import_issues if issue.kind == kind]


def test_words_for_missing_values_are_no_class_no_group_and_no_partition(make, picture):
    rows = "path,label,donor,split\n1.png,A,NA,NA\n2.png,NA,d1,train\n3.png,B,N/A,\n4.png,B,d1,test\n"
    images = {f"{number}.png": picture(number) for number in range(1, 5)}
    found = scan_source(make({"manifest.csv": rows.encode()} | images))
    assert found.images["label"].tolist() == ["A", "", "B", "B"]
    assert found.images["group"].tolist() == ["", "d1", "", "d1"]
    assert found.images["given_partition"].tolist() == ["", "training", "", "test"]
    assert (
        "manifest.csv: 2 cells of the column donor contain NA or another word for a missing value, and count as "
        in (" ".join(remarks(found, "columns")))
    )


def test_a_class_that_differs_from_the_folder_is_said(make, picture):
    rows = b"path,label\nA/1.png,A\nA/2.png,B\nB/3.png,B\nplate 1/4.png,A\n"
    images = {path: picture(1) for path in ("A/1.png", "A/2.png", "B/3.png", "plate 1/4.png")}
    assert remarks(scan_source(make({"manifest.csv": rows} | images)), "other-class") == [
        "manifest.csv: 1 image has another class than the folder in which it is, such as A/2.png (B). The manifest is "
        "used."
    ]


def test_classes_that_a_reader_cannot_tell_apart_are_said(make, picture):
    cyrillic = "CFU-\u0415"
    found = scan_source(make({f"{name}/1.png": picture(1) for name in ("CFU-E", cyrillic, "CFU-GM", "CFU GM")}))
    assert remarks(found, "class-name") == [
        'The classes "CFU GM" and "CFU-GM" look alike but are kept apart. If they are one, rename one of them.',
        f'The classes "CFU-E" and "{cyrillic}" with cyrillic capital letter ie look alike but are kept apart. If they '
        "are one, rename one of them.",
    ]


def test_a_folder_of_unlabelled_images_is_no_class(make, picture):
    found = scan_source(make({f"{name}/1.png": picture(1) for name in ("A", "B", "Unlabelled")}))
    assert (found.classes, found.unlabelled) == (["A", "B"], 1)
    assert remarks(found, "no-label")[0].startswith("1 image is imported without a class: the name of their folder")


def test_many_images_outside_the_class_folders_need_a_question(make, picture):
    files = {f"{number}.png": picture(number) for number in range(4)} | {f"{n}/1.png": picture(9) for n in "AB"}
    with pytest.raises(DatasetError, match=r"4 images are not in a folder of level 1 and would be left out; 2 are in"):
        scan_source(make(files))


@pytest.mark.parametrize("name", ["\u6837\u672c", "\u7ea2"])
def test_a_single_class_folder_in_other_letters_is_a_class_unless_it_has_the_name_of_the_source(
    write_zip, picture, name
):
    found = scan_source(write_zip({f"{name}/1.png": picture(1)}, name="\u6837\u672c.zip"))
    assert found.classes == ([] if name == "\u6837\u672c" else [name])


def test_an_archive_within_an_archive_is_to_be_unpacked(write_zip, picture):
    found = scan_source(write_zip({"A/1.png": picture(1), "B.zip": b"PK"}))
    assert [issue.detail for issue in found.import_issues] == [
        "B.zip is left out: it is an archive within the source; unpack it first."
    ]


def test_a_zip_with_backslashes_between_folders_is_read(write_zip, picture):
    assert labels(scan_source(write_zip({"A\\1.png": picture(1), "B\\2.png": picture(2)}))) == {
        "A/1.png": "A",
        "B/2.png": "B",
    }
    with pytest.raises(ArchiveError, match=r"leads out of its folder"):
        scan_source(write_zip({"..\\1.png": picture(1), "B\\2.png": picture(2)}, name="bad.zip"))


def test_a_path_of_another_computer_is_named_with_its_line(write_tree, picture):
    rows = b"path,label\n1.png,A\nC:\\plates\\2.png,B\n"
    root = write_tree({"1.png": picture(1), "list.csv": rows})
    with pytest.raises(DatasetError, match=r"list\.csv, line 3: the path .* begins with a drive letter"):
        scan_source(root / "list.csv")


def test_an_image_without_a_number_is_left_out(write_tree):
    nothing = tifffile_bytes(np.full((8, 8), np.nan, np.float32))
    some = tifffile_bytes(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    found = scan_source(write_tree({"A/nothing.tif": nothing, "A/some.tif": some}))
    assert found.images["path"].tolist() == ["A/some.tif"]
    assert [(issue.path, issue.kind, issue.label) for issue in found.import_issues if issue.left_out] == [
        ("A/nothing.tif", "empty", "A")
    ]


def tifffile_bytes(pixels: np.ndarray) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, pixels)
    return target.getvalue()


def test_what_is_stated_about_folders_is_refused_beside_a_manifest(make, picture):
    source = make({"manifest.csv": b"path,label\n1.png,A\n", "1.png": picture(1)})
    with pytest.raises(
        DatasetError, match=r"manifest\.csv gives the classes, so that what is stated about the folders"
    ):
        scan_source(source, layout=LayoutChoice(class_level=1))
