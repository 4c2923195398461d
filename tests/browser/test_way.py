"""The workflow with real images: upload, explore, preprocess, train, compare."""

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cfu_core.job import State
from cfu_core.published.zamani_2023 import RESULTS
from cfu_core.runs.run_result import result_of
from tests.browser.driving import LONG_TIMEOUT_MS, runs_in

pytestmark = [pytest.mark.browser, pytest.mark.real]

CLASSES = ("erythroblast", "immature_granulocyte", "lymphocyte")
PER_CLASS = 24
IMAGES = ("preprocessed", "original")  # in the order of training


@pytest.fixture
def blood_cells(tmp_path, real_images) -> Path:
    """Return a zip of 24 real images per class, one of them truncated."""
    path = tmp_path / "blood cells.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in CLASSES:
            for number, file in enumerate(sorted((real_images / "blood_lineages" / name).iterdir())[:PER_CLASS]):
                content = file.read_bytes()
                broken = name == "lymphocyte" and number == 0
                archive.writestr(f"{name}/{file.name}", content[: len(content) // 2] if broken else content)
    return path


@pytest.mark.timeout(900)
def test_from_an_upload_to_two_compared_runs(screen, server, blood_cells):
    screen.open()

    # the images
    screen.upload(blood_cells)
    expect(screen.text("The dataset is ready")).to_be_visible(timeout=LONG_TIMEOUT_MS)
    screen.settle()
    expect(screen.selected("dataset")).to_have_value("blood cells")
    dataset = screen.query()["dataset"]

    screen.go("Explore")
    expect(screen.tiles()).to_have_count(60)
    for i in (0, 30, 59):
        image = screen.tiles().nth(i).locator("img")
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") > 0
    screen.panel("Audit")
    screen.text("Remarks of the import (1)").click()
    remark = screen.page.get_by_test_id("stTable").get_by_role("row").nth(1)
    expect(remark).to_contain_text("lymphocyte/")
    expect(remark).to_contain_text("truncated")

    # live preview of the contrast
    screen.go("Preprocess")
    expect(screen.slider("Clip limit")).to_be_visible()
    before = screen.enhanced()
    screen.slider("Clip limit").press("End")
    clipped = screen.expect_enhanced_other_than(before)
    screen.slider("Tiles per side").press("ArrowRight")
    screen.expect_enhanced_other_than(before, clipped)
    expect(screen.text("CLAHE (clip 40, 9 × 9 tiles)")).to_be_visible()
    screen.settle()
    assert (float(screen.query()["clip"]), screen.query()["tiles"]) == (40, "9")

    # the first network; the page shows it after a reload
    screen.go("Train")
    expect(screen.text("CLAHE (clip 40, 9 × 9 tiles)")).to_be_visible()
    screen.start_training("AlexNet", epochs=1)
    stop = screen.widget("stop-*")
    expect(stop).to_have_count(1)
    screen.reload()
    expect(screen.text("AlexNet, preprocessed, random weights, fine-tuned")).to_be_visible()
    expect(screen.progress()).to_be_visible()

    # the second run waits for the first
    screen.choose("train_images", "original")
    screen.start_training("AlexNet", epochs=1)
    expect(screen.text("AlexNet, original, random weights, fine-tuned").first).to_be_visible()
    finished = runs_in(server.home)
    screen.expect_ended(finished[-1])
    expect(screen.text("Accuracy on the test images")).to_be_visible()
    assert [result_of(run).recipe_kind for run in finished] == list(IMAGES)
    assert [run.status().state for run in finished] == [State.FINISHED] * 2

    # a third run is stopped
    screen.start_training("SqueezeNet 1.1", epochs=500)
    expect(screen.text(re.compile(r"Epoch \d+ of 500"))).to_be_visible(timeout=LONG_TIMEOUT_MS)
    stop.get_by_role("button").click()
    expect(screen.text("Stopped on request.")).to_be_visible(timeout=LONG_TIMEOUT_MS)
    stopped = runs_in(server.home)[-1]
    assert stopped.status().state is State.STOPPED

    # the page shows the results on disk
    screen.go("Results")
    measured = {row["Images"]: row for row in screen.table("Published prec.")}
    assert list(measured) == list(reversed(IMAGES))
    newest_first = [stopped, *reversed(finished)]
    for run, images in zip(finished, IMAGES, strict=True):
        evaluation = run.evaluation()
        row, published = measured[images], RESULTS["alexnet", images]
        assert float(row["Accuracy"]) == pytest.approx(evaluation.accuracy, abs=5e-5)
        assert float(row["Precision, macro"]) == pytest.approx(evaluation.precision_macro, abs=5e-5)
        assert float(row["Precision, micro"]) == pytest.approx(evaluation.precision_micro, abs=5e-5)
        assert float(row["Published acc."]) == published.accuracy
        assert float(row["Published prec."]) == published.precision
        screen.select("run", newest_first.index(run))
        expect(screen.text(str(run.folder))).to_be_visible()
        assert screen.query()["run"] == run.id
        screen.expect_confusion(evaluation.confusion)
        screen.expect_no_exception()

    # a click on a cell of the matrix shows its images; one is relabelled, and a new network is trained
    screen.go("Results")
    run = finished[1]
    screen.select("run", newest_first.index(run))
    expect(screen.text(str(run.folder))).to_be_visible()
    table = run.predictions()
    cells = table.groupby(["true", "predicted"])["path"].apply(sorted)
    (true, predicted), paths = cells.index[-1], cells.iloc[-1]
    place = run.classes.index(true) * len(run.classes) + run.classes.index(predicted)
    screen.widget("confusion").locator("g.textpoint text").nth(place).click(force=True)
    expect(screen.tiles()).to_have_count(min(len(paths), 24))
    assert sorted(screen.tiles().evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")) == paths
    screen.tiles().first.click()
    expect(screen.text("Predicted class:")).to_be_visible()
    chosen = screen.tiles().first.get_attribute("data-id")
    screen.button("Change class").click()
    other = next(name for name in run.classes if name != true)
    screen.select("behind_label", other)
    screen.widget("behind_label_why").get_by_role("textbox").fill("seen under the microscope")
    screen.widget("behind_label_why").get_by_role("textbox").press("Enter")
    screen.widget("behind_relabel").get_by_role("button").click()
    screen.button("Train again with these edits").click()
    screen.expect_page("Train")
    expect(stop).to_have_count(1)
    newest = runs_in(server.home)[-1]
    screen.expect_ended(newest)
    assert newest.status().state is State.FINISHED
    assert [(edit.kind, dict(edit.changes), edit.why) for edit in newest.edits()] == [
        ("relabel", {chosen: other}, "seen under the microscope")
    ]
    screen.go("Results")
    screen.select("run", 0)
    screen.button("Trained after edits to 1 image").click()
    expect(screen.page.get_by_text(f"relabelled as {other}").filter(has_text="seen under the")).to_be_visible()
    screen.expect_no_exception()
    screen.select("run", [newest, *newest_first].index(run))
    expect(screen.text(str(run.folder))).to_be_visible()  # the URL has changed by then

    # a reload shows the same run
    chosen = screen.query()
    assert chosen["dataset"] == dataset
    screen.reload()
    assert screen.query() == chosen
    expect(screen.text(str(finished[1].folder))).to_be_visible()
    screen.expect_confusion(finished[1].evaluation().confusion)
