"""Deleted datasets in the bin, and their restoration."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cfu_core.dataset.bin import delete_for_good, find_deleted, list_deleted, restore_dataset
from cfu_core.dataset.catalog import delete_dataset, discard_dataset, list_datasets, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.image_store import image_store
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import DatasetError

NAME = "Plates of May"


@pytest.fixture
def nine(cfu_home: Path, nine_shapes: Path) -> Dataset:  # noqa: ARG001 - sets CFU_HOME
    """Return nine images, imported, with one edit."""
    made = import_source(nine_shapes, name=NAME)
    return edit_dataset(made.id, "relabel", {made.images["path"].iat[0]: "oval"})


@pytest.fixture
def age(cfu_home: Path) -> Callable[[str], str]:
    """Return a function that dates an entry of the bin back by 31 days, and returns its new name."""

    def date_back(entry: str) -> str:
        (deleted,) = (deleted for deleted in list_deleted() if deleted.entry == entry)
        older = f"{deleted.id}-{deleted.when - timedelta(days=31):%Y%m%d-%H%M%S-%f}"
        (cfu_home / "bin" / entry).rename(cfu_home / "bin" / older)
        return older

    return date_back


def stored() -> set[str]:
    return {file.stem for file in image_store().rglob("*.png")}


def test_a_deleted_dataset_is_restored_with_its_edits_and_images(nine):
    before = stored()
    deleted = discard_dataset(nine.id, who="Ada")
    assert list_datasets() == []
    assert stored() == before
    assert list_deleted() == [deleted]
    assert (deleted.id, deleted.name, deleted.who) == (nine.id, NAME, "Ada")
    assert restore_dataset(deleted.entry) == nine.id
    assert list_deleted() == []
    restored = load_dataset(nine.id)
    assert (restored.version, restored.digest, restored.name) == (1, nine.digest, NAME)
    assert restored.read_image(0).shape == (48, 64, 3)


@pytest.mark.parametrize("reference", ["id", "name"])
def test_a_dataset_in_the_bin_is_not_called_unknown(nine, reference):
    discard_dataset(nine.id, who="Ada")
    with pytest.raises(DatasetError, match=rf"{NAME} \({nine.id}\) is in the bin: .* by Ada\..*Restore it"):
        load_dataset(getattr(nine, reference))


def test_deleting_another_dataset_keeps_the_images_of_the_bin(nine, nine_shapes):
    again = import_source(nine_shapes, name="again")
    entry = discard_dataset(nine.id).entry
    delete_dataset(again.id)
    restore_dataset(entry)
    assert load_dataset(nine.id).read_image(8).shape == (48, 64, 3)


def test_deleting_for_good_keeps_the_images_of_others(nine, nine_shapes):
    entry = discard_dataset(nine.id).entry
    (nine_shapes / "disc" / "00.png").unlink()
    few = import_source(nine_shapes, name="eight")
    delete_for_good(entry)
    assert list_deleted() == []
    assert stored() == set(few.images["digest"])
    with pytest.raises(DatasetError, match="The bin has no dataset"):
        restore_dataset(entry)


def test_restoring_is_refused_if_the_dataset_exists_again(nine, nine_shapes):
    entry = discard_dataset(nine.id).entry
    assert import_source(nine_shapes, name=NAME).id == nine.id
    with pytest.raises(DatasetError, match="exists again"):
        restore_dataset(entry)
    assert load_dataset(nine.id).version == 0
    assert [deleted.entry for deleted in list_deleted()] == [entry]


def test_two_deletions_of_one_dataset_are_two_entries(nine, nine_shapes):
    first = discard_dataset(nine.id)
    import_source(nine_shapes, name=NAME)
    second = discard_dataset(nine.id)
    assert list_deleted() == [second, first]
    assert find_deleted(nine.id) == second
    assert find_deleted(first.entry) == first


@pytest.mark.parametrize("last", ["deletion", "restoration"])
def test_what_is_too_old_is_removed_with_its_images(nine, nine_shapes, age, last):
    (nine_shapes / "disc" / "00.png").unlink()
    eight = import_source(nine_shapes, name="eight")
    entries = [discard_dataset(each.id).entry for each in (eight, nine)]
    if last == "deletion":
        restore_dataset(entries[0])
        age(entries[1])
        latest = discard_dataset(eight.id)
        assert list_deleted() == [latest]
    else:
        old = [age(entry) for entry in entries]
        assert restore_dataset(old[0]) == eight.id  # its time is over as well, but it still exists
        assert list_deleted() == []
    assert stored() == set(eight.images["digest"])


def test_an_interrupted_removal_is_completed_later(nine, nine_shapes, cfu_home):
    entry = discard_dataset(nine.id).entry
    (cfu_home / "bin" / entry / "dataset.json").unlink()
    assert list_deleted() == []
    (nine_shapes / "disc" / "00.png").unlink()
    eight = import_source(nine_shapes, name="eight")
    discard_dataset(eight.id)
    assert [folder.name for folder in (cfu_home / "bin").iterdir()] == [list_deleted()[0].entry]
    assert stored() == set(eight.images["digest"])


def test_what_a_survey_wrote_meanwhile_does_not_prevent_a_restoration(nine, cfu_home):
    entry = discard_dataset(nine.id).entry
    (cfu_home / "datasets" / nine.id / "survey").mkdir(parents=True)
    assert restore_dataset(entry) == nine.id
    assert load_dataset(nine.id).version == 1


def test_a_damaged_dataset_goes_to_the_bin_under_its_id(nine, cfu_home):
    (cfu_home / "datasets" / nine.id / "dataset.json").write_text("{")
    deleted = discard_dataset(nine.id)
    assert deleted.name == nine.id
    assert list_deleted() == [deleted]


@pytest.mark.parametrize("entry", ["", "..", "../datasets", "/etc", "x\0y"])
def test_an_entry_does_not_escape(nine, cfu_home, entry):
    discard_dataset(nine.id)
    for action in (restore_dataset, delete_for_good):
        with pytest.raises(DatasetError, match="The bin has no dataset"):
            action(entry)
    assert len(list((cfu_home / "bin").iterdir())) == 1


def test_files_of_others_in_the_bin_are_left_alone(nine, cfu_home):
    strange = cfu_home / "bin" / "notes"
    strange.mkdir(parents=True)
    discard_dataset(nine.id)
    assert strange.exists()
    assert len(list_deleted()) == 1
