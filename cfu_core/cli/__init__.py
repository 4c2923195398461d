"""The command line: the functions of the dashboard as subcommands in a shell.

With ``--json``, a subcommand prints one JSON document and nothing else to stdout. The exit status is 0 on success; 2,
with one line on stderr, for an error that the user can fix; 130 if the work was stopped or paused before its end.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from cfu_core.cli import bundle_verbs, data_verbs, queue_verbs, report_verbs, run_verbs, training_verbs
from cfu_core.cli.terminal import INTERRUPTED, USER_ERROR
from cfu_core.errors import CfuError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand of the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Name of the subcommand and its arguments; by default the arguments of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for a `CfuError` (its message is printed to stderr in one line), or 130 if the work was
        stopped or paused, also by Ctrl-C.

    Raises
    ------
    SystemExit
        The arguments are not valid (status 2), or help was requested (status 0).
    """
    try:
        arguments = _parser().parse_args(argv)
        return arguments.verb(arguments)
    except CfuError as error:
        print(f"{error!s}".replace("\n", " "), file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {message}. See --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m cfu_core", description="Classify images of colony-forming units.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for module in (data_verbs, training_verbs, run_verbs, report_verbs, bundle_verbs, queue_verbs):
        module.add_verbs(verbs)
    return parser
