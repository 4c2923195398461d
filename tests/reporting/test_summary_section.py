"""The title and the summary of a report of runs with known results."""

import re

import pytest

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.reporting.report import report_html
from cfu_core.reporting.results_section import accuracy_table, compare_preprocessing
from cfu_core.reporting.summary_section import report_title, summary
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among
from cfu_core.storage import read_json, write_json
from tests.pages.written import write_run


def changed(run: Run, **config) -> Run:
    """Return a run with other values in its configuration."""
    spec = read_json(run.folder / "spec.json")
    spec["config"] |= config
    write_json(run.folder / "spec.json", spec)
    return Run(run.folder)


def summary_of(runs: list[Run]) -> str:
    evaluations = {run.id: run.evaluation() for run in runs}
    return summary(runs, evaluations, names_among(runs, leave_out_shared=True), compare_preprocessing(runs))


def test_a_report_of_two_runs_begins_with_a_summary(small_dataset):
    runs = [write_run(small_dataset), write_run(small_dataset, preprocessed=True, wrong=[0, 1])]
    total = runs[0].evaluation().n_images
    low, high = wilson_interval(total, total)
    text = summary_of(runs)
    assert text == (
        "In 2 runs, AlexNet was fine-tuned (all layers), beginning with random weights, on original and "
        "preprocessed images of the dataset “shapes” (36 images of 3 classes). The best accuracy is 100.0 % (95 % "
        f"interval {100 * low:.1f} % to {100 * high:.1f} %, {total} test images), reached by “AlexNet, original”. "
        "Preprocessing made no difference that chance cannot explain: with it 2 fewer of "
        f"{total} test images were right (p = 0.500)."
    )
    html = report_html(runs)
    title = "2 runs on shapes: random weights, fine-tuned"
    assert f"<h1>{title}</h1>" in html
    assert html.index(text) < html.index("<nav")
    table = accuracy_table(runs, {run.id: run.evaluation() for run in runs}, names_among(runs))
    assert [row[1:3] for row in table.rows] == [["fine-tuned", "random weights"]] * 2
    assert re.search(r'<th scope="col">Mode</th><th scope="col">Began with</th>', html)


def test_one_run_is_not_compared(small_dataset):
    run = write_run(small_dataset, key="resnet18")
    assert report_title([run]) == "ResNet-18, original, random weights, fine-tuned"
    text = summary_of([run])
    assert "In 1 run, ResNet-18 was fine-tuned" in text
    assert "The accuracy is 100.0 %" in text
    assert text.endswith("because no two of the runs differ only in the preprocessing.")
    run.rename("Monday")
    assert report_title([run]) == "Monday: ResNet-18, original, random weights, fine-tuned"


def test_modes_and_networks_are_listed(small_dataset):
    runs = [write_run(small_dataset), changed(write_run(small_dataset, key="resnet18"), mode="probe")]
    assert report_title(runs) == "2 runs on shapes: random weights, fine-tuned and probe"
    assert (
        "AlexNet and ResNet-18 were fine-tuned (all layers) or trained as a probe (only the last layer), beginning "
        "with random weights, on original images of"
    ) in summary_of(runs)
    assert "reached by 2 runs." in summary_of(runs)


@pytest.mark.parametrize("seeds", [2, 6])
def test_several_comparisons_have_adjusted_p_values(small_dataset, seeds):
    runs = [changed(write_run(small_dataset), seed=seed) for seed in range(seeds)]
    runs += [
        changed(write_run(small_dataset, preprocessed=True, wrong=range(seed)), seed=seed) for seed in range(seeds)
    ]
    sentence = summary_of(runs).rpartition(". ")[2]
    assert sentence.startswith(f"Preprocessing made a difference that chance is unlikely to explain in none of {seeds}")
    assert ("smallest adjusted p =" in sentence) == (seeds > 4)
    assert sentence.count("adjusted p =") == (1 if seeds > 4 else seeds)
