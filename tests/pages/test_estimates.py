import pytest

from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job, State, Status, create_job
from cfu_core.jobs.queue import all_jobs
from cfu_core.jobs.tasks import ESTIMATE
from cfu_core.storage import write_json

ASK = "Estimate accuracy with these settings"


def spec_of(dataset, clip: float = 2.0) -> dict:
    return {
        "dataset": dataset.id,
        "version": dataset.version,
        "recipes": {
            "These settings": Recipe.preprocessed(224, clip_limit=clip).to_dict(),
            "Original": Recipe.original(224).to_dict(),
        },
        "architecture": "alexnet",
        "weights": "none",
        "split_seed": 0,
    }


def finished(dataset, low: float, high: float, **spec: float) -> Job:
    job = create_job("estimate", spec_of(dataset, **spec))
    estimates = [
        {"accuracy": 0.9, "low": 0.85, "high": 0.93, "correct": 90, "images": 100},
        {"accuracy": 0.8, "low": 0.71, "high": 0.87, "correct": 80, "images": 100},
    ]
    against = [{"difference": 0.1, "low": low, "high": high, "only_first": 3, "only_second": 13, "p": 0.021}]
    found = {"estimates": estimates, "against": against, "weights": "random weights", "all_images": True}
    write_json(job.folder / ESTIMATE, found)
    job.write_status(Status(state=State.FINISHED))
    return job


def open_panel(visit, dataset, **query):
    return visit("data/preprocess", dataset=dataset.id, preprocess_panel="Accuracy", **query)


def button(app, label: str):
    return next(b for b in app.button if b.label == label)


def test_an_estimate_of_the_current_settings_is_submitted(visit, small_dataset, no_workers):
    app = open_panel(visit, small_dataset, clip="4.0")
    app.button_group(key="train_weights").set_value("none")
    button(app, ASK).click()
    app.run()
    assert not app.exception
    (job,) = (job for job in all_jobs() if job.kind == "estimate")
    assert job.spec["recipes"]["These settings"] == Recipe.preprocessed(224, clip_limit=4.0).to_dict()
    assert job.spec["recipes"]["Original"] == Recipe.original(224).to_dict()
    assert (job.spec["architecture"], job.spec["weights"]) == ("alexnet", "none")
    assert "question" in no_workers
    # while it waits there is no second button, and it can be stopped
    assert ASK not in [b.label for b in app.button]
    app.button(key=f"stop-{job.id}").click().run()
    assert job.status().state is State.STOPPED
    assert ASK in [b.label for b in app.run().button]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.03, 0.17, "are better"), (-0.02, 0.2, "No clear difference"), (-0.2, -0.01, "are worse")],
)
def test_the_result_says_whether_the_difference_is_clear(visit, small_dataset, figures, low, high, verdict):
    finished(small_dataset, low, high)
    app = open_panel(visit, small_dataset)
    app.button_group(key="train_weights").set_value("none").run()
    assert not app.exception
    assert any(verdict in text.value for text in app.markdown)
    (line,) = figures(app)[-1]["data"]
    assert line["x"] == pytest.approx([90, 80])
    assert line["error_x"]["array"] == pytest.approx([3, 7])
    assert any("+10.0 percentage points" in caption.value and "p = 0.021" in caption.value for caption in app.caption)
    assert any("random" in warning.value for warning in app.warning)
    assert not any(caption.value.startswith("This estimate is for") for caption in app.caption)


def test_a_result_for_other_settings_says_so_and_earlier_ones_are_listed(visit, small_dataset):
    finished(small_dataset, 0.01, 0.2, clip=7.0)
    finished(small_dataset, 0.02, 0.2, clip=3.0)
    app = open_panel(visit, small_dataset)
    assert any(caption.value.startswith("This estimate is for") and "3" in caption.value for caption in app.caption)
    table = app.dataframe[-1].value
    assert len(table) == 2
    assert ["7" in text for text in table["Settings"]] == [False, True]


def test_a_failed_estimate_says_why(visit, small_dataset):
    create_job("estimate", spec_of(small_dataset)).write_status(Status(state=State.FAILED, message="No way there."))
    app = open_panel(visit, small_dataset)
    assert [error.value for error in app.error] == ["No way there."]


def test_a_network_without_imagenet_weights_is_refused_at_once(visit, small_dataset):
    app = open_panel(visit, small_dataset, probe_network="darknet19")
    button(app, ASK).click()
    app.run()
    assert "no ImageNet weights for DarkNet-19" in app.error[0].value
    assert not [job for job in all_jobs() if job.kind == "estimate"]
