"""The table of settings and results of several runs."""

from dataclasses import asdict

import pandas as pd
import pytest

from cfu_core.imaging.augmentation import Augmentation
from cfu_core.job import State
from cfu_core.runs.run import Run
from cfu_core.runs.settings_table import differing_settings, settings_table
from cfu_core.storage import read_json, write_json
from tests.pages.written import write_run


def test_the_table_holds_settings_and_results_and_what_differs(small_dataset):
    plain = write_run(small_dataset)
    treated = write_run(small_dataset, preprocessed=True, wrong=[0, 1])
    queued = write_run(small_dataset, State.QUEUED)
    table = settings_table([plain, treated, queued])
    assert table.index.tolist() == [plain.id, treated.id]
    assert table.loc[treated.id, "Accuracy"] == treated.evaluation().accuracy
    assert table.loc[plain.id, "Seconds"] == 40.5
    assert pd.isna(table.loc[plain.id, "Clip limit"])
    assert table.loc[treated.id, "Clip limit"] == 2.0
    assert table.loc[plain.id, "Macro F1"] == pytest.approx(1.0)
    assert differing_settings(table) == ["Images", "Preprocessing", "Clip limit", "Tiles"]


def test_settings_without_effect_on_a_probe_are_missing(small_dataset):
    runs = [write_run(small_dataset) for _ in range(2)]
    changes = [{}, {"batch_size": 4, "precision": "float32", "augmentation": asdict(Augmentation(rotation=5.0))}]
    for run, change in zip(runs, changes, strict=True):
        spec = read_json(run.folder / "spec.json")
        spec["config"] |= {"mode": "probe", **change}
        write_json(run.folder / "spec.json", spec)
    table = settings_table([Run(run.folder) for run in runs])
    assert table[["Epochs", "Batch", "Precision of arithmetic", "Augmentation"]].isna().all(axis=None)
    assert differing_settings(table) == []


def test_runs_that_share_all_settings_differ_in_none(small_dataset):
    assert differing_settings(settings_table([write_run(small_dataset), write_run(small_dataset, wrong=[0])])) == []
