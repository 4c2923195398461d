from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cfu_core.evaluation.metrics import evaluate
from cfu_core.evaluation.paper_tables import (
    RunResult,
    comparison_table,
    describe_shared_settings,
    display_columns,
    nonempty_columns,
    per_class_table,
    table_1,
    table_2,
    table_3,
    table_4,
)
from cfu_core.evaluation.significance import compare_pairwise
from cfu_core.published import zamani_2023


def result(**changed) -> RunResult:
    values = {
        "run": "r1",
        "name": "mine",
        "architecture": "resnet18",
        "label": "ResNet-18",
        "recipe_kind": "preprocessed",
        "weights": "random weights",
        "dataset": "d",
        "epochs": 10,
        "seed": 3,
        "seconds": {
            **{"decode": 1.0, "preprocess": 2.0, "transfer": 0.25, "train": 30.0, "validate": 4.0, "test": 5.0},
            **{"load": 0.5, "save": 0.5, "total": 43.5},
        },
        "evaluation": evaluate(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"]),
    }
    return RunResult(**values | changed)


def test_table_1_shows_measured_and_published_sizes_side_by_side():
    size = SimpleNamespace(layers=18, parameters_imagenet=11_689_512, parameters=11_178_051, multiply_adds=7)
    table = table_1({"resnet18": size, "mine": size}, {"resnet18": "ResNet-18", "mine": "Mine"})
    assert table["Network"].tolist() == ["ResNet-18", "Mine"]
    assert table["Layers"].tolist() == [18, 18]
    assert table.loc[0, "Layers, published"] == 18
    assert table.loc[0, "Parameters, published (millions)"] == 12
    assert table.loc[0, "Parameters, 1000 classes"] == 11_689_512
    assert table.loc[0, "Parameters, these classes"] == 11_178_051
    assert table.loc[0, "Layers, difference"] == 0
    assert table.loc[0, "Parameters, difference (millions)"] == pytest.approx(-0.310488)
    assert pd.isna(table.loc[1, "Layers, published"])
    assert pd.isna(table.loc[1, "Parameters, difference (millions)"])
    assert pd.isna(table.loc[1, "Parameters, published (millions)"])


def test_table_2_has_totals_and_the_published_counts():
    table = table_2({name: dict(parts) for name, parts in zamani_2023.TABLE_2.items()})
    assert table["Class"].tolist() == ["CFU-E", "CFU-GM", "CFU-PreB", "All"]
    assert table["Published"].tolist() == ["146 / 31 / 31", "277 / 60 / 59", "87 / 18 / 19", "510 / 109 / 109"]
    assert set(table["Difference"]) == {"0 / 0 / 0"}
    assert table["Total"].tolist() == [208, 396, 124, 728]
    assert table.loc[3, ["Training", "Validation", "Test"]].tolist() == [510, 109, 109]


def test_table_2_has_differences_from_the_published_counts():
    other = {"training": 3, "validation": 1, "test": 2}
    table = table_2({"CFU-E": {"training": 148, "validation": 30, "test": 31}, "monocyte": other})
    assert table["Difference"].tolist() == ["+2 / -1 / 0", "", ""]


def test_table_2_has_no_published_counts_for_other_classes():
    table = table_2({"monocyte": {"training": 3, "validation": 1, "test": 2}})
    assert table["Published"].tolist() == table["Difference"].tolist() == ["", ""]
    assert nonempty_columns(table) == ["Class", "Training", "Validation", "Test", "Total"]
    assert table.loc[1, ["Training", "Validation", "Test", "Total"]].tolist() == [3, 1, 2, 6]


def test_table_3_has_seconds_by_phase_and_the_published_total():
    row = table_3([result()]).iloc[0]
    assert row["Total (s)"] == 43.5
    assert row["Published total (s)"] == 79 * 60 + 40
    parts = {
        name: row[f"{name} (s)"] for name in ("Decode", "Preprocess", "Transfer", "Train", "Validate", "Test", "Other")
    }
    assert parts == {
        **{"Decode": 1.0, "Preprocess": 2.0, "Transfer": 0.25, "Train": 30.0, "Validate": 4.0, "Test": 5.0},
        "Other": pytest.approx(1.25),
    }
    assert not row["Prepared before"]


def test_differences_are_measured_minus_published():
    # three of four right, published 165:36, 0.8899 and 0.8716
    run = result(architecture="alexnet", recipe_kind="original")
    assert table_3([run]).loc[0, "Difference (s)"] == pytest.approx(43.5 - 9936)
    row = table_4([run]).iloc[0]
    assert row["Difference of accuracy"] == pytest.approx(0.75 - 0.8716)
    assert row["Difference of precision, macro"] == pytest.approx((1 + 2 / 3) / 2 - 0.8899)
    assert row["Difference of precision, micro"] == pytest.approx(0.75 - 0.8899)
    custom = table_4([result(recipe_kind="custom")]).iloc[0]
    assert custom.filter(like="Difference").isna().all()
    assert pd.isna(table_3([result(recipe_kind="custom")]).loc[0, "Difference (s)"])


def test_table_3_leaves_unknown_times_empty():
    row = table_3([result(recipe_kind="custom", seconds={})]).iloc[0]
    assert pd.isna(row["Published total (s)"])
    assert pd.isna(row["Total (s)"])


@pytest.mark.parametrize(
    ("architecture", "images", "precision", "accuracy"),
    [
        ("alexnet", "original", 0.8899, 0.8716),
        ("alexnet", "preprocessed", 0.9174, 0.9633),
        ("googlenet", "original", 0.9266, 0.9174),
        ("googlenet", "preprocessed", 0.8991, 0.9083),
        ("resnet18", "original", 0.9358, 0.9266),
        ("resnet18", "preprocessed", 0.9450, 0.9358),
    ],
)
def test_table_4_shows_each_value_beside_its_published_one(architecture, images, precision, accuracy):
    row = table_4([result(architecture=architecture, recipe_kind=images)]).iloc[0]
    assert (row["Published precision"], row["Published accuracy"]) == (precision, accuracy)
    assert row["Accuracy"] == 0.75
    assert row["Precision, micro"] == 0.75
    assert row["Precision, macro"] == pytest.approx((1 + 2 / 3) / 2)
    assert (row["Correct"], row["Test images"]) == (3, 4)


def test_table_4_leaves_a_run_without_test_results_empty():
    row = table_4([result(evaluation=None)]).iloc[0]
    assert row[["Precision, macro", "Precision, micro", "Accuracy", "Correct", "Test images"]].isna().all()
    assert row["Published accuracy"] == 0.9358


@pytest.mark.parametrize("table", [table_3, table_4])
def test_a_row_says_which_run_it_is(table):
    row = table([result()]).iloc[0]
    assert row[["Network", "Images", "Began with", "Dataset", "Epochs", "Seed", "Run"]].tolist() == [
        "ResNet-18",
        "preprocessed",
        "random weights",
        "d",
        10,
        3,
        "r1",
    ]


@pytest.mark.parametrize("table", [table_3, table_4])
def test_rows_are_in_the_order_of_the_paper_and_other_runs_follow(table):
    given = [
        *[
            ("darknet19", "original"),
            ("resnet18", "preprocessed"),
            ("alexnet", "custom"),
            ("googlenet", "preprocessed"),
        ],
        *[("resnet18", "original"), ("alexnet", "preprocessed"), ("googlenet", "original"), ("alexnet", "original")],
    ]
    rows = table([result(run=f"{a} {kind}", architecture=a, recipe_kind=kind) for a, kind in given])
    assert rows["Run"].tolist() == [
        *("alexnet original", "alexnet preprocessed", "googlenet original", "googlenet preprocessed"),
        *("resnet18 original", "resnet18 preprocessed", "darknet19 original", "alexnet custom"),
    ]


def test_the_comparison_table_has_the_p_value_that_the_verdict_quotes():
    right = np.ones(40, bool)
    one, other = right.copy(), right.copy()
    one[:7], other[:2] = False, False
    names = {"a": "A", "b": "B", "c": "C"}
    single = comparison_table(compare_pairwise({"a": right, "b": one}), names)
    assert single.loc[0, "p, exact McNemar"] == pytest.approx(2 / 2**7)
    assert single.loc[0, "Verdict on the second"].endswith("unlikely to be chance (p 0.016).")
    several = comparison_table(compare_pairwise({"a": right, "b": one, "c": other}), names)
    assert [name for name in several if name.startswith("p, ")] == ["p, adjusted (Holm)"]
    assert several.loc[0, "p, adjusted (Holm)"] == pytest.approx(3 * 2 / 2**7)
    assert several.loc[0, "Verdict on the second"].endswith("unlikely to be chance (adjusted p 0.047).")


def test_tables_of_no_runs_are_empty():
    assert table_3([]).empty
    assert table_4([]).empty


def test_undefined_metrics_of_a_class_are_missing_values():
    table = per_class_table(evaluate(["a", "a", "b"], ["a", "b", "b"], ["a", "b", "z"]))
    assert table["Class"].tolist() == ["a", "b", "z"]
    assert table["Images"].tolist() == [2, 1, 0]
    assert table["Predicted"].tolist() == [1, 2, 0]
    assert table["Correct"].tolist() == [1, 1, 0]
    assert table["Precision"].tolist()[:2] == [1.0, 0.5]
    assert table["Recall"].tolist()[:2] == [0.5, 1.0]
    assert table[["Precision", "Recall", "F1"]].iloc[2].isna().all()


def test_settings_in_which_rows_differ_are_displayed():
    weaker = result(recipe="CLAHE 2", settings={"split_seed": 0, "batch_size": 15})
    table = table_4([weaker, result(recipe="CLAHE 4", settings={"split_seed": 0, "batch_size": 15})])
    assert table["Preprocessing"].tolist() == ["CLAHE 2", "CLAHE 4"]
    shown = display_columns(table)
    assert {"Network", "Images", "Preprocessing", "Accuracy"} <= set(shown)
    assert not {"Mode", "Began with", "Epochs", "Dataset", "Seed", "Split seed", "Batch size", "Run"} & set(shown)


def test_shared_settings_are_described_once():
    same = table_4([result(), result(recipe_kind="original")])
    assert describe_shared_settings(same) == "fine-tune, began with random weights, 10 epochs"
    other = table_4([result(), result(mode="probe", epochs=None)])
    assert describe_shared_settings(other) == "began with random weights"
    assert describe_shared_settings(table_4([result(epochs=1)])) == "fine-tune, began with random weights, 1 epoch"
    shown = display_columns(other)
    assert shown[:4] == ["Network", "Images", "Mode", "Accuracy"]
    assert shown[-1] == "Epochs"  # a setting pushes no measured or published value out of sight
    assert describe_shared_settings(table_3([result(mode="probe", epochs=None)])) == "probe, began with random weights"


def test_rows_of_two_datasets_name_each_and_mark_the_drawn_one():
    table = table_3([result(dataset="plates"), result(dataset="demo", drawn=True)])
    assert table["Dataset"].tolist() == ["plates", "demo (drawn)"]
    assert "Dataset" in display_columns(table)
