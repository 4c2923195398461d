"""The Train and Results pages with runs whose results are known."""

import os

import numpy as np
import pytest

from cfu_core.dataset.catalog import delete_dataset, load_dataset
from cfu_core.dataset.edits import edit_dataset, undo_edit
from cfu_core.dataset.importing.source import import_source
from cfu_core.evaluation.calibration import apply_temperature, fit_temperature, reliability
from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.paper_tables import summary_metrics_table
from cfu_core.evaluation.roc import class_curves
from cfu_core.job import State, Status, create_job
from cfu_core.jobs.queue import all_jobs
from cfu_core.processes import process_started
from cfu_core.published.zamani_2023 import RESULTS
from cfu_core.runs.class_activation_store import PeakCounts, write_activation_maps
from cfu_core.runs.comparison import compare_runs
from cfu_core.runs.run import BUNDLE
from cfu_core.runs.run_store import list_runs
from cfu_core.storage import read_json, write_json
from pages.components.browser.tiles import _Selection
from tests.pages.written import EPOCHS, tiles, write_folds, write_reference_record, write_run

ENDS = [
    (State.FAILED, {"message": "Out of memory. Choose a smaller batch or a smaller network."}, "Out of memory"),
    (State.STOPPED, {"message": "Stopped on request."}, "Stopped on request."),
    (
        State.RUNNING,
        {"pid": os.getpid(), "pid_started": 1.0},
        "ended unexpectedly",
    ),  # this process has this number, but started at another time
]


def reasons(app) -> str:
    return " ".join(element.value for element in (*app.main.error, *app.main.warning, *app.main.info))


def compare_verdicts(runs) -> list[str]:
    return [comparison.verdict for comparison in compare_runs(runs)]


def stored(run) -> dict:
    return read_json(run.folder / "evaluation.json")


def test_train_shows_the_papers_settings_first(visit, small_dataset):
    app = visit("model/train", dataset=small_dataset.id)
    values = {widget.key: widget.value for widget in app.main.number_input}
    assert values == {
        "train_epochs": 10,
        "train_batch_size": 15,
        "train_learning_rate": 0.0001,
        "train_patience": 0,
        "train_seed": 0,
        "split_seed": 0,
    }
    assert app.button_group(key="train_images").value == "current"
    assert app.main.info, "nothing trained yet"


def test_train_begins_without_a_missing_class_only_after_a_person_said_so(visit, cfu_home, nine_shapes):
    (nine_shapes / "star").mkdir()
    (nine_shapes / "star" / "0.png").write_bytes(b"no image")
    app = visit("model/train", dataset=import_source(nine_shapes).id)
    assert "of the class star" in app.main.error[0].value
    assert app.button(key="start").disabled
    assert app.button(key="protocol").disabled
    (box,) = [box for box in app.checkbox if box.label == "Train without star"]
    box.check().run()
    assert not app.button(key="start").disabled
    assert not (cfu_home / "runs").exists()


def test_train_names_files_that_were_left_out(visit, flawed_dataset):
    app = visit("model/train", dataset=flawed_dataset.id)
    expected = "1 file was left out at the import, of the class large\\."
    assert [warning.value for warning in app.main.warning] == [expected]
    assert not app.button(key="start").disabled


def test_train_queues_what_was_chosen(visit, small_dataset, cfu_home, no_workers):
    app = visit("model/train", dataset=small_dataset.id, clip="5.0")
    app.button_group(key="network").set_value("alexnet")
    app.button_group(key="train_weights").set_value("none")
    app.number_input(key="train_epochs").set_value(2)
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert not app.exception
    (folder,) = (cfu_home / "runs").glob("[!.]*")
    config = read_json(folder / "spec.json")["config"]
    assert (config["architecture"], config["weights"], config["epochs"]) == ("alexnet", "none", 2)
    assert config["recipe"]["clip_limit"] == 5.0
    assert "device" in no_workers
    app.button(key=f"stop-{folder.name}").click().run()
    assert not app.exception
    assert read_json(folder / "status.json")["state"] == "stopped"


def test_train_queues_a_probe_with_its_own_settings(visit, small_dataset, cfu_home):
    app = visit("model/train", dataset=small_dataset.id, network="squeezenet1_1")
    app.button_group(key="train_mode").set_value("probe")
    app.button_group(key="train_weights").set_value("none")
    app.run()
    assert {widget.key for widget in app.main.number_input} == {"train_seed", "split_seed"}
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert not app.exception
    (folder,) = (cfu_home / "runs").glob("[!.]*")
    config = read_json(folder / "spec.json")["config"]
    assert (config["architecture"], config["mode"], config["recipe"]["size"]) == ("squeezenet1_1", "probe", 224)


def test_train_queues_options_beyond_the_paper(visit, small_dataset, cfu_home):
    app = visit("model/train", dataset=small_dataset.id)
    app.button_group(key="train_weights").set_value("none")
    app.number_input(key="train_patience").set_value(3)
    app.selectbox(key="train_schedule").set_value("cosine")
    app.selectbox(key="train_precision").set_value("float32")
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert not app.exception
    (folder,) = (cfu_home / "runs").glob("[!.]*")
    config = read_json(folder / "spec.json")["config"]
    assert (config["patience"], config["schedule"], config["precision"]) == (3, "cosine", "float32")


def test_train_says_that_a_network_has_no_imagenet_weights(visit, small_dataset, cfu_home):
    app = visit("model/train", dataset=small_dataset.id, network="darknet19")
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert "no ImageNet weights for DarkNet-19" in app.error[0].value
    assert not list((cfu_home / "runs").glob("*"))


def test_train_refuses_a_batch_larger_than_the_training_partition(visit, small_dataset, cfu_home):
    app = visit("model/train", dataset=small_dataset.id)
    app.button_group(key="train_weights").set_value("none")
    app.number_input(key="train_batch_size").set_value(2000)
    next(button for button in app.button if button.label == "Start training").click()
    app.run()
    assert not app.exception
    assert "batch size is 2000" in app.error[0].value
    assert not list((cfu_home / "runs").glob("*"))


def test_results_without_runs_lead_to_training(visit, small_dataset):
    app = visit("model/results", dataset=small_dataset.id)
    assert app.main.info
    assert [link.proto.page for link in app.main.get("page_link")] == ["train"]
    assert not app.dataframe


def test_results_show_the_numbers_on_disk(visit, small_dataset, figures):
    wrong = write_run(small_dataset, key="googlenet", preprocessed=True, wrong=[0, 1, 4])
    right = write_run(small_dataset)
    write_reference_record(wrong, test_images=5, unlike_test_images=2)
    app = visit("model/results", dataset=small_dataset.id, run=wrong.id)
    assert any(c.value.startswith("2 of 5 test images are unlike all training images") for c in app.caption)
    table = frame(app, "Correct").set_index("Run")
    for run, published in ((wrong, RESULTS["googlenet", "preprocessed"]), (right, RESULTS["alexnet", "original"])):
        row, evaluation = table.loc[run.id], stored(run)
        assert row["Accuracy"] == evaluation["accuracy"]
        assert row["Precision, macro"] == evaluation["precision_macro"]
        assert row["Precision, micro"] == evaluation["precision_micro"]
        assert row["Published accuracy"] == published.accuracy
        assert row["Published precision"] == published.precision
    assert table.loc[right.id, "Accuracy"] == 1.0
    assert table.loc[wrong.id, "Correct"] == table.loc[right.id, "Correct"] - 3

    evaluation = stored(wrong)
    assert [m.value for m in app.metric][:3] == [
        f"{evaluation[name]:.1%}" for name in ("accuracy", "precision_macro", "precision_micro")
    ]
    (confusion,) = of_type(figures(app), "heatmap")
    learned = titled(figures(app), "Accuracy")
    found = wrong.evaluation()
    low, high = wilson_interval(found.correct, found.n_images)
    assert any(f"{low:.1%} to {high:.1%} (Wilson)" in caption.value for caption in app.caption)
    assert cell_texts(confusion) == [[str(n) for n in row] for row in evaluation["confusion"]]
    (verdict,) = compare_verdicts([wrong, right])
    assert any(verdict in text.value for text in app.markdown)
    classes = frame(app, "Specificity").set_index("Class")
    for place, entry in enumerate(evaluation["per_class"]):
        assert classes.loc[entry["name"], "Images"] == entry["support"]
        low, high = wilson_interval(evaluation["confusion"][place][place], entry["support"])
        assert classes.loc[entry["name"], "Recall (95 %)"] == f"{entry['recall']:.3f} ({low:.2f}–{high:.2f})"
        for name, column in (("precision", "Precision"), ("recall", "Recall (95 %)"), ("f1", "F1")):
            figure = "undefined" if entry[name] is None else f"{entry[name]:.3f}"
            assert classes.loc[entry["name"], column].split(" (")[0] == figure
    history = wrong.history()
    lines = {line["name"]: line["y"] for line in learned[0]["data"]}
    assert lines["training"] == pytest.approx([100 * epoch["training_accuracy"] for epoch in history])
    assert lines["validation"] == pytest.approx([100 * epoch["validation_accuracy"] for epoch in history])
    assert len(history) == EPOCHS
    app.session_state["overlay"] = True
    found = figures(app.run())
    for what in ("accuracy", "loss"):  # both runs in one chart
        (figure,) = titled(found, f"Validation {what}")
        assert [len(line["y"]) for line in figure["data"]] == [EPOCHS, EPOCHS]


def test_results_compare_original_with_preprocessed_first(visit, small_dataset):
    plain, treated = write_run(small_dataset), write_run(small_dataset, preprocessed=True, wrong=[0, 1])
    write_run(small_dataset, key="googlenet")
    app = visit("model/results", dataset=small_dataset.id)
    shown = frame(app, "Only first right")
    assert shown[["First", "Second"]].to_numpy().tolist() == [["AlexNet, original", "AlexNet, preprocessed"]]
    (verdict,) = compare_verdicts([plain, treated])
    assert any(verdict in text.value for text in app.markdown)
    app.button_group(key="comparing").set_value("All pairs").run()
    assert len(frame(app, "Only first right")) == 3


def frame(app, column):
    """Return the table with this column."""
    return next(each.value for each in app.dataframe if column in each.value)


def of_type(found, kind):
    """Return the charts whose first trace is of this kind."""
    return [figure for figure in found if figure["data"] and figure["data"][0].get("type") == kind]


def cell_texts(figure):
    """Return the texts in the cells of a confusion matrix, by row."""
    trace = next(trace for trace in figure["data"] if trace.get("mode") == "text")
    rows = dict.fromkeys(trace["y"])
    return [[text for text, y in zip(trace["text"], trace["y"], strict=True) if y == row] for row in rows]


def titled(found, title):
    """Return the charts with this title."""
    return [figure for figure in found if figure["layout"].get("title", {}).get("text") == title]


def in_depth(visit, run, tab):
    """Open the Results page of a run with one of the tabs below the images."""
    app = visit("model/results", dataset=run.plan.dataset.id, run=run.id)
    app.session_state["depth"] = tab
    app.run()
    assert not app.exception
    return app


def test_results_show_every_metric_with_its_interval_or_as_undefined(visit, small_dataset):
    run = write_run(small_dataset, wrong=[0, 1, 4])
    shown = frame(in_depth(visit, run, "All metrics"), "Metric").set_index("Metric")
    expected = summary_metrics_table(run.evaluation()).set_index("Figure")
    assert shown.index.tolist() == expected.index.tolist()
    for name, row in expected.iterrows():
        assert shown.loc[name, "Value"] == f"{row['Value']:.3f}"
        assert shown.loc[name, "95 % interval"] == f"{row['Low']:.3f} to {row['High']:.3f}"

    one_class_only(run, small_dataset)
    shown = frame(in_depth(visit, run, "All metrics"), "Metric").set_index("Metric")
    assert shown.loc["Cohen's kappa", "Value"] == "undefined"
    assert shown.loc["Matthews correlation", "95 % interval"] == ""


def one_class_only(run, dataset) -> None:
    """Write the predictions of four test images, all of the first class and predicted as such."""
    truth = [run.classes[0]] * 4
    run.write_predictions("test", dataset.images["path"][:4].tolist(), truth, np.eye(len(run.classes))[[0] * 4])


def test_results_show_one_vs_rest_curves_or_undefined(visit, small_dataset, figures):
    run = write_run(small_dataset, wrong=[0, 1, 4])
    app = in_depth(visit, run, "ROC and precision-recall")
    roc, precision_recall = figures(app)[-2:]
    for place, name in enumerate(run.classes):
        found = class_curves(*run.probabilities("test"), place)
        assert roc["data"][place]["name"] == f"{name}, {found.roc_area:.3f}"
        assert precision_recall["data"][place]["name"].endswith(f", {found.average_precision:.3f}")

    one_class_only(run, small_dataset)
    app = in_depth(visit, run, "ROC and precision-recall")
    missing = ", ".join(run.classes)
    assert any(caption.value.endswith(f"no other: {missing}.") for caption in app.caption)


def test_results_show_the_calibration_before_and_after_temperature_scaling(visit, small_dataset, figures):
    run = write_run(small_dataset, wrong=[0, 1, 4])
    true, probabilities = run.probabilities("test")
    app = in_depth(visit, run, "Calibration")
    assert len(figures(app)[-2]["data"]) == 2  # the diagonal, and this network
    error = reliability(true, probabilities).expected_error
    assert any(c.value.startswith(f"Expected calibration error {error:.3f}.") for c in app.caption)

    # ten validation images with confidence 0.8, five of them correct
    predicted = np.arange(10) % 2
    probable = np.full((10, len(run.classes)), 0.2 / (len(run.classes) - 1))
    probable[np.arange(10), predicted] = 0.8
    run.write_predictions("validation", [str(i) for i in range(10)], [run.classes[0]] * 10, probable)
    app = in_depth(visit, run, "Calibration")
    temperature = fit_temperature(*run.probabilities("validation"))
    assert temperature > 1
    scaled = reliability(true, apply_temperature(probabilities, temperature)).expected_error
    expected = f"Expected calibration error {error:.3f}; {scaled:.3f} with its logits divided by {temperature:.2f}."
    assert any(c.value.startswith(expected) and "it was over-confident" in c.value for c in app.caption)


def test_the_confusion_matrix_shows_percentages_of_the_true_class(visit, small_dataset, figures):
    run = write_run(small_dataset, wrong=[0])
    app = visit("model/results", dataset=small_dataset.id)
    app.button_group(key="unit").set_value("% of the true class").run()
    assert not app.exception
    shown = cell_texts(of_type(figures(app), "heatmap")[0])
    assert shown == [[f"{100 * n / sum(row):.0f}%" for n in row] for row in stored(run)["confusion"]]


@pytest.mark.parametrize(("cell", "true", "predicted"), [("0-1", "disc", "ring"), ("2-2", "square", "square")])
def test_results_show_exactly_the_images_of_a_cell(visit, small_dataset, figures, cell, true, predicted):
    run = write_run(small_dataset, wrong=[0, 1])
    table = run.predictions()
    inside = table[(table["true"] == true) & (table["predicted"] == predicted)]
    app = visit("model/results", dataset=small_dataset.id, cell=cell)
    assert [tile["id"] for tile in tiles(app)] == sorted(inside["path"])  # all with the same probability
    assert all((tile["title"], tile["badge"]) == (predicted, "0.80") for tile in tiles(app))
    row, column = map(int, cell.split("-"))
    (outline,) = of_type(figures(app), "heatmap")[0]["layout"]["shapes"]
    assert (outline["x0"] + 0.49, outline["y0"] + 0.49) == pytest.approx((column, row))

    app.selectbox(key="cell").set_value("every").run()
    assert not app.exception
    assert len(tiles(app)) == len(table)
    assert "shapes" not in of_type(figures(app), "heatmap")[0]["layout"]


def test_results_show_suspected_label_errors(visit, small_dataset):
    run = write_run(small_dataset, wrong=[0, 1])
    table = run.predictions()
    suspects = table["path"][table["true"] != table["predicted"]]  # misclassified, with the usual confidence
    app = visit("model/results", dataset=small_dataset.id, cell="doubtful")
    assert not app.exception
    assert [tile["id"] for tile in tiles(app)] == sorted(suspects)
    assert len(suspects) == 2
    assert any("confident learning" in caption.value for caption in app.caption)


def test_edits_after_a_run_are_offered_to_a_new_run_which_lists_them(visit, small_dataset, no_workers):
    run = write_run(small_dataset, wrong=[0, 1])
    table = run.predictions()
    wrong = table["path"][table["true"] != table["predicted"]].tolist()
    app = visit("model/results", dataset=small_dataset.id)
    assert [tile["id"] for tile in tiles(app)] == sorted(wrong)
    assert "Train again with these edits" not in [button.label for button in app.button]

    edit_dataset(small_dataset.id, "relabel", {wrong[0]: "ring"}, who="Ada", why="two cells")
    edit_dataset(small_dataset.id, "exclude", {wrong[1]: None})
    app = visit("model/results", dataset=small_dataset.id)
    relabelled, excluded = sorted(tiles(app), key=lambda tile: wrong.index(tile["id"]))
    assert (relabelled["warning"], relabelled["excluded"]) == ("Its class was changed to ring after this run.", False)
    assert excluded["excluded"]
    assert any("2 images were edited after this run was planned." in info.value for info in app.info)
    app.button(key="train_edited").click().run()
    assert not app.exception
    assert "device" in no_workers
    new = next(r for r in list_runs() if r.id != run.id)
    assert [(edit.kind, edit.who, edit.why) for edit in new.edits()] == [
        ("relabel", "Ada", "two cells"),
        ("exclude", "", ""),
    ]
    assert new.config == run.config
    assert run.edits() == []

    finished = write_run(load_dataset(small_dataset.id))
    app = visit("model/results", dataset=small_dataset.id, run=finished.id)
    (line,) = [text.value for text in app.text if "two cells" in text.value]
    assert line.startswith("1. 1 image relabelled as ring: ")
    assert "Ada" in line


def test_an_undone_edit_is_not_offered_to_a_new_run(visit, small_dataset):
    run = write_run(small_dataset, wrong=[0])
    path = run.predictions()["path"].iat[0]
    edit_dataset(small_dataset.id, "relabel", {path: "ring"})
    edit_dataset(small_dataset.id, "relabel", {path: "square"})
    app = visit("model/results", dataset=small_dataset.id)
    assert any("1 image was edited after this run was planned." in info.value for info in app.info)
    undo_edit(small_dataset.id)
    undo_edit(small_dataset.id)
    app = visit("model/results", dataset=small_dataset.id)
    assert not app.exception
    assert "Train again with these edits" not in [button.label for button in app.button]


def test_results_without_the_dataset_show_the_table_of_the_images(visit, small_dataset):
    run = write_run(small_dataset, wrong=[0])
    delete_dataset(small_dataset.id)
    app = visit("model/results", run=run.id)
    assert any("Only the table of predictions can be shown" in warning.value for warning in app.warning)
    assert ["ring"] in [f.value["predicted"].tolist() for f in app.dataframe if "predicted" in f.value]


def test_matrices_are_shown_side_by_side_or_subtracted(visit, small_dataset, figures):
    one, other = write_run(small_dataset), write_run(small_dataset, preprocessed=True, wrong=[0, 1])
    app = visit("model/results", dataset=small_dataset.id)
    app.session_state["matrices"] = True
    app.session_state["matrices_unit"] = "Counts"
    app.run()
    assert not app.exception
    shown = [cell_texts(figure) for figure in of_type(figures(app), "heatmap")[1:]]  # after that of the selected run
    assert shown == [[[str(n) for n in row] for row in run.evaluation().confusion] for run in (one, other)]
    app.button_group(key="matrices_what").set_value("Difference of two").run()
    assert not app.exception
    change = np.array(other.evaluation().confusion) - np.array(one.evaluation().confusion)
    assert change.any()
    assert cell_texts(of_type(figures(app), "heatmap")[1]) == [[f"{n:+d}" for n in row] for row in change.tolist()]


def test_results_show_the_tables_of_time_images_and_networks(visit, small_dataset):
    run = write_run(small_dataset)
    app = visit("model/results", dataset=small_dataset.id)
    tabs = {tab.label.partition(":")[0]: tab.label for tab in app.tabs}
    app.session_state["table"] = tabs["Table 3"]
    app.run()
    assert not app.exception
    row = frame(app, "Total (s)").iloc[0]
    assert (row["Total (s)"], row["Train (s)"]) == (40.5, 30.0)
    assert row["Published total (s)"] == RESULTS["alexnet", "original"].seconds
    app.session_state["table"] = tabs["Table 2"]
    app.run()
    assert frame(app, "Test")["Test"].iloc[-1] == sum(p["test"] for p in run.plan.split.counts.values())
    app.session_state["table"] = tabs["Table 1"]
    app.run()
    assert not app.exception
    assert frame(app, "Multiply-adds per image")["Network"].tolist()[:3] == ["AlexNet", "GoogLeNet", "ResNet-18"]


def test_results_show_the_computation_of_a_run_and_its_problems(visit, small_dataset):
    run = write_run(small_dataset)
    remark = "The checkpoint 7 is damaged and was skipped."
    timing = {"seconds": {"total": 130.0}, "arithmetic": "CPU, 2 threads, bfloat16", "sittings": 2, "remarks": [remark]}
    write_json(run.folder / "timing.json", timing)
    captions = [caption.value for caption in visit("model/results", dataset=small_dataset.id).caption]
    how = "CPU, 2 threads, bfloat16 · 25 images/s · 2.5 GB of memory · 2 min 10 s · in 2 sessions"
    assert f":material/memory: {how}" in captions
    assert f":material/warning: {remark}" in captions


@pytest.mark.parametrize(("state", "status", "reason"), ENDS)
def test_a_run_without_results_says_why(visit, small_dataset, state, status, reason):
    run = write_run(small_dataset, state, **status)
    (run.folder / "log.txt").write_text("the last line\n", encoding="utf-8")
    app = visit("model/results", dataset=small_dataset.id)
    assert reason in reasons(app)
    assert not app.metric
    train = visit("model/train", dataset=small_dataset.id)
    assert reason in reasons(train)


def test_runs_on_another_dataset_are_shown_on_request(visit, small_dataset, flawed_dataset):
    write_run(flawed_dataset)
    app = visit("model/results", dataset=small_dataset.id)
    assert not app.dataframe
    app.toggle(key="all_runs").set_value(True).run()
    assert not app.exception
    assert frame(app, "Correct")["Dataset"].tolist() == ["flawed"]


@pytest.mark.parametrize("run", ["../../etc", "nobody", "<script>"])
def test_a_malicious_run_in_the_url_is_ignored(visit, small_dataset, run):
    known = write_run(small_dataset)
    app = visit("model/results", dataset=small_dataset.id, run=run)
    assert app.selectbox(key="run").value == known.id


def test_a_run_with_an_undefined_validation_loss_is_shown(visit, small_dataset, figures):
    run = write_run(small_dataset)
    epoch = run.history()[-1] | {"epoch": 4, "validation_loss": float("nan"), "best": True}
    run.append_metrics("epoch", epoch)
    for page in ("model/results", "model/train"):
        (chart,) = titled(figures(visit(page, dataset=small_dataset.id)), "Loss")
        lines = {line["name"]: line["y"] for line in chart["data"]}
        assert len(lines["validation"]) == EPOCHS + 1
        assert lines["validation"][-1] is None


def test_results_are_shown_after_their_dataset_was_deleted(visit, small_dataset):
    write_run(small_dataset)
    delete_dataset(small_dataset.id)
    app = visit("model/results")
    assert any(metric.label == "Accuracy" for metric in app.metric)


def test_a_run_on_drawn_images_is_marked_with_any_dataset_selected(visit, small_dataset, drawn_dataset):
    write_run(drawn_dataset)
    app = visit("model/results", dataset=small_dataset.id, all_runs="True")
    assert any("drawn, not photographed" in text.value for text in app.markdown)


def test_a_queued_run_on_drawn_images_is_marked_with_any_dataset_selected(visit, small_dataset, drawn_dataset):
    write_run(drawn_dataset, State.QUEUED)
    app = visit("model/train", dataset=small_dataset.id)
    assert any("drawn, not photographed" in caption.value for caption in app.caption)


def test_a_failed_run_is_shown_with_its_log_and_can_be_resumed(visit, small_dataset):
    run = write_run(small_dataset, State.FAILED, message="The disk is full.")
    write_run(small_dataset)  # a newer, finished run
    (run.folder / "log.txt").write_text("a line of the log\n", encoding="utf-8")
    app = visit("model/train", dataset=small_dataset.id)
    assert "The disk is full." in [caption.value for caption in app.caption]
    assert [code.value for code in app.code] == ["a line of the log"]
    assert app.button(key=f"resume-{run.id}").label == "Resume"


def test_a_probe_shows_the_choice_of_its_regularisation(visit, small_dataset, figures):
    run = write_run(small_dataset)
    trials = [{"strength": c, "training_accuracy": 0.5 + c / 4, "validation_accuracy": 0.4 + c / 4} for c in (0.1, 1.0)]
    write_json(run.folder / "probe.json", {"strength": 0.1, "trials": trials})
    app = visit("model/results", dataset=small_dataset.id)
    assert not app.exception
    (trials_chart,) = titled(figures(app), "Accuracy by regularisation strength of the last layer")
    lines = {line["name"]: line["y"] for line in trials_chart["data"]}
    assert lines["validation"] == pytest.approx([42.5, 65.0])


@pytest.mark.parametrize(
    ("details", "phase", "word"),
    [
        ({"done": 1, "total": 9}, "Decoding and preprocessing", "preparing"),
        ({"epoch": 1, "epochs": 2, "batch": 1, "batches": 2, "images_per_second": 9.0}, "Training", "training"),
        ({}, "Testing", "testing"),
    ],
)
def test_a_running_run_shows_its_phase(visit, small_dataset, details, phase, word):
    me = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
    write_run(small_dataset, State.RUNNING, phase=phase, details=details, **me)
    app = visit("model/train", dataset=small_dataset.id)
    assert not app.exception
    assert any(f"{word}]" in text.value for text in app.markdown)


def test_a_run_is_repeated_over_folds_and_the_variation_is_shown(visit, small_dataset, no_workers, figures):
    run = write_run(small_dataset, wrong=[0])
    app = visit("model/results", dataset=small_dataset.id)
    app.button(key="repeat_folds").click().run()
    assert not app.exception
    assert "device" in no_workers
    folds = [r for r in list_runs() if r.id != run.id]
    assert sorted(r.fold for r in folds) == [f"{i} of 5" for i in range(1, 6)]
    write_folds(folds, small_dataset)
    app = visit("model/results", dataset=small_dataset.id)
    spread = next(table.value for table in app.dataframe if "Standard deviation" in table.value)
    accuracies = [each.evaluation().accuracy for each in folds]
    assert spread["Over"].tolist() == ["5 folds"]
    assert spread["Accuracy, mean"].tolist() == pytest.approx([np.mean(accuracies)])
    assert spread["Standard deviation"].tolist() == pytest.approx([np.std(accuracies, ddof=1)])
    low, high = wilson_interval(26, 36)  # ten of 36 images were misclassified
    assert spread["All folds pooled"].tolist() == [f"26 of 36 ({low:.3f} to {high:.3f})"]
    points = next(f["data"][0] for f in figures(app) if len(f["data"][0].get("x", [])) == 5)
    assert sorted(points["x"]) == pytest.approx(sorted(100 * value for value in accuracies))

    app.session_state["doubts-0"] = True
    app.run()
    assert not app.exception
    suspects = next(table.value for table in app.dataframe if "Suggested class" in table.value)
    wrong = [p for r in folds for p, a, b in r.predictions()[["path", "true", "predicted"]].to_numpy() if a != b]
    assert sorted(suspects["Image"]) == sorted(wrong)
    assert suspects["Image on Explore"].iloc[0].startswith(f"explore?dataset={small_dataset.id}&image=")


def test_settings_of_runs_are_compared(visit, small_dataset, figures):
    write_run(small_dataset, wrong=[0])
    write_run(small_dataset, preprocessed=True)
    app = visit("model/results", dataset=small_dataset.id)
    app.session_state["specs"] = True
    app.run()
    assert not app.exception
    table = next(table.value for table in app.dataframe if "Macro F1" in table.value)
    assert table["Images"].tolist() == ["original", "preprocessed"]
    assert any(
        "The runs differ in: images, preprocessing, clip limit, tiles." in caption.value for caption in app.caption
    )
    axes = [axis["label"] for axis in of_type(figures(app), "parcoords")[0]["data"][0]["dimensions"]]
    assert axes == ["Images", "Accuracy (%)"]  # they determine the clip limit and the tiles


def test_only_settings_that_distinguish_runs_have_an_axis(visit, small_dataset, figures):
    write_run(small_dataset, wrong=[0])
    write_run(small_dataset, preprocessed=True)
    write_run(small_dataset, preprocessed=True, clip_limit=4.0)
    app = visit("model/results", dataset=small_dataset.id)
    app.session_state["specs"] = True
    app.run()
    axes = {axis["label"]: axis for axis in of_type(figures(app), "parcoords")[0]["data"][0]["dimensions"]}
    assert list(axes) == ["Images", "Clip limit", "Accuracy (%)"]
    assert axes["Clip limit"]["ticktext"] == ["none", "2", "4"]
    assert axes["Clip limit"]["values"] == [0, 1, 2]


def test_class_activation_maps_are_computed_on_request_and_shown(visit, small_dataset, no_workers):
    run = write_run(small_dataset, wrong=[0])
    path = run.predictions()["path"].iat[0]
    app = visit("model/results", dataset=small_dataset.id)
    select([path], app, f"behind_{run.id}")
    assert any("True class: **disc**" in text.value for text in app.markdown)
    app.button(key="explain").click().run()
    assert not app.exception
    (job,) = [job for job in all_jobs() if job.kind == "explain"]
    assert (job.spec["run"], "question" in no_workers) == (run.id, True)

    maps = np.zeros((1, 3, 4, 4), np.float32)
    maps[0, 1, 2, 2] = 1.0  # for the predicted class only
    write_activation_maps(run, [path], maps, PeakCounts(images=4, trained=3, untrained=1, chance=1.2))
    app = visit("model/results", dataset=small_dataset.id)
    select([path], app, f"behind_{run.id}")
    captions = [shown.caption for image in app.get("image") for shown in image.proto.imgs]
    assert captions[1:] == [
        "Evidence for ring, probability 0.80 (Grad-CAM)",
        "No evidence for disc, probability 0.10 (Grad-CAM)",
    ]
    assert any(
        "In 3 of 4 test images the map" in caption.value
        and "Same maps for the untrained network, for comparison: 1." in caption.value
        for caption in app.caption
    )


def test_a_network_is_exported_once_and_offered(visit, small_dataset, no_workers):
    run = write_run(small_dataset)
    app = visit("model/results", dataset=small_dataset.id)
    app.button(key="export").click().run()
    assert not app.exception
    (job,) = [job for job in all_jobs() if job.kind == "export"]
    assert (job.spec["run"], "question" in no_workers) == (run.id, True)

    (run.folder / BUNDLE).write_bytes(b"12" * 10**6)
    app = visit("model/results", dataset=small_dataset.id)
    assert not app.exception
    assert "export" not in [button.key for button in app.button]
    assert any(button.label.endswith("(2 MB)") for button in app.get("download_button"))


def test_the_reason_of_a_failed_export_is_shown(visit, small_dataset):
    run = write_run(small_dataset)
    job = create_job("export", {"run": run.id})
    job.write_status(Status(state=State.FAILED, message="The disk is full."))
    app = visit("model/results", dataset=small_dataset.id)
    assert any(error.value == "The disk is full." for error in app.error)
    assert app.button(key="export").label == "Export the network"


def select(paths, app, key) -> None:
    """Select tiles as a click in the browser does."""
    app.session_state[f"{key}:choice"] = _Selection("v", tuple(paths), tuple(paths))
    app.run()
    assert not app.exception
