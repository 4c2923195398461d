import shutil
from pathlib import Path

import pandas as pd
import pytest

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.manifest import Manifest, parse_manifest
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.dataset.splitting import make_split
from cfu_core.errors import DatasetError
from cfu_core.runs.run import Run

CASES = (
    "backslashes.csv",
    "cp1252.csv",
    "quoted_newline.csv",
    "semicolon_bom.csv",
    "upper_names.csv",
    "utf16_tab.csv",
)


def details(manifest: Manifest | Dataset, kind: str) -> list[str]:
    issues = manifest.issues if isinstance(manifest, Manifest) else manifest.import_issues
    return [issue.detail for issue in issues if issue.kind == kind]


def content(manifest: Manifest) -> list[tuple[str, str, str]]:
    return [(row.path, row.label, row.group) for row in manifest.rows]


@pytest.mark.parametrize("way", ["csv", "folder", "zip"])
@pytest.mark.parametrize("name", CASES)
def test_manifests_of_spreadsheets(cfu_home, cases, tmp_path: Path, name, way):  # noqa: ARG001 - the home
    source = cases / "11_csv" / name
    if way != "csv":
        folder = tmp_path / "plates"
        folder.mkdir()
        for image in source.parent.glob("*.png"):
            shutil.copyfile(image, folder / image.name)
        shutil.copyfile(source, folder / "manifest.csv")
        source = Path(shutil.make_archive(str(folder), "zip", folder)) if way == "zip" else folder
    found = import_source(source)
    other = "Kolonie weiß" if name == "cp1252.csv" else "CFU-GM"
    assert found.images["path"].tolist() == [f"im{number}.png" for number in range(8)]
    assert found.images["label"].tolist() == ["CFU-E", other] * 4
    kinds = [issue.kind for issue in found.import_issues if "column file is used" not in issue.detail]
    expected = {"cp1252.csv": ["encoding"], "upper_names.csv": ["letter-case"], "quoted_newline.csv": ["columns"]}
    assert kinds == expected.get(name, [])


def test_composed_characters_in_the_manifest_and_decomposed_ones_in_the_file_name(cfu_home, cases):  # noqa: ARG001
    found = scan_source(cases / "12_unicode" / "manifest_nfc.csv")
    assert found.counts == {"CFU-E": 1, "CFU-GM": 1}


def test_a_zip_with_class_folders_that_differ_in_a_blank_or_a_full_stop(cfu_home, cases):  # noqa: ARG001
    found = scan_source(cases / "12_unicode" / "long_names.zip")
    assert found.counts == {"CFU-E": 5, "CFU-GM": 5}
    assert len(details(found, "class-name")) == 2


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("declared", [False, True])
def test_any_separator_encoding_and_line_ending(separator, coding, ending, declared):
    note = ending.join(['"a, ""b"";\tc|', 'd"'])
    rows = ["File,Class,Groups,Note", "1.png,CFU-E,d 1,NOTE", "", "2.png, CFU-GM ,d 2,"]
    text = ending.join(["sep=,"] * declared + rows).replace(",", separator).replace("NOTE", note)
    found = parse_manifest(text.encode(coding), name="m.csv")
    assert content(found) == [("1.png", "CFU-E", "d 1"), ("2.png", "CFU-GM", "d 2")]
    assert [row.line for row in found.rows] == [3 + declared, 5 + declared]
    assert bool(details(found, "encoding")) == (coding in ("utf-16-le", "utf-16-be"))


def test_a_declared_separator_wins():
    text = b"sep=|\npath|label\n1,5.png|CFU-E; large\n"
    assert content(parse_manifest(text, name="m.csv")) == [("1,5.png", "CFU-E; large", "")]


def test_the_separator_is_the_one_that_gives_known_columns():
    text = b"path;label;note, with many, many, commas\n1.png;A;\n"
    assert content(parse_manifest(text, name="m.csv")) == [("1.png", "A", "")]


@pytest.mark.parametrize("path", ["path", "File", "FILE NAME", "filename", "Image-Path", "image"])
@pytest.mark.parametrize("label", ["label", "Class", "class name", "Category"])
@pytest.mark.parametrize("group", ["group", "Groups", "donor", "Patient ID", "dish"])
def test_other_names_of_columns(path, label, group):
    found = parse_manifest(f"{group},{label},{path}\nd,A,1.png\n".encode(), name="m.csv")
    assert content(found) == [("1.png", "A", "d")]
    said = details(found, "columns")
    assert (f"m.csv: the column {group} is used as the group." in said) == (group != "group")
    assert (f"m.csv: the column {path} is used as the path." in said) == (path != "path")
    assert (f"m.csv: the column {label} is used as the class." in said) == (label not in ("label", "Class"))
    assert len(details(found, "columns")) == len(found.issues)


def test_columns_that_are_not_used_are_listed():
    rows = "path,label,donor,dish,class,Split,note,,,box left\n1.png,A,d1,p1,b,test,x,y,,1\n"
    found = parse_manifest(rows.encode(), name="m.csv")
    assert content(found) == [("1.png", "A", "d1")]
    assert details(found, "columns") == [
        "m.csv: the column donor is used as the group.",
        "m.csv: the column Split is used as the partition.",
        "m.csv: 4 columns are not used: dish (the group is in donor), class (the class is in label), note, number 8 "
        "(it has no name).",
    ]
    assert len(details(found, "box")) == 1


def test_values_that_are_no_partitions_are_said():
    rows = "path,label,set\n1.png,A,Train\n2.png,A,hold-out\n3.png,A,\n4.png,A,blue\n5.png,A,blue\n"
    found = parse_manifest(rows.encode(), name="m.csv")
    assert [row.partition for row in found.rows] == ["training", "test", "", "", ""]
    assert details(found, "columns")[1] == (
        "m.csv: the column set has values that are not partitions, in 2 rows: blue. Expected training, validation, "
        "test or usual other names. The program assigns these images itself."
    )


def test_one_of_two_equal_columns_must_go():
    with pytest.raises(DatasetError, match=r"has the column File twice in line 1\."):
        parse_manifest(b"File,file,class\n1.png,2.png,A\n", name="m.csv")
    assert content(parse_manifest(b"file,class,note,note\n1.png,A,,\n", name="m.csv")) == [("1.png", "A", "")]


def test_cells_beyond_the_columns_are_reported():
    found = parse_manifest(b"path,label\n1.png,BFU-E, large\n2.png,A,,\n", name="m.csv")
    assert content(found) == [("1.png", "BFU-E", ""), ("2.png", "A", "")]
    assert [(issue.path, issue.kind) for issue in found.issues] == [("m.csv:2", "cells")]
    assert "Line 2 of m.csv has 3 cells, but there are 2 columns" in found.issues[0].detail


def test_a_guessed_encoding_is_reported_with_a_line_of_the_text():
    found = parse_manifest("path;label\n1.png;A\n2.png;weiß\n".encode("cp1252"), name="m.csv")
    assert content(found) == [("1.png", "A", ""), ("2.png", "weiß", "")]
    assert "it was read as Windows-1252 (Western Europe): 2.png;weiß." in details(found, "encoding")[0]


def test_a_label_of_invisible_characters_is_none():
    found = parse_manifest("path,label\n1.png,\u200b\u00a0\n2.png,A\n3.png,\n".encode(), name="m.csv")
    assert content(found) == [("1.png", "", ""), ("2.png", "A", ""), ("3.png", "", "")]
    assert details(found, "no-label") == ["Lines 2, 4 of m.csv give no label: 2 images are imported without a class."]


def test_the_split_of_a_run_is_a_manifest(finished_run: Run, drawn_shapes: Path, tmp_path: Path):
    folder = tmp_path / "again"
    shutil.copytree(drawn_shapes, folder)
    shutil.copyfile(finished_run.folder / "split.csv", folder / "split.csv")
    found = scan_source(folder / "split.csv")
    split = make_split(found.images)
    assert found.counts == {"disc": 12, "ring": 13, "square": 11}
    written = pd.read_csv(folder / "split.csv")
    assert split.assignment == dict(zip(written["path"], written["partition"], strict=True))
    assert split.nearness == "The partitions are those that the source gives."
    assert [issue.detail for issue in found.import_issues] == [
        "The source divides its images: 25 training, 6 validation, 5 test. This is the split of the dataset."
    ]
