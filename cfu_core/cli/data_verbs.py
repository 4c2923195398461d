"""Subcommands for datasets (draw the demo, inspect, split, survey, edit) and for the cache of preprocessed images."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cfu_core.cli.data_argument import (
    add_data_argument,
    dataset_id,
    import_data,
    print_left_out,
    read_data,
    saved_dataset,
)
from cfu_core.cli.foreground import run_job
from cfu_core.cli.terminal import INTERRUPTED, OK, ProgressLine, add_json_option, print_json, print_line
from cfu_core.dataset.audit.checks import SEVERITIES, Audit
from cfu_core.dataset.catalog import is_saved
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.left_out import missing_classes
from cfu_core.wording import plural


def add_verbs(verbs: Any) -> None:
    """Add the subcommands for datasets, edits and the cache to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    demo = verbs.add_parser("demo", help="draw the demo dataset into a folder")
    demo.add_argument("folder", type=Path)
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(verb=_demo)

    inspect = verbs.add_parser("inspect", help="list the classes of a dataset, and the checks of the audit")
    add_data_argument(inspect)
    add_json_option(inspect)
    inspect.set_defaults(verb=_inspect)

    split = verbs.add_parser("split", help="show the split into training, validation and test images")
    add_data_argument(split)
    split.add_argument("--seed", type=int, default=0)
    add_json_option(split)
    split.set_defaults(verb=_split)

    survey = verbs.add_parser("survey", help="measure all images, find copies and compute the map of similar images")
    add_data_argument(survey)
    add_json_option(survey)
    survey.set_defaults(verb=_survey)

    _edit_verbs(verbs)


def _edit_verbs(verbs: Any) -> None:
    helps = {
        "edits": "list the manual edits of a dataset, with name and reason",
        "exclude": "exclude images from a dataset; no file is deleted",
        "include": "include excluded images again",
        "relabel": "change the class of images",
        "undo": "undo the latest edit",
        "redo": "redo the edit that was undone last",
    }
    for kind, explanation in helps.items():
        verb = verbs.add_parser(kind, help=explanation)
        verb.add_argument("dataset", help="name or identifier of an imported dataset")
        if kind == "relabel":
            verb.add_argument("label")
        if kind in ("exclude", "include", "relabel"):
            verb.add_argument(
                "paths", nargs="+", metavar="PATH", help="path of an image in the dataset, for example A/01.jpg"
            )
            verb.add_argument("--why", default="", help="reason, for the log")
        if kind != "edits":
            verb.add_argument("--who", default="", help="name of the editor, for the log")
        add_json_option(verb)
        verb.set_defaults(verb=_edits if kind == "edits" else _edit, kind=kind)

    cache = verbs.add_parser("cache", help="show the size of the cache of preprocessed images, or empty it")
    cache.add_argument("--clear", action="store_true", help="remove all entries except those that are being written")
    add_json_option(cache)
    cache.set_defaults(verb=_cache)


def _demo(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.demo.demo_dataset import write_demo

    with ProgressLine() as line:
        folder = write_demo(arguments.folder, seed=arguments.seed, progress=line.count("Drawing"))
    print_line(f"The demo dataset (drawn, not photographed) is in {folder}.")
    return OK


def _inspect(arguments: argparse.Namespace) -> int:
    dataset = read_data(arguments)
    duplicates = dataset.duplicates()
    saved = saved_dataset(dataset)
    checks, measured = _audit(saved or dataset)
    if arguments.json:
        return print_json(
            {
                "classes": dataset.counts,
                "images": len(dataset.images),
                "unlabelled": dataset.unlabelled,
                "missing_classes": missing_classes(dataset),
                "problems": [asdict(issue) for issue in dataset.import_issues],
                "duplicates": duplicates,
                "audit": {
                    "dataset": saved.id if saved else None,
                    "version": saved.version if saved else 0,
                    "measured": measured,
                    "checks": [check.to_dict() for check in checks.checks],
                },
            }
        )
    print_line(plural(len(dataset.images), "image"))
    for name, count in dataset.counts.items():
        print_line(f"  {name}: {count}")
    if dataset.unlabelled:
        print_line(f"  no class: {dataset.unlabelled}")
    missing = missing_classes(dataset)
    if missing:
        print_line(f"no image could be used of: {', '.join(missing)}")
    for issue in dataset.import_issues:
        heading = "not imported" if issue.left_out else "remark"
        print_line(f"{heading}: {' '.join(filter(None, [issue.path, f'({issue.kind})']))}: {issue.detail}")
    for paths in duplicates:
        print_line(f"identical: {', '.join(paths)}")
    _print_audit(checks, measured, saved)
    return OK


def _audit(dataset: Dataset) -> tuple[Audit, int]:
    """Make the checks of a dataset with the split of seed 0; return also the number of measured images."""
    from cfu_core.dataset.audit.audit import audit
    from cfu_core.dataset.audit.limits import read_limits
    from cfu_core.dataset.splitting import make_split, split_of
    from cfu_core.dataset.survey.survey import load_survey

    if dataset.images.empty:
        return Audit(checks=()), 0
    split = split_of(dataset, seed=0) if is_saved(dataset.id) else make_split(dataset.images, seed=0)
    found = load_survey(dataset)
    return audit(dataset, found, split, read_limits(dataset.id)), found.done


def _print_audit(checks: Audit, measured: int, saved: Dataset | None) -> None:
    """Print every check with its result, and the details of those that found something."""
    edited = f" with {plural(saved.version, 'edit')} of the dataset {saved.id}" if saved and saved.version else ""
    print_line(f"audit{edited}, split seed 0: {checks.summary}")
    for check in checks.checks:
        print_line(f"  {SEVERITIES.get(check.severity, 'ok')}: {check.text}")
        if check.finding:
            print_line(f"    {check.finding.detail}")
    if not measured:
        print_line("The images are not measured yet; “survey” measures them.")


def _split(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.splitting import PARTITIONS, make_split, split_of

    dataset = read_data(arguments)
    saved = saved_dataset(dataset)
    print_left_out(saved or dataset)
    split = split_of(saved, seed=arguments.seed) if saved else make_split(dataset.images, seed=arguments.seed)
    version = saved.version if saved else 0
    if arguments.json:
        return print_json(
            {
                "counts": split.counts,
                "assignment": split.assignment,
                "nearness": split.nearness,
                "dataset": saved.id if saved else None,
                "version": version,
            }
        )
    for name, parts in split.counts.items():
        print_line(f"{name}: " + ", ".join(f"{partition} {parts[partition]}" for partition in PARTITIONS))
    print_line(split.nearness)
    if version:
        print_line(f"with {plural(version, 'edit')} of the dataset {dataset.id}")
    return OK


def _survey(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.survey.survey import load_survey
    from cfu_core.job import create_job

    dataset = import_data(arguments)
    print_left_out(dataset)
    status = run_job(create_job("survey", {"dataset": dataset.id}), f"Survey of {dataset.name}")
    found = load_survey(dataset)
    texts = found.table.set_index(dataset.images["path"])[["unreadable", "warning"]]
    unreadable, warnings = (texts[name][texts[name] != ""].to_dict() for name in texts.columns)
    if arguments.json:
        print_json(
            {
                "dataset": dataset.id,
                "status": status,
                "done": found.done,
                "total": found.total,
                "unreadable": unreadable,
                "warnings": warnings,
                "copies": json.loads(found.copies.to_json(orient="records")),
                "map": found.map_source,
            }
        )
    else:
        print_line(
            f"{found.done:,} of {plural(found.total, 'image')} measured, {plural(len(found.copies), 'pair')} of copies"
        )
        for path, reason in unreadable.items():
            print_line(f"unreadable: {path}: {reason}")
        for path, warning in warnings.items():
            print_line(f"warning: {path}: {warning}")
        if found.map_source:
            print_line(f"map: {found.map_source}")
    return OK if status == "finished" else INTERRUPTED


def _edits(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.edit_description import describe_edit
    from cfu_core.dataset.edits import edit_log
    from cfu_core.dataset.history import applied_and_undone

    log = edit_log(dataset_id(arguments.dataset))
    applied = {edit.number for edit in applied_and_undone(log)[0]}
    if arguments.json:
        return print_json([{**asdict(edit), "counts": edit.number in applied} for edit in log])
    for edit in log:
        in_effect = edit.number in applied or edit.kind in ("undo", "redo")
        what = describe_edit(edit) + ("" if in_effect else " (undone)")
        print_line("  ".join(part for part in (str(edit.number), edit.when, edit.who, what, edit.why) if part))
    return OK


def _edit(arguments: argparse.Namespace) -> int:
    from cfu_core.dataset.edits import edit_dataset, redo_edit, undo_edit

    reference = dataset_id(arguments.dataset)
    if arguments.kind in ("undo", "redo"):
        step = undo_edit if arguments.kind == "undo" else redo_edit
        dataset = step(reference, who=arguments.who)
    else:
        changes = dict.fromkeys(arguments.paths, getattr(arguments, "label", None))
        dataset = edit_dataset(reference, arguments.kind, changes, who=arguments.who, why=arguments.why)
    if arguments.json:
        return print_json({"dataset": dataset.id, "version": dataset.version, "classes": dataset.counts})
    classes = ", ".join(f"{name} {count}" for name, count in dataset.counts.items())
    print_line(f"{dataset.name}, version {dataset.version}: {plural(len(dataset.images), 'image')} ({classes})")
    return OK


def _cache(arguments: argparse.Namespace) -> int:
    from cfu_core.training.cache import cache_folder
    from cfu_core.training.cache_limit import LIMIT_VARIABLE, cache_items, clear_cache, limit_bytes

    removed = clear_cache() if arguments.clear else 0
    size, limit, folder = sum(item.size for item in cache_items()), limit_bytes(), str(cache_folder())
    if arguments.json:
        return print_json({"folder": folder, "bytes": size, "limit_bytes": limit, "removed_bytes": removed})
    if arguments.clear:
        print_line(f"Removed {removed / 1e9:.2f} GB.")
    print_line(f"{size / 1e9:.2f} GB of at most {limit / 1e9:g} GB ({LIMIT_VARIABLE}) in {folder}")
    return OK
