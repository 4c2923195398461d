"""Every difficult case has the same right result by each way of importing it: folder, zip, upload, manifest, shell."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cfu_core.cli import main
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.importing.uploads import stage_upload
from cfu_core.imaging.reading import decode

pytestmark = pytest.mark.usefixtures("cfu_home")

Files = dict[str, bytes]  # content by path


def read(folder: Path, top: str = "") -> Files:
    """Return the files of a case, below the folder `top`."""
    return {f"{top}{p.relative_to(folder).as_posix()}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def archived(files: Files) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return target.getvalue()


def by_folder(files: Files, tmp_path: Path) -> Path:
    for path, content in files.items():
        file = tmp_path / "plates" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "plates"


def by_zip(files: Files, tmp_path: Path) -> Path:
    (tmp_path / "plates.zip").write_bytes(archived(files))
    return tmp_path / "plates.zip"


def by_uploaded_zip(files: Files, _tmp_path: Path) -> Path:
    return stage_upload([("plates.zip", io.BytesIO(archived(files)))], name="plates")


def by_uploaded_folder(files: Files, _tmp_path: Path) -> Path:
    return stage_upload([(f"plates/{path}", io.BytesIO(content)) for path, content in files.items()], name="plates")


WAYS: dict[str, Callable[[Files, Path], Path]] = {
    "folder": by_folder,
    "zip": by_zip,
    "uploaded zip": by_uploaded_zip,
    "uploaded folder": by_uploaded_folder,
}


def table(found: Dataset) -> dict[str, tuple]:
    """Return what is known of each image, by its name; an uploaded folder without classes keeps its own name."""
    columns = ["label", "group", "given_partition", "digest", "samples", "plane", "key", "width", "height"]
    names = found.images["path"].str.removeprefix("plates/")
    rows = found.images[columns].astype(object).fillna("").itertuples(index=False, name=None)
    return dict(zip(names, rows, strict=True))


def left_out(found: Dataset) -> dict[str, str]:
    issues = [issue for issue in found.import_issues if issue.left_out]
    return {issue.path.removeprefix("plates/"): issue.kind for issue in issues}


def presplit(cases: Path) -> Files:
    return read(cases / "10_presplit" / "kaggle_download")


def unicode(cases: Path) -> Files:
    files = read(cases / "12_unicode")
    files["manifest.csv"] = files.pop("manifest_nfc.csv")
    del files["long_names.zip"]
    return files


def long_names(cases: Path) -> Files:
    with zipfile.ZipFile(cases / "12_unicode" / "long_names.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


CASES: dict[str, tuple[Callable[[Path], Files], dict[str, int], dict[str, str]]] = {
    # files, images by class, files that are left out with the kind of the reason
    "12 bits and floating point": (lambda cases: read(cases / "02_twelve_bit_float"), {"": 6}, {}),
    "stacks": (lambda cases: read(cases / "05_stacks", "CFU-E/"), {"CFU-E": 3}, {}),
    "channels": (lambda cases: read(cases / "06_channels", "CFU-E/"), {"CFU-E": 9}, {}),
    "a given split": (presplit, {"CFU-E": 15, "CFU-GM": 14}, {}),
    "composed names": (unicode, {"CFU-E": 1, "CFU-GM": 1}, {}),
    "extensions": (
        lambda cases: read(cases / "13_extensions", "CFU-E/"),
        {"CFU-E": 8},
        {"CFU-E/really_heic.jpg": "not-an-image"},
    ),
    "broken files": (
        lambda cases: read(cases / "14_broken", "CFU-E/"),
        {"CFU-E": 1},
        {
            "CFU-E/half.jpg": "truncated",
            "CFU-E/half.png": "truncated",
            "CFU-E/minus3.jpg": "truncated",
            "CFU-E/page.jpg": "not-an-image",
            "CFU-E/zero.jpg": "empty",
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_the_right_result_in_every_way(case, cases, tmp_path, capsys):
    make, classes, reasons = CASES[case]
    files = make(cases)
    tables = {}
    for way, put in WAYS.items():
        found = import_source(put(files, tmp_path))
        counts = found.images["label"].value_counts().to_dict()
        assert (way, counts, left_out(found)) == (way, classes, reasons)
        tables[way] = table(found)
    assert all(one == tables["folder"] for one in tables.values())
    # the shell
    assert main(["inspect", str(tmp_path / "plates"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["classes"], shown["unlabelled"]) == (
        {name: count for name, count in classes.items() if name},
        classes.get("", 0),
    )
    # a CSV file that names the images
    if "manifest.csv" not in files:
        rows = [f"{path},{path.rpartition('/')[0].rpartition('/')[2]}" for path in files if is_image(path)]
        (tmp_path / "plates" / "list.csv").write_text("\n".join(["path,label", *rows]))
        named = import_source(tmp_path / "plates" / "list.csv")
        assert named.images["label"].value_counts().to_dict() == classes
        assert left_out(named) == reasons
        pixels = ["digest", "samples", "plane", "key", "width", "height"]
        listed = import_source(tmp_path / "plates")
        assert named.images[pixels].equals(listed.images[pixels])


def test_names_of_any_length_are_kept_in_every_way_that_can_hold_them(cases, tmp_path):
    files = long_names(cases)
    tables = []
    for way in ("zip", "uploaded zip", "uploaded folder"):  # a file system takes names of 255 bytes at most
        found = import_source(WAYS[way](files, tmp_path))
        assert found.counts == {"CFU-E": 5, "CFU-GM": 5}
        tables.append({path.removeprefix("set/"): row for path, row in table(found).items()})
    assert tables[0] == tables[1] == tables[2]


def test_samples_of_many_kinds_look_like_the_8_bit_image(cases, tmp_path):
    found = import_source(by_folder(read(cases / "02_twelve_bit_float"), tmp_path))
    reference = decode((cases / "02_twelve_bit_float" / "reference8.png").read_bytes()).astype(int)
    for row, path in enumerate(found.images["path"]):
        if path not in ("float32_nan_neg.tif", "int16_signed.tif"):  # their range begins below zero
            assert abs(found.read_image(row).astype(int) - reference).mean() < 2, path
