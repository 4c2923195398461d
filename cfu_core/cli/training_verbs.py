"""Verbs that train: one network, the paper's six runs, and what networks there are."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import DATA_HELP, INTERRUPTED, OK, ProgressLine, import_data, json_flag, print_json
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError

#: Settings of a training that have a flag of the same name.
GIVEN = ("mode", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "patience", "precision", "seed")


def add_verbs(verbs: Any) -> None:
    """Declare them."""
    train = verbs.add_parser("train", help="train one network")
    train.add_argument("data", help=DATA_HELP)
    train.add_argument("--model", required=True)
    train.add_argument("--images", required=True, choices=("original", "preprocessed"))
    train.add_argument("--clip-limit", type=float, help="of CLAHE, for preprocessed images")
    train.add_argument("--tiles", type=int, help="of CLAHE along each side, for preprocessed images")
    _training_flags(train)
    train.set_defaults(verb=_train)

    reproduce = verbs.add_parser("reproduce", help="the paper's six runs, then Tables 3 and 4")
    reproduce.add_argument("data", help=DATA_HELP)
    reproduce.add_argument("--models", help="comma-separated; all three by default")
    _training_flags(reproduce)
    reproduce.set_defaults(verb=_reproduce)

    repeat = verbs.add_parser("repeat", help="a run with other seeds, or cross-validated; then mean and spread")
    repeat.add_argument("run")
    repeat.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N - 1 (default: 5)")
    repeat.add_argument("--folds", type=int, metavar="K", help="cross-validation in K folds instead")
    json_flag(repeat)
    repeat.set_defaults(verb=_repeat)

    networks = verbs.add_parser("networks", help="Table 1 from the real modules")
    networks.add_argument("--classes", type=int, default=3)
    json_flag(networks)
    networks.set_defaults(verb=_networks)

    device = verbs.add_parser("device", help="which device would train")
    json_flag(device)
    device.set_defaults(verb=_device)


def _training_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="imagenet", help="imagenet, none or a file (default: imagenet)")
    parser.add_argument(
        "--mode", help="fine-tune: all layers learn; probe: the last one, in seconds (default: fine-tune)"
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--optimizer", help="adam or sgd (default: adam)")
    parser.add_argument("--schedule", help="of the learning rate: constant, cosine or step (default: constant)")
    parser.add_argument("--patience", type=int, help="stop after so many epochs without a better one; 0: never")
    parser.add_argument("--precision", help="fastest or float32 (default: fastest)")
    parser.add_argument("--seed", type=int, help="of the split, the weights, the order and the augmentation")
    json_flag(parser)


def _train(arguments: argparse.Namespace) -> int:
    if arguments.images == "original" and (arguments.clip_limit is not None or arguments.tiles is not None):
        raise CfuError("--clip-limit and --tiles were given with --images original.", "", "Use --images preprocessed.")
    config = _config(arguments, arguments.model, arguments.images)
    runs, status = _run_all([config], import_data(arguments.data))
    if arguments.json:
        print_json({"run": runs[0].id, "status": status})
    else:
        print(f"{runs[0].id}: {status}")
    return OK if status == "finished" else INTERRUPTED


def _reproduce(arguments: argparse.Namespace) -> int:
    from cfu_core.evaluation.paper_tables import in_common, screen_columns, table_3, table_4
    from cfu_core.models.registry import architecture
    from cfu_core.published.zamani_2023 import REMARKS, TABLE_1
    from cfu_core.runs.store import result_of

    models = arguments.models.split(",") if arguments.models else list(TABLE_1)
    for model in models:
        architecture(model)
    configs = [_config(arguments, m, images) for m in models for images in ("original", "preprocessed")]
    runs, status = _run_all(configs, import_data(arguments.data))
    results = [result_of(run) for run in runs]
    tables = {"table_3": table_3(results), "table_4": table_4(results)}
    if arguments.json:
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        print_json({"runs": [run.id for run in runs], "status": status, **rows})
    else:
        for title, table in zip(("Table 3: seconds", "Table 4: precision and accuracy"), tables.values(), strict=True):
            print(f"\n{title}; {in_common(table)}\n{table[screen_columns(table)].to_string(index=False, na_rep='')}")
        print("\n" + "\n".join(REMARKS))
    return OK if status == "finished" else INTERRUPTED


def _repeat(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.job import Job, State
    from cfu_core.runs.repeats import families, in_folds, plan_repeats, still_to_do, with_seeds
    from cfu_core.runs.store import list_runs, open_run

    run = open_run(arguments.run)
    configs = in_folds(run, arguments.folds) if arguments.folds else with_seeds(run, range(arguments.seeds))
    finished = [other for other in list_runs() if Job(other.folder).status().state is State.FINISHED]
    new = plan_repeats(run, still_to_do(run, configs, finished))
    status = _carry_out(new)
    varied = "folds" if arguments.folds else "seeds"
    ids = {run.id, *(other.id for other in new)}
    found = [f for f in families([*new, *finished]) if f.varied == varied and ids & {member.id for member in f.runs}]
    if arguments.json:
        rows = [
            {
                "varied": family.varied,
                "runs": [member.id for member in family.runs],
                "accuracies": family.accuracies,
                "mean": family.mean,
                "standard_deviation": family.deviation,
                "correct": family.correct,
                "images": family.images,
            }
            for family in found
        ]
        print_json({"status": status, "new": [member.id for member in new], "families": rows})
    else:
        for family in found:
            values = ", ".join(f"{value:.4f}" for value in family.accuracies)
            print(f"{family.name}: {len(family.runs)} {family.varied}: {values}")
            print(f"mean {family.mean:.4f}, standard deviation {family.deviation:.4f}")
    return OK if status == "finished" else INTERRUPTED


def _networks(arguments: argparse.Namespace) -> int:
    from cfu_core.evaluation.paper_tables import table_1
    from cfu_core.models.complexity import complexity
    from cfu_core.models.registry import ARCHITECTURES

    sizes = {key: complexity(key, arguments.classes) for key in ARCHITECTURES}
    table = table_1(sizes, {key: a.label for key, a in ARCHITECTURES.items()})
    if arguments.json:
        return print_json({"table_1": json.loads(table.to_json(orient="records"))})
    print(table.to_string(index=False))
    return OK


def _device(arguments: argparse.Namespace) -> int:
    from cfu_core.training.devices import best_device, describe

    device = describe(best_device())
    if arguments.json:
        return print_json({"device": device})
    print(device)
    return OK


def _config(arguments: argparse.Namespace, model: str, images: str) -> Any:
    from cfu_core.imaging.recipe import Recipe
    from cfu_core.models.registry import architecture
    from cfu_core.models.weight_files import IMAGENET, NONE
    from cfu_core.training.config import TrainingConfig

    size = architecture(model).input_size
    given = {name: value for name in GIVEN if (value := getattr(arguments, name)) is not None}
    clahe = {name: value for name in ("clip_limit", "tiles") if (value := getattr(arguments, name, None)) is not None}
    recipe = Recipe.original(size) if images == "original" else Recipe.preprocessed(size, **clahe)
    if "seed" in given:
        given["split_seed"] = given["seed"]
    weights = arguments.weights
    if weights not in (IMAGENET, NONE):
        weights = str(Path(weights).absolute())  # another process, in another folder, may do the work
    return TrainingConfig(dataset="", architecture=model, recipe=recipe, weights=weights, **given)


def _run_all(configs: list[Any], dataset: Dataset) -> tuple[list[Any], str]:
    """Plan them and train one after the other."""
    from cfu_core.runs.planning import plan_runs

    runs = plan_runs([replace(config, dataset=dataset.id) for config in configs], dataset)
    return runs, _carry_out(runs)


def _carry_out(runs: list[Any]) -> str:
    """Train one after the other; the status is that of the first run that did not finish."""
    from cfu_core.jobs.job import Job, State
    from cfu_core.jobs.launch import ensure_worker
    from cfu_core.jobs.worker import run_in_foreground

    status, failure = State.FINISHED, ""
    for number, run in enumerate(runs, 1):
        if status is not State.FINISHED:
            Job(run.folder).request_stop()
            continue
        title = f"{run.name} ({number} of {len(runs)})"
        with ProgressLine() as line:
            ended = run_in_foreground(Job(run.folder), tell=line.follow(title))
        status = ended.state
        failure = ended.message
    ensure_worker("device")
    if status in (State.FAILED, State.INTERRUPTED):
        raise CfuError(f"{failure}")
    return status.value
