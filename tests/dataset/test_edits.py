import json
import multiprocessing
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cfu_core.dataset.catalog import (
    dataset_folder,
    delete_dataset,
    list_datasets,
    load_dataset,
    rename_dataset,
    save_dataset,
)
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset, edit_log, next_redo, next_undo, redo_edit, undo_edit
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.table import content_digest
from cfu_core.errors import DatasetError, StorageError
from cfu_core.imaging.cropping import Box

DISC, RING, SQUARE = "disc/00.png", "ring/00.png", "square/00.png"


@pytest.fixture
def nine(cfu_home: Path, nine_shapes: Path) -> Dataset:  # noqa: ARG001 - it goes there
    """Three images of each class: 0 to 2 are discs, 3 to 5 rings, 6 to 8 squares."""
    return import_source(nine_shapes, name="nine")


def log_file(dataset: Dataset) -> Path:
    return dataset_folder(dataset.id) / "edits.jsonl"


def row(dataset: Dataset, path: str) -> int:
    return dataset.images["path"].tolist().index(path)


# --- what an edit does


def test_a_dataset_without_edits_is_as_imported(nine):
    assert nine.version == 0
    assert nine.images is nine.imported is nine.edited
    assert nine.rows.tolist() == list(range(9))
    assert nine.excluded.empty
    assert nine.partitions == {}
    assert edit_log(nine.id) == []
    assert not log_file(nine).exists()


def test_a_relabelled_image_counts_in_its_new_class(nine):
    edited = edit_dataset(nine.id, "relabel", {DISC: " oval ", RING: "disc"}, who=" Ada ", why="seen again\n")
    for found in (edited, load_dataset(nine.id)):
        assert found.counts == {"disc": 3, "oval": 1, "ring": 2, "square": 3}
        assert found.classes == ["disc", "oval", "ring", "square"]
        assert found.images["label"].iat[row(found, DISC)] == "oval"
        assert found.imported["label"].iat[0] == "disc"
        assert (found.id, found.version) == (nine.id, 1)
        assert found.digest == content_digest(found.images) != nine.digest
        assert found.images.dtypes.equals(nine.images.dtypes)
    (edit,) = edit_log(nine.id)
    assert (edit.number, edit.who, edit.why, edit.kind) == (1, "Ada", "seen again", "relabel")
    assert edit.changes == {DISC: "oval", RING: "disc"}
    assert datetime.fromisoformat(edit.when).utcoffset() == timedelta(0)


def test_excluded_images_keep_their_other_edits_and_come_back(nine):
    edit_dataset(nine.id, "exclude", {DISC: None, SQUARE: None})
    edit_dataset(nine.id, "relabel", {DISC: "oval"})
    out = load_dataset(nine.id)
    assert out.counts == {"disc": 2, "ring": 3, "square": 2}
    assert len(out.images) == 7
    assert out.images.index.tolist() == list(range(7))
    assert out.rows.tolist() == [1, 2, 3, 4, 5, 7, 8]
    assert out.excluded["path"].to_dict() == {0: DISC, 6: SQUARE}
    assert out.excluded["label"].tolist() == ["oval", "square"]
    back = edit_dataset(nine.id, "include", {DISC: None})
    assert back.counts == {"disc": 2, "oval": 1, "ring": 3, "square": 2}
    assert back.excluded["path"].tolist() == [SQUARE]


def test_groups_are_set_and_removed(nine):
    grouped = edit_dataset(nine.id, "group", {DISC: "dish 1", RING: "dish 1", SQUARE: "dish 2"})
    assert grouped.has_groups
    assert not nine.has_groups
    assert grouped.images["group"].iloc[[0, 1, 3, 6]].tolist() == ["dish 1", "", "dish 1", "dish 2"]
    edit_dataset(nine.id, "group", {DISC: "", RING: " ", SQUARE: ""})
    assert not load_dataset(nine.id).has_groups


def test_a_box_is_set_and_removed(nine):
    marked = edit_dataset(nine.id, "box", {DISC: [1, 2, 64, 48.0], RING: (0, 0, 5, 6)})
    assert marked.box(0) == Box(1, 2, 64, 48)
    assert marked.box(1) is None
    assert marked.box(3) == Box(0, 0, 5, 6)
    assert marked.digest != nine.digest
    again = edit_dataset(nine.id, "box", {DISC: None})
    assert again.box(0) is None
    assert again.box(3) == Box(0, 0, 5, 6)
    assert str(again.images["box_left"].dtype) == "Int64"


def test_boxes_and_groups_of_a_manifest_give_way_to_edits_and_come_back(cfu_home, nine_shapes):  # noqa: ARG001
    manifest = nine_shapes / "manifest.csv"
    lines = ["path,label,group,box_left,box_top,box_right,box_bottom"]
    lines += [f"disc/0{i}.png,disc,dish {i},1,1,9,9" for i in range(3)] + [f"ring/0{i}.png,ring,,,,," for i in range(3)]
    manifest.write_text("\n".join(lines), encoding="utf-8")
    dataset = import_source(nine_shapes)
    assert dataset.box(0) == Box(1, 1, 9, 9)
    edit_dataset(dataset.id, "box", {DISC: None})
    edited = edit_dataset(dataset.id, "group", {DISC: ""})
    assert (edited.box(0), edited.box(1)) == (None, Box(1, 1, 9, 9))
    assert edited.images["group"].iat[0] == ""
    undo_edit(dataset.id)
    assert undo_edit(dataset.id).digest == dataset.digest


def test_manual_partitions_apply_to_images_that_are_not_excluded(nine):
    put = edit_dataset(nine.id, "partition", {DISC: "test", RING: "training"})
    assert put.partitions == {DISC: "test", RING: "training"}
    assert put.digest != nine.digest == content_digest(put.images)  # pages keep splits by the digest
    assert edit_dataset(nine.id, "exclude", {DISC: None}).partitions == {RING: "training"}
    edit_dataset(nine.id, "include", {DISC: None})
    assert edit_dataset(nine.id, "partition", {RING: None}).partitions == {DISC: "test"}


def test_the_digest_depends_on_the_current_state_and_not_on_the_order_of_edits(nine):
    edit_dataset(nine.id, "relabel", {DISC: "oval"})
    one = edit_dataset(nine.id, "exclude", {RING: None}).digest
    for _ in range(2):
        undo_edit(nine.id)
    edit_dataset(nine.id, "exclude", {RING: None})
    assert edit_dataset(nine.id, "relabel", {DISC: "oval"}).digest == one


def test_unchanged_values_are_not_written(nine):
    for kind, changes in [
        ("relabel", {DISC: " disc"}),
        ("group", {DISC: ""}),
        ("box", {DISC: None}),
        ("partition", {DISC: None}),
        ("include", {DISC: None}),
        ("exclude", {}),
    ]:
        assert edit_dataset(nine.id, kind, changes).version == 0
    edit_dataset(nine.id, "exclude", {DISC: None})
    edit_dataset(nine.id, "box", {RING: [1, 1, 4, 4]})
    edit_dataset(nine.id, "partition", {RING: "test"})
    for kind, changes in [
        ("exclude", {DISC: None}),
        ("box", {RING: [1, 1, 4, 4]}),
        ("partition", {RING: "test"}),
    ]:
        assert edit_dataset(nine.id, kind, changes).version == 3
    assert edit_dataset(nine.id, "exclude", {DISC: None, RING: None}).edits[-1].changes == {RING: None}


def test_an_accented_label_is_that_of_the_dataset_however_it_is_spelled(nine):
    edit_dataset(nine.id, "relabel", {DISC: "gro\u0308\u00dfer"})
    edited = edit_dataset(nine.id, "relabel", {RING: "gr\u00f6\u00dfer"})
    assert edited.counts["gro\u0308\u00dfer"] == 2


@pytest.mark.parametrize("label", ["Ring", " RING. ", "ri\u200bng", "\uff32ing"])
def test_a_label_that_looks_like_one_that_other_images_keep_is_that_one(nine, label):
    edited = edit_dataset(nine.id, "relabel", {DISC: label})
    assert edited.counts == {"disc": 2, "ring": 4, "square": 3}
    assert edit_dataset(nine.id, "relabel", {RING: label}).version == edited.version  # nothing to change


def test_all_images_of_a_class_can_be_given_another_spelling(nine):
    rings = nine.images["path"][nine.images["label"] == "ring"]
    edited = edit_dataset(nine.id, "relabel", dict.fromkeys(rings, "Ring"))
    assert edited.counts == {"Ring": 3, "disc": 3, "square": 3}
    assert edit_dataset(nine.id, "relabel", {DISC: "ring"}).counts == {"Ring": 4, "disc": 2, "square": 3}


def test_forms_in_one_edit_that_look_alike_become_one(nine):
    assert edit_dataset(nine.id, "relabel", {DISC: "Oval", RING: "oval"}).counts["Oval"] == 2


def test_a_group_that_looks_like_another_one_is_that_one(nine):
    edit_dataset(nine.id, "group", {DISC: "Dish 7"})
    edited = edit_dataset(nine.id, "group", {RING: "dish\u00a07"})
    assert edited.images["group"].value_counts()["Dish 7"] == 2
    assert edit_dataset(nine.id, "group", {RING: ""}).images["group"].value_counts()["Dish 7"] == 1


# --- what is refused


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (
            "relabel",
            {"disc/99.png": "ring"},
            r"does not contain disc/99\.png\. Its images have names like disc/00\.png",
        ),
        ("exclude", {f"{i}.png": None for i in range(5)}, r"does not contain 0\.png, 1\.png, 2\.png and 2 more"),
        ("relabel", {DISC: "  "}, "new label is empty"),
        ("relabel", {DISC: "a\nb"}, "line break"),
        ("relabel", {DISC: "x" * 101}, "has 101 characters"),
        ("relabel", {DISC: None}, "label is None"),
        ("group", {DISC: float("nan")}, "group is nan"),
        ("partition", {DISC: "train"}, "There is no partition 'train'. The partitions are training, validation, test"),
        ("box", {DISC: [0, 0, 65, 10]}, r"The box of disc/00\.png is \[0, 0, 65, 10\].*right <= 64 and .*bottom <= 48"),
        ("box", {DISC: [0, 0, 10, 49]}, "box of"),
        ("box", {DISC: [-1, 0, 10, 10]}, "box of"),
        ("box", {DISC: [5, 0, 5, 10]}, "box of"),
        ("box", {DISC: [5, 7, 9, 6]}, "box of"),
        ("box", {DISC: [0, 0, 10.5, 10]}, "box of"),
        ("box", {DISC: [0, 0, 10]}, "box of"),
        ("box", {DISC: [0, 0, "wide", 10]}, "box of"),
        ("box", {DISC: [0, 0, float("inf"), 10]}, "box of"),
        ("box", {DISC: 7}, "box of"),
    ],
)
def test_invalid_changes_are_refused_and_nothing_is_written(nine, kind, changes, message):
    with pytest.raises(DatasetError, match=message):
        edit_dataset(nine.id, kind, {RING: "x"} | changes if kind == "relabel" else changes)
    assert load_dataset(nine.id).version == 0
    assert not log_file(nine).exists()


def test_the_last_image_cannot_be_excluded(nine):
    paths = nine.images["path"].tolist()
    edit_dataset(nine.id, "exclude", dict.fromkeys(paths[:5]))
    with pytest.raises(DatasetError, match="exclude all remaining images"):
        edit_dataset(nine.id, "exclude", dict.fromkeys(paths[3:]))
    assert len(edit_dataset(nine.id, "exclude", dict.fromkeys(paths[:8])).images) == 1


def test_editor_and_reason_have_a_maximum_length(nine):
    with pytest.raises(DatasetError, match=r"The reason has 501 characters\. At most 500"):
        edit_dataset(nine.id, "exclude", {DISC: None}, why="x" * 501)
    with pytest.raises(DatasetError, match="The name of the editor has 501"):
        edit_dataset(nine.id, "exclude", {DISC: None}, who="x" * 501)
    assert load_dataset(nine.id).version == 0


def test_an_unknown_kind_or_dataset(nine):
    for kind in ("delete", "undo"):
        with pytest.raises(ValueError, match=f"kind is '{kind}'"):
            edit_dataset(nine.id, kind, {DISC: None})
    for call in (undo_edit, redo_edit, edit_log):
        with pytest.raises(DatasetError, match="There is no dataset"):
            call("nothing")
    with pytest.raises(DatasetError, match="There is no dataset"):
        edit_dataset("../x", "exclude", {DISC: None})


# --- undo and redo


def test_edits_are_undone_and_redone_step_by_step(nine):
    first = edit_dataset(nine.id, "relabel", {DISC: "ring"}).digest
    second = edit_dataset(nine.id, "exclude", {RING: None}).digest
    third = edit_dataset(nine.id, "relabel", {DISC: "square"}).digest
    assert undo_edit(nine.id, who="Ada").digest == second
    assert undo_edit(nine.id).digest == first
    assert undo_edit(nine.id).digest == nine.digest
    with pytest.raises(DatasetError, match="nine has no edit that can be undone"):
        undo_edit(nine.id)
    assert redo_edit(nine.id).digest == first
    assert redo_edit(nine.id).digest == second
    assert undo_edit(nine.id).digest == first
    assert redo_edit(nine.id).digest == second
    assert redo_edit(nine.id, who="Ben").digest == third
    with pytest.raises(DatasetError, match="Nothing was undone"):
        redo_edit(nine.id)
    log = edit_log(nine.id)
    assert [(e.kind, e.changes.get("edit")) for e in log[3:]] == [
        *[("undo", n) for n in (3, 2, 1)],
        *[("redo", 1), ("redo", 2), ("undo", 2), ("redo", 2), ("redo", 3)],
    ]
    assert (log[3].who, log[-1].who) == ("Ada", "Ben")
    assert [e.number for e in log] == list(range(1, 12))


def test_after_a_new_edit_nothing_can_be_redone(nine):
    edit_dataset(nine.id, "relabel", {DISC: "ring"})
    edit_dataset(nine.id, "exclude", {RING: None})
    undo_edit(nine.id)
    log = edit_log(nine.id)
    assert (next_undo(log).number, next_redo(log).number) == (1, 2)
    edit_dataset(nine.id, "exclude", {SQUARE: None})
    log = edit_log(nine.id)
    assert (next_undo(log).number, next_redo(log)) == (4, None)
    undo_edit(nine.id)
    undo_edit(nine.id)
    log = edit_log(nine.id)
    assert next_undo(log) is None
    assert next_redo(log).number == 1
    assert load_dataset(nine.id).digest == nine.digest


def test_each_version_can_be_opened_again(nine):
    digests = [nine.digest]
    digests.append(edit_dataset(nine.id, "relabel", {DISC: "ring"}).digest)
    digests.append(edit_dataset(nine.id, "exclude", {RING: None}).digest)
    digests.append(undo_edit(nine.id).digest)
    assert [load_dataset(nine.id, version=n).digest for n in range(4)] == digests
    assert load_dataset("nine", version=2).version == 2
    for version in (-1, 4):
        with pytest.raises(DatasetError, match=f"has no version {version}.*Its log holds 3 edits"):
            load_dataset(nine.id, version=version)


# --- beside it: lists, names, deletion, another import


def test_the_summary_describes_the_current_state(nine):
    edit_dataset(nine.id, "exclude", {DISC: None})
    edit_dataset(nine.id, "relabel", {RING: "oval"})
    edit_dataset(nine.id, "group", {SQUARE: "dish"})
    (summary,) = list_datasets()
    assert (summary.n_images, summary.version) == (8, 3)
    assert summary.counts == {"disc": 2, "oval": 1, "ring": 2, "square": 3}
    rename_dataset(nine.id, "other")
    (summary,) = list_datasets()
    assert (summary.name, summary.n_images, summary.version) == ("other", 8, 3)


def test_every_edit_touches_the_summary(nine):
    # pages read a dataset again when its summary has changed
    file = dataset_folder(nine.id) / "dataset.json"
    before = file.stat()
    edit_dataset(nine.id, "partition", {DISC: "test"})
    assert (file.stat().st_mtime_ns, file.stat().st_ino) != (before.st_mtime_ns, before.st_ino)


def test_deleting_forgets_the_edits(nine, nine_shapes):
    edit_dataset(nine.id, "exclude", {DISC: None})
    delete_dataset(nine.id)
    assert import_source(nine_shapes, name="nine").id == nine.id
    assert load_dataset(nine.id).version == 0


def test_what_a_broken_deletion_left_does_not_count(nine, nine_shapes):
    edit_dataset(nine.id, "exclude", {DISC: None})
    (dataset_folder(nine.id) / "dataset.json").unlink()
    import_source(nine_shapes, name="nine")
    assert load_dataset(nine.id).version == 0


def test_importing_the_same_again_keeps_the_edits(nine, nine_shapes):
    edit_dataset(nine.id, "exclude", {DISC: None})
    import_source(nine_shapes, name="nine")
    assert load_dataset(nine.id).version == 1
    (summary,) = list_datasets()
    assert (summary.n_images, summary.version) == (8, 1)


def test_a_dataset_from_before_there_were_edits_opens_and_can_be_edited(nine):
    file = dataset_folder(nine.id) / "dataset.json"
    summary = json.loads(file.read_text())
    del summary["edits"]
    file.write_text(json.dumps(summary))
    assert load_dataset(nine.id).version == 0
    assert list_datasets()[0].damaged == ""
    assert edit_dataset(nine.id, "exclude", {DISC: None}).version == 1
    assert list_datasets()[0].n_images == 8


# --- the log file


def test_the_log_has_one_json_object_per_line(nine):
    edit_dataset(nine.id, "relabel", {DISC: "größer\u2028🧫"}, who="Ana\u2028María", why="a\nb")
    edit_dataset(nine.id, "box", {DISC: [1, 2, 3, 4]})
    lines = log_file(nine).read_bytes().split(b"\n")
    assert lines.pop() == b""
    first, second = map(json.loads, lines)
    assert first["changes"] == {DISC: "größer\u2028🧫"}
    assert second == second | {"number": 2, "kind": "box", "changes": {DISC: [1, 2, 3, 4]}, "who": "", "why": ""}
    assert load_dataset(nine.id).edits[0].who == "Ana\u2028María"


def test_a_truncated_last_line_is_ignored(nine):
    edit_dataset(nine.id, "exclude", {DISC: None})
    with log_file(nine).open("ab") as file:
        file.write(b'{"number":2,"when":"2026-01-01T00:0')
    assert load_dataset(nine.id).version == 1
    assert list_datasets()[0].damaged == ""
    assert edit_dataset(nine.id, "exclude", {RING: None}).version == 2
    assert [edit.changes for edit in edit_log(nine.id)] == [{DISC: None}, {RING: None}]
    assert log_file(nine).read_bytes().count(b"\n") == 2


def test_a_last_line_without_a_line_break_counts(nine):
    edit_dataset(nine.id, "exclude", {DISC: None})
    log_file(nine).write_bytes(log_file(nine).read_bytes().rstrip(b"\n"))
    assert load_dataset(nine.id).version == 1
    assert edit_dataset(nine.id, "exclude", {RING: None}).version == 2
    assert len(load_dataset(nine.id).images) == 7


def test_an_edit_takes_effect_although_its_summary_was_not_written(nine):
    file = dataset_folder(nine.id) / "dataset.json"
    before = file.read_bytes()
    edit_dataset(nine.id, "exclude", {DISC: None})
    file.write_bytes(before)
    assert load_dataset(nine.id).version == 1
    (summary,) = list_datasets()
    assert (summary.n_images, summary.version) == (8, 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: None, "0 of 2 edits"),
        (lambda text: text[: len(text) // 2], "line . cannot be read|1 of 2 edits"),
        (lambda text: text.splitlines()[0] + "\n", "1 of 2 edits"),
        (lambda text: "{}\n" + text, "line 1 cannot be read"),
        (lambda text: text.replace('"number":2', '"number":7'), "line 2 cannot be read"),
        (lambda text: text.replace('"relabel"', '"paint"'), "line 1 cannot be read .its changes are not valid"),
        (lambda text: text.replace('"oval"', "7"), "line 1 cannot be read"),
        (lambda text: text.replace('"oval"', "[1,2,3,4]"), "line 1 cannot be read"),
        (lambda text: text.replace('"changes":{', '"changed":{'), "line 1 cannot be read"),
        (lambda text: text.replace('"who":""', '"who":7'), "line 1 cannot be read"),
        (lambda text: text.replace('{"edit":1}', '{"edit":9}'), "undo in line 2 does not match"),
        (lambda text: text.replace('{"edit":1}', '{"edit":"1"}'), "line 2 cannot be read"),
        (lambda text: text.replace('{"edit":1}', '{"other":1}'), "line 2 cannot be read"),
        (lambda text: text.replace("oval", "\ud800").encode("utf-8", "surrogatepass"), "line 1 cannot be read"),
    ],
)
def test_a_damaged_log_is_reported_and_other_datasets_still_open(nine, drawn_shapes, damage, message):
    import_source(drawn_shapes, name="shapes")
    edit_dataset(nine.id, "relabel", {DISC: "oval"})
    undo_edit(nine.id)
    text = damage(log_file(nine).read_text())
    if text is None:
        log_file(nine).unlink()
    else:
        log_file(nine).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=message):
        load_dataset(nine.id)
    good, bad = list_datasets()
    assert (good.name, good.damaged) == ("shapes", "")
    assert bad.id == nine.id
    delete_dataset(nine.id)
    assert [summary.name for summary in list_datasets()] == ["shapes"]


def test_a_log_of_other_images_is_reported(nine):
    edit_dataset(nine.id, "relabel", {DISC: "oval"})
    log_file(nine).write_text(log_file(nine).read_text().replace(DISC, "disc/77.png"))
    with pytest.raises(DatasetError, match=r"it names disc/77\.png, which is not in the dataset"):
        load_dataset(nine.id)
    assert load_dataset(nine.id, version=0).digest == nine.digest


def test_an_import_over_a_dataset_with_a_damaged_log_keeps_the_log(nine):
    edit_dataset(nine.id, "relabel", {DISC: "oval"})
    text = log_file(nine).read_text().replace(DISC, "disc/77.png")
    log_file(nine).write_text(text)
    with pytest.raises(DatasetError, match="does not match its table"):
        save_dataset(nine)
    assert log_file(nine).read_text() == text


def test_a_failed_write_changes_nothing(nine, monkeypatch):
    edit_dataset(nine.id, "exclude", {DISC: None})
    before = {file.name: file.read_bytes() for file in dataset_folder(nine.id).iterdir()}

    def full(path: Path, _content: bytes) -> None:
        raise StorageError(f"The disk is full: {path} could not be written.")

    monkeypatch.setattr("cfu_core.dataset.catalog.write_bytes", full)
    with pytest.raises(StorageError, match="disk is full"):
        edit_dataset(nine.id, "exclude", {RING: None})
    assert {file.name: file.read_bytes() for file in dataset_folder(nine.id).iterdir()} == before


def _edit_in_a_process(home: str, dataset: str, paths: list[str], ready) -> None:
    os.environ["CFU_HOME"] = home
    ready.wait(60)
    for path in paths:
        edit_dataset(dataset, "group", {path: "dish"})


def test_simultaneous_edits_of_two_sessions_are_all_logged(nine, cfu_home):
    context = multiprocessing.get_context("forkserver")
    ready = context.Barrier(2)
    paths = nine.images["path"].tolist()
    processes = [
        context.Process(target=_edit_in_a_process, args=(str(cfu_home), nine.id, part, ready))
        for part in (paths[:4], paths[4:])
    ]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
    edited = load_dataset(nine.id)
    assert edited.version == 9
    assert (edited.images["group"] == "dish").all()
