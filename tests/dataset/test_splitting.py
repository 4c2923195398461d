import json

import numpy as np
import pandas as pd
import pytest

from cfu_core import paper
from cfu_core.dataset.splitting import (
    PARTITIONS,
    Split,
    check_split,
    check_trainable,
    exact_counts,
    make_split,
    split_of,
)
from cfu_core.errors import CfuError, DatasetError, StorageError, TrainingError


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Images from (label, group, digest); an empty digest stands for one of its own."""
    return pd.DataFrame(
        [
            {"path": f"{label}/{i:04d}.png", "label": label, "group": group, "digest": digest or f"own-{i}"}
            for i, (label, group, digest) in enumerate(rows)
        ]
    )


def alone(**totals: int) -> pd.DataFrame:
    """Images without groups or duplicates; underscores in names become hyphens."""
    return table([(name.replace("_", "-"), "", "") for name, n in totals.items() for _ in range(n)])


def partitions(images: pd.DataFrame, split: Split, key: str, value: str) -> set[str]:
    return set(images.loc[images[key] == value, "path"].map(split.assignment))


@pytest.mark.parametrize("seed", [0, 1, 7, 123456])
def test_table_2_comes_out_exactly_whatever_the_seed(seed):
    images = alone(CFU_GM=396, CFU_PreB=124, CFU_E=208).sample(frac=1, random_state=seed)
    split = make_split(images, seed=seed)
    assert split.counts == {name: dict(parts) for name, parts in paper.TABLE_2.items()}
    assert list(split.counts) == ["CFU-E", "CFU-GM", "CFU-PreB"]
    assert split.misplaced == 0


def test_counts_tell_what_the_assignment_holds():
    images = alone(a=20, b=11)
    split = make_split(images, seed=4)
    assert set(split.assignment) == set(images["path"])
    found = pd.crosstab(images["label"], images["path"].map(split.assignment))
    assert {c: {p: int(found.loc[c, p]) for p in PARTITIONS} for c in ("a", "b")} == split.counts


@pytest.mark.parametrize(
    ("total", "expected"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (5, (3, 1, 1)), (6, (4, 1, 1)), (10, (7, 2, 1))]
)
def test_a_class_of_three_or_more_images_is_in_every_partition(total, expected):
    assert tuple(exact_counts({"a": total})["a"].values()) == expected


def test_odd_images_go_in_turn_to_validation_and_to_test():
    # 10 images leave 3 beside the training images, 20 leave 6
    counts = exact_counts({"a": 10, "b": 20, "c": 10, "d": 10})
    held_out = [(counts[c]["validation"], counts[c]["test"]) for c in "abcd"]
    assert held_out == [(2, 1), (3, 3), (1, 2), (2, 1)]


@pytest.mark.parametrize("total", range(3, 60))
def test_exact_counts_add_up(total):
    counts = exact_counts({"a": total})["a"]
    assert sum(counts.values()) == total
    assert min(counts.values()) >= 1
    assert 0 <= counts["validation"] - counts["test"] <= 1


def test_the_same_seed_repeats_a_split_and_another_one_does_not():
    images = alone(a=40, b=30)
    assert make_split(images, seed=5).assignment == make_split(images, seed=5).assignment
    assert make_split(images, seed=5).assignment != make_split(images, seed=6).assignment


@pytest.mark.parametrize("seed", range(12))
def test_images_that_share_a_group_or_a_digest_are_never_parted(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(int(rng.integers(20, 120))):
        label = str(rng.choice(["a", "b", "c"]))
        group = f"dish {rng.integers(15)}" if rng.random() < 0.7 else ""
        digest = f"copy {rng.integers(30)}" if rng.random() < 0.15 else ""
        rows.append((label, group, digest))
    images = table(rows)
    split = make_split(images, seed=seed)
    for key in ("group", "digest"):
        for value in set(images[key]) - {""}:
            assert len(partitions(images, split, key, value)) == 1, (key, value)
    assert sum(sum(parts.values()) for parts in split.counts.values()) == len(images)


def test_dishes_of_one_class_each_still_come_near_the_shares():
    rows = [(label, f"{label}{i // 5}", "") for label in ("a", "b") for i in range(100)]
    split = make_split(table(rows), seed=1)
    # twenty dishes of five images: 14, 3 and 3 dishes meet the shares exactly
    assert split.counts == {c: {"training": 70, "validation": 15, "test": 15} for c in ("a", "b")}


def test_a_group_with_several_classes_stays_whole():
    rows = [(label, f"dish {dish}", "") for dish in range(10) for label in ("a", "a", "b")]
    images = table(rows)
    split = make_split(images, seed=2)
    for dish in range(10):
        assert len(partitions(images, split, "group", f"dish {dish}")) == 1
    for parts in split.counts.values():
        assert min(parts.values()) > 0


def test_identical_images_stay_together_even_across_classes():
    images = table([("a", "", "same"), ("b", "", "same")] + [(c, "", "") for c in "ab" for _ in range(10)])
    for seed in range(10):
        assert len(partitions(images, make_split(images, seed=seed), "digest", "same")) == 1


def test_a_chain_of_groups_and_digests_stays_together():
    # dish 1 - copy x - dish 2 - copy y - an image without a dish
    chain = [
        ("a", "dish 1", ""),
        ("a", "dish 1", "x"),
        ("a", "dish 2", "x"),
        ("b", "dish 2", "y"),
        ("b", "", "y"),
    ]
    images = table(chain + [(c, "", "") for c in "ab" for _ in range(12)])
    for seed in range(10):
        split = make_split(images, seed=seed)
        assert len({split.assignment[path] for path in images["path"][:5]}) == 1


def test_images_without_a_group_are_no_group():
    images = alone(a=20)
    assert not make_split(images).grouped
    assert set(make_split(images).assignment.values()) == set(PARTITIONS)


def test_a_split_says_how_near_it_comes_to_the_shares():
    assert (
        make_split(alone(a=20, b=20)).nearness
        == "The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."
    )
    # one dish holds ten of the twenty images of a class: nothing but training can take it
    rows = [("a", f"big {i // 10}", "") for i in range(20)] + [("b", "", "")] * 20
    split = make_split(table(rows))
    assert split.grouped
    assert split.misplaced > 0
    assert split.nearness.startswith("Images of one group stay together. The counts are as near to 70 / 15 / 15")
    assert f"{split.misplaced} of 40 images" in split.nearness


def test_misplaced_counts_each_image_once():
    counts = {"a": {"training": 10, "validation": 5, "test": 5}}
    targets = {"a": {"training": 14, "validation": 3, "test": 3}}
    split = Split(seed=0, assignment={}, counts=counts, targets=targets, grouped=True)
    assert split.misplaced == 4


def test_a_dataset_without_images_cannot_be_split():
    with pytest.raises(DatasetError, match="no images"):
        make_split(alone())


def test_a_negative_seed_is_refused_in_words():
    with pytest.raises(CfuError, match="-1"):
        make_split(alone(a=10), seed=-1)


# --- what can be trained on


def test_a_class_that_is_too_small_is_named():
    with pytest.raises(TrainingError, match=r"basophil has 2\..*at least 3"):
        check_trainable({"neutrophil": 200, "basophil": 2})
    check_trainable({"neutrophil": 200, "basophil": 3})


def test_one_class_is_not_enough():
    with pytest.raises(TrainingError, match=r"1 class \(a\).*at least two"):
        check_trainable({"a": 10})


def test_a_class_that_lies_in_one_dish_cannot_be_trained():
    counts = {
        "a": {"training": 8, "validation": 1, "test": 1},
        "b": {"training": 0, "validation": 5, "test": 0},
    }
    with pytest.raises(TrainingError, match="No training images for: b"):
        check_split(Split(seed=0, assignment={}, counts=counts, targets=counts, grouped=True))


@pytest.mark.parametrize("empty", ["validation", "test"])
def test_an_empty_partition_is_named(empty):
    counts = {"a": {"training": 5, "validation": 2, "test": 2} | {empty: 0}}
    with pytest.raises(TrainingError, match=f"The {empty} partition is empty"):
        check_split(Split(seed=0, assignment={}, counts=counts, targets=counts, grouped=True))


def test_a_usable_split_passes():
    check_split(make_split(alone(a=10, b=3)))


# --- kept with the dataset


def test_the_split_of_a_dataset_is_kept_and_reads_back_the_same(small_dataset):
    first = split_of(small_dataset, seed=3)
    kept = list((small_dataset_folder(small_dataset) / "splits").glob("*.json"))
    assert [path.name for path in kept] == ["seed-3.json"]
    assert split_of(small_dataset, seed=3) == first == make_split(small_dataset.images, seed=3)
    assert split_of(small_dataset, seed=4).assignment != first.assignment


def test_a_kept_split_is_what_counts_from_then_on(small_dataset):
    first = split_of(small_dataset)
    path = small_dataset_folder(small_dataset) / "splits" / "seed-0.json"
    saved = json.loads(path.read_text())
    some = next(iter(first.assignment))
    saved["assignment"][some] = "test"
    path.write_text(json.dumps(saved))
    assert split_of(small_dataset).assignment[some] == "test"


def test_a_damaged_split_file_is_told(small_dataset):
    split_of(small_dataset)
    path = small_dataset_folder(small_dataset) / "splits" / "seed-0.json"
    path.write_text("{")
    with pytest.raises(StorageError, match=r"seed-0\.json is damaged"):
        split_of(small_dataset)


def small_dataset_folder(dataset):
    from cfu_core.dataset.catalog import dataset_folder

    return dataset_folder(dataset.id)
