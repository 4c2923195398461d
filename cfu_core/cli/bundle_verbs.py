"""Subcommands for bundles: export a run as a bundle, verify a bundle."""

import argparse
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import OK, LineObserver, ProgressLine, add_json_option, print_json, print_line
from cfu_core.errors import BundleError


def add_verbs(verbs: Any) -> None:
    """Add the subcommands ``export`` and ``verify`` to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    export = verbs.add_parser(
        "export", help="export the network of a run with everything that is needed to use it elsewhere"
    )
    export.add_argument("run")
    export.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="a new folder")
    add_json_option(export)
    export.set_defaults(verb=_export)

    verify = verbs.add_parser(
        "verify", help="check that no file of a bundle was changed and that it gives the probabilities of the dashboard"
    )
    verify.add_argument("bundle", type=Path, help="an exported folder, or a zip of it")
    add_json_option(verify)
    verify.set_defaults(verb=_verify)


def _export(arguments: argparse.Namespace) -> int:
    from cfu_core.exporting.export import export_run
    from cfu_core.runs.run_store import open_run

    with ProgressLine() as line:
        found = export_run(open_run(arguments.run), arguments.out, LineObserver(line))
    return _print_result(arguments, arguments.out, found)


def _verify(arguments: argparse.Namespace) -> int:
    from cfu_core.exporting.export import verify_bundle

    if os.path.isdir(arguments.bundle):  # noqa: PTH112 - Path.is_dir raises if the name is too long
        return _print_result(arguments, arguments.bundle, verify_bundle(arguments.bundle))
    with tempfile.TemporaryDirectory() as folder:
        return _print_result(arguments, arguments.bundle, verify_bundle(_extract(arguments.bundle, Path(folder))))


def _extract(file: Path, folder: Path) -> Path:
    """Extract a zip into a folder, and return the bundle in it."""
    try:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)  # never writes outside of it
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{file} cannot be read: {error}.", "A bundle is a folder, or a zip of that folder.", "Check the path."
        ) from error
    found = [path for path in folder.iterdir() if path.is_dir()]
    return found[0] if len(found) == 1 else folder


def _print_result(arguments: argparse.Namespace, bundle: Path, found: Mapping[str, Any]) -> int:
    if arguments.json:
        return print_json(
            {"bundle": str(bundle), "self_test": {network: result._asdict() for network, result in found.items()}}
        )
    print_line(f"{bundle}: no file has been changed.")
    for network, result in found.items():
        print_line(f"{network}: {result.summary}.")
    return OK
