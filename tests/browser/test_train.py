"""The Train page with runs in each state."""

import pytest
from playwright.sync_api import expect

from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, Status
from cfu_core.runs.planning import plan_runs
from cfu_core.training.config import TrainingConfig
from tests.browser.driving import in_two_forms

pytestmark = pytest.mark.browser

MESSAGES = {
    State.PAUSED: "Paused on request.",
    State.INTERRUPTED: "The process ended unexpectedly",
    State.FAILED: "The disk is full. Expected 300 MB. Free some space, then resume.",
}


@in_two_forms
def test_every_state_is_accessible_and_fits(dataset, new_screen, server, scheme, width):
    config = TrainingConfig(
        dataset=dataset.id, architecture="googlenet", recipe=Recipe.preprocessed(299), weights="none"
    )
    details = {"epoch": 3, "epochs": 10, "batch": 2, "batches": 34}
    jobs = plan_runs([config] * len(MESSAGES), dataset)
    for job, (state, message) in zip(jobs, MESSAGES.items(), strict=True):
        job.log.write_text("a line of the log\n", encoding="utf-8")
        job.write_status(Status(state=state, message=message, details=details))
    screen = new_screen(server, width=width, color_scheme=scheme)
    screen.open("train", dataset=dataset.id)
    for message in MESSAGES.values():
        expect(screen.text(message).first).to_be_visible()
    expect(screen.widget("resume-*")).not_to_have_count(0)
    screen.open_advanced()
    screen.expect_accessible()
    for job in jobs:
        job.write_status(Status(state=State.STOPPED, message="Stopped on request."))
