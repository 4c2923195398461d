import pandas as pd
import pytest

from cfu_core.dataset import grouping
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.grouping import group_edit, groups_from_pattern, suggest_patterns
from cfu_core.errors import DatasetError

NAMES = ["CFU-E/dish1/plate_12_003.jpg", "CFU-GM/dish2/plate_3_1.JPG", "CFU-GM/odd.png"]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        # templates
        ("{group}_*.jpg", ["plate", "plate", ""]),
        ("{group}_#.*", ["plate_12", "plate_3", ""]),
        ("*_{group}_*", ["12", "3", ""]),
        ("PLATE_{group}_*", ["12", "3", ""]),
        ("{group}_???.jpg", ["plate_12", "plate", ""]),
        ("{group}.*", ["plate_12_003", "plate_3_1", "odd"]),
        ("{group}/*", ["dish1", "dish2", "CFU-GM"]),
        ("*/{group}/*", ["dish1", "dish2", ""]),
        ("{group}/*/*", ["CFU-E", "CFU-GM", ""]),
        ("CFU-*/{group}/plate_*", ["dish1", "dish2", ""]),
        ("{group}", ["plate_12_003.jpg", "plate_3_1.JPG", "odd.png"]),
        # regular expressions
        (r"_(\d+)_", ["12", "3", ""]),
        (r"^(.+)_[^_]+$", ["plate_12", "plate_3", ""]),
        (r"(?P<group>dish\d)/(plate)", ["dish1", "dish2", ""]),
        (r"^CFU-GM/([^/]*)/", ["", "dish2", ""]),
        (r"^([A-Z]+)?", ["", "", ""]),
        (r"(dish\d)", ["", "", ""]),  # without a slash, the file's name alone
    ],
)
def test_a_pattern_extracts_the_group(pattern, groups):
    assert groups_from_pattern(NAMES, pattern).tolist() == groups


@pytest.mark.parametrize(
    ("name", "pattern", "group"),
    [
        ("a+b (3).jpg", "{group} (#).*", "a+b"),  # signs of regular expressions stand for themselves
        ("a.b.jpg", "{group}.jpg", "a.b"),
        ("axb.jpg", "a.{group}.jpg", ""),
        ("2024-05-01 exp 1-17.tif", "{group}-#.*", "2024-05-01 exp 1"),
        ("dish12_3.png", "{group}#_*", "dish"),
        ("dish_07b.png", "dish_{group}?.png", "07"),
        ("ü_ß_1.png", "*_{group}_*", "ß"),
        ("a_ b _c.png", "a_{group}_*", "b"),
        ("a_b_c_b.png", "*_{group}_b.png", "b_c"),
    ],
)
def test_what_a_template_takes(name, pattern, group):
    assert groups_from_pattern([name], pattern).tolist() == [group]


def test_a_series_keeps_its_index():
    groups = groups_from_pattern(pd.Series(NAMES, index=[7, 3, 5]), "{group}_*")
    assert groups.to_dict() == {7: "plate", 3: "plate", 5: ""}
    assert groups_from_pattern([], "{group}_*").tolist() == groups_from_pattern([], "(a)").tolist() == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("plate", "has no brackets; one pair should mark the group"),
        ("", "has no brackets"),
        ("(a)(b)", "has 2 pairs of brackets; one pair should mark the group"),
        ("ab(c", r"is not a valid regular expression: missing \), unterminated subpattern, at character 3"),
        ("a[b(c)", "at character 2"),
        ("(?L)(a)", "is not a valid regular expression"),
        ("{group}_{group}", "contains {group} twice, at character 9"),
        ("a_{group}*.jpg", "side by side, so the end of the group is ambiguous, at character 10"),
        ("*{group}_", "side by side"),
        ("x" * 300, "has 300 characters; at most 200"),
    ],
)
def test_the_error_of_an_invalid_pattern_gives_position_and_remedy(pattern, message):
    with pytest.raises(DatasetError, match=message) as refused:
        groups_from_pattern(NAMES, pattern)
    assert "as in {group}_*.jpg" in refused.value.remedy


def test_a_search_that_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr(grouping, "TIMEOUT_S", 0.3)
    with pytest.raises(DatasetError, match=r"takes more than 0\.3 seconds"):
        groups_from_pattern(["a" * 60 + ".jpg"], r"^(a+)+$")


def test_a_template_with_many_wildcards_is_fast():
    # no backtracking over matched parts: otherwise this would not end
    names = ["a_" * 120 + "c.jpg"] * 20
    assert set(groups_from_pattern(names, "*a" * 40 + "*{group}".replace("*{", "_{") + "_b.jpg")) == {""}


def test_a_changed_group_is_an_edit(small_dataset):
    changes = group_edit(small_dataset, "0{group}.png")
    assert changes["disc/03.png"] == "3"
    assert "disc/10.png" not in changes
    assert len(changes) == 30
    grouped = edit_dataset(small_dataset.id, "group", changes)
    again = edit_dataset(small_dataset.id, "group", group_edit(grouped, r"^(1\d)\.png"))
    assert again.images["group"].tolist()[:12] == [*"0123456789", "10", "11"]


def test_excluded_images_are_grouped_too(small_dataset):
    edited = edit_dataset(small_dataset.id, "exclude", {"disc/03.png": None})
    assert group_edit(edited, "{group}.png")["disc/03.png"] == "03"


def test_a_pattern_that_matches_nothing_is_refused(small_dataset):
    with pytest.raises(DatasetError, match=r"matches none of the 36 names\. A name is, for example, disc/00\.png"):
        group_edit(small_dataset, "{group}_*.png")


@pytest.mark.parametrize(
    ("template", "suggested"),
    [
        ("{c}/dish_{d:02d}_{i:03d}.jpg", ["{group}_#.*"]),
        ("{c}/D{d}/IMG_{n}.jpg", ["{group}/*"]),
        ("{c}/donor {d} ({i}).jpg", ["{group} (#).*"]),
        ("{c}/{d}-{i}.jpg", ["{group}-#.*", "*-{group}.*"]),
        ("{c}/{d}_left_{n}.jpg", ["{group}_#.*"]),
        ("{c}/img{n}_D{d}.jpg", ["*_{group}.*"]),
        ("{c}/{n}.jpg", []),  # a group an image
        ("{c}/{c}_{n}.jpg", []),  # the classes
        ("{c}/all_{n}.jpg", []),  # one group
    ],
)
def test_templates_are_suggested_where_they_make_plausible_groups(template, suggested):
    paths = [template.format(c=c, d=d, i=i, n=d * 10 + i) for c in "ab" for d in range(8) for i in range(10)]
    assert suggest_patterns(paths) == suggested


def test_no_names_suggest_nothing():
    assert suggest_patterns([]) == []


def test_of_many_names_blocks_of_consecutive_ones_are_used():
    paths = [f"{c}/dish{d:04d}_{i}.jpg" for c in "ab" for d in range(1000) for i in range(5)]
    assert suggest_patterns(pd.Series(paths))[0] == "{group}_#.*"
