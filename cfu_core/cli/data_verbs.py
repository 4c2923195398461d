"""Verbs for datasets: draw, look into, split, survey, edit."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import (
    DATA_HELP,
    INTERRUPTED,
    OK,
    ProgressLine,
    import_data,
    is_path,
    json_flag,
    print_json,
    read_data,
    run_job,
)


def add_verbs(verbs: Any) -> None:
    """Declare them."""
    demo = verbs.add_parser("demo", help="draw the demo dataset into a folder")
    demo.add_argument("folder", type=Path)
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(verb=_demo)

    inspect = verbs.add_parser("inspect", help="what a dataset holds, and what is wrong with it")
    inspect.add_argument("data", help=DATA_HELP)
    json_flag(inspect)
    inspect.set_defaults(verb=_inspect)

    split = verbs.add_parser("split", help="which images train, validate and test")
    split.add_argument("data", help=DATA_HELP)
    split.add_argument("--seed", type=int, default=0)
    json_flag(split)
    split.set_defaults(verb=_split)

    survey = verbs.add_parser("survey", help="measure every image, look for copies and draw the map, once")
    survey.add_argument("data", help=DATA_HELP)
    json_flag(survey)
    survey.set_defaults(verb=_survey)

    _edit_verbs(verbs)


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
        json_flag(verb)
        verb.set_defaults(verb=_edits if kind == "edits" else _edit, kind=kind)

    cache = verbs.add_parser("cache", help="how large the cache of prepared images is, and emptying it")
    cache.add_argument("--clear", action="store_true", help="remove what is not being made at this moment")
    json_flag(cache)
    cache.set_defaults(verb=_cache)


def _demo(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.demo.demo_dataset import write_demo

    with ProgressLine() as line:
        folder = write_demo(arguments.folder, seed=arguments.seed, progress=line.count("Drawing"))
    print(f"The demo dataset (drawn, not photographed) is in {folder}.")
    return OK


def _inspect(arguments: argparse.Namespace) -> int:
    dataset = read_data(arguments.data)
    duplicates = dataset.duplicates()
    if arguments.json:
        return print_json(
            {
                "classes": dataset.counts,
                "images": len(dataset.images),
                "problems": [asdict(issue) for issue in dataset.import_issues],
                "duplicates": duplicates,
            }
        )
    print(f"{len(dataset.images)} images")
    for name, count in dataset.counts.items():
        print(f"  {name}: {count}")
    for issue in dataset.import_issues:
        print(f"left out: {issue.path} ({issue.kind}): {issue.detail}")
    for paths in duplicates:
        print(f"identical: {', '.join(paths)}")
    return OK


def _split(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.splitting import PARTITIONS, make_split, split_of

    dataset = read_data(arguments.data)
    imported = not is_path(arguments.data)
    split = split_of(dataset, seed=arguments.seed) if imported else make_split(dataset.images, seed=arguments.seed)
    if arguments.json:
        return print_json({"counts": split.counts, "assignment": split.assignment, "nearness": split.nearness})
    for name, parts in split.counts.items():
        print(f"{name}: " + ", ".join(f"{partition} {parts[partition]}" for partition in PARTITIONS))
    print(split.nearness)
    return OK


def _survey(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.survey.survey import load_survey
    from cfu_core.job import create_job

    dataset = import_data(arguments.data)
    status = run_job(create_job("survey", {"dataset": dataset.id}), f"Survey of {dataset.name}")
    found = load_survey(dataset)
    reasons = found.table["unreadable"]
    unreadable = {dataset.images["path"].iat[row]: reasons.iat[row] for row in (reasons != "").to_numpy().nonzero()[0]}
    if arguments.json:
        print_json(
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
    from cfu_core.dataset.edits import edit_log
    from cfu_core.dataset.history import applied_and_undone

    log = edit_log(arguments.dataset)
    counts = {edit.number for edit in applied_and_undone(log)[0]}
    if arguments.json:
        return print_json([{**asdict(edit), "counts": edit.number in counts} for edit in log])
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
        return print_json({"dataset": dataset.id, "version": dataset.version, "classes": dataset.counts})
    classes = ", ".join(f"{name} {count}" for name, count in dataset.counts.items())
    print(f"{dataset.name}, version {dataset.version}: {len(dataset.images)} images ({classes})")
    return OK


def _paths(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _cache(arguments: argparse.Namespace) -> int:
    from cfu_core.training.cache import cache_folder
    from cfu_core.training.cache_limit import LIMIT_VARIABLE, cache_items, clear_cache, limit_bytes

    removed = clear_cache() if arguments.clear else 0
    size, limit, folder = sum(item.size for item in cache_items()), limit_bytes(), str(cache_folder())
    if arguments.json:
        return print_json({"folder": folder, "bytes": size, "limit_bytes": limit, "removed_bytes": removed})
    if arguments.clear:
        print(f"Removed {removed / 1e9:.2f} GB.")
    print(f"{size / 1e9:.2f} GB of at most {limit / 1e9:g} GB ({LIMIT_VARIABLE}) in {folder}")
    return OK
