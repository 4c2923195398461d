"""What an import says about partitions that the source gives."""

import pytest

from cfu_core.dataset.importing.given_partitions import describe_partitions


def described(**counts: int) -> str:
    """Return the text on a source with these numbers of images; `free` ones have no partition."""
    given = [name.replace("free", "") for name, count in counts.items() for _ in range(count)]
    rows = [
        {"path": f"{i:02d}.png", "group": "", "digest": f"d{i}", "given_partition": partition}
        for i, partition in enumerate(given)
    ]
    (issue,) = describe_partitions(rows)
    return issue.detail.partition(". ")[2]


FREE = (
    "2 other images have no partition: those of a group, or identical with an image, that has one are in the same "
    "partition, and the others are "
)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"training": 5, "validation": 1, "test": 1}, "This is the split of the dataset."),
        (
            {"training": 8, "test": 2},
            "For validation, of which it gives none, the program draws 15 % of the training images of every class.",
        ),
        (
            {"training": 8},
            "For validation and test, of which it gives none, the program draws 15 % each of the training images of "
            "every class.",
        ),
        ({"training": 5, "validation": 1, "test": 1, "free": 2}, f"{FREE}for training."),
        ({"test": 1, "free": 2}, f"{FREE}drawn for training and validation."),
        (
            {"test": 4},
            "It gives no image for training and validation, and there is none that the program could draw: move images "
            "on Explore before training.",
        ),
    ],
)
def test_an_import_says_what_of_the_split_is_drawn(counts, text):
    assert described(**counts) == text
