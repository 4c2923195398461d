import json

import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.catalog import dataset_folder, load_dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.group_allocation import stratified_folds
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.splitting import (
    PARTITIONS,
    Split,
    check_split,
    check_trainable,
    exact_counts,
    make_folds,
    make_split,
    split_of,
)
from cfu_core.errors import DatasetError, StorageError, TrainingError
from cfu_core.published import zamani_2023


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Images from (label, group, digest); an empty digest stands for one of its own."""
    return pd.DataFrame(
        [
            {"path": f"{label}/{i:04d}.png", "label": label, "group": group, "digest": digest or f"own-{i}"}
            for i, (label, group, digest) in enumerate(rows)
        ]
    ).assign(given_partition="")


def alone(**totals: int) -> pd.DataFrame:
    """Images without groups or duplicates; underscores in names become hyphens."""
    return table([(name.replace("_", "-"), "", "") for name, n in totals.items() for _ in range(n)])


def partitions(images: pd.DataFrame, split: Split, key: str, value: str) -> set[str]:
    return set(images.loc[images[key] == value, "path"].map(split.assignment))


@pytest.mark.parametrize("seed", [0, 1, 7, 123456])
def test_table_2_comes_out_exactly_whatever_the_seed(seed):
    images = alone(CFU_GM=396, CFU_PreB=124, CFU_E=208).sample(frac=1, random_state=seed)
    split = make_split(images, seed=seed)
    assert split.counts == {name: dict(parts) for name, parts in zamani_2023.TABLE_2.items()}
    assert list(split.counts) == ["CFU-E", "CFU-GM", "CFU-PreB"]
    assert split.misplaced == 0


def test_counts_are_those_of_the_assignment():
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
def test_images_that_share_a_group_or_a_digest_stay_together(seed):
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


def test_images_without_a_group_do_not_form_a_group():
    images = alone(a=20)
    assert not make_split(images).grouped
    assert set(make_split(images).assignment.values()) == set(PARTITIONS)


def test_a_split_compares_its_counts_with_exact_shares():
    assert (
        make_split(alone(a=20, b=20)).nearness
        == "The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."
    )
    # one dish holds ten of the twenty images of a class: nothing but training can take it
    rows = [("a", f"big {i // 10}", "") for i in range(20)] + [("b", "", "")] * 20
    split = make_split(table(rows))
    assert split.grouped
    assert split.misplaced > 0
    assert split.nearness == (
        "Images of one group stay together. The split is 24 / 3 / 13 instead of 28 / 6 / 6: the closest to "
        "70 / 15 / 15 per class that was found with groups kept together."
    )


def test_a_split_whose_totals_are_exact_names_the_classes_that_differ():
    exact = {"training": 7, "validation": 2, "test": 1}
    counts = {"a": exact, "b": exact | {"training": 8, "test": 0}, "c": exact | {"training": 6, "test": 2}}
    split = Split(seed=0, assignment={}, counts=counts, targets=dict.fromkeys("abc", exact), grouped=True)
    assert "The split of b is 8 / 2 / 0 instead of 7 / 2 / 1, and 1 more class differs: the closest" in split.nearness


def test_misplaced_counts_each_image_once():
    counts = {"a": {"training": 10, "validation": 5, "test": 5}}
    targets = {"a": {"training": 14, "validation": 3, "test": 3}}
    split = Split(seed=0, assignment={}, counts=counts, targets=targets, grouped=True)
    assert split.misplaced == 4


def test_a_dataset_without_images_cannot_be_split():
    with pytest.raises(DatasetError, match="no images"):
        make_split(alone())


def test_a_negative_seed_is_refused_in_words():
    with pytest.raises(DatasetError, match="The split seed is -1"):
        make_split(alone(a=10), seed=-1)
    with pytest.raises(DatasetError, match="The split seed is -1"):
        make_folds(alone(a=10), seed=-1, folds=5, fold=0)


# --- what can be trained on


def test_a_class_that_is_too_small_is_named():
    with pytest.raises(TrainingError, match=r"basophil has 2\..*at least 3"):
        check_trainable({"neutrophil": 200, "basophil": 2})
    check_trainable({"neutrophil": 200, "basophil": 3})


def test_one_class_is_not_enough():
    with pytest.raises(TrainingError, match=r"1 class \(a\).*at least two.*another class on Explore"):
        check_trainable({"a": 10})


def test_a_class_without_training_images_is_named():
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
    split = make_split(alone(a=10, b=3))
    check_split(split)
    assert split.counts["b"] == {"training": 1, "validation": 1, "test": 1}  # one image fewer anywhere, and it fails


# --- kept with the dataset


def test_the_split_of_a_dataset_is_saved_and_reads_back_the_same(small_dataset):
    first = split_of(small_dataset, seed=3)
    kept = list((small_dataset_folder(small_dataset) / "splits").glob("*.json"))
    assert [path.name for path in kept] == ["seed-3.json"]
    assert split_of(small_dataset, seed=3) == first == make_split(small_dataset.images, seed=3)
    assert split_of(small_dataset, seed=4).assignment != first.assignment


def test_a_saved_split_is_used_again(small_dataset):
    first = split_of(small_dataset)
    path = small_dataset_folder(small_dataset) / "splits" / "seed-0.json"
    saved = json.loads(path.read_text())
    some = next(iter(first.assignment))
    saved["assignment"][some] = "test"
    path.write_text(json.dumps(saved))
    assert split_of(small_dataset).assignment[some] == "test"


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null", '{"seed": 0, "more": 1}'])
def test_a_damaged_split_file_is_reported(small_dataset, text):
    split_of(small_dataset)
    path = small_dataset_folder(small_dataset) / "splits" / "seed-0.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=r"seed-0\.json is damaged"):
        split_of(small_dataset)


# --- after edits


def kept_splits(dataset) -> list[str]:
    return sorted(path.name for path in (small_dataset_folder(dataset) / "splits").glob("*.json"))


def as_imported(dataset) -> dict[str, str]:
    """The split of a dataset as imported, before any edit."""
    return dict(split_of(load_dataset(dataset.id, version=0), seed=3).assignment)


def test_excluding_and_relabelling_move_no_other_image(small_dataset):
    before = as_imported(small_dataset)
    paths = small_dataset.images["path"]
    edit_dataset(small_dataset.id, "exclude", dict.fromkeys(paths[:5]))
    edited = edit_dataset(small_dataset.id, "relabel", {paths[12]: "disc", paths[13]: "square"})
    split = split_of(edited, seed=3)
    assert split.assignment == {path: before[path] for path in paths[5:]}
    found = pd.crosstab(edited.images["label"], edited.images["path"].map(split.assignment))
    assert split.counts == {c: {p: int(found.loc[c, p]) for p in PARTITIONS} for c in ("disc", "ring", "square")}
    assert split.targets == exact_counts({"disc": 8, "ring": 11, "square": 12})
    assert (split.version, split.moved, split.divided_groups) == (2, 0, 0)
    back = split_of(edit_dataset(small_dataset.id, "include", dict.fromkeys(paths[:5])), seed=3)
    assert back.assignment == before
    assert kept_splits(small_dataset) == ["seed-3.json"]


def test_a_split_that_is_asked_for_only_after_edits_is_the_same(small_dataset):
    paths = small_dataset.images["path"]
    edited = edit_dataset(small_dataset.id, "exclude", dict.fromkeys(paths[:5]))
    edited = edit_dataset(small_dataset.id, "relabel", {paths[20]: "disc"})
    after = split_of(edited, seed=3).assignment
    before = make_split(small_dataset.images, seed=3).assignment
    assert after == {path: before[path] for path in paths[5:]}


def test_current_groups_stay_together(small_dataset):
    before = as_imported(small_dataset)
    paths = small_dataset.images["path"]
    dishes = {path: f"dish {number % 9}" for number, path in enumerate(paths)}
    grouped = edit_dataset(small_dataset.id, "group", dishes)
    split = split_of(grouped, seed=3)
    assert split.grouped
    assert split.assignment == make_split(grouped.images, seed=3).assignment
    for dish in set(dishes.values()):
        assert len(partitions(grouped.images, split, "group", dish)) == 1
    # relabelling after that moves nothing; without the groups the old split is there again
    relabelled = edit_dataset(small_dataset.id, "relabel", {paths[0]: "ring"})
    assert split_of(relabelled, seed=3).assignment == split.assignment
    names = kept_splits(small_dataset)
    assert len(names) == 2
    assert names[1] == "seed-3.json"
    assert split_of(edit_dataset(small_dataset.id, "group", dict.fromkeys(paths, "")), seed=3).assignment == before
    assert kept_splits(small_dataset) == names


def test_an_excluded_image_still_holds_its_group_in_place(small_dataset):
    paths = small_dataset.images["path"].tolist()
    edit_dataset(small_dataset.id, "group", dict.fromkeys(paths[::4], "dish"))
    before = split_of(load_dataset(small_dataset.id), seed=1).assignment
    after = split_of(edit_dataset(small_dataset.id, "exclude", {paths[4]: None}), seed=1).assignment
    assert after == {path: part for path, part in before.items() if path != paths[4]}


def test_manually_assigned_images_are_in_their_partition_and_the_split_says_so(small_dataset):
    before = as_imported(small_dataset)
    in_training = [path for path, partition in before.items() if partition == "training"]
    put = edit_dataset(small_dataset.id, "partition", dict.fromkeys(in_training[:3], "test"))
    split = split_of(put, seed=3)
    assert split.assignment == before | dict.fromkeys(in_training[:3], "test")
    assert (split.moved, split.divided_groups, split.misplaced) == (3, 0, 3)
    assert split.nearness == (
        "3 images were assigned manually. The split is 22 / 6 / 8 instead of 25 / 6 / 5: it was made for 70 / 15 / 15 "
        "per class with identical images kept together, and edits do not reshuffle it."
    )
    freed = split_of(edit_dataset(small_dataset.id, "partition", dict.fromkeys(in_training[:3])), seed=3)
    assert freed.assignment == before
    assert freed.nearness == "The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."


def test_a_group_divided_by_manual_assignment_is_reported(small_dataset):
    paths = small_dataset.images["path"].tolist()
    edit_dataset(small_dataset.id, "group", dict.fromkeys(paths[:4], "dish 1") | dict.fromkeys(paths[12:15], "dish 2"))
    whole = split_of(load_dataset(small_dataset.id), seed=0)
    assert whole.nearness.startswith("Images of one group stay together. ")
    there = whole.assignment[paths[0]]
    other = next(partition for partition in PARTITIONS if partition != there)
    divided = split_of(edit_dataset(small_dataset.id, "partition", {paths[0]: other}), seed=0)
    assert (divided.moved, divided.divided_groups) == (1, 1)
    assert divided.nearness.startswith(
        "1 image was assigned manually. This divided 1 group of images that belong together. "
    )
    assert "stay together" not in divided.nearness
    whole_again = split_of(edit_dataset(small_dataset.id, "partition", dict.fromkeys(paths[:4], other)), seed=0)
    assert (whole_again.moved, whole_again.divided_groups) == (4, 0)


def test_a_class_made_by_relabelling_is_checked_like_any_other(small_dataset):
    before = as_imported(small_dataset)
    tested = [path for path, partition in before.items() if partition == "test"][:3]
    edited = edit_dataset(small_dataset.id, "relabel", dict.fromkeys(tested[:2], "oval"))
    with pytest.raises(TrainingError, match="oval has 2"):
        check_trainable(edited.counts)
    edited = edit_dataset(small_dataset.id, "relabel", dict.fromkeys(tested, "oval"))
    check_trainable(edited.counts)
    split = split_of(edited, seed=3)
    assert split.counts["oval"] == {"training": 0, "validation": 0, "test": 3}
    assert split.targets["oval"] == {"training": 1, "validation": 1, "test": 1}
    with pytest.raises(TrainingError, match=r"No training images for: oval\..*edits do not reshuffle.*manually"):
        check_split(split)
    edited = edit_dataset(small_dataset.id, "partition", {tested[0]: "training"})
    check_split(split_of(edited, seed=3))


def test_a_partition_emptied_by_edits_is_named(small_dataset):
    before = as_imported(small_dataset)
    validated = [path for path, partition in before.items() if partition == "validation"]
    edited = edit_dataset(small_dataset.id, "exclude", dict.fromkeys(validated))
    with pytest.raises(TrainingError, match=r"validation partition is empty.*manually"):
        check_split(split_of(edited, seed=3))


def test_each_version_keeps_its_split(small_dataset):
    paths = small_dataset.images["path"]
    edit_dataset(small_dataset.id, "exclude", {paths[0]: None})
    before = split_of(load_dataset(small_dataset.id), seed=2)
    edit_dataset(small_dataset.id, "group", {path: path[-6] for path in paths})
    edit_dataset(small_dataset.id, "partition", {paths[1]: "test"})
    assert split_of(load_dataset(small_dataset.id, version=1), seed=2) == before


def test_a_saved_split_of_other_images_is_refused(small_dataset):
    split_of(small_dataset)
    path = small_dataset_folder(small_dataset) / "splits" / "seed-0.json"
    saved = json.loads(path.read_text())
    del saved["assignment"][small_dataset.images["path"].iat[3]]
    path.write_text(json.dumps(saved))
    edited = edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    for dataset in (small_dataset, edited):
        with pytest.raises(DatasetError, match="lacks 1 image"):
            split_of(dataset)


def small_dataset_folder(dataset):
    return dataset_folder(dataset.id)


# --- cross-validation


def test_folds_keep_units_together_and_classes_alike():
    labels = np.repeat([0, 1], 50)
    units = np.arange(100) // 2
    folds = stratified_folds(labels, units, count=5, seed=0)
    assert sorted(set(folds)) == [0, 1, 2, 3, 4]
    assert all(len(set(folds[units == unit])) == 1 for unit in set(units))
    for fold in range(5):
        assert (folds == fold).sum() == 20
        assert (labels[folds == fold] == 0).sum() == 10
    assert not np.array_equal(folds, stratified_folds(labels, units, count=5, seed=1))
    np.testing.assert_array_equal(folds, stratified_folds(labels, units, count=5, seed=0))


def test_over_the_folds_every_image_is_tested_once_and_groups_stay_together():
    images = alone(a=30, b=20, c=15)
    images["group"] = [f"dish {i // 2}" for i in range(len(images))]
    turns = [make_folds(images, seed=3, folds=5, fold=fold) for fold in range(5)]
    tested = [path for turn in turns for path, part in turn.assignment.items() if part == "test"]
    assert sorted(tested) == sorted(images["path"])
    for turn, after in zip(turns, [*turns[1:], turns[0]], strict=True):
        validated = {path for path, part in turn.assignment.items() if part == "validation"}
        assert validated == {path for path, part in after.assignment.items() if part == "test"}
        parts = images.assign(part=images["path"].map(turn.assignment)).groupby("group")["part"].nunique()
        assert parts.max() == 1
        assert "Images of one group stay together" in turn.nearness
        assert f"Fold {turn.fold + 1} of 5" in turn.nearness
    assert make_folds(images, seed=3, folds=5, fold=2) == turns[2]
    assert make_folds(images, seed=4, folds=5, fold=2).assignment != turns[2].assignment


def test_more_folds_than_groups_are_refused():
    images = alone(a=10, b=10)
    images["group"] = [f"dish {i % 4}" for i in range(len(images))]
    with pytest.raises(DatasetError, match="Choose at most 4 folds"):
        make_folds(images, seed=0, folds=5, fold=0)


@pytest.mark.parametrize("fold", [-1, 5])
def test_a_fold_that_does_not_exist_is_refused(fold):
    with pytest.raises(ValueError, match=f"fold is {fold}; it must be 0 to 4"):
        make_folds(alone(a=10, b=10), seed=0, folds=5, fold=fold)


def test_folds_are_saved_and_edits_do_not_reshuffle_them(small_dataset):
    turn = split_of(small_dataset, folds=4, fold=1)
    path = small_dataset.images["path"].iat[0]
    edited = edit_dataset(small_dataset.id, "exclude", {path: None})
    again = split_of(edited, folds=4, fold=1)
    assert again.assignment == {p: part for p, part in turn.assignment.items() if p != path}
    assert (again.folds, again.fold) == (4, 1)
    assert split_of(small_dataset) != turn


def given(rows: dict[tuple[str, str], int], *, group: str = "") -> pd.DataFrame:
    """Images by class and given partition, each in a group of its own if a group is named."""
    pairs = [pair for pair, count in rows.items() for _ in range(count)]
    found = table([(label, f"{group}{i}" if group else "", "") for i, (label, _) in enumerate(pairs)])
    return found.assign(given_partition=[partition for _, partition in pairs])


def test_partitions_that_the_source_gives_are_the_split():
    images = given({("a", "training"): 5, ("a", "validation"): 2, ("b", "training"): 3, ("b", "test"): 4})
    split = make_split(images)
    assert split.assignment == dict(zip(images["path"], images["given_partition"], strict=True))
    assert split.nearness == (
        "The partitions are those that the source gives. Note: validation has no image of b; test has no image of a."
    )
    assert not split.seed_matters
    assert (split.given, split.drawn, split.misplaced, split.divided_groups) == (14, [], 0, 0)


@pytest.mark.parametrize("group", ["", "dish"])
def test_a_partition_that_the_source_lacks_is_drawn_from_its_training_images(group):
    images = given({("a", "training"): 40, ("a", "test"): 9, ("b", "training"): 20, ("b", "test"): 3}, group=group)
    split = make_split(images, seed=3)
    assert split.counts == {
        "a": {"training": 34, "validation": 6, "test": 9},
        "b": {"training": 17, "validation": 3, "test": 3},
    }
    tested = images["path"][images["given_partition"] == "test"]
    assert {path for path, partition in split.assignment.items() if partition == "test"} == set(tested)
    assert split.nearness == (
        "63 of 72 images are in the partition that the source gives; the program drew that of 9, because the source "
        "gives no images for validation."
    )
    assert split.assignment != make_split(images, seed=4).assignment


def test_images_to_which_the_source_gives_no_partition_are_drawn():
    images = given({("a", "training"): 5, ("a", "validation"): 1, ("a", "test"): 1, ("a", ""): 20})
    split = make_split(images)
    assert split.counts == {"a": {"training": 5 + 20, "validation": 1, "test": 1}}
    assert split.nearness == (
        "7 of 27 images are in the partition that the source gives; the program put 20 without one into training."
    )
    assert not split.seed_matters


def test_a_test_partition_that_the_source_gives_is_not_enlarged():
    images = given({("a", "test"): 20, ("a", ""): 100})
    split = make_split(images)
    assert split.counts == {"a": {"training": 85, "validation": 15, "test": 20}}
    assert split.nearness == (
        "20 of 120 images are in the partition that the source gives; the program drew that of 100, because the source "
        "gives no images for training and validation."
    )
    assert split.seed_matters


@pytest.mark.parametrize("seed", range(4))
def test_images_that_the_source_gives_for_training_move_only_to_a_partition_that_it_lacks(seed):
    # dishes of several images and classes, so that the counts wanted cannot be met exactly
    images = given(
        {
            ("a", "training"): 40,
            ("b", "training"): 30,
            ("a", "test"): 10,
            ("b", "test"): 8,
            ("a", ""): 30,
            ("b", ""): 20,
        }
    )
    kinds = images["given_partition"].replace("", "free")
    images["group"] = [f"{kind} {i % 7}" for i, kind in enumerate(kinds)]
    split = make_split(images, seed=seed)
    drawn = images["path"].map(split.assignment)
    assert set(drawn[kinds == "training"]) == {"training", "validation"}
    assert set(drawn[kinds == "free"]) == {"training", "validation"}
    assert set(drawn[kinds == "test"]) == {"test"}
    assert split.divided_groups == 0


def test_a_search_that_is_cut_short_draws_nothing_for_a_partition_that_the_source_gives(monkeypatch):
    def all_for_test(kinds, numbers, wanted, rng):  # noqa: ARG001 - the signature of allocate_units
        return np.stack([0 * numbers, 0 * numbers, numbers], axis=1)

    monkeypatch.setattr("cfu_core.dataset.splitting.allocate_units", all_for_test)
    split = make_split(given({("a", "training"): 8, ("a", "test"): 2, ("a", ""): 5}))
    assert split.counts == {"a": {"training": 13, "validation": 0, "test": 2}}


@pytest.mark.parametrize("key", ["group", "digest"])
def test_an_image_without_a_given_partition_follows_its_group_or_its_copies(key):
    images = given({("a", "training"): 20, ("a", "validation"): 10, ("a", "test"): 10, ("a", ""): 3})
    images.loc[[35, 40], key] = "tested"
    images.loc[[25, 41], key] = "validated"
    split = make_split(images)
    assert images["path"][[40, 41, 42]].map(split.assignment).tolist() == ["test", "validation", "training"]
    assert split.divided_groups == 0
    assert list(split.followed) == images["path"][[40, 41]].tolist()
    assert split.nearness == (
        "40 of 43 images are in the partition that the source gives; 2 without one are in that of their group or of "
        "identical images; the program put 1 without one into training."
    )


def test_of_several_given_partitions_an_image_follows_that_of_most_and_then_training():
    images = given({("a", "training"): 4, ("a", "validation"): 2, ("a", "test"): 4, ("a", ""): 2})
    images.loc[[0, 6, 7, 10], "group"] = "mostly test"
    images.loc[[1, 8, 11], "group"] = "equal"
    split = make_split(images)
    assert images["path"][[10, 11]].map(split.assignment).tolist() == ["test", "training"]
    assert split.divided_groups == 2


def test_a_group_moves_as_a_whole_to_a_partition_that_the_source_lacks():
    images = given({("a", "training"): 20, ("a", ""): 20})
    images["group"] = [f"dish {i % 20}" for i in range(40)]
    split = make_split(images)
    assert split.counts["a"] == {"training": 28, "validation": 6, "test": 6}
    assert split.divided_groups == 0


def test_images_without_a_class_count_among_those_with_a_given_partition():
    images = given({("a", "training"): 10, ("a", "test"): 3, ("a", "validation"): 2, ("", "training"): 14, ("", ""): 1})
    assert make_split(images).nearness == (
        "29 of 30 images are in the partition that the source gives; the program put 1 without one into training."
    )


def test_a_class_without_images_to_train_on_in_a_given_split_names_the_source():
    split = make_split(given({("a", "training"): 5, ("a", "validation"): 2, ("a", "test"): 2, ("b", "test"): 4}))
    with pytest.raises(TrainingError, match=r"for: b\. The source gives the partitions.*Move images of these") as found:
        check_split(split)
    assert "seed" not in str(found.value)
    split = make_split(given({("a", "training"): 5, ("a", "test"): 2}).iloc[4:].reset_index(drop=True))
    with pytest.raises(
        TrainingError, match=r"The validation partition is empty\. The source gives.*Move images to val"
    ):
        check_split(split)


def test_a_class_of_one_given_training_image_keeps_it_in_training():
    split = make_split(given({("a", "training"): 1, ("b", "training"): 3}))
    assert [split.counts[name]["training"] for name in "ab"] == [1, 1]


def test_a_group_or_a_copy_in_several_given_partitions_is_counted():
    images = given({("a", "training"): 4, ("a", "validation"): 2, ("a", "test"): 4})
    images["group"] = ["d1", "", "", "", "", "", "", "", "", "d1"]
    images["digest"] = ["0", "1", "2", "3", "4", "5", "2", "7", "8", "9"]
    split = make_split(images)
    assert split.divided_groups == 2
    assert split.nearness.startswith("This split divides 2 groups of images that belong together.")


def test_a_cross_validation_does_not_use_given_partitions_and_says_so():
    images = given({("a", "training"): 12, ("a", "test"): 3})
    split = make_folds(images, seed=0, folds=3, fold=0)
    assert split.counts["a"]["test"] == 5
    assert "The partitions that the source gives are not used." in split.nearness


@pytest.mark.usefixtures("cfu_home")
def test_given_partitions_are_kept_on_disk_with_edits(nine_shapes):
    paths = sorted(path.relative_to(nine_shapes).as_posix() for path in nine_shapes.rglob("*.png"))
    partitions = ("training", "validation", "test")
    rows = [f"{path},{path.partition('/')[0]},{partitions[i % 3]}" for i, path in enumerate(paths)]
    (nine_shapes / "manifest.csv").write_text("\n".join(["path,label,partition", *rows]))
    data = import_source(nine_shapes)
    split = split_of(data)
    assert split == split_of(load_dataset(data.id))  # from disk
    assert list(split.assignment.values()) == [*partitions] * 3
    moved = next(path for path, partition in split.assignment.items() if partition == "test")
    edited = edit_dataset(data.id, "partition", {moved: "training"})
    assert split_of(edited).assignment == {**split.assignment, moved: "training"}
    assert split_of(edited).nearness == (
        "1 image was assigned manually. The other partitions are those that the source gives. Note: test has no image "
        "of disc."
    )
    excluded = edit_dataset(data.id, "exclude", {moved: None})
    assert split_of(excluded).nearness.startswith("The partitions are those that the source gives.")
    assert "not used" in split_of(excluded, folds=3).nearness
