from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.audit.shortcuts import GROUPS, cross_validated, shortcuts
from cfu_core.imaging.frame_statistics import FrameStatistics


def checked(labels, groups=None, missing=(), **columns):
    """Test images whose numbers are noise, apart from the given columns."""
    rng = np.random.default_rng(3)
    count = len(labels)
    images = pd.DataFrame(
        {
            "label": labels,
            "group": groups if groups is not None else "",
            "digest": [str(i) for i in range(count)],
            "extension": ".jpg",
            "width": 640,
            "height": 480,
            "size_bytes": 5000,
            "black": pd.array([pd.NA] * count, "Float64"),
            "white": pd.array([pd.NA] * count, "Float64"),
        }
    )
    table = pd.DataFrame({"unreadable": [""] * count, "depth": "8 bits", "camera": "", "taken": "", "sample_low": 0.0})
    table = table.assign(brightness=60.0, sample_high=255.0, **dict.fromkeys(FrameStatistics._fields, 1.0))
    for name, values in columns.items():
        target = images if name in images else table
        target[name] = rng.normal(0, 1, count) if values is None else values
    table.loc[list(missing), "brightness"] = np.nan
    return {check.kind: check for check in shortcuts(images, SimpleNamespace(table=table))}


LABELS = np.repeat(["E", "GM", "PreB"], [60, 90, 40])
CLASSES = np.repeat([0, 1, 2], [60, 90, 40])


def test_a_tint_of_the_border_that_follows_the_class_is_found():
    rng = np.random.default_rng(0)
    check = checked(LABELS, border_b=CLASSES * 1.5 + rng.normal(0, 1, len(LABELS)))["shortcut-border-colour"]
    assert check.finding.severity == "warning"
    assert check.finding.title == check.title == "Class predictable from the colour around the colony"
    assert check.result.startswith("balanced accuracy ")
    assert check.result.endswith(" %), 33 % by guessing")
    assert f"{check.result}, which means naming the same class every time. There is no colony" in check.finding.detail


def test_a_border_that_is_the_same_for_all_classes_is_no_finding():
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(6):
        check = checked(rng.permutation(LABELS), border_lightness=None, border_a=None)["shortcut-border-colour"]
        found += check.finding is not None
    assert found == 0


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"extension": [".jpg", ".png", ".png"]}, "shortcut-file-type"),
        ({"camera": ["Canon", "Leica", "Zeiss"]}, "shortcut-camera"),
        ({"taken": ["2024:05:01 10:00:00", "2024:05:02 10:00:00", ""]}, "shortcut-date"),
        ({"width": [640, 1280, 640]}, "shortcut-image-size"),
        ({"sample_high": [255.0, 255.0, 200.0]}, "shortcut-samples"),
        ({"size_bytes": [5000, 5000, 9000]}, "shortcut-file-size"),
        ({"mean_a": [1.0, 2.0, 3.0]}, "shortcut-mean-colour"),
        ({"border_noise": [1.0, 2.0, 3.0]}, "shortcut-border-noise"),
    ],
)
def test_each_group_of_features_is_tested_by_itself(columns, kind):
    checks = checked(LABELS, **{name: np.array(values)[CLASSES] for name, values in columns.items()})
    assert [name for name, check in checks.items() if check.finding] == [kind]
    others = {check.result for name, check in checks.items() if name != kind}
    assert others == {"the same, or unknown, in all images"}


def test_images_of_one_dish_are_not_on_both_sides():
    rng = np.random.default_rng(5)
    dish = np.repeat(np.arange(12), 16)
    light = rng.normal(0, 1, 12)[dish]  # each dish has its own light, whatever its class
    labels = np.array(["E", "GM"])[dish % 2]
    assert checked(labels, border_lightness=light)["shortcut-border-colour"].finding  # as if images were independent
    grouped = checked(labels, [f"dish {number}" for number in dish], border_lightness=light)["shortcut-border-colour"]
    assert grouped.finding is None


def test_a_class_of_a_single_dish_is_said():
    groups = np.where(CLASSES == 0, "dish 1", [f"dish {i % 9 + 2}" for i in range(len(CLASSES))])
    finding = checked(LABELS, groups, border_lightness=CLASSES * 1.0)["shortcut-border-colour"].finding
    assert "A class comes from a single dish or donor, so that dish and class cannot be told apart." in finding.detail


def test_nothing_is_tested_before_all_images_are_measured_or_with_too_few():
    waiting = checked(LABELS, missing=[4], border_a=CLASSES * 1.0)
    assert {check.result for check in waiting.values()} == {"not tested until all images are measured"}
    few = checked(LABELS[:65], border_a=CLASSES[:65] * 1.0)
    assert {check.result for check in few.values()} == {"not tested, because fewer than two classes have 10 images"}
    assert len(few) == len(GROUPS)


def test_the_standard_error_counts_dishes_and_not_images():
    classes = np.repeat([0, 1], 40)
    dishes = np.repeat(np.arange(8), 10)
    numbers = np.where(np.isin(dishes, [0, 1, 2, 7]), 0.0, 1.0)[:, None]  # dishes 3 and 7 look like the other class
    by_dish = cross_validated(numbers, classes, dishes, dishes % 4)
    by_image = cross_validated(numbers, classes, np.arange(80), np.arange(80) % 4)
    assert by_image.accuracy == pytest.approx(0.75)
    # of each class, three dishes are right and one is wrong: sums of 2.5, 2.5, 2.5 and -7.5 around the mean
    variance = (3 * 2.5**2 + 7.5**2) / 40**2 * 4 / 3
    assert by_dish.accuracy == pytest.approx(0.75)
    # four folds: the variance is multiplied by 1 + 4 * (1 / 4) / (3 / 4)
    assert by_dish.error == pytest.approx(np.sqrt(2 * variance * (1 + 4 / 3)) / 2)
    assert by_image.error < by_dish.error / 2
    assert by_dish.guessing == 0.5
