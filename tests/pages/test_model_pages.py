"""Train and Results, with runs whose numbers are known."""

import os

import pytest

from cfu_core.dataset.catalog import delete_dataset
from cfu_core.jobs.job import State, process_started
from cfu_core.paper import RESULTS
from cfu_core.storage import read_json, write_json
from tests.pages.written import EPOCHS, write_run

ENDS = [
    (State.FAILED, {"message": "The computer's memory did not suffice."}, "memory did not suffice"),
    (State.STOPPED, {"message": "Stopped on request."}, "Stopped on request."),
    (State.RUNNING, {"pid": os.getpid(), "pid_started": 1.0}, "ended without a word"),  # the number of another process
]


def reasons(app) -> str:
    return " ".join(element.value for element in (*app.main.error, *app.main.warning, *app.main.info))


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
    assert app.button_group(key="train_images").value == "preprocessed"
    assert app.main.info, "nothing trained yet"


def test_train_queues_what_was_chosen(visit, small_dataset, cfu_home, no_workers):
    app = visit("model/train", dataset=small_dataset.id)
    app.button_group(key="network").set_value("alexnet")
    app.button_group(key="train_weights").set_value("none")
    app.number_input(key="train_epochs").set_value(2)
    app.slider(key="clip").set_value(5.0)
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


def test_train_queues_a_probe_without_asking_for_what_it_does_not_need(visit, small_dataset, cfu_home):
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


def test_train_takes_the_options_that_the_paper_has_not(visit, small_dataset, cfu_home):
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


def test_results_are_the_numbers_on_disk(visit, small_dataset, figures):
    wrong = write_run(small_dataset, key="googlenet", preprocessed=True, wrong=[0, 1, 4])
    right = write_run(small_dataset)
    app = visit("model/results", dataset=small_dataset.id, run=wrong.id)
    table = app.dataframe[0].value.set_index("Run")
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
    accuracies, losses, confusion, *curves = figures(app)
    for figure, what in ((accuracies, "accuracy"), (losses, "loss")):  # both runs, one over the other
        assert figure["layout"]["title"]["text"] == f"Validation {what}"
        assert [len(line["y"]) for line in figure["data"]] == [EPOCHS, EPOCHS]
    assert confusion["data"][0]["text"] == [[str(n) for n in row] for row in evaluation["confusion"]]
    classes = app.dataframe[1].value.set_index("Class")
    for entry in evaluation["per_class"]:
        assert classes.loc[entry["name"], "Images"] == entry["support"]
        for name in ("precision", "recall", "f1"):
            figure = "undefined" if entry[name] is None else f"{entry[name]:.4f}"
            assert classes.loc[entry["name"], name.capitalize()] == figure
    history = wrong.history()
    lines = {line["name"]: line["y"] for line in curves[1]["data"]}
    assert lines["training"] == pytest.approx([100 * epoch["training_accuracy"] for epoch in history])
    assert lines["validation"] == pytest.approx([100 * epoch["validation_accuracy"] for epoch in history])
    assert len(history) == EPOCHS


def test_results_show_per_cent_of_the_true_class(visit, small_dataset, figures):
    run = write_run(small_dataset, wrong=[0])
    app = visit("model/results", dataset=small_dataset.id)
    app.button_group(key="unit").set_value("Per cent of the true class").run()
    assert not app.exception
    shown = figures(app)[0]["data"][0]["text"]
    assert shown == [[f"{100 * n / sum(row):.0f}%" for n in row] for row in stored(run)["confusion"]]


def test_results_show_where_the_time_went_and_the_split(visit, small_dataset):
    run = write_run(small_dataset)
    app = visit("model/results", dataset=small_dataset.id)
    tabs = {tab.label.partition(":")[0]: tab.label for tab in app.tabs}
    app.session_state["table"] = tabs["Table 3"]
    app.run()
    assert not app.exception
    row = app.dataframe[0].value.iloc[0]
    assert (row["Total (s)"], row["Train (s)"]) == (40.5, 30.0)
    assert row["Published total (s)"] == RESULTS["alexnet", "original"].seconds
    app.session_state["table"] = tabs["Table 2"]
    app.run()
    assert app.dataframe[0].value["Test"].iloc[-1] == sum(p["test"] for p in run.spec["split"]["counts"].values())
    app.session_state["table"] = tabs["Table 1"]
    app.run()
    assert not app.exception
    assert app.dataframe[0].value["Network"].tolist()[:3] == ["AlexNet", "GoogLeNet", "ResNet-18"]


def test_results_say_how_a_run_was_computed_and_what_it_went_on_from(visit, small_dataset):
    run = write_run(small_dataset)
    remark = "The checkpoint 7 is damaged and was passed over."
    timing = {"seconds": {"total": 130.0}, "arithmetic": "CPU, 2 threads, bfloat16", "sittings": 2, "remarks": [remark]}
    write_json(run.folder / "timing.json", timing)
    captions = [caption.value for caption in visit("model/results", dataset=small_dataset.id).caption]
    how = "CPU, 2 threads, bfloat16 · 25 images/s · 2.5 GB of memory · 2 min 10 s · in 2 sittings"
    assert f":material/memory: {how}" in captions
    assert f":material/warning: {remark}" in captions


@pytest.mark.parametrize(("state", "status", "reason"), ENDS)
def test_a_run_without_results_says_why(visit, small_dataset, state, status, reason):
    run = write_run(small_dataset, state, **status)
    (run.folder / "log.txt").write_text("the last words\n", encoding="utf-8")
    app = visit("model/results", dataset=small_dataset.id)
    assert reason in reasons(app)
    assert not app.metric
    train = visit("model/train", dataset=small_dataset.id)
    assert reason in reasons(train)


def test_runs_of_another_dataset_stay_away_until_asked_for(visit, small_dataset, flawed_dataset):
    write_run(flawed_dataset)
    app = visit("model/results", dataset=small_dataset.id)
    assert not app.dataframe
    app.toggle(key="all_runs").set_value(True).run()
    assert not app.exception
    assert app.dataframe[0].value["Dataset"].tolist() == ["flawed"]


@pytest.mark.parametrize("run", ["../../etc", "nobody", "<script>"])
def test_a_hostile_run_in_the_address_is_left_aside(visit, small_dataset, run):
    known = write_run(small_dataset)
    app = visit("model/results", dataset=small_dataset.id, run=run)
    assert app.selectbox(key="run").value == known.id


def test_a_run_that_lost_a_validation_loss_is_still_shown(visit, small_dataset):
    run = write_run(small_dataset)
    epoch = run.history()[-1] | {"epoch": 4, "validation_loss": float("nan"), "best": True}
    run.append_metrics("epoch", epoch)
    visit("model/results", dataset=small_dataset.id)
    visit("model/train", dataset=small_dataset.id)


def test_results_outlive_their_dataset(visit, small_dataset):
    write_run(small_dataset)
    delete_dataset(small_dataset.id)
    app = visit("model/results")
    assert any(metric.label == "Accuracy" for metric in app.metric)


def test_a_drawn_run_is_marked_whatever_dataset_is_chosen(visit, small_dataset, drawn_dataset):
    write_run(drawn_dataset)
    app = visit("model/results", dataset=small_dataset.id, all_runs="True")
    assert any("drawn, not photographed" in text.value for text in app.markdown)


def test_a_drawn_run_in_the_queue_is_marked_whatever_dataset_is_chosen(visit, small_dataset, drawn_dataset):
    write_run(drawn_dataset, State.QUEUED)
    app = visit("model/train", dataset=small_dataset.id)
    assert any("drawn, not photographed" in caption.value for caption in app.caption)


def test_a_failed_run_is_told_with_its_log_and_can_be_resumed(visit, small_dataset):
    run = write_run(small_dataset, State.FAILED, message="The disk is full.")
    write_run(small_dataset)  # a newer one that went well
    (run.folder / "log.txt").write_text("a line of the log\n", encoding="utf-8")
    app = visit("model/train", dataset=small_dataset.id)
    assert "The disk is full." in [caption.value for caption in app.caption]
    assert [code.value for code in app.code] == ["a line of the log"]
    assert app.button(key=f"resume-{run.id}").label == "Resume"


def test_a_probe_shows_how_its_penalty_was_chosen(visit, small_dataset, figures):
    run = write_run(small_dataset)
    trials = [{"strength": c, "training_accuracy": 0.5 + c / 4, "validation_accuracy": 0.4 + c / 4} for c in (0.1, 1.0)]
    write_json(run.folder / "probe.json", {"strength": 0.1, "trials": trials})
    app = visit("model/results", dataset=small_dataset.id)
    assert not app.exception
    lines = {line["name"]: line["y"] for line in figures(app)[-1]["data"]}
    assert lines["validation"] == pytest.approx([42.5, 65.0])


@pytest.mark.parametrize(
    ("details", "phase", "word"),
    [
        ({"done": 1, "total": 9}, "Decoding and preprocessing", "preparing"),
        ({"epoch": 1, "epochs": 2, "batch": 1, "batches": 2, "images_per_second": 9.0}, "Training", "training"),
        ({}, "Testing", "testing"),
    ],
)
def test_a_run_says_what_it_is_at(visit, small_dataset, details, phase, word):
    me = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
    write_run(small_dataset, State.RUNNING, phase=phase, details=details, **me)
    app = visit("model/train", dataset=small_dataset.id)
    assert not app.exception
    assert any(f"{word}]" in text.value for text in app.markdown)
