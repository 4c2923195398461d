"""Verbs for runs: list, show, put down and go on, predict with them."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from cfu_core.cli.terminal import INTERRUPTED, OK, json_flag, print_json, run_job
from cfu_core.errors import RunError
from cfu_core.job import Job, State, create_job
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs, open_run


def add_verbs(verbs: Any) -> None:
    """Declare them."""
    runs = verbs.add_parser("runs", help="list the runs")
    json_flag(runs)
    runs.set_defaults(verb=_runs)

    show = verbs.add_parser("show", help="one run's settings and results")
    show.add_argument("run")
    json_flag(show)
    show.set_defaults(verb=_show)

    compare = verbs.add_parser("compare", help="whether runs differ, on the same test images")
    compare.add_argument("runs", nargs="+", metavar="RUN")
    json_flag(compare)
    compare.set_defaults(verb=_compare)

    explain = verbs.add_parser("explain", help="where a network looks in its test images, by Grad-CAM")
    explain.add_argument("run")
    explain.add_argument(
        "--boxes", type=Path, metavar="CSV", help="where the colonies truly lie: path, box_left, ... as in truth.csv"
    )
    json_flag(explain)
    explain.set_defaults(verb=_explain)

    for name, work, told in (
        ("pause", _put_down, "put a run down; its device is free, and it can be resumed"),
        ("stop", _put_down, "end a run; what its epochs gave is kept"),
        ("resume", _go_on, "go on with a run that ended before its time, from its last checkpoint"),
        ("again", _go_on, "train a run once more with its settings, on its dataset as it was then"),
    ):
        verb = verbs.add_parser(name, help=told)
        verb.add_argument("run")
        if name == "again":
            verb.add_argument("--edited", action="store_true", help="with the edits made to the dataset since")
        json_flag(verb)
        verb.set_defaults(verb=work, steer=name)

    predict = verbs.add_parser("predict", help="classify images with a trained run")
    predict.add_argument("run")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    json_flag(predict)
    predict.set_defaults(verb=_predict)


def _runs(arguments: argparse.Namespace) -> int:
    rows = [
        {
            "run": run.id,
            "name": run.name,
            "status": run.status().state.value,
            "dataset": run.plan.dataset.name,
            "model": run.config.architecture,
            "images": run.recipe.kind,
            "weights": run.plan.weights_label,
            "accuracy": evaluation.accuracy if (evaluation := run.evaluation()) else None,
        }
        for run in list_runs()
    ]
    if arguments.json:
        return print_json(rows)
    for row in rows:
        accuracy = "" if row["accuracy"] is None else f"  accuracy {row['accuracy']:.4f}"
        print(f"{row['run']}  {row['status']}  {row['name']}  on {row['dataset']}{accuracy}")
    return OK


def _show(arguments: argparse.Namespace) -> int:
    run = open_run(arguments.run)
    facts = describe_run(run.folder)
    if arguments.json:
        return print_json(facts)
    print(f"{run.name} ({run.id}): {run.status().state}")
    print(f"dataset {run.plan.dataset.name}, began with {run.plan.weights_label}, {run.recipe.summary}")
    for epoch in facts["history"]:
        print(
            f"epoch {epoch['epoch']}: training loss {_figure(epoch['training_loss'])}, "
            f"validation loss {_figure(epoch['validation_loss'])}, accuracy {_figure(epoch['validation_accuracy'])}"
        )
    if facts["confusion"]:
        print(
            f"test accuracy {facts['accuracy']:.4f}; precision macro {facts['precision']['macro']:.4f}, "
            f"micro {facts['precision']['micro']:.4f}; rows true, columns predicted:"
        )
        for name, row in zip(facts["classes"], facts["confusion"], strict=True):
            print(f"  {name:>16} " + " ".join(f"{n:5d}" for n in row))
    return OK


def _compare(arguments: argparse.Namespace) -> int:
    """All figures of each run with their intervals, and every two runs on the same images."""
    from cfu_core.evaluation.paper_tables import comparison_table, summary_metrics_table
    from cfu_core.runs.comparison import compare_runs
    from cfu_core.runs.short_names import names_among

    runs = list({run.id: run for run in map(open_run, arguments.runs)}.values())
    comparisons = compare_runs(runs)
    tables = {run.id: summary_metrics_table(found) for run in runs if (found := run.evaluation())}
    if arguments.json:
        figures = {run: json.loads(table.to_json(orient="records")) for run, table in tables.items()}
        return print_json({"runs": figures, "comparisons": [c.to_dict() for c in comparisons]})
    for run in runs:
        print(f"\n{run.name} ({run.id})\n{tables[run.id].to_string(index=False, na_rep='undefined')}")
    if comparisons:
        print("\n" + comparison_table(comparisons, names_among(runs)).to_string(index=False))
    elif len(runs) > 1:
        print("\nNo two of these runs were tested on the same images.")
    return OK


def _explain(arguments: argparse.Namespace) -> int:
    """Write the maps into the run's folder, and say how often they point at the colony."""
    from cfu_core.runs.class_activation_store import MAPS, read_peak_counts

    run = open_run(arguments.run)
    spec = {"run": run.id, "boxes": _boxes(arguments.boxes) if arguments.boxes else None}
    status = State(run_job(create_job("explain", spec), run.name))
    found = read_peak_counts(run)
    if status is not State.FINISHED or found is None:
        return INTERRUPTED
    if arguments.json:
        return print_json({"run": run.id, "maps": str(run.folder / MAPS), **found.to_dict()})
    print(f"{run.folder / MAPS}")
    if found.images:
        print(
            f"The map of the predicted class is highest inside the colony's box in {found.trained} of {found.images} "
            f"test images; before the network learned, in {found.untrained}; a point at random, in {found.chance:.1f}."
        )
    else:
        print("The boxes of the colonies are not known, so that nobody can say how often the maps point at them.")
    return OK


def _boxes(file: Path) -> dict[str, list[int]]:
    """Boxes by path, from a table such as the demo's ``truth.csv``."""
    columns = ["box_left", "box_top", "box_right", "box_bottom"]
    try:
        table = pd.read_csv(file, usecols=["path", *columns])
        return {row.path: [int(getattr(row, name)) for name in columns] for row in table.itertuples()}
    except (OSError, ValueError) as error:
        wanted = f"It should be a CSV with the columns path, {', '.join(columns)}."
        raise RunError(f"The boxes in {file} cannot be read: {error}.", wanted) from error


def _put_down(arguments: argparse.Namespace) -> int:
    """Pause or stop a run that waits or trains; returns when it has."""
    run = open_run(arguments.run)
    status = run.status().state
    if status.ended and not (arguments.steer == "stop" and status is State.PAUSED):
        raise RunError(f"The run {run.id} is {status}.", "Only a run that waits or trains can be paused or stopped.")
    run.request_pause() if arguments.steer == "pause" else run.request_stop()
    _tell(arguments, run, _settled(run))
    return OK


def _go_on(arguments: argparse.Namespace) -> int:
    """Resume a run, or train it once more, here and now."""
    from cfu_core.runs.planning import plan_again

    run = open_run(arguments.run)
    if arguments.steer == "again":
        run = plan_again(run, edited=arguments.edited)
    else:
        run.requeue()
    status = State(run_job(run, run.name))
    _tell(arguments, run, status)
    return OK if status is State.FINISHED else INTERRUPTED


def _tell(arguments: argparse.Namespace, run: Run, status: State) -> None:
    if arguments.json:
        print_json({"run": run.id, "status": status.value})
    else:
        print(f"{run.id}: {status.value}")


def _settled(job: Job) -> State:
    """How a job stands once it has done what it was asked for, which it looks for between batches."""
    while not (status := job.status()).state.ended:
        time.sleep(0.1)
    return status.state


def _predict(arguments: argparse.Namespace) -> int:
    from cfu_core.imaging.reading import read
    from cfu_core.runs.model_files import predict

    run = open_run(arguments.run)
    probabilities = predict(run, [read(path) for path in arguments.images])
    rows: list[dict[str, Any]] = [
        {
            "path": str(path),
            "predicted": run.classes[int(row.argmax())],
            "probabilities": dict(zip(run.classes, map(float, row), strict=True)),
        }
        for path, row in zip(arguments.images, probabilities, strict=True)
    ]
    if arguments.json:
        return print_json({"run": run.id, "weights": run.plan.weights_label, "predictions": rows})
    for row in rows:
        print(f"{row['path']}: {row['predicted']} ({row['probabilities'][row['predicted']]:.3f})")
    return OK


def describe_run(folder: Path) -> dict[str, Any]:
    """Everything ``show`` tells of a run; null where the run has not come that far."""
    run = Run(folder)
    status = run.status()
    evaluation = run.evaluation()
    timing = run.timing() or {}
    return {
        "run": run.id,
        "name": run.name,
        "status": status.state.value,
        "message": status.message,
        "dataset": asdict(run.plan.dataset),
        "split": asdict(run.plan.split),
        "weights": run.plan.weights_label,
        "config": run.config.to_dict(),
        "environment": run.plan.environment,
        "classes": run.classes,
        "confusion": evaluation.confusion if evaluation else None,
        "accuracy": evaluation.accuracy if evaluation else None,
        "precision": {"macro": evaluation.precision_macro, "micro": evaluation.precision_micro} if evaluation else None,
        "per_class": evaluation.to_dict()["per_class"] if evaluation else None,
        "seconds": timing.get("seconds"),
        "cache_reused": timing.get("cache_reused"),
        "device": timing.get("device"),
        "history": run.history(),
        "predictions": str(folder / "predictions.csv") if evaluation else None,
    }


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
