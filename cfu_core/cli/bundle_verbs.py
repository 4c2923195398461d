"""Verbs for networks that leave the house: export a run as a bundle, verify one."""

import argparse
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import OK, ProgressLine, json_flag, print_json
from cfu_core.errors import BundleError
from cfu_core.observer import Observer


def add_verbs(verbs: Any) -> None:
    """Declare them."""
    export = verbs.add_parser("export", help="a run's network with all that is needed to use it elsewhere")
    export.add_argument("run")
    export.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="a new folder")
    json_flag(export)
    export.set_defaults(verb=_export)

    verify = verbs.add_parser("verify", help="check that a bundle is whole and gives the dashboard's probabilities")
    verify.add_argument("bundle", type=Path, help="a folder that was exported, or a zip of one")
    json_flag(verify)
    verify.set_defaults(verb=_verify)


class _Told(Observer):
    """Shows the phase in a line of the terminal; Ctrl-C ends the work."""

    def __init__(self, line: ProgressLine) -> None:
        self._tell = line.say

    def report(self, phase: str, **_details: Any) -> None:
        self._tell(phase)

    def stop_requested(self) -> bool:
        return False


def _export(arguments: argparse.Namespace) -> int:
    from cfu_core.exporting.export import export_run
    from cfu_core.runs.run_store import open_run

    with ProgressLine() as line:
        found = export_run(open_run(arguments.run), arguments.out, _Told(line))
    return _tell(arguments, arguments.out, found)


def _verify(arguments: argparse.Namespace) -> int:
    from cfu_core.exporting.export import verify_bundle

    if arguments.bundle.is_dir():
        return _tell(arguments, arguments.bundle, verify_bundle(arguments.bundle))
    with tempfile.TemporaryDirectory() as room:
        return _tell(arguments, arguments.bundle, verify_bundle(_unpacked(arguments.bundle, Path(room))))


def _unpacked(file: Path, room: Path) -> Path:
    """The one folder that a zip holds."""
    try:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(room)  # never outside of it
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{file} cannot be read: {error}.", "A bundle is a folder, or a zip of one.", "Check the path."
        ) from error
    found = [path for path in room.iterdir() if path.is_dir()]
    return found[0] if len(found) == 1 else room


def _tell(arguments: argparse.Namespace, bundle: Path, found: Mapping[str, Any]) -> int:
    if arguments.json:
        return print_json({"bundle": str(bundle), "self_test": {by: each._asdict() for by, each in found.items()}})
    print(f"{bundle}: no file has been changed.")
    for by, each in found.items():
        print(f"{by}: {each.summary}.")
    return OK
