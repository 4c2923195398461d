from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.audit.file_differences import file_differences

N = 30  # of each of two classes


def checked(**columns):
    """Check 60 equal images of the classes E and GM; columns hold the values of both classes, or of each image."""
    images = {"extension": ".jpg", "width": 640, "height": 480}
    table = {"brightness": 60.0, "depth": "8 bits", "coloured": 1.0, "sample_low": 0.0, "sample_high": 255.0}
    labels = pd.Series(["E"] * N + ["GM"] * N)
    for name, values in columns.items():
        target = images if name in images else table
        target[name] = np.repeat(values, N) if len(values) == 2 else values
    survey = SimpleNamespace(table=pd.DataFrame(table, index=range(2 * N)))
    frame = pd.DataFrame(images, index=range(2 * N)).assign(label=labels)
    return {check.kind: check for check in file_differences(frame, survey)}


def test_equal_files_are_no_finding_and_say_what_they_have_in_common():
    checks = checked()
    assert [check.finding for check in checks.values()] == [None] * 5
    assert {kind: check.result for kind, check in checks.items()} == {
        "depth-by-class": "8 bits in all 2 classes",
        "range-by-class": "no clear difference between 2 classes",
        "colour-by-class": "colour in all 2 classes",
        "type-by-class": "JPEG in all 2 classes",
        "pixels-by-class": "640 × 480 in all 2 classes",
    }


def test_classes_of_different_depth_are_an_error_with_a_table():
    finding = checked(depth=["8 bits", "12 bits"])["depth-by-class"].finding
    assert finding.severity == "error"
    assert finding.detail.startswith(
        "All images of E have 8 bits, all images of GM have 12 bits. E and GM can be told from the other classes by "
    )
    assert finding.table == (("Class", "Images", "Values"), ("E", "30", "8 bits (30)"), ("GM", "30", "12 bits (30)"))


@pytest.mark.parametrize(
    ("columns", "kind", "severity", "text"),
    [
        ({"coloured": [0.0, 1.0]}, "colour-by-class", "error", "All images of E are grey, all images of GM are colour"),
        ({"extension": [".jpg", ".tif"]}, "type-by-class", "warning", "All images of E are JPEG files"),
        ({"width": [640, 1280]}, "pixels-by-class", "warning", "All images of E have 640 × 480 pixels"),
        ({"sample_high": [235.0, 90.0]}, "range-by-class", "warning", "Samples of E typically reach 235"),
    ],
)
def test_each_property_is_compared(columns, kind, severity, text):
    findings = {name: check.finding for name, check in checked(**columns).items() if check.finding}
    assert list(findings) == [kind]
    assert findings[kind].severity == severity
    assert findings[kind].detail.startswith(text)


def test_a_difference_of_a_part_of_the_images_is_information():
    finding = checked(extension=[".jpg"] * N + [".png"] * 20 + [".jpg"] * 10)["type-by-class"].finding
    assert finding.severity == "info"
    assert finding.detail.startswith("All images of E are JPEG files, 67 % of the images of GM are PNG files.")
    assert finding.table[2] == ("GM", "30", "PNG (20), JPEG (10)")


def test_a_mixture_in_every_class_is_no_difference():
    mixed = [".jpg", ".png"] * N
    assert checked(extension=mixed)["type-by-class"].finding is None


def test_images_of_many_sizes_in_every_class_are_no_difference():
    rng = np.random.default_rng(0)
    assert checked(width=rng.integers(300, 900, 2 * N))["pixels-by-class"].finding is None


def test_images_that_are_not_measured_are_not_compared():
    brightness = np.repeat([60.0, np.nan], N)
    check = checked(depth=["8 bits", ""], brightness=brightness)["depth-by-class"]
    assert check.finding is None
    assert check.result == "not compared, because fewer than two classes have measured images"
