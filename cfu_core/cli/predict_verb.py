"""The subcommand that classifies images with the network of a run."""

import argparse
import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfu_core.cli.image_arguments import FoundImages, find_images
from cfu_core.cli.terminal import (
    OK,
    USER_ERROR,
    LineObserver,
    ProgressLine,
    add_json_option,
    print_error,
    print_json,
    print_line,
)
from cfu_core.errors import CfuError, RunError
from cfu_core.evaluation.training_comparison import TrainingReference, describe_unlike, label_of
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import EARLIER_CROP
from cfu_core.runs.run_store import open_run
from cfu_core.storage import replacing
from cfu_core.wording import plural

if TYPE_CHECKING:
    from cfu_core.runs.prediction import FilePrediction


def add_verbs(verbs: Any) -> None:
    """Add the subcommand ``predict`` to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    predict = verbs.add_parser("predict", help="classify images with the network of a run")
    predict.add_argument("run")
    predict.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="an image file, or a folder of images with its subfolders"
    )
    predict.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write a table with the columns path, predicted, a probability for each class, unlike_training, "
        "unlike_reason, distance_percentile and error",
    )
    add_json_option(predict)
    predict.set_defaults(verb=_predict)


def _predict(arguments: argparse.Namespace) -> int:
    """Classify all images that can be used; the exit status says whether there were others."""
    run = open_run(arguments.run)
    if run.plan.earlier_crop:
        print_error(EARLIER_CROP)
    found = find_images(arguments.images)
    total = len(found.files) + len(found.unusable)
    rows, failed, unlike = [], [], 0
    with _table(arguments.csv, run) as add_to_table, ProgressLine() as line:
        reference, not_checked = _reference(run, line)
        progress = line.count("Classifying")
        for done, each in enumerate(_predictions(run, found, reference), 1):
            add_to_table(each)
            progress(done, total)
            unlike += each.comparison is not None and each.comparison.unlike
            if each.remark:
                line.show("")
                print_error(f"{each.path}: {each.remark}")
            if each.error:
                failed.append({"path": str(each.path), "error": each.error})
                line.show("")
                print_error(each.error if str(each.path) in each.error else f"{each.path}: {each.error}")
            elif arguments.json:
                rows.append(_json_row(run, each))
            elif not arguments.csv:
                line.show("")
                answer = f"{_class(run, each)} ({max(_probabilities(run, each).values()):.3f})"
                if each.comparison and each.comparison.unlike:
                    answer += f", unlike all training images: {each.comparison.reason}"
                print_line(f"{each.path}: {answer}")
    if found.others:
        print_error(found.describe_others)
    if failed and total > 1:
        print_error(f"{len(failed):,} of {total:,} could not be classified.")
    if sentence := describe_unlike(unlike, total - len(failed), reference, not_checked):
        print_error(sentence)
    if arguments.json:
        document = {"run": run.id, "weights": run.plan.weights_label, "predictions": rows}
        comparison = _comparison(reference, not_checked, unlike)
        print_json({**document, "failed": failed, "left_out": found.others.total(), "training_comparison": comparison})
    elif arguments.csv:
        print_line(f"{plural(total - len(failed), 'image')} classified: {arguments.csv}")
    return USER_ERROR if failed else OK


def _reference(run: Run, line: ProgressLine) -> tuple[TrainingReference | None, str]:
    """Return the reference of a run, computed if it has none yet; or None and the reason."""
    from cfu_core.runs.training_reference import training_reference  # late: it imports torch

    try:
        return training_reference(run, LineObserver(line)), ""
    except CfuError as error:
        return None, str(error)


def _comparison(reference: TrainingReference | None, not_checked: str, unlike: int) -> dict[str, Any]:
    """Return how many images are unlike all training images and how far that can be relied on, for JSON."""
    if reference is None:
        return {"checked": False, "reason": not_checked}
    low, high = reference.false_alarms()
    validation_images = len(reference.validation)
    return {"checked": True, "images": unlike, "validation_images": validation_images, "false_alarms": [low, high]}


def _predictions(run: Run, found: FoundImages, reference: TrainingReference | None) -> "Iterator[FilePrediction]":
    """Yield the folders that cannot be used, then the predictions of all files."""
    from cfu_core.runs.prediction import FilePrediction, predict_files  # late: it imports torch

    for path, reason in found.unusable.items():
        yield FilePrediction(path, None, reason)
    yield from predict_files(run, found.files, reference)


def _probabilities(run: Run, each: "FilePrediction") -> dict[str, float]:
    """Return the probabilities by class; empty if the image was not classified."""
    return {} if each.probabilities is None else dict(zip(run.classes, each.probabilities.tolist(), strict=True))


def _class(run: Run, each: "FilePrediction") -> str:
    return "" if each.probabilities is None else run.classes[int(each.probabilities.argmax())]


def _json_row(run: Run, each: "FilePrediction") -> dict[str, Any]:
    row = {
        "path": str(each.path),
        "predicted": _class(run, each),
        "probabilities": _probabilities(run, each),
        "unlike_training": label_of(each.comparison),
        "unlike_reason": each.comparison.reason if each.comparison else "",
        "distance_percentile": each.comparison.percentile if each.comparison else None,
    }
    return row | ({"remark": each.remark} if each.remark else {})


@contextmanager
def _table(file: Path | None, run: Run) -> "Iterator[Callable[[FilePrediction], None]]":
    """Yield a function that adds a row to a CSV file, which replaces `file` at the end; it does nothing without one."""
    if file is None:
        yield lambda each: None
        return
    if file.suffix.lower() != ".csv" or file.is_dir():  # --csv *.png would replace the first image
        raise RunError(
            f"The table {file} cannot be written.", "Its name must end in .csv, and it must not be a folder."
        )
    with replacing(file) as draft, draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        probability_columns = [f"probability_{name}" for name in run.classes]
        comparison_columns = ["unlike_training", "unlike_reason", "distance_percentile"]
        writer.writerow(["path", "predicted", *probability_columns, *comparison_columns, "error"])

        def add(each: "FilePrediction") -> None:
            probabilities = _probabilities(run, each).values() or [""] * len(run.classes)
            unlike = "" if each.error else label_of(each.comparison)
            reason, percentile = (each.comparison.reason, each.comparison.percentile) if each.comparison else ("", "")
            writer.writerow([str(each.path), _class(run, each), *probabilities, unlike, reason, percentile, each.error])

        yield add
