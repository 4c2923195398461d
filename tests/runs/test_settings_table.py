"""The table of settings and results of several runs."""

import pandas as pd
import pytest

from cfu_core.job import State
from cfu_core.runs.settings_table import differing_settings, settings_table
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


def test_runs_that_share_all_settings_differ_in_none(small_dataset):
    assert differing_settings(settings_table([write_run(small_dataset), write_run(small_dataset, wrong=[0])])) == []
