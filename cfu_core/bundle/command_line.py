"""The verbs of a bundle's own ``use.py``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cfu_core.bundle.classification import classify, onnx_network, verify
from cfu_core.bundle.contents import open_bundle
from cfu_core.errors import CfuError
from cfu_core.imaging.reading import read

OK, MENDABLE = 0, 2


def main(folder: Path, argv: Sequence[str]) -> int:
    """Run one verb on the bundle in `folder`; returns the exit status, 2 with one line on stderr for what is wrong."""
    parser = argparse.ArgumentParser(prog="python use.py", description="Use a trained network, or check it.")
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    verbs.add_parser("verify", help="check every file, and that the probabilities are the dashboard's")
    predict = verbs.add_parser("predict", help="classify images; prints one line of JSON for each")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    arguments = parser.parse_args(argv)
    try:
        if arguments.verb == "verify":
            print(told(*verify(folder)[1]))
        else:
            _predict(folder, arguments.images)
    except CfuError as error:
        print(f"{error!s}".replace("\n", " "), file=sys.stderr)
        return MENDABLE
    return OK


def told(images: int, largest: float, allowed: float) -> str:
    """A self-test that was passed, in words."""
    return (
        f"Every file is as it was made. {images} images: the probabilities differ from the dashboard's by at most "
        f"{largest:.1e} ({allowed:g} is allowed)."
    )


def _predict(folder: Path, paths: Sequence[Path]) -> None:
    bundle = open_bundle(folder)
    network = onnx_network(bundle)
    for path in paths:
        (row,) = classify(bundle, [read(path)], network)
        probabilities = dict(zip(bundle.classes, map(float, row), strict=True))
        line = {"path": str(path), "predicted": bundle.classes[int(row.argmax())], "probabilities": probabilities}
        print(json.dumps(line, ensure_ascii=False))
