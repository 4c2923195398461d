import pytest

from cfu_core.dataset.partition_names import partition_named


@pytest.mark.parametrize(
    ("name", "partition"),
    [
        ("train", "training"),
        ("Training", "training"),
        ("TRAIN_SET", "training"),
        ("train images", "training"),
        ("val", "validation"),
        ("Valid", "validation"),
        ("dev", "validation"),
        ("test", "test"),
        ("test-data", "test"),
        ("hold-out", "test"),
        ("Held_out", "test"),
        ("", ""),
        ("set", ""),
        ("CFU-E", ""),
        ("testis", ""),
        ("trained cells", ""),
        ("valve", ""),
    ],
)
def test_usual_names_of_partitions(name, partition):
    assert partition_named(name) == partition
