import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.audit.image_table import build_image_table, neighbours, percentile, sorted_rows
from cfu_core.dataset.splitting import split_of
from cfu_core.dataset.survey.survey import load_survey, survey

TABLE = pd.DataFrame(
    {
        "path": ["a", "b", "c", "d", "e"],
        "brightness": [30.0, 10.0, np.nan, 20.0, 10.0],
        "map_x": [0.0, 1.0, 5.0, np.nan, 1.5],
        "map_y": [0.0, 0.0, 0.0, np.nan, 0.0],
    }
)
ALL = np.ones(5, bool)


@pytest.mark.parametrize(
    ("by", "descending", "rows"),
    [
        ("path", False, [0, 1, 2, 3, 4]),
        ("path", True, [4, 3, 2, 1, 0]),
        ("brightness", False, [1, 4, 3, 0, 2]),  # equal ones by path, the unmeasured one last
        ("brightness", True, [0, 3, 1, 4, 2]),
    ],
)
def test_the_order_of_the_grid(by, descending, rows):
    assert sorted_rows(TABLE, ALL, by=by, descending=descending).tolist() == rows


def test_only_what_passes_is_sorted():
    assert sorted_rows(TABLE, np.array([1, 0, 0, 1, 1], bool), by="brightness").tolist() == [4, 3, 0]
    assert sorted_rows(TABLE, ~ALL, by="brightness").tolist() == []


def test_the_share_of_images_with_a_lower_value():
    assert percentile(TABLE, "brightness", 0) == 75  # of four measured ones, three are darker
    assert percentile(TABLE, "brightness", 1) == 0
    assert percentile(TABLE, "brightness", 2) is None


def test_neighbours_are_the_nearest_on_the_map():
    assert neighbours(TABLE, 0, count=2) == [1, 4]
    assert neighbours(TABLE, 1, count=9) == [4, 0, 2]
    assert neighbours(TABLE, 3, count=2) == []


def test_one_table_of_everything(small_dataset):
    survey(small_dataset)
    paths = small_dataset.images["path"]
    split = split_of(small_dataset, seed=0)
    findings = [
        Finding(kind="blurred", title="", detail="", paths=((paths[3],), (paths[5],)), severity="warning", remedies=()),
        Finding(kind="leak", title="", detail="", paths=((paths[5], paths[7]),), severity="error", remedies=()),
    ]
    table = build_image_table(small_dataset, split, load_survey(small_dataset), findings)
    assert table["path"].tolist() == paths.tolist()
    assert table["partition"].tolist() == [split.assignment[path] for path in paths]
    assert {row: table["findings"].iat[row].split() for row in (3, 5, 7, 9)} == {
        3: ["blurred"],
        5: ["blurred", "leak"],
        7: ["leak"],
        9: [],
    }
    assert table["copies"].dropna().to_dict() == {5: 0, 7: 0}
    assert table["brightness"].between(0, 100).all()
    assert (table["pixels"] == 64 * 48).all()
