"""The command line: the functions of the dashboard as subcommands in a shell.

With ``--json``, a subcommand prints one JSON document and nothing else to stdout. The exit status is 0 on success; 2,
with one line on stderr, for an error that the user can fix; 130 if the work was stopped or paused before its end; 141
if the program that reads the output ended first, as in ``| head -1``.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cfu_core.cli import (
    bin_verbs,
    bundle_verbs,
    data_verbs,
    predict_verb,
    queue_verbs,
    report_verbs,
    run_verbs,
    training_verbs,
)
from cfu_core.cli.terminal import (
    INTERRUPTED,
    OUTPUT_CLOSED,
    USER_ERROR,
    OutputClosedError,
    output,
    print_error,
    printable,
)
from cfu_core.errors import CfuError
from cfu_core.storage import check_home


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand of the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Name of the subcommand and its arguments; by default the arguments of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for a `CfuError` (its message is printed to stderr in one line), 130 if the work was
        stopped or paused, also by Ctrl-C; or 141 if the reader of stdout has closed it.

    Raises
    ------
    SystemExit
        The arguments are not valid (status 2), or help was requested (status 0).
    """
    try:
        try:
            return _run_verb(argv)
        finally:
            with output():
                sys.stdout.flush()  # here, so that a closed pipe is found before the process ends
    except OutputClosedError:
        _discard_output()
        return OUTPUT_CLOSED


def _run_verb(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        check_home()
        return arguments.verb(arguments)
    except CfuError as error:
        print_error(str(error))
        return USER_ERROR
    except KeyboardInterrupt:
        print_error("Stopped.")
        return INTERRUPTED


def _discard_output() -> None:
    """Discard what is still to be written to closed pipes; otherwise Python would report it as the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


class _Parser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, printable(f"{self.prog}: {message}. See --help.") + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m cfu_core", description="Classify images of colony-forming units.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    modules = (
        data_verbs,
        bin_verbs,
        training_verbs,
        run_verbs,
        predict_verb,
        report_verbs,
        bundle_verbs,
        queue_verbs,
    )
    for module in modules:
        module.add_verbs(verbs)
    return parser
