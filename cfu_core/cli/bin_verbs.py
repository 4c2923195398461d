"""Subcommands that delete a dataset, and that list, restore or remove the datasets in the bin."""

import argparse
from dataclasses import asdict
from typing import Any

from cfu_core.cli.data_argument import dataset_id
from cfu_core.cli.terminal import OK, add_json_option, print_json, print_line
from cfu_core.dataset.bin import KEPT, DeletedDataset, delete_for_good, list_deleted, restore_dataset
from cfu_core.errors import DatasetError


def add_verbs(verbs: Any) -> None:
    """Add ``delete`` and ``bin`` to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    delete = verbs.add_parser("delete", help=f"move a dataset to the bin, which keeps it for {KEPT.days} days")
    delete.add_argument("dataset", help="name or identifier of an imported dataset")
    delete.add_argument("--who", default="", help="name of the person who deletes it, for the record in the bin")
    delete.add_argument("--for-good", action="store_true", help="delete it and its images at once, without the bin")
    add_json_option(delete)
    delete.set_defaults(verb=_delete)

    contents = verbs.add_parser("bin", help="list the deleted datasets, restore one, or delete one for good")
    action = contents.add_mutually_exclusive_group()
    which = "its name or identifier, or its entry in the list"
    action.add_argument("--restore", metavar="DATASET", help=f"restore this deleted dataset: {which}")
    action.add_argument("--delete", metavar="DATASET", help=f"delete this deleted dataset for good: {which}")
    add_json_option(contents)
    contents.set_defaults(verb=_bin)


def _delete(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.dataset_use import dataset_use
    from cfu_core.jobs.launch import remove_dataset

    identifier = dataset_id(arguments.dataset)
    use = dataset_use(identifier)
    remove_dataset(identifier, who=arguments.who, for_good=arguments.for_good)
    if arguments.json:
        return print_json({"dataset": identifier, "for_good": arguments.for_good, **asdict(use)})
    for sentence in use.sentences:
        print_line(sentence)
    print_line(
        f"{identifier} has been deleted for good."
        if arguments.for_good
        else f"{identifier} is in the bin. Within {KEPT.days} days, bin --restore {identifier} restores it."
    )
    return OK


def _bin(arguments: argparse.Namespace) -> int:
    if arguments.restore is not None or arguments.delete is not None:
        return _restore_or_delete(arguments)
    deleted = list_deleted()
    if arguments.json:
        return print_json([_facts(each) for each in deleted])
    for each in deleted:
        who = f" by {each.who}" if each.who else ""
        print_line(
            f"{each.entry}  {each.name}, deleted on {each.when:%Y-%m-%d %H:%M} UTC{who}, "
            f"kept until {each.kept_until:%Y-%m-%d}"
        )
    if not deleted:
        print_line("The bin is empty.")
    return OK


def _restore_or_delete(arguments: argparse.Namespace) -> int:
    restore = arguments.restore is not None
    deleted = _one(arguments.restore if restore else arguments.delete)
    (restore_dataset if restore else delete_for_good)(deleted.entry)
    if arguments.json:
        return print_json({**_facts(deleted), "restored": restore})
    print_line(f"{deleted.name} ({deleted.id}) has been {'restored' if restore else 'deleted for good'}.")
    return OK


def _one(reference: str) -> DeletedDataset:
    """Return the only deleted dataset with this entry, identifier or name."""
    found = [each for each in list_deleted() if reference in (each.entry, each.id, each.name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DatasetError(f"The bin has no dataset {reference!r}.", "", "The subcommand bin lists what it has.")
    raise DatasetError(
        f"The bin has {len(found)} datasets {reference!r}: {', '.join(each.entry for each in found)}.",
        "It must be clear which one is meant.",
        "Write one of these entries instead.",
    )


def _facts(deleted: DeletedDataset) -> dict[str, str]:
    times = {"when": deleted.when.isoformat(timespec="seconds"), "kept_until": deleted.kept_until.isoformat()}
    return {**asdict(deleted), **times}
