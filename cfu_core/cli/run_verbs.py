"""Subcommands for runs: list, show, compare, explain, pause, stop, resume and repeat."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from cfu_core.cli.data_argument import print_left_out
from cfu_core.cli.foreground import run_job
from cfu_core.cli.terminal import (
    INTERRUPTED,
    OK,
    add_json_option,
    print_error,
    print_json,
    print_line,
    print_table,
)
from cfu_core.errors import RunError
from cfu_core.job import Job, State, create_job
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import EARLIER_CROP
from cfu_core.runs.run_store import list_runs, open_run
from cfu_core.wording import plural


def add_verbs(verbs: Any) -> None:
    """Add the subcommands for runs to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    runs = verbs.add_parser("runs", help="list the runs")
    add_json_option(runs)
    runs.set_defaults(verb=_runs)

    show = verbs.add_parser("show", help="show the settings and results of a run")
    show.add_argument("run")
    add_json_option(show)
    show.set_defaults(verb=_show)

    compare = verbs.add_parser("compare", help="compare runs on the same test images")
    compare.add_argument("runs", nargs="+", metavar="RUN")
    add_json_option(compare)
    compare.set_defaults(verb=_compare)

    explain = verbs.add_parser("explain", help="compute Grad-CAM maps of the test images of a run")
    explain.add_argument("run")
    explain.add_argument(
        "--boxes",
        type=Path,
        metavar="CSV",
        help="true boxes of the colonies: a table with the columns path, box_left, box_top, box_right and box_bottom, "
        "such as truth.csv of the demo",
    )
    add_json_option(explain)
    explain.set_defaults(verb=_explain)

    for name, function, explanation in (
        ("pause", _pause_or_stop, "pause a run; this frees its device, and the run can be resumed"),
        ("stop", _pause_or_stop, "stop a run; the weights of its best epoch are kept"),
        ("resume", _continue, "resume an unfinished run from its last checkpoint"),
        ("again", _continue, "repeat a run with the same settings and the same version of the dataset"),
    ):
        verb = verbs.add_parser(name, help=explanation)
        verb.add_argument("run")
        if name == "again":
            verb.add_argument("--edited", action="store_true", help="use the dataset with all its present edits")
        add_json_option(verb)
        verb.set_defaults(verb=function, request=name)


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
        print_line(f"{row['run']}  {row['status']}  {row['name']}  on {row['dataset']}{accuracy}")
    return OK


def _show(arguments: argparse.Namespace) -> int:
    run = open_run(arguments.run)
    facts = describe_run(run.folder)
    if arguments.json:
        return print_json(facts)
    print_line(f"{run.name} ({run.id}): {facts['status']}")
    if facts["message"]:
        print_line(facts["message"])
    if facts["status"] in (State.FAILED, State.INTERRUPTED):
        print_line(
            f"log: {facts['log']}"
            if facts["log"]
            else "log: none, because a subcommand trained the run and showed its output"
        )
    print_line(f"dataset {run.plan.dataset.name}, began with {run.plan.weights_label}, {run.recipe.summary}")
    for epoch in facts["history"]:
        print_line(
            f"epoch {epoch['epoch']}: training loss {_format_metric(epoch['training_loss'])}, "
            f"validation loss {_format_metric(epoch['validation_loss'])}, "
            f"accuracy {_format_metric(epoch['validation_accuracy'])}"
        )
    if facts["confusion"]:
        print_line(
            f"test accuracy {facts['accuracy']:.4f}; precision macro {facts['precision']['macro']:.4f}, "
            f"micro {facts['precision']['micro']:.4f}; rows true, columns predicted:"
        )
        for name, row in zip(facts["classes"], facts["confusion"], strict=True):
            print_line(f"  {name:>16} " + " ".join(f"{n:5d}" for n in row))
    return OK


def _compare(arguments: argparse.Namespace) -> int:
    """Print the metrics of each run with intervals, and the comparisons of all pairs on the same images."""
    from cfu_core.evaluation.paper_tables import comparison_table, summary_metrics_table
    from cfu_core.runs.comparison import compare_runs
    from cfu_core.runs.short_names import names_among

    runs = list({run.id: run for run in map(open_run, arguments.runs)}.values())
    comparisons = compare_runs(runs)
    tables = {run.id: summary_metrics_table(found) for run in runs if (found := run.evaluation())}
    if arguments.json:
        metrics = {run: json.loads(table.to_json(orient="records")) for run, table in tables.items()}
        return print_json({"runs": metrics, "comparisons": [c.to_dict() for c in comparisons]})
    for run in runs:
        print_line("")
        print_line(f"{run.name} ({run.id})")
        print_table(tables[run.id].to_string(index=False, na_rep="undefined"))
    if comparisons:
        print_line("")
        print_table(comparison_table(comparisons, names_among(runs)).to_string(index=False))
    elif len(runs) > 1:
        print_line("")
        print_line("No two of these runs were tested on the same images.")
    return OK


def _explain(arguments: argparse.Namespace) -> int:
    """Write Grad-CAM maps into the folder of the run, and print how often their maximum is inside the colony."""
    from cfu_core.runs.class_activation_store import MAPS, read_peak_counts

    run = open_run(arguments.run)
    if run.plan.earlier_crop:
        print_error(EARLIER_CROP)
    spec = {"run": run.id, "boxes": _boxes(arguments.boxes) if arguments.boxes else None}
    status = State(run_job(create_job("explain", spec), run.name))
    found = read_peak_counts(run)
    if status is not State.FINISHED or found is None:
        _print_status(arguments, run, status)
        return INTERRUPTED
    if arguments.json:
        return print_json({"run": run.id, "maps": str(run.folder / MAPS), **found.to_dict()})
    print_line(f"{run.folder / MAPS}")
    if found.images:
        print_line(
            f"The map of the predicted class has its maximum inside the box of the colony in {found.trained} of "
            f"{plural(found.images, 'test image')} (before training: {found.untrained}; expected for random points: "
            f"{found.chance:.1f})."
        )
    else:
        print_line(
            "The boxes of the colonies are unknown, so it cannot be checked whether the maps have their maximum there."
        )
    return OK


def _boxes(file: Path) -> dict[str, list[int]]:
    """Read boxes by path from a table such as ``truth.csv`` of the demo."""
    columns = ["box_left", "box_top", "box_right", "box_bottom"]
    try:
        table = pd.read_csv(file, usecols=["path", *columns])
        return {row.path: [int(getattr(row, name)) for name in columns] for row in table.itertuples()}
    except (OSError, ValueError) as error:
        expected = f"A CSV file with the columns path, {', '.join(columns)} is expected."
        raise RunError(f"The boxes in {file} cannot be read: {error}.", expected) from error


def _pause_or_stop(arguments: argparse.Namespace) -> int:
    """Pause or stop a queued or running run, and wait until it has ended."""
    run = open_run(arguments.run)
    status = run.status().state
    if status.ended and not (arguments.request == "stop" and status is State.PAUSED):
        raise RunError(f"The run {run.id} is {status}.", "Only a queued or running run can be paused or stopped.")
    run.request_pause() if arguments.request == "pause" else run.request_stop()
    _print_status(arguments, run, _final_state(run))
    return OK


def _continue(arguments: argparse.Namespace) -> int:
    """Resume or repeat a run in this process."""
    from cfu_core.dataset.catalog import load_dataset
    from cfu_core.runs.planning import plan_again

    run = open_run(arguments.run)
    print_left_out(load_dataset(run.plan.dataset.id))
    if arguments.request == "again":
        run = plan_again(run, edited=arguments.edited)
    else:
        run.requeue()
    status = State(run_job(run, run.name))
    _print_status(arguments, run, status)
    return OK if status is State.FINISHED else INTERRUPTED


def _print_status(arguments: argparse.Namespace, run: Run, status: State) -> None:
    if arguments.json:
        print_json({"run": run.id, "status": status.value})
    else:
        print_line(f"{run.id}: {status.value}")


def _final_state(job: Job) -> State:
    """Wait until a job has ended, and return its state; a run checks for requests between batches."""
    while not (status := job.status()).state.ended:
        time.sleep(0.1)
    return status.state


def describe_run(folder: Path) -> dict[str, Any]:
    """Return the JSON document that the subcommand ``show`` prints about a run.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    dict
        Values for `cfu_core.cli.terminal.print_json`. Name and settings: ``run`` (identifier), ``name``, ``dataset``,
        ``split``, ``weights``, ``config``, ``environment``, ``classes``. State: ``status``, ``message``, ``log`` (path
        of the output of the process; None if a subcommand trained the run, because it shows the output). Results:
        ``confusion``, ``accuracy``, ``precision`` (``macro`` and ``micro``), ``per_class``, ``seconds`` (by phase),
        ``cache_reused``, ``device``, ``history`` (by epoch) and ``predictions`` (path of the CSV file). Results that do
        not exist yet are None; ``history`` is then empty.

    Raises
    ------
    FileNotFoundError
        There is no run in the folder.
    CfuError
        A file of the run is damaged, or the user may not read it; or a setting of the run is unknown or not valid.
    KeyError, TypeError, ValueError
        ``spec.json`` lacks an entry or has an unknown one, or a line of ``metrics.jsonl`` is damaged.
    """
    run = Run(folder)
    status = run.status()
    evaluation = run.evaluation()
    timing = run.timing() or {}
    return {
        "run": run.id,
        "name": run.name,
        "status": status.state.value,
        "message": status.message,
        "log": str(run.log) if run.log.exists() else None,
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


def _format_metric(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
