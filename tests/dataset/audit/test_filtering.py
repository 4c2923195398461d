import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.audit.filtering import (
    LONGEST_LASSO,
    Filter,
    delete_filter,
    is_filter_parameter,
    lasso_from_outline,
    save_filter,
    saved_filters,
)
from cfu_core.dataset.catalog import dataset_folder
from cfu_core.errors import DatasetError, StorageError

TABLE = pd.DataFrame(
    {
        "path": ["E/a (1).jpg", "E/B.jpg", "GM/c.jpg", "GM/d.jpg", "PreB/e.jpg"],
        "label": ["E", "E", "GM", "GM", "PreB"],
        "group": ["dish 1", "dish 2", "dish 1", "", ""],
        "partition": ["training", "test", "training", "validation", "test"],
        "brightness": [10.0, 20.0, 30.0, 40.0, np.nan],
        "findings": [" blurred ", "", " near-duplicate blurred ", " leak ", ""],
        "map_x": [0.0, 1.0, 2.0, 3.0, np.nan],
        "map_y": [0.0, 0.0, 0.0, 0.0, np.nan],
    }
)
SQUARE = ((0.5, -1.0), (2.5, -1.0), (2.5, 1.0), (0.5, 1.0))
EVERYTHING = Filter(
    classes=("E", "GM"),
    partitions=("training",),
    groups=("dish 1",),
    findings=("blurred", "leak"),
    name="A & b=c ü",
    ranges={"brightness": (10.0, 30.5), "sharpness": (-1.0, 0.25)},
    lasso=SQUARE,
)


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [
        (Filter(), [0, 1, 2, 3, 4]),
        (Filter(classes=("E",)), [0, 1]),
        (Filter(classes=("E", "PreB"), partitions=("test",)), [1, 4]),
        (Filter(groups=("dish 1",)), [0, 2]),
        (Filter(groups=("",)), [3, 4]),
        (Filter(name="B"), [1, 4]),
        (Filter(name="a (1"), [0]),
        (Filter(name=".*"), []),
        (Filter(ranges={"brightness": (20, 30)}), [1, 2]),
        (Filter(ranges={"brightness": (-100, 100)}), [0, 1, 2, 3]),
        (Filter(findings=("blurred",)), [0, 2]),
        (Filter(findings=("leak", "near-duplicate")), [2, 3]),
        (Filter(findings=("blur",)), []),
        (Filter(lasso=SQUARE), [1, 2]),
        (Filter(lasso=SQUARE, classes=("GM",)), [2]),
        (Filter(classes=("no such",)), []),
    ],
)
def test_rows_that_pass(chosen, rows):
    assert np.flatnonzero(chosen.mask(TABLE)).tolist() == rows


def test_conditions_on_missing_columns_are_ignored():
    bare = TABLE[["path", "label", "group", "partition"]]
    assert Filter(ranges={"brightness": (0, 1)}, lasso=SQUARE, findings=("leak",)).mask(bare).all()


def test_a_filter_survives_the_url():
    assert Filter.from_params(EVERYTHING.to_params()) == EVERYTHING
    assert Filter.from_params({}) == Filter()
    assert Filter().to_params() == {}
    assert all(is_filter_parameter(name) for name in EVERYTHING.to_params())
    assert not is_filter_parameter("dataset")


@pytest.mark.parametrize(
    "params",
    [
        {"in.brightness": ["1~"]},
        {"in.brightness": ["nan~2"]},
        {"in.brightness": ["1~2~3"]},
        {"in.brightness": []},
        {"lasso": ["1,2~3,4"]},
        {"lasso": ["1~2~3"]},
        {"lasso": ["inf,1~2,3~4,"]},
        {"unknown": ["x"]},
    ],
)
def test_invalid_values_in_a_url_are_ignored(params):
    assert Filter.from_params(params) == Filter()


def test_a_long_outline_is_thinned_and_keeps_its_shape():
    angle = np.linspace(0, 2 * np.pi, 700)
    outline = lasso_from_outline(np.cos(angle).tolist(), np.sin(angle).tolist())
    assert len(outline) == LONGEST_LASSO
    points = pd.DataFrame({"map_x": [0.0, 0.97, 1.05], "map_y": [0.0, 0.0, 0.0], "path": ["a", "b", "c"]})
    assert Filter(lasso=outline).mask(points).tolist() == [True, True, False]
    assert Filter.from_params(Filter(lasso=outline).to_params()).lasso == outline


def test_two_points_enclose_nothing():
    assert lasso_from_outline([0, 1], [0, 1]) == ()


def test_ranges_are_set_and_removed():
    narrow = Filter().with_range("brightness", (1, 2)).with_range("sharpness", (3, 4))
    assert narrow.with_range("brightness", (0, 9)).ranges == {"sharpness": (3, 4), "brightness": (0, 9)}
    assert narrow.with_range("brightness", None).with_range("sharpness", None) == Filter()
    assert not Filter()
    assert narrow


def test_filters_are_saved_with_the_dataset(small_dataset):
    assert saved_filters(small_dataset.id) == {}
    save_filter(small_dataset.id, " To look at ", EVERYTHING)
    save_filter(small_dataset.id, "A", Filter(name="x"))
    assert saved_filters(small_dataset.id) == {"A": Filter(name="x"), "To look at": EVERYTHING}
    save_filter(small_dataset.id, "A", Filter())
    delete_filter(small_dataset.id, "To look at")
    assert saved_filters(small_dataset.id) == {"A": Filter()}


@pytest.mark.parametrize("name", ["", " ", "x" * 61])
def test_a_saved_filter_needs_a_name(small_dataset, name):
    with pytest.raises(DatasetError, match="1 to 60"):
        save_filter(small_dataset.id, name, EVERYTHING)


@pytest.mark.parametrize(
    "text", ["[]", '{"a": 1}', '{"a": {"class": null}}', '{"a": {"name": [3]}}', '{"a": {"name": "x"}}']
)
def test_saved_filters_of_another_shape_are_reported_as_damaged(small_dataset, text):
    file = dataset_folder(small_dataset.id) / "filters.json"
    file.write_text(text)
    for use in (saved_filters, lambda id: save_filter(id, "b", EVERYTHING), lambda id: delete_filter(id, "a")):
        with pytest.raises(StorageError, match=r"filters\.json is damaged"):
            use(small_dataset.id)
    assert file.read_text() == text


def test_a_filter_of_a_dataset_that_does_not_exist_is_not_saved(cfu_home):
    with pytest.raises(DatasetError, match="There is no dataset 'nothere'"):
        save_filter("nothere", "a", EVERYTHING)
    delete_filter("nothere", "a")
    assert not (cfu_home / "datasets").exists()


def test_deleting_a_filter_that_is_not_saved_writes_nothing(small_dataset):
    delete_filter(small_dataset.id, "a")
    assert not (dataset_folder(small_dataset.id) / "filters.json").exists()
