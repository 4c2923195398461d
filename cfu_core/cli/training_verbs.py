"""Subcommands for training (one network, the runs of the paper, repeats), and for listing networks and the device."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cfu_core.cli.data_argument import add_data_argument, import_data, print_left_out
from cfu_core.cli.foreground import run_job
from cfu_core.cli.terminal import INTERRUPTED, OK, add_json_option, print_json, print_line, print_table
from cfu_core.cli.training_options import RECIPE_HELP, add_training_options, training_settings
from cfu_core.errors import CfuError
from cfu_core.job import State
from cfu_core.runs.run import Run
from cfu_core.wording import plural


def add_verbs(verbs: Any) -> None:
    """Add the subcommands for training, networks and the device to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    train = verbs.add_parser("train", help="train one network")
    add_data_argument(train)
    train.add_argument("--model", required=True)
    images = train.add_mutually_exclusive_group(required=True)
    images.add_argument("--images", choices=("original", "preprocessed"))
    images.add_argument("--recipe", metavar="FILE|NAME", help=RECIPE_HELP)
    train.add_argument("--clip-limit", type=float, help="clip limit of CLAHE, for --images preprocessed")
    train.add_argument("--tiles", type=int, help="tiles of CLAHE along each side, for --images preprocessed")
    add_training_options(train)
    _add_missing_classes_option(train)
    train.set_defaults(verb=_train)

    reproduce = verbs.add_parser("reproduce", help="train the six runs of the paper, then print Tables 3 and 4")
    add_data_argument(reproduce)
    reproduce.add_argument("--models", help="names of networks, separated by commas; by default the three of the paper")
    reproduce.add_argument("--recipe", metavar="FILE|NAME", help=f"{RECIPE_HELP}; by default crop and CLAHE")
    add_training_options(reproduce)
    _add_missing_classes_option(reproduce)
    reproduce.set_defaults(verb=_reproduce)

    repeat = verbs.add_parser(
        "repeat", help="repeat a run with other seeds or as a cross-validation, then print mean and standard deviation"
    )
    repeat.add_argument("run")
    repeat.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N - 1 (default: 5)")
    repeat.add_argument("--folds", type=int, metavar="K", help="K-fold cross-validation instead of seeds")
    repeat.add_argument("--recipe", metavar="FILE|NAME", help=f"{RECIPE_HELP}; by default the run's own recipe")
    add_json_option(repeat)
    repeat.set_defaults(verb=_repeat)

    networks = verbs.add_parser("networks", help="print Table 1, counted from the modules")
    networks.add_argument("--classes", type=int, default=3)
    add_json_option(networks)
    networks.set_defaults(verb=_networks)

    device = verbs.add_parser("device", help="show the device that training uses")
    add_json_option(device)
    device.set_defaults(verb=_device)


def _add_missing_classes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--without-missing-classes",
        action="store_true",
        help="train even if the import could read no image of a class",
    )


def _train(arguments: argparse.Namespace) -> int:
    recipe = _recipe(arguments)
    runs, status = _run_all(arguments, [(arguments.model, recipe)])
    if arguments.json:
        print_json({"run": runs[0].id, "status": status})
    else:
        print_line(f"{runs[0].id}: {status}")
    return OK if status == "finished" else INTERRUPTED


def _recipe(arguments: argparse.Namespace) -> Any:
    """Return the recipe that the options of ``train`` name."""
    from cfu_core.imaging.recipe import Recipe
    from cfu_core.saved_recipes import find_recipe

    clahe = {name: value for name in ("clip_limit", "tiles") if (value := getattr(arguments, name)) is not None}
    if clahe and arguments.images != "preprocessed":
        given = f"--recipe {arguments.recipe}" if arguments.recipe else f"--images {arguments.images}"
        raise CfuError(f"--clip-limit and --tiles were given with {given}.", "", "Use --images preprocessed.")
    if arguments.recipe:
        return find_recipe(arguments.recipe)
    return Recipe.original() if arguments.images == "original" else Recipe.preprocessed(**clahe)


def _reproduce(arguments: argparse.Namespace) -> int:
    from cfu_core.evaluation.paper_tables import describe_shared_settings, display_columns, table_3, table_4
    from cfu_core.imaging.published_recipe import recipe_departures
    from cfu_core.imaging.recipe import Recipe
    from cfu_core.models.registry import architecture
    from cfu_core.published.zamani_2023 import REMARKS, TABLE_1
    from cfu_core.runs.run_result import result_of
    from cfu_core.saved_recipes import find_recipe
    from cfu_core.training.paper_protocol import protocol_pairs

    preprocessed = find_recipe(arguments.recipe) if arguments.recipe else Recipe.preprocessed()
    if preprocessed.kind == "original":
        raise CfuError(
            "The recipe has no steps.",
            "The protocol of the paper compares original with preprocessed images.",
            "Give a recipe with at least one step.",
        )
    models = arguments.models.split(",") if arguments.models else list(TABLE_1)
    for model in models:
        architecture(model)
    runs, status = _run_all(arguments, protocol_pairs(preprocessed, models))
    results = [result_of(run) for run in runs]
    tables = {"table_3": table_3(results), "table_4": table_4(results)}
    departures = recipe_departures(preprocessed)
    if arguments.json:
        rows = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        print_json({"runs": [run.id for run in runs], "status": status, "departures": departures, **rows})
    else:
        for title, table in zip(("Table 3: seconds", "Table 4: precision and accuracy"), tables.values(), strict=True):
            print_line("")
            print_line(f"{title}; {describe_shared_settings(table)}")
            print_table(table[display_columns(table)].to_string(index=False, na_rep=""))
        remarks = [f"Departs from the paper's preprocessing: {'; '.join(departures)}."] if departures else []
        for line in ("", *remarks, *REMARKS):
            print_line(line)
    return OK if status == "finished" else INTERRUPTED


def _repeat(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.catalog import load_dataset
    from cfu_core.runs.repeats import families, in_folds, plan_repeats, with_seeds
    from cfu_core.runs.run_store import list_runs, open_run
    from cfu_core.saved_recipes import find_recipe

    run = open_run(arguments.run)
    print_left_out(load_dataset(run.plan.dataset.id))
    configs = in_folds(run, arguments.folds) if arguments.folds else with_seeds(run, range(arguments.seeds))
    if arguments.recipe:
        recipe = find_recipe(arguments.recipe).at(run.recipe.size)
        configs = [replace(config, recipe=recipe) for config in configs]
    new, existing = plan_repeats(run, configs)
    active = [other for other in existing if not other.status().state.ended]
    status = _train_all([*new, *active])
    varied = "folds" if arguments.folds else "seeds"
    ids = {run.id, *(other.id for other in new)}
    members = [other for other in list_runs() if other.evaluation()]
    found = [f for f in families(members) if f.varied == varied and ids & {member.id for member in f.runs}]
    paused = [other.id for other in existing if other.status().state is State.PAUSED]
    if arguments.json:
        rows = [
            {
                "varied": family.varied,
                "runs": [member.id for member in family.runs],
                "accuracies": family.accuracies,
                "mean": family.mean,
                "standard_deviation": family.deviation,
                "correct": family.correct,
                "images": family.n_images,
            }
            for family in found
        ]
        print_json({"status": status, "new": [member.id for member in new], "paused": paused, "families": rows})
    else:
        for family in found:
            values = ", ".join(f"{value:.4f}" for value in family.accuracies)
            print_line(f"{family.name}: {plural(len(family.runs), family.varied[:-1])}: {values}")
            print_line(f"mean {family.mean:.4f}, standard deviation {family.deviation:.4f}")
        if paused:
            print_line(f"{plural(len(paused), 'run is', 'runs are')} paused and left out: {', '.join(paused)}")
    return OK if status == "finished" else INTERRUPTED


def _networks(arguments: argparse.Namespace) -> int:
    from cfu_core.evaluation.paper_tables import table_1
    from cfu_core.models.complexity import complexity
    from cfu_core.models.registry import ARCHITECTURES

    sizes = {key: complexity(key, arguments.classes) for key in ARCHITECTURES}
    table = table_1(sizes, {key: a.label for key, a in ARCHITECTURES.items()})
    if arguments.json:
        return print_json({"table_1": json.loads(table.to_json(orient="records"))})
    print_table(table.to_string(index=False))
    return OK


def _device(arguments: argparse.Namespace) -> int:
    from cfu_core.training.devices import best_device, describe_device

    device = describe_device(best_device())
    if arguments.json:
        return print_json({"device": device})
    print_line(device)
    return OK


def _run_all(arguments: argparse.Namespace, pairs: Sequence[tuple[str, Any]]) -> tuple[list[Run], str]:
    """Import the data, plan a run for each pair of network and recipe, and train one after the other."""
    from cfu_core.dataset.left_out import check_missing_classes
    from cfu_core.models.registry import architecture
    from cfu_core.runs.planning import plan_runs
    from cfu_core.training.paper_protocol import configurations

    for key, _ in pairs:
        architecture(key)  # a wrong name is reported before the import
    dataset = import_data(arguments)
    if not arguments.without_missing_classes:
        check_missing_classes(dataset, "Or add --without-missing-classes.")
    print_left_out(dataset)
    runs = plan_runs(configurations(dataset.id, pairs, training_settings(arguments)), dataset)
    return runs, _train_all(runs)


def _train_all(runs: Sequence[Run]) -> str:
    """Train runs one after the other; return the status of the first run that did not finish."""
    status = State.FINISHED.value
    for number, run in enumerate(runs, 1):
        if status != State.FINISHED:
            run.request_stop()
            continue
        status = run_job(run, f"{run.name} ({number} of {len(runs)})")
    return status
