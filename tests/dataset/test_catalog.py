import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset import catalog, image_store
from cfu_core.dataset.catalog import delete_dataset, list_datasets, load_dataset, rename_dataset, save_dataset
from cfu_core.dataset.dataset import Dataset, ImportIssue, new_dataset, slug
from cfu_core.dataset.image_store import image_file
from cfu_core.dataset.table import BOX_COLUMNS, COLUMNS, content_digest, images_table
from cfu_core.errors import DatasetError, ImageError

pytestmark = pytest.mark.usefixtures("cfu_home")


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def dataset(seeds: Sequence[int], *, name: str = "Plates", box: bool = False, **more) -> Dataset:
    """Images stored by hand: class A for even seeds, B for odd ones."""
    rows = []
    for number, seed in enumerate(seeds):
        data = picture(seed)
        digest = hashlib.sha256(data).hexdigest()
        file = image_file(digest, ".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        label = "AB"[seed % 2]
        row = {"path": f"{label}/{number}.png", "label": label, "digest": digest, "extension": ".png"}
        row |= {"size_bytes": len(data), "width": 5, "height": 6}
        rows.append(row | ({"box_left": 0, "box_top": 1, "box_right": 5, "box_bottom": 6} if box else {}))
    return new_dataset(images_table(rows), name=name, **more)


def stored() -> set[str]:
    return {file.stem for file in image_store.image_store().rglob("*.png")}


def test_what_is_saved_is_what_is_loaded(cfu_home: Path):
    issues = (ImportIssue(path="A/x.jpg", kind="truncated", detail="A/x.jpg is cut short."),)
    saved = dataset([4, 1, 2, 7, 8], name="Große Platten 🧫", import_issues=issues, drawn=True, source="/data/plates")
    save_dataset(saved)
    loaded = load_dataset(saved.id)
    pd.testing.assert_frame_equal(loaded.images, saved.images)
    for field in ("id", "name", "import_issues", "drawn", "source", "created", "digest"):
        assert getattr(loaded, field) == getattr(saved, field)
    assert list(loaded.images.columns) == COLUMNS
    assert loaded.images["path"].tolist() == ["A/0.png", "A/2.png", "A/4.png", "B/1.png", "B/3.png"]
    assert isinstance(loaded.images.index, pd.RangeIndex)
    assert loaded.images["group"].tolist() == [""] * 5
    assert str(loaded.images["box_left"].dtype) == "Int64"
    assert loaded.images["box_left"].isna().all()
    assert loaded.classes == ["A", "B"]
    assert loaded.counts == {"A": 3, "B": 2}
    assert not loaded.has_groups
    assert [file.name for file in sorted((cfu_home / "datasets" / saved.id).iterdir())] == [
        "dataset.json",
        "images.parquet",
    ]


def test_boxes_survive():
    saved = dataset([1, 2], box=True)
    save_dataset(saved)
    assert load_dataset(saved.id).images[BOX_COLUMNS].to_numpy().tolist() == [[0, 1, 5, 6]] * 2


def test_digest_follows_the_formula():
    made = dataset([3])
    line = f"B/0.png\0B\0\0{hashlib.sha256(picture(3)).hexdigest()}"
    assert made.digest == hashlib.sha256(f"{line}\n".encode()).hexdigest()
    assert made.id == f"Plates-{made.digest[:8]}"
    boxed = hashlib.sha256(f"{line}\x000,1,5,6\n".encode()).hexdigest()
    assert dataset([3], box=True).digest == boxed


@pytest.mark.parametrize("column", ["path", "label", "group", "digest"])
def test_digest_changes_with_the_content(column):
    made = dataset([1, 2, 3])
    other = made.images.copy()
    other.loc[1, column] = "other"
    assert content_digest(other) != made.digest


def test_read_image():
    made = dataset([5, 6])
    expected = cv2.imdecode(np.frombuffer(picture(6), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert (made.read_image(0) == expected).all()  # A/1.png comes first
    made.image_file(0).unlink()
    with pytest.raises(ImageError, match=r"A/1\.png is missing from the image store") as caught:
        made.read_image(0)
    assert caught.value.kind == "missing"


def test_duplicates_are_sorted_groups():
    assert dataset([2, 3, 4, 3, 2, 2]).duplicates() == [["A/0.png", "A/4.png", "A/5.png"], ["B/1.png", "B/3.png"]]
    assert dataset([1, 2]).duplicates() == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Plates", "Plates"),
        ("CFU plates, 2024/05", "CFU-plates-2024-05"),
        ("../../etc/passwd", "etc-passwd"),
        ("🧫", "dataset"),
        ("Größe", "Gr-e"),
        ("x" * 90, "x" * 40),
        ("x" * 39 + " y", "x" * 39),
    ],
)
def test_slug(name, expected):
    assert slug(name) == expected


def test_a_name_leads_to_the_newest():
    first, second = dataset([1, 2]), dataset([3, 4])
    save_dataset(first)
    save_dataset(second)
    assert first.id != second.id
    assert load_dataset("Plates").id == second.id
    assert load_dataset(first.id).id == first.id
    assert [summary.id for summary in list_datasets()] == [second.id, first.id]


@pytest.mark.parametrize(
    "reference", ["../x", "..", ".", "", "/etc", "a/b", "Plates-../..", "x\0y", "Plates\n", "~", "C:\\x", "x" * 300]
)
def test_a_reference_does_not_escape(cfu_home: Path, reference):
    made = dataset([1, 2])
    save_dataset(made)
    outside = cfu_home / "x"
    outside.mkdir()
    (outside / "dataset.json").write_bytes((cfu_home / "datasets" / made.id / "dataset.json").read_bytes())
    with pytest.raises(DatasetError, match="There is no dataset") as caught:
        load_dataset(reference)
    assert f"Plates ({made.id})" in str(caught.value)
    with pytest.raises(DatasetError, match="There is no dataset"):
        delete_dataset(reference)
    with pytest.raises(DatasetError, match="There is no dataset"):
        rename_dataset(reference, "other")
    assert (outside / "dataset.json").exists()


def test_nothing_imported_yet(cfu_home: Path):
    assert list_datasets() == []
    with pytest.raises(DatasetError, match="There are no datasets yet"):
        load_dataset("demo")
    assert not cfu_home.exists()


def test_summary():
    made = dataset([1, 2, 4], import_issues=[ImportIssue(path="A/x", kind="empty", detail="")], source="here")
    save_dataset(made)
    (summary,) = list_datasets()
    assert (summary.id, summary.name, summary.n_images, summary.n_import_issues) == (made.id, "Plates", 3, 1)
    assert summary.counts == {"A": 2, "B": 1}
    assert (summary.source, summary.created, summary.drawn) == ("here", made.created, False)
    assert summary.damaged == ""


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": 3}', "\x00\xff"])
def test_a_damaged_summary_is_reported_and_other_datasets_still_open(cfu_home: Path, content):
    good, bad = dataset([1, 2], name="good"), dataset([3, 4], name="bad")
    save_dataset(good)
    save_dataset(bad)
    (cfu_home / "datasets" / bad.id / "dataset.json").write_bytes(content.encode("latin-1"))
    summaries = list_datasets()
    assert [(summary.id, bool(summary.damaged)) for summary in summaries] == [(good.id, False), (bad.id, True)]
    assert bad.id in summaries[1].damaged
    with pytest.raises(DatasetError, match=f"{bad.id} is damaged"):
        load_dataset(bad.id)
    delete_dataset(bad.id)
    assert [summary.id for summary in list_datasets()] == [good.id]
    assert load_dataset("good").counts == {"A": 1, "B": 1}


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_damaged_table_is_reported(cfu_home: Path, damage):
    made, other = dataset([1, 2]), dataset([3, 4], name="other")
    save_dataset(made)
    save_dataset(other)
    table = cfu_home / "datasets" / made.id / "images.parquet"
    if damage == "gone":
        table.unlink()
    elif damage == "cut":
        table.write_bytes(table.read_bytes()[:500])
    else:
        table.write_bytes((cfu_home / "datasets" / other.id / "images.parquet").read_bytes())
    with pytest.raises(DatasetError, match="is damaged"):
        load_dataset(made.id)


def test_half_a_dataset_is_none(cfu_home: Path):
    made = dataset([1, 2])
    save_dataset(made)
    (cfu_home / "datasets" / made.id / "dataset.json").unlink()
    assert list_datasets() == []
    with pytest.raises(DatasetError, match="There is no dataset"):
        load_dataset(made.id)


def test_a_failed_save_leaves_nothing(cfu_home: Path, monkeypatch):
    made = dataset([1, 2])

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog, "write_json", fail)
    with pytest.raises(KeyboardInterrupt):
        save_dataset(made)
    assert list((cfu_home / "datasets").iterdir()) == []


def test_deleting_keeps_the_images_of_others(cfu_home: Path):
    one, two = dataset([1, 2, 3], name="one"), dataset([3, 4], name="two")
    save_dataset(one)
    save_dataset(two)
    assert len(stored()) == 4
    delete_dataset(one.id)
    assert stored() == set(two.images["digest"])
    assert [summary.name for summary in list_datasets()] == ["two"]
    delete_dataset(two.id)
    assert stored() == set()
    assert list((cfu_home / "datasets").iterdir()) == []


def test_deleting_keeps_all_images_while_a_table_is_damaged(cfu_home: Path):
    one, two = dataset([1, 2], name="one"), dataset([3, 4], name="two")
    save_dataset(one)
    save_dataset(two)
    (cfu_home / "datasets" / two.id / "images.parquet").write_bytes(b"")
    delete_dataset(one.id)
    assert len(stored()) == 4


def test_renaming_keeps_the_id(cfu_home: Path):
    made = dataset([1, 2])
    save_dataset(made)
    rename_dataset(made.id, "  Neue Platten ü ")
    assert load_dataset("Neue Platten ü").id == made.id
    with pytest.raises(DatasetError, match="has no name"):
        rename_dataset(made.id, " \n")
    with pytest.raises(DatasetError, match="There is no dataset"):
        rename_dataset("Plates-12345678", "x")
    summary = json.loads((cfu_home / "datasets" / made.id / "dataset.json").read_text(encoding="utf-8"))
    assert summary["name"] == "Neue Platten ü"


def test_groups():
    table = dataset([1, 2]).images
    table.loc[1, "group"] = "dish 4"
    assert new_dataset(table, name="x").has_groups


def test_a_programmers_mistakes():
    images = dataset([1]).images
    with pytest.raises(ValueError, match="columns"):
        new_dataset(images.drop(columns="label").assign(label="x"), name="x")
    with pytest.raises(ValueError, match="every image needs"):
        images_table([{"path": "A/1.png"}])
    with pytest.raises(ValueError, match=r"id is '\.\./x'"):
        Dataset(id="../x", name="x", imported=images, import_issues=(), drawn=False, source="", created="")
