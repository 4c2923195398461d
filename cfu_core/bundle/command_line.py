"""The command line of a bundle: ``use.py`` in its folder."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cfu_core.bundle.classification import onnx_network, verify
from cfu_core.bundle.contents import open_bundle
from cfu_core.errors import CfuError
from cfu_core.evaluation.training_comparison import describe_unlike, label_of
from cfu_core.imaging.reading import read_with_ranges
from cfu_core.imaging.recipe import apply
from cfu_core.wording import plural

OK, FAILED = 0, 2  # exit status


def main(folder: Path, argv: Sequence[str]) -> int:
    """Run a subcommand of ``use.py`` on a bundle.

    ``verify`` checks all files, runs the self-test and prints one line. ``predict IMAGE ...`` classifies images and
    prints a line of JSON for each, with the keys ``path``, ``predicted`` (the most probable class), ``probabilities``
    (by class), ``unlike_training`` (``yes``, ``no`` or ``not checked``), ``unlike_reason`` and ``distance_percentile``.
    How many images are unlike all training images is written to stderr at the end. ``predict`` does not check the
    files.

    Parameters
    ----------
    folder : Path
        Folder of the bundle.
    argv : sequence of str
        Subcommand and its arguments, without the name of the program.

    Returns
    -------
    int
        Exit status: 0 after success; 2 after a `CfuError`, such as a damaged bundle or an unreadable image. Its message
        is written to stderr in one line. ``predict`` goes on after an image that it cannot read, and writes its path
        and the reason to stderr.

    Raises
    ------
    SystemExit
        The arguments are invalid (status 2), or ``--help`` was given (status 0).
    """
    parser = argparse.ArgumentParser(
        prog="python use.py", description="Classify images with this network, or check this folder."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser(
        "verify", help="check all files, and compare the probabilities of the test images with those of the dashboard"
    )
    predict = commands.add_parser(
        "predict",
        help="classify images; prints one line of JSON for each image, and goes on after a file that it cannot read",
    )
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "verify":
            _, result = verify(folder)
            print(f"No file has been changed. {result.summary}.")
        else:
            return _predict(folder, arguments.images)
    except CfuError as error:
        _complain(str(error))
        return FAILED
    return OK


def _complain(message: str) -> None:
    print(message.replace("\n", " "), file=sys.stderr)


def _predict(folder: Path, paths: Sequence[Path]) -> int:
    bundle = open_bundle(folder)
    network, reference = onnx_network(bundle), bundle.reference
    failed = unlike = 0
    for path in paths:
        try:
            pixels, remark = read_with_ranges(path, bundle.sample_ranges)
        except CfuError as error:
            _complain(str(error) if str(path) in str(error) else f"{path}: {error}")
            failed += 1
            continue
        if remark:
            _complain(remark)
        prepared = apply(bundle.recipe, pixels)[None]
        (row,), features = network(prepared)
        comparison = None
        if reference is not None and features is not None:
            (comparison,) = reference.compare(features, prepared)
            unlike += comparison.unlike
        line = {
            "path": str(path),
            "predicted": bundle.classes[int(row.argmax())],
            "probabilities": dict(zip(bundle.classes, map(float, row), strict=True)),
            "unlike_training": label_of(comparison),
            "unlike_reason": comparison.reason if comparison else "",
            "distance_percentile": comparison.percentile if comparison else None,
        }
        print(json.dumps(line, ensure_ascii=False))
    if failed:
        _complain(f"No prediction for {failed} of {plural(len(paths), 'file')}.")
    if sentence := describe_unlike(unlike, len(paths) - failed, reference, bundle.not_checked):
        _complain(sentence)
    return FAILED if failed else OK
