import numpy as np
import pytest

from cfu_core.dataset.audit.limits import FILE, LIMITS, Limit, read_limits, save_limit
from cfu_core.dataset.catalog import dataset_folder
from cfu_core.errors import DatasetError, StorageError


def test_a_moved_limit_is_kept_with_the_dataset_until_it_is_reset(small_dataset):
    assert read_limits(small_dataset.id) == {}
    save_limit(small_dataset.id, "blurred", 140)
    save_limit(small_dataset.id, "off-size", 3.5)
    assert read_limits(small_dataset.id) == {"blurred": 140, "off-size": 3.5}
    save_limit(small_dataset.id, "blurred", None)
    assert read_limits(small_dataset.id) == {"off-size": 3.5}


def test_a_limit_stays_in_its_range(small_dataset):
    save_limit(small_dataset.id, "underexposed", 1000)
    assert read_limits(small_dataset.id) == {"underexposed": 100}


@pytest.mark.parametrize(("kind", "value"), [("leak", 3), ("blurred", np.nan), ("blurred", np.inf)])
def test_what_is_no_limit_is_refused(small_dataset, kind, value):
    with pytest.raises(ValueError, match="no limit"):
        save_limit(small_dataset.id, kind, value)


@pytest.mark.usefixtures("cfu_home")
def test_a_dataset_that_is_not_saved_has_no_limits_and_gets_none():
    assert read_limits("nothing") == {}
    with pytest.raises(DatasetError, match="no dataset"):
        save_limit("nothing", "blurred", 140)


@pytest.mark.parametrize("content", ["[]", '{"blurred": "wide"}', '{"blurred": true}', '{"leak": 3}', "{"])
def test_a_damaged_file_is_reported_with_a_remedy(small_dataset, content):
    (dataset_folder(small_dataset.id) / FILE).write_text(content)
    with pytest.raises(StorageError, match=r"damaged.*Delete it"):
        read_limits(small_dataset.id)


def test_every_limit_says_what_it_measures_and_lists_values_on_its_side():
    for kind, facts in LIMITS.items():
        assert facts.measure
        assert facts.help.endswith(".")
        assert facts.lowest < facts.highest
        limit = Limit(kind=kind, value=3.0, default=3.0, values=np.array([2.0, 3.0, 4.0, np.nan]))
        assert limit.exceeded.tolist() == [not facts.above, False, facts.above, False]
        assert limit.change == f"limit {facts.text(3)}"
