"""The dashboard's verbs from a shell, on the same code.

``--json`` prints one JSON document to stdout and nothing else there. The exit status is 0; 2 with one line on stderr
for what a user can mend; 130 where Ctrl-C stopped the work.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from cfu_core.dataset.catalog import Dataset, load_dataset
from cfu_core.dataset.importing import import_source, scan_source
from cfu_core.errors import CfuError
from cfu_core.storage import finite

OK, MENDABLE, INTERRUPTED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.verb(arguments)
    except CfuError as error:
        print(f"{error!s}".replace("\n", " "), file=sys.stderr)
        return MENDABLE
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(MENDABLE, f"{self.prog}: {message}. See --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m cfu_core", description="Classify images of colony-forming units.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    data_help = "a folder, a zip, a CSV manifest, or the name of an imported dataset"

    demo = verbs.add_parser("demo", help="draw the demo dataset into a folder")
    demo.add_argument("folder", type=Path)
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(verb=_demo)

    inspect = verbs.add_parser("inspect", help="what a dataset holds, and what is wrong with it")
    inspect.add_argument("data", help=data_help)
    _json_flag(inspect)
    inspect.set_defaults(verb=_inspect)

    split = verbs.add_parser("split", help="which images train, validate and test")
    split.add_argument("data", help=data_help)
    split.add_argument("--seed", type=int, default=0)
    _json_flag(split)
    split.set_defaults(verb=_split)

    survey = verbs.add_parser("survey", help="measure every image, look for copies and draw the map, once")
    survey.add_argument("data", help=data_help)
    _json_flag(survey)
    survey.set_defaults(verb=_survey)

    _edit_verbs(verbs)

    train = verbs.add_parser("train", help="train one network")
    train.add_argument("data", help=data_help)
    train.add_argument("--model", required=True)
    train.add_argument("--images", required=True, choices=("original", "preprocessed"))
    train.add_argument("--clip-limit", type=float, help="of CLAHE, for preprocessed images")
    train.add_argument("--tiles", type=int, help="of CLAHE along each side, for preprocessed images")
    _training_flags(train)
    train.set_defaults(verb=_train)

    reproduce = verbs.add_parser("reproduce", help="the paper's six runs, then Tables 3 and 4")
    reproduce.add_argument("data", help=data_help)
    reproduce.add_argument("--models", help="comma-separated; all three by default")
    _training_flags(reproduce)
    reproduce.set_defaults(verb=_reproduce)

    runs = verbs.add_parser("runs", help="list the runs")
    _json_flag(runs)
    runs.set_defaults(verb=_runs)

    show = verbs.add_parser("show", help="one run's settings and results")
    show.add_argument("run")
    _json_flag(show)
    show.set_defaults(verb=_show)

    predict = verbs.add_parser("predict", help="classify images with a trained run")
    predict.add_argument("run")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    _json_flag(predict)
    predict.set_defaults(verb=_predict)

    networks = verbs.add_parser("networks", help="Table 1 from the real modules, and the device that would train")
    networks.add_argument("--classes", type=int, default=3)
    _json_flag(networks)
    networks.set_defaults(verb=_networks)

    work = verbs.add_parser("work", help="do what is queued (started by the dashboard)")
    work.add_argument("lane", choices=("device", "data", "background"))
    work.set_defaults(verb=_work)

    job = verbs.add_parser("job", help="do one queued job (started by the queue)")
    job.add_argument("folder", type=Path)
    job.set_defaults(verb=_job)
    return parser


def _edit_verbs(verbs: Any) -> None:
    helps = {
        "edits": "what was changed by hand in a dataset, by whom and why",
        "exclude": "leave images out of a dataset; nothing is deleted",
        "include": "take excluded images back",
        "relabel": "give images another class",
        "undo": "take the latest edit back",
        "redo": "let the edit that was undone last count again",
    }
    for kind, told in helps.items():
        verb = verbs.add_parser(kind, help=told)
        verb.add_argument("dataset", help="the name or identifier of an imported dataset")
        if kind == "relabel":
            verb.add_argument("label")
        if kind in ("exclude", "include", "relabel"):
            verb.add_argument("paths", nargs="+", metavar="PATH", help="as the dataset names it, for example A/01.jpg")
            verb.add_argument("--why", default="", help="for the log")
        if kind != "edits":
            verb.add_argument("--who", default="", help="for the log")
        _json_flag(verb)
        verb.set_defaults(verb=_edits if kind == "edits" else _edit, kind=kind)


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def _training_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="imagenet", help="imagenet, none or a file (default: imagenet)")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--seed", type=int, help="of the split, the weights, the order and the augmentation")
    _json_flag(parser)


# --- the verbs -------------------------------------------------------------------------------------------------------


def _demo(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.synthetic import write_demo

    with _ProgressLine() as line:
        folder = write_demo(arguments.folder, seed=arguments.seed, progress=line.count("Drawing"))
    print(f"The demo dataset (drawn, not photographed) is in {folder}.")
    return OK


def _inspect(arguments: argparse.Namespace) -> int:
    dataset = _read(arguments.data)
    duplicates = dataset.duplicates()
    if arguments.json:
        return _print_json(
            {
                "classes": dataset.counts,
                "images": len(dataset.images),
                "problems": [asdict(problem) for problem in dataset.problems],
                "duplicates": duplicates,
            }
        )
    print(f"{len(dataset.images)} images")
    for name, count in dataset.counts.items():
        print(f"  {name}: {count}")
    for problem in dataset.problems:
        print(f"left out: {problem.path} ({problem.kind}): {problem.detail}")
    for paths in duplicates:
        print(f"identical: {', '.join(paths)}")
    return OK


def _split(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.splitting import PARTITIONS, make_split, split_of

    dataset = _read(arguments.data)
    imported = not _is_path(arguments.data)
    split = split_of(dataset, seed=arguments.seed) if imported else make_split(dataset.images, seed=arguments.seed)
    if arguments.json:
        return _print_json({"counts": split.counts, "assignment": split.assignment, "nearness": split.nearness})
    for name, parts in split.counts.items():
        print(f"{name}: " + ", ".join(f"{partition} {parts[partition]}" for partition in PARTITIONS))
    print(split.nearness)
    return OK


def _survey(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.survey import load_survey
    from cfu_core.jobs.job import create_job

    dataset = _import(arguments.data)
    status = _run_job(create_job("survey", {"dataset": dataset.id}), f"Survey of {dataset.name}")
    found = load_survey(dataset)
    reasons = found.table["unreadable"]
    unreadable = {dataset.images["path"].iat[row]: reasons.iat[row] for row in (reasons != "").to_numpy().nonzero()[0]}
    if arguments.json:
        _print_json(
            {
                "dataset": dataset.id,
                "status": status,
                "done": found.done,
                "total": found.total,
                "unreadable": unreadable,
                "copies": json.loads(found.copies.to_json(orient="records")),
                "map": found.map_source,
            }
        )
    else:
        print(f"{found.done} of {found.total} images measured, {len(found.copies)} pairs of copies")
        for path, reason in unreadable.items():
            print(f"unreadable: {path}: {reason}")
        if found.map_source:
            print(f"map: {found.map_source}")
    return OK if status == "finished" else INTERRUPTED


def _edits(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.edits import counting, edit_log

    log = edit_log(arguments.dataset)
    counts = {edit.number for edit in counting(log)[0]}
    if arguments.json:
        return _print_json([{**asdict(edit), "counts": edit.number in counts} for edit in log])
    for edit in log:
        if "edit" in edit.changes and edit.kind in ("undo", "redo"):
            what = f"{edit.kind} of {edit.changes['edit']}"
        else:
            values = dict.fromkeys(str(value) for value in edit.changes.values() if value is not None)
            what = f"{edit.kind} {', '.join(list(values)[:3])}".strip() + f": {_paths(list(edit.changes))}"
            what += "" if edit.number in counts else " (undone)"
        print("  ".join(part for part in (str(edit.number), edit.when, edit.who, what, edit.why) if part))
    return OK


def _edit(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.edits import edit_dataset, redo_edit, undo_edit

    if arguments.kind in ("undo", "redo"):
        step = undo_edit if arguments.kind == "undo" else redo_edit
        dataset = step(arguments.dataset, who=arguments.who)
    else:
        changes = dict.fromkeys(arguments.paths, getattr(arguments, "label", None))
        dataset = edit_dataset(arguments.dataset, arguments.kind, changes, who=arguments.who, why=arguments.why)
    if arguments.json:
        return _print_json({"dataset": dataset.id, "version": dataset.version, "classes": dataset.counts})
    classes = ", ".join(f"{name} {count}" for name, count in dataset.counts.items())
    print(f"{dataset.name}, version {dataset.version}: {len(dataset.images)} images ({classes})")
    return OK


def _paths(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _train(arguments: argparse.Namespace) -> int:
    if arguments.images == "original" and (arguments.clip_limit is not None or arguments.tiles is not None):
        raise CfuError("--clip-limit and --tiles were given with --images original.", "", "Use --images preprocessed.")
    config = _config(arguments, arguments.model, arguments.images)
    runs, status = _run_all([config], _import(arguments.data))
    if arguments.json:
        _print_json({"run": runs[0].id, "status": status})
    else:
        print(f"{runs[0].id}: {status}")
    return OK if status == "finished" else INTERRUPTED


def _reproduce(arguments: argparse.Namespace) -> int:
    from cfu_core.evaluation.tables import screen_columns, table_3, table_4
    from cfu_core.models.registry import architecture
    from cfu_core.paper import REMARKS, TABLE_1
    from cfu_core.runs.store import result_of

    models = arguments.models.split(",") if arguments.models else list(TABLE_1)
    for model in models:
        architecture(model)
    configs = [_config(arguments, m, images) for m in models for images in ("original", "preprocessed")]
    runs, status = _run_all(configs, _import(arguments.data))
    results = [result_of(run) for run in runs]
    tables = {"table_3": table_3(results), "table_4": table_4(results)}
    if arguments.json:
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        _print_json({"runs": [run.id for run in runs], "status": status, **rows})
    else:
        for title, table in zip(("Table 3: seconds", "Table 4: precision and accuracy"), tables.values(), strict=True):
            print(f"\n{title}\n{table[screen_columns(table)].to_string(index=False, na_rep='')}")
        print("\n" + "\n".join(REMARKS))
    return OK if status == "finished" else INTERRUPTED


def _runs(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.job import Job
    from cfu_core.runs.store import list_runs

    rows = [
        {
            "run": run.id,
            "name": run.name,
            "status": Job(run.folder).status().state.value,
            "dataset": run.spec["dataset"]["name"],
            "model": run.config["architecture"],
            "images": run.recipe.images,
            "weights": run.spec["weights_label"],
            "accuracy": evaluation.accuracy if (evaluation := run.evaluation()) else None,
        }
        for run in list_runs()
    ]
    if arguments.json:
        return _print_json(rows)
    for row in rows:
        accuracy = "" if row["accuracy"] is None else f"  accuracy {row['accuracy']:.4f}"
        print(f"{row['run']}  {row['status']}  {row['name']}  on {row['dataset']}{accuracy}")
    return OK


def _show(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.job import Job
    from cfu_core.runs.store import open_run

    run = open_run(arguments.run)
    facts = describe_run(run.folder)
    if arguments.json:
        return _print_json(facts)
    print(f"{run.name} ({run.id}): {Job(run.folder).status().state}")
    print(f"dataset {run.spec['dataset']['name']}, began with {run.spec['weights_label']}, {run.recipe.summary}")
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


def _predict(arguments: argparse.Namespace) -> int:
    from cfu_core.imaging.reading import read
    from cfu_core.runs.execution import predict
    from cfu_core.runs.store import open_run

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
        return _print_json({"run": run.id, "weights": run.spec["weights_label"], "predictions": rows})
    for row in rows:
        print(f"{row['path']}: {row['predicted']} ({row['probabilities'][row['predicted']]:.3f})")
    return OK


def _networks(arguments: argparse.Namespace) -> int:
    from cfu_core.evaluation.tables import table_1
    from cfu_core.models.complexity import complexity
    from cfu_core.models.registry import ARCHITECTURES
    from cfu_core.training.devices import best_device, describe

    sizes = {key: complexity(key, arguments.classes) for key in ARCHITECTURES}
    table = table_1(sizes, {key: a.label for key, a in ARCHITECTURES.items()})
    device = describe(best_device())
    if arguments.json:
        return _print_json({"device": device, "table_1": json.loads(table.to_json(orient="records"))})
    print(table.to_string(index=False))
    print(f"Training would use: {device}")
    return OK


def _work(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.worker import work

    work(arguments.lane)
    return OK


def _job(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.job import Job
    from cfu_core.jobs.tasks import execute

    execute(Job(arguments.folder))
    return OK


# --- what the verbs share --------------------------------------------------------------------------------------------


def describe_run(folder: Path) -> dict[str, Any]:
    """Everything ``show`` tells of a run; null where the run has not come that far."""
    from cfu_core.jobs.job import Job
    from cfu_core.runs.store import Run

    run = Run(folder)
    status = Job(folder).status()
    evaluation = run.evaluation()
    timing = run.timing() or {}
    return {
        "run": run.id,
        "name": run.name,
        "status": status.state.value,
        "message": status.message,
        "dataset": run.spec["dataset"],
        "split": run.spec["split"],
        "weights": run.spec["weights_label"],
        "config": run.config,
        "environment": run.spec["environment"],
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


def _is_path(data: str) -> bool:
    return Path(data).exists() or "/" in data or data.lower().endswith((".zip", ".csv"))


def _read(data: str) -> Dataset:
    if not _is_path(data):
        return load_dataset(data)
    with _ProgressLine() as line:
        return scan_source(Path(data), progress=line.count("Reading"))


def _import(data: str) -> Dataset:
    if not _is_path(data):
        return load_dataset(data)
    with _ProgressLine() as line:
        imported = import_source(Path(data), progress=line.count("Importing"))
    return load_dataset(imported.id)  # with the edits that it has, where it was imported before


def _config(arguments: argparse.Namespace, model: str, images: str) -> Any:
    from cfu_core.imaging.recipe import Recipe
    from cfu_core.models.registry import architecture
    from cfu_core.models.weight_files import IMAGENET, NONE
    from cfu_core.training.config import TrainingConfig

    size = architecture(model).input_size
    given = {
        name: value
        for name in ("epochs", "batch_size", "learning_rate", "seed")
        if (value := getattr(arguments, name)) is not None
    }
    clahe = {name: value for name in ("clip_limit", "tiles") if (value := getattr(arguments, name, None)) is not None}
    recipe = Recipe.original(size) if images == "original" else Recipe.preprocessed(size, **clahe)
    if "seed" in given:
        given["split_seed"] = given["seed"]
    weights = arguments.weights
    if weights not in (IMAGENET, NONE):
        weights = str(Path(weights).absolute())  # another process, in another folder, may do the work
    return TrainingConfig(dataset="", architecture=model, recipe=recipe, weights=weights, **given)


def _run_all(configs: list[Any], dataset: Dataset) -> tuple[list[Any], str]:
    """Train one after the other; the status is that of the first run that did not finish."""
    from cfu_core.jobs.job import Job, State
    from cfu_core.jobs.launch import ensure_worker
    from cfu_core.jobs.worker import run_in_foreground
    from cfu_core.runs.planning import plan_runs

    runs = plan_runs([replace(config, dataset=dataset.id) for config in configs], dataset)
    status = State.FINISHED
    for number, run in enumerate(runs, 1):
        if status is not State.FINISHED:
            Job(run.folder).request_stop()
            continue
        title = f"{run.name} ({number} of {len(runs)})"
        with _ProgressLine() as line:
            ended = run_in_foreground(Job(run.folder), tell=line.follow(title))
        status = ended.state
        failure = ended.message
    ensure_worker("device")
    if status in (State.FAILED, State.INTERRUPTED):
        raise CfuError(f"{failure}")
    return runs, status.value


def _run_job(job: Any, title: str) -> str:
    """Do a job here as soon as its lane is free; returns how it ended.

    Raises
    ------
    CfuError
        It failed.
    """
    from cfu_core.jobs.job import State
    from cfu_core.jobs.launch import ensure_worker
    from cfu_core.jobs.worker import LANES, run_in_foreground

    with _ProgressLine() as line:
        ended = run_in_foreground(job, tell=line.follow(title))
    ensure_worker(LANES[job.kind])
    if ended.state in (State.FAILED, State.INTERRUPTED):
        raise CfuError(ended.message)
    return ended.state.value


def _print_json(value: Any) -> int:
    print(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))
    return OK


class _ProgressLine:
    """One line on stderr that is written over, where stderr is a terminal."""

    def __enter__(self) -> "_ProgressLine":
        self._shows = sys.stderr.isatty()
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("")

    def count(self, phase: str) -> Any:
        def progress(done: int, total: int) -> None:
            self._write(f"{phase}: {done} of {total}")

        return progress

    def follow(self, title: str) -> Any:
        def tell(status: Any) -> None:
            d = status.details
            text = f"{title}: {status.phase or status.state}"
            if "epoch" in d:
                text += f", epoch {d['epoch']} of {d['epochs']}, batch {d['batch']} of {d['batches']}"
            elif "total" in d:
                text += f", {d['done']} of {d['total']}"
            self._write(text)

        return tell

    def _write(self, text: str) -> None:
        if self._shows:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
