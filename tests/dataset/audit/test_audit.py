"""Findings on a small table whose flaws are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.audit.audit import audit
from cfu_core.dataset.audit.checks import Check
from cfu_core.dataset.audit.divided_groups import rest_of_groups
from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.splitting import split_of
from cfu_core.dataset.survey.survey import load_survey
from cfu_core.imaging.frame_statistics import FrameStatistics

N = 40


def a_dataset(**columns) -> SimpleNamespace:
    """Forty images of two classes, 100 x 80 pixels, all different."""
    images = pd.DataFrame(
        {
            "path": [f"{'a' if i < 20 else 'b'}/{i:02d}.jpg" for i in range(N)],
            "label": ["a"] * 20 + ["b"] * 20,
            "group": [f"dish {i:02d}" for i in range(N)],
            "digest": [f"d{i:02d}" for i in range(N)],
            "given_partition": "",
            "width": 100,
            "height": 80,
            "size_bytes": 5000,
            "extension": ".jpg",
            "black": pd.NA,
            "white": pd.NA,
            "box_left": pd.NA,
        }
    ).astype({"black": "Float64", "white": "Float64", "box_left": "Int64"})
    for name, changes in columns.items():
        for row, value in changes.items():
            images.loc[row, name] = value
    counts = images["label"].value_counts().to_dict()
    return SimpleNamespace(
        images=images, counts=counts, partitions={}, import_issues=(), imported=images, edited=images
    )


def a_survey(pairs=(), **columns) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "unreadable": [""] * N,
            "warning": [""] * N,
            "edge_width": rng.normal(4, 0.1, N),
            "underexposed": [0.0] * N,
            "overexposed": [0.01] * N,
            "colony_left": [10.0] * N,
            "depth": ["8 bits"] * N,
            "camera": [""] * N,
            "taken": [""] * N,
            "coloured": [1.0] * N,
            "sample_low": [0.0] * N,
            "sample_high": [255.0] * N,
            "brightness": [60.0] * N,
        }
    ).assign(**dict.fromkeys([*FrameStatistics._fields[:-1]], 3.0))
    for name, changes in columns.items():
        for row, value in changes.items():
            table.loc[row, name] = value
    copies = pd.DataFrame(list(pairs), columns=["path_a", "path_b"], dtype="str").assign(kind="cropped")
    return SimpleNamespace(table=table, copies=copies)


def a_split(data, tested: int = 10, **partitions) -> SimpleNamespace:
    assignment = dict.fromkeys(data.images["path"], "training") | {
        path.replace("_", "/") + ".jpg": partition for path, partition in partitions.items()
    }
    return SimpleNamespace(assignment=assignment, counts={label: {"test": tested} for label in data.counts})


def checked(data, survey, split=None, **limits) -> dict[str, Check]:
    checks = audit(data, survey, split or a_split(data), {name.replace("_", "-"): v for name, v in limits.items()})
    return {check.kind: check for check in checks.checks}


def found(data, survey, split=None, **limits) -> dict[str, Finding]:
    checks = checked(data, survey, split, **limits)
    return {kind: check.finding for kind, check in checks.items() if check.finding}


def test_a_flawless_dataset_has_no_findings():
    assert found(a_dataset(), a_survey()) == {}


def test_identical_files_are_one_group_and_the_first_is_kept():
    finding = found(a_dataset(digest={3: "same", 7: "same", 9: "same"}), a_survey())["byte-duplicate"]
    assert finding.paths == (("a/03.jpg", "a/07.jpg", "a/09.jpg"),)
    assert [(r.kind, list(r.changes)) for r in finding.remedies] == [("exclude", ["a/07.jpg", "a/09.jpg"])]


def test_connected_near_duplicates_are_one_group_and_the_largest_is_kept():
    data = a_dataset(width={5: 400}, height={5: 300})
    findings = found(data, a_survey([("a/01.jpg", "a/05.jpg"), ("a/05.jpg", "a/08.jpg")]))
    assert findings["near-duplicate"].paths == (("a/01.jpg", "a/05.jpg", "a/08.jpg"),)
    assert list(findings["near-duplicate"].remedies[0].changes) == ["a/01.jpg", "a/08.jpg"]
    assert "byte-duplicate" not in findings
    assert "2 pairs cropped" in findings["near-duplicate"].detail


def test_a_copy_of_one_of_several_identical_files_belongs_to_them_all():
    data = a_dataset(digest={3: "same", 7: "same"})
    findings = found(data, a_survey([("a/00.jpg", "a/03.jpg"), ("a/10.jpg", "b/31.jpg")]))
    assert findings["byte-duplicate"].paths == (("a/03.jpg", "a/07.jpg"),)
    assert findings["near-duplicate"].paths == (("a/00.jpg", "a/03.jpg", "a/07.jpg"), ("a/10.jpg", "b/31.jpg"))
    assert list(findings["near-duplicate"].remedies[0].changes) == ["a/03.jpg", "a/07.jpg", "b/31.jpg"]
    assert findings["two-labels"].paths == (("a/10.jpg", "b/31.jpg"),)


def test_of_equally_large_copies_the_one_in_training_is_kept():
    data = a_dataset()
    finding = found(data, a_survey([("a/01.jpg", "a/02.jpg")]), a_split(data, a_01="test"))["near-duplicate"]
    assert list(finding.remedies[0].changes) == ["a/01.jpg"]


def test_a_copy_under_another_class_is_an_error():
    finding = found(a_dataset(), a_survey([("a/04.jpg", "b/30.jpg")]))["two-labels"]
    assert (finding.severity, finding.paths) == ("error", (("a/04.jpg", "b/30.jpg"),))
    assert list(finding.remedies[0].changes) == ["a/04.jpg", "b/30.jpg"]


@pytest.mark.parametrize(
    ("partitions", "moves"),
    [
        ({"a_02": "test"}, {"a/02.jpg": "training"}),
        (
            {"a_01": "test", "a_02": "validation", "a_03": "test"},
            {"a/02.jpg": "test"},
        ),
        (
            {"a_01": "validation", "a_02": "validation", "a_03": "test"},
            {"a/03.jpg": "validation"},
        ),
    ],
)
def test_copies_in_two_partitions_are_a_leak_and_are_moved_together(partitions, moves):
    data = a_dataset()
    survey = a_survey([("a/01.jpg", "a/02.jpg"), ("a/02.jpg", "a/03.jpg")])
    finding = found(data, survey, a_split(data, **partitions))["leak"]
    assert finding.severity == "error"
    assert (finding.remedies[0].kind, finding.remedies[0].changes) == ("partition", moves)
    assert finding.remedies[1].kind == "exclude"
    assert len(finding.remedies[1].changes) == 2


def test_copies_in_one_partition_are_not_a_leak():
    assert "leak" not in found(a_dataset(), a_survey([("a/01.jpg", "a/02.jpg")]))


def test_copies_of_excluded_images_are_ignored():
    assert found(a_dataset(), a_survey([("a/01.jpg", "excluded.jpg")])) == {}


def test_a_dataset_of_which_everything_is_excluded_has_no_findings():
    data, survey = a_dataset(), a_survey()
    survey.table = survey.table.iloc[:0]
    assert audit(SimpleNamespace(images=data.images.iloc[:0]), survey, a_split(data), {}).checks == ()


def test_a_divided_group_is_an_error_and_is_moved_to_most_of_its_images_or_back():
    data = a_dataset(group={1: "X", 2: "X", 3: "X", 7: "Y", 8: "Y"})
    data.partitions = {"a/03.jpg": "test", "b/30.jpg": "test"}
    finding = found(data, a_survey(), a_split(data, a_03="test", b_30="test"))["divided-group"]
    assert (finding.severity, finding.paths) == ("error", (("a/01.jpg", "a/02.jpg", "a/03.jpg"),))
    assert finding.detail.startswith("1 group is in several partitions: X (2 training, 1 test). ")
    assert [remedy.changes for remedy in finding.remedies] == [{"a/03.jpg": "training"}, {"a/03.jpg": None}]


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ({1: "training", 2: "test"}, ["Move each group together"]),
        ({1: "training", 2: "training"}, ["Move each group together", "Back to the split"]),
    ],
)
def test_going_back_to_the_split_is_offered_only_if_the_split_has_the_group_together(given, labels):
    data = a_dataset(group={1: "X", 2: "X"}, given_partition=given)
    data.partitions = {"a/01.jpg": "validation"}
    finding = found(data, a_survey(), a_split(data, a_01="validation"))["divided-group"]
    assert [remedy.label for remedy in finding.remedies] == labels


def test_going_back_is_not_offered_for_a_group_that_the_split_divides_without_the_moved_image():
    data = a_dataset(group={1: "X", 2: "X", 3: "X"})
    data.partitions = {"a/01.jpg": "validation"}
    finding = found(data, a_survey(), a_split(data, a_01="validation", a_02="test"))["divided-group"]
    assert [remedy.label for remedy in finding.remedies] == ["Move each group together"]


def test_a_dataset_without_groups_is_information_and_one_group_is_enough():
    data = a_dataset(group=dict.fromkeys(range(N), ""))
    finding = found(data, a_survey())["no-groups"]
    assert (finding.severity, finding.paths, finding.remedies) == ("info", (), ())
    assert "History panel" in finding.detail
    data.images.loc[5, "group"] = "dish"
    assert found(data, a_survey()) == {}


@pytest.mark.parametrize(("path", "severity"), [("a/cut.jpg", "warning"), ("c/cut.jpg", "error")])
def test_files_that_were_left_out_are_a_finding_and_a_missing_class_is_an_error(path, severity):
    data = a_dataset()
    data.import_issues = (
        ImportIssue(path=path, kind="truncated", detail="It is cut off."),
        ImportIssue(path="a", kind="class-name", detail="A is a."),
    )
    finding = found(data, a_survey())["left-out"]
    assert (finding.severity, finding.paths) == (severity, ())
    assert finding.detail.startswith("1 file was left out at the import, of the class ")


def test_a_move_of_part_of_a_group_names_the_rest_of_it():
    data = a_dataset(group={1: "X", 2: "X", 3: "X", 4: "X", 7: "Y"})
    assignment = a_split(data, a_04="test").assignment
    (rest,) = rest_of_groups(data.images, assignment, ["a/01.jpg", "a/07.jpg"], partition="test")
    assert rest == ("X", ("a/01.jpg",), ("a/02.jpg", "a/03.jpg"))
    assert rest.describe(assignment) == (
        "1 selected image is of the group X (a dish, a donor), which has 2 more in training."
    )
    whole = ["a/01.jpg", "a/02.jpg", "a/03.jpg"]
    assert rest_of_groups(data.images, assignment, whole, partition="test") == []


@pytest.mark.parametrize("remedy", [0, 1])
def test_either_remedy_makes_a_divided_group_whole(small_dataset, remedy):
    dish = small_dataset.images["path"].iloc[:4].tolist()
    grouped = edit_dataset(small_dataset.id, "group", dict.fromkeys(dish, "X"))
    split = split_of(grouped, seed=0)
    other = "test" if split.assignment[dish[0]] != "test" else "training"
    moved = edit_dataset(grouped.id, "partition", {dish[0]: other})
    findings = {f.kind: f for f in audit(moved, load_survey(moved), split_of(moved, seed=0), {}).findings}
    assert findings["divided-group"].paths == (tuple(dish),)
    edit = findings["divided-group"].remedies[remedy]
    whole = edit_dataset(moved.id, edit.kind, edit.changes, why=edit.why)
    kinds = {f.kind for f in audit(whole, load_survey(whole), split_of(whole, seed=0), {}).findings}
    assert "divided-group" not in kinds


def test_a_blurred_image_is_an_outlier_of_its_class():
    sharp = dict.fromkeys(range(20), 3.0) | dict.fromkeys(range(20, 40), 5.0)  # cells of b are smoother than those of a
    check = checked(a_dataset(), a_survey(edge_width=sharp | {6: 5.0, 7: np.nan, 33: 5.5}))["blurred"]
    assert check.finding.paths == (("a/06.jpg",),)
    assert check.finding.detail.startswith("1 image is much less sharp than a typical image of its class: the edges ")
    assert check.result == "1 of 39 images"
    assert check.limit.default == 120  # 3.5 robust standard deviations of 5 %, which is the smallest, rounded up
    assert check.limit.values[6] == pytest.approx(500 / 3)


def test_in_a_class_of_few_images_blur_is_judged_by_the_whole_dataset():
    data = a_dataset(label=dict.fromkeys([0, 1], "rare"))
    survey = a_survey(edge_width=dict.fromkeys(range(N), 4.0) | {0: 8.0, 1: 8.0})
    assert found(data, survey)["blurred"].paths == (("a/00.jpg",), ("a/01.jpg",))


def test_among_nearly_equal_images_none_is_an_outlier():
    survey = a_survey(edge_width=dict.fromkeys(range(N), 4.0) | {4: 4.5})
    assert found(a_dataset(), survey) == {}


def test_exposure():
    findings = found(a_dataset(), a_survey(underexposed={0: 0.3, 1: 0.25}, overexposed={2: 0.9}))
    assert findings["underexposed"].paths == (("a/00.jpg",),)
    assert findings["overexposed"].paths == (("a/02.jpg",),)


def test_unusual_sizes_and_ratios():
    data = a_dataset(width={0: 210, 1: 199, 2: 40, 3: 100}, height={0: 168, 1: 159, 2: 32, 3: 40})
    findings = found(data, a_survey())
    assert findings["off-size"].paths == (("a/00.jpg",), ("a/02.jpg",))
    assert findings["off-shape"].paths == (("a/03.jpg",),)


def test_an_image_without_a_colony_and_without_a_drawn_box():
    data = a_dataset(box_left={5: 10})
    finding = found(data, a_survey(colony_left={4: np.nan, 5: np.nan}))["no-colony"]
    assert (finding.severity, finding.paths) == ("info", (("a/04.jpg",),))


@pytest.mark.parametrize(
    ("limits", "kind", "paths"),
    [
        ({"blurred": 150}, "blurred", []),
        ({"blurred": 110}, "blurred", ["a/06.jpg"]),
        ({"underexposed": 10}, "underexposed", ["a/00.jpg"]),
        ({"overexposed": 0}, "overexposed", [f"{'a' if i < 20 else 'b'}/{i:02d}.jpg" for i in range(N)]),
        ({"off_size": 1.4}, "off-size", ["a/01.jpg"]),
        ({"off_shape": 1.1}, "off-shape", ["a/02.jpg"]),
    ],
)
def test_a_moved_limit_changes_the_finding_and_is_named(limits, kind, paths):
    data = a_dataset(width={1: 150, 2: 120}, height={1: 120})
    survey = a_survey(edge_width=dict.fromkeys(range(N), 4.0) | {6: 5.0}, underexposed={0: 0.2})
    check = checked(data, survey, **limits)[kind]
    assert [group[0] for group in check.finding.paths] == paths if paths else check.finding is None
    facts, value = check.limit.facts, next(iter(limits.values()))
    changed = f"limit changed from {facts.text(check.limit.default)} to {facts.text(value)}"
    assert (check.limit.changed, check.limit.change) == (True, changed)
    assert check.text == f"{check.title}: {check.result}; {changed}"


def test_the_images_nearest_to_a_limit_are_on_either_side():
    limit = checked(a_dataset(), a_survey(underexposed={0: 0.3, 1: 0.2, 2: 0.24, 3: 0.9, 4: np.nan}))[
        "underexposed"
    ].limit
    assert limit.nearest(2) == ([2, 1], [0, 3])
    few = checked(a_dataset(), a_survey(), a_split(a_dataset(), tested=9))["small-test"].limit
    assert (few.classes, few.exceeded.tolist()) == (("a", "b"), [True, True])


def test_every_check_has_a_result_also_if_it_found_nothing():
    data = a_dataset()
    checks = audit(data, a_survey(brightness={3: np.nan}), a_split(data), {})
    results = {check.kind: check.result for check in checks.checks}
    assert list(results)[:18] == [
        "left-out",
        "unreadable",
        "decoder-warning",
        "byte-duplicate",
        "near-duplicate",
        "two-labels",
        "leak",
        "divided-group",
        "no-groups",
        "unlabelled",
        "blurred",
        "underexposed",
        "overexposed",
        "off-size",
        "off-shape",
        "no-colony",
        "small-class",
        "small-test",
    ]
    assert results["left-out"] == "0 files"
    assert results["unreadable"] == "0 of 39 images; 1 not measured yet"
    assert results["byte-duplicate"] == "0 of 40 images"
    assert results["leak"] == "0 of 40 images; 1 not measured yet"
    assert results["divided-group"] == "0 of 40 groups"
    assert results["no-colony"] == "0 of 39 images; 1 not measured yet"
    assert results["small-test"] == "0 of 2 classes"
    assert checks.summary == f"{len(checks.checks)} checks: nothing found."


def test_an_unreadable_image_is_an_error_with_its_reason():
    finding = found(a_dataset(), a_survey(unreadable={9: "It is cut off."}))["unreadable"]
    assert (finding.severity, finding.paths) == ("error", (("a/09.jpg",),))
    assert "It is cut off." in finding.detail


def test_warnings_of_the_decoder_are_quoted_with_their_images_which_can_be_excluded():
    early, extra = "Corrupt JPEG data: premature end of data segment", "PNG: the pixels are followed by other data"
    finding = found(a_dataset(), a_survey(warning={9: early, 30: extra, 31: early}))["decoder-warning"]
    assert (finding.severity, finding.paths) == ("warning", (("a/09.jpg",), ("b/30.jpg",), ("b/31.jpg",)))
    assert f"“{early}” (a/09.jpg, b/31.jpg); “{extra}” (b/30.jpg)" in finding.detail
    assert list(finding.remedies[0].changes) == ["a/09.jpg", "b/30.jpg", "b/31.jpg"]


@pytest.mark.parametrize(("count", "tested", "severity"), [(2, 0, "error"), (20, 9, "warning"), (20, 10, None)])
def test_small_classes(count, tested, severity):
    data = a_dataset()
    data.counts = {"a": count}
    findings = found(data, a_survey(), a_split(data, tested=tested))
    assert [f.severity for f in findings.values()] == ([severity] if severity else [])
    assert set(findings) <= {"small-class", "small-test"}


def test_the_most_severe_findings_come_first():
    data = a_dataset(digest={1: "x", 2: "x"}, width={0: 900}, height={0: 700})
    checks = audit(data, a_survey([("a/01.jpg", "b/30.jpg")]), a_split(data), {})
    assert checks.summary.endswith("checks: 1 error, 2 warnings, 1 remark.")
    severities = [finding.severity for finding in checks.findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert set(severities) == {"error", "warning", "info"}


def test_remedies_are_edits_that_fix_the_finding(small_dataset):
    """With a real dataset that has not been surveyed: what needs no survey is found, and its remedy can be applied."""
    data, split = small_dataset, split_of(small_dataset, seed=0)
    findings = {f.kind: f for f in audit(data, load_survey(data), split, {}).findings}
    assert set(findings) == {"small-test", "no-groups"}
    one_in_test = next(path for path, part in split.assignment.items() if part == "test")
    one_in_training = next(path for path, part in split.assignment.items() if part == "training")
    survey = load_survey(data)
    copies = pd.DataFrame({"path_a": [one_in_test], "path_b": [one_in_training], "kind": "mirrored"}, dtype="str")
    leaky = SimpleNamespace(table=survey.table, copies=copies)
    remedy = next(f for f in audit(data, leaky, split, {}).findings if f.kind == "leak").remedies[0]
    mended = edit_dataset(data.id, remedy.kind, remedy.changes, why=remedy.why)
    assert "leak" not in {f.kind for f in audit(mended, leaky, split_of(mended, seed=0), {}).findings}


def test_a_shortcut_that_a_difference_of_the_files_explains_is_no_finding_of_its_own():
    data = a_dataset(extension=dict.fromkeys(range(20), ".png"))
    checks = checked(data, a_survey())
    assert checks["type-by-class"].finding.severity == "warning"
    assert checks["shortcut-file-type"].finding is None
    assert checks["shortcut-file-type"].result.endswith(", 50 % by guessing; see File type by class")


def test_without_known_groups_none_is_counted():
    data = a_dataset(group=dict.fromkeys(range(N), ""))
    assert checked(data, a_survey())["divided-group"].result == "no group is known"


def test_images_without_a_class_are_judged_by_the_dataset_and_are_not_compared_as_a_class():
    data = a_dataset(label=dict.fromkeys(range(30, 40), ""), extension=dict.fromkeys(range(30, 40), ".png"))
    survey = a_survey(edge_width=dict.fromkeys(range(30), 4.0) | dict.fromkeys(range(30, 40), 6.0))
    checks = checked(data, survey)
    assert checks["unlabelled"].result == "10 of 40 images"
    assert checks["blurred"].result == "10 of 40 images"
    assert checks["type-by-class"].result == "JPEG in all 2 classes"
    assert checks["shortcut-file-type"].result == "the same, or unknown, in all images"
