"""What the levels of folders are taken for, with reasons, and when a person must decide."""

from pathlib import Path

import pytest

from cfu_core.dataset.importing.folder_layout import LayoutChoice, folder_levels, parse_roles
from cfu_core.dataset.importing.layout_proposal import choose_layout
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.dataset.left_out import missing_classes
from cfu_core.dataset.splitting import make_split
from cfu_core.errors import DatasetError


def paths(*folders: str, images: int = 3) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(images)]


def crossed(*levels: str) -> list[str]:
    """Return images in every combination of folders; the folders of a level are separated by blanks."""
    folders = [""]
    for level in levels:
        folders = [f"{folder}/{name}".strip("/") for folder in folders for name in level.split()]
    return paths(*folders)


def proposal(files: list[str], **stated) -> tuple[str, str]:
    """Return the roles with slashes between them, and the question."""
    layout, _ = choose_layout(files, LayoutChoice(**stated), source="plates")
    return "/".join(layout.roles), layout.question


@pytest.mark.parametrize(
    ("files", "roles"),
    [
        (crossed("CFU-E CFU-GM"), "class"),
        (crossed("1 2 3"), "class"),
        (crossed("train valid test", "CFU-E CFU-GM"), "partition/class"),
        (crossed("Training Hold-out", "a b c"), "partition/class"),
        (crossed("a b c", "train test"), "class/partition"),
        (crossed("donor1 donor2", "CFU-E CFU-GM"), "group/class"),
        (crossed("CFU-E CFU-GM", "plate_1 plate_2"), "class/group"),
        (crossed("a b", "A1 A2 B1"), "class/group"),
        (crossed("patient1 patient2", "dish1 dish2", "a b"), "group/ignored/class"),
        (crossed("day7 day14", "a b"), "ignored/class"),
        (crossed("2024-03-01 2024-03-08", "a b"), "ignored/class"),
        (crossed("train test", "donor1 donor2", "CFU-E BFU-E", "left right"), "partition/group/class/ignored"),
        (crossed("images", "a b"), "ignored/class"),
        (crossed("x y z", "CFU-E BFU-E"), "ignored/class"),
        (paths("a/one", "a/two", "b/three"), "class/ignored"),  # parts of one class each
        (paths(*(f"cell{n}/image" for n in range(20)), images=1), "ignored/ignored"),
        (["a/1.png", "a/2.png"], "class"),
    ],
)
def test_levels_are_recognised_by_their_names(files, roles):
    found, question = proposal(files)
    assert found == roles
    assert bool(question) == ("class" not in roles)


@pytest.mark.parametrize(
    ("files", "roles", "asked"),
    [
        (crossed("train valid test"), "partition", "level 1 has 3 folders: train, valid, test (named like partitions)"),
        (crossed("donor1 donor2"), "group", "(named like dishes or donors). Which level is it?"),
        (crossed("CFU-E CFU-GM test"), "class", "test is a folder beside CFU-E, CFU-GM, but named like a partition"),
        (crossed("north south", "red blue"), "class/ignored", "Two levels of folders may be the class: level 1 has 2"),
        (
            [*crossed("plates", "a b"), *paths("plates")],
            "ignored/class",
            "The folder plates contains 3 images directly, and 6 in 2 folders: a, b. Is plates a class",
        ),
        ([*crossed("red", "a b"), *paths("red", images=9)], "class/ignored", "Is red a class"),
    ],
)
def test_a_question_is_asked_where_names_do_not_decide(files, roles, asked):
    found, question = proposal(files)
    assert (found, asked in question) == (roles, True), question


def test_a_loose_picture_beside_many_in_class_folders_needs_no_question():
    assert proposal([*paths("download/a", "download/b", images=8), "download/loose.png"]) == ("ignored/class", "")


def test_folders_of_masks_and_altered_copies_are_left_out():
    for files, names in (
        (crossed("images masks", "a b"), {"masks"}),
        (crossed("a b", "Original CLAHE"), {"CLAHE"}),
        (crossed("clahe", "a b"), set()),  # no originals beside them
        (crossed("masks"), set()),  # nothing would remain
    ):
        layout, levels = choose_layout(files, LayoutChoice(), source="plates")
        assert layout.left_out == names
        assert not names & {name for level in levels for name in level.images}
    layout, _ = choose_layout(crossed("images masks", "a b"), LayoutChoice(left_out=()), source="plates")
    assert layout.left_out == frozenset()
    assert "Two levels of folders may be the class" in layout.question


def test_a_person_states_the_level_of_the_class_or_all_roles():
    files = crossed("north south", "red blue")
    assert proposal(files, class_level=2) == ("ignored/class", "")
    assert proposal(files, roles=("group", "class")) == ("group/class", "")
    assert proposal(files, roles=("class",)) == ("class/ignored", "")
    assert proposal(crossed("CFU-E test"), class_level=1) == ("class", "")
    assert proposal(crossed("train test", "a b"), class_level=1) == ("class/ignored", "")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            {"class_level": 3},
            r"states level 3, but the images of plates are in 2 levels of folders\. level 1: 2 folders",
        ),
        ({"roles": ("group", "ignored")}, r"No level of folders is the class\. State which one it is, or"),
        ({"roles": ("partition", "class")}, r"The folders north, south are not named like partitions\."),
        ({"roles": ("class", "class")}, r"Two levels of folders are the class\."),
        ({"roles": ("class", "dish")}, r"'dish' is not a role"),
        ({"left_out": ("masks",)}, r"plates has no folder named 'masks' that could be left out\."),
    ],
)
def test_a_statement_that_does_not_fit_is_refused(stated, message):
    with pytest.raises(DatasetError, match=message):
        proposal(crossed("north south", "red blue"), **stated)


def test_roles_in_words():
    assert parse_roles("split/class/Donor/-") == ("partition", "class", "group", "ignored")
    with pytest.raises(
        DatasetError, match=r"'plate' in the layout 'plate/class' is not a role .*Write class, partition,"
    ):
        parse_roles("plate/class")
    with pytest.raises(DatasetError, match=r"Two levels of folders are the group\."):
        parse_roles("dish/donor/class")


def test_levels_count_images_and_places():
    first, second = folder_levels(["a/x/1.png", "a/x/2.png", "b/x/1.png", "b/1.png", "1.png"])
    assert (dict(first.images), first.loose, first.total) == ({"a": 2, "b": 2}, 1, 4)
    assert (dict(second.images), dict(second.parents), second.loose) == ({"x": 3}, {"x": 2}, 1)


@pytest.fixture(params=["folder", "zip"])
def make(request, write_tree, write_zip):
    """Writes the same files as a folder or as a zip."""
    return write_tree if request.param == "folder" else write_zip


@pytest.mark.usefixtures("cfu_home")
def test_a_downloaded_split_is_the_split_of_the_dataset(make, cases: Path):
    root = cases / "10_presplit" / "kaggle_download"
    files = {f"kaggle/{path.relative_to(root).as_posix()}": path.read_bytes() for path in root.rglob("*.png")}
    found = import_source(make(files))
    assert found.counts == {"CFU-E": 15, "CFU-GM": 14}
    split = make_split(found.images)
    for path, partition in split.assignment.items():
        assert path.startswith({"training": "train/", "validation": "valid/", "test": "test/"}[partition])
    assert split.divided_groups == 1
    assert "This split divides 1 group of images that belong together." in split.nearness
    assert [issue.detail for issue in found.import_issues] == [
        "Folders: level 1 (train, test, valid) is the partition: named like partitions; level 2 (CFU-E, CFU-GM) is the "
        "class: names of colonies or cells.",
        "1 set of identical images is in several of these partitions, such as test/CFU-E/leak.png and "
        "train/CFU-E/im0.png. The network would be tested on images that it was trained on.",
        "The source divides its images: 16 training, 4 validation, 9 test. This is the split of the dataset.",
    ]


def test_an_empty_class_in_a_partition_is_said_and_missing(write_tree, picture):
    root = write_tree({f"{part}/{name}/{part}.png": picture(1) for part in ("train", "test") for name in ("a", "b")})
    (root / "train" / "c").mkdir()
    (root / "test" / "c").mkdir()
    found = scan_source(root)
    assert [(issue.path, issue.label) for issue in found.import_issues if issue.kind == "empty-class"] == [
        ("test/c", "c"),
        ("train/c", "c"),
    ]
    assert missing_classes(found) == ["c"]


def test_names_that_do_not_decide_stop_an_import_until_a_person_decides(make, picture):
    source = make({f"{a}/{b}/{i}.png": picture(i) for a in ("x", "y") for b in ("p", "q") for i in (1, 2)})
    with pytest.raises(DatasetError, match=r"Two levels of folders may be the class.*--class-level or --layout"):
        scan_source(source)
    assert scan_source(source, layout=LayoutChoice(class_level=2)).counts == {"p": 4, "q": 4}
    found = scan_source(source, layout=LayoutChoice(roles=("group", "class")))
    assert found.images["group"].unique().tolist() == ["x", "y"]


def test_images_that_are_left_out_by_folder_are_counted(make, picture):
    source = make({f"{top}/{label}/1.png": picture(1) for top in ("images", "masks") for label in ("a", "b")})
    found = scan_source(source)
    assert found.images["path"].tolist() == ["images/a/1.png", "images/b/1.png"]
    (issue,) = found.import_issues
    assert issue.detail.endswith("2 images are left out, in folders named masks.")
