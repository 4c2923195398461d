"""The command line: the dashboard's work from a shell, on the same code.

``--json`` prints one JSON document to stdout and nothing else there. The exit status is 0; 2 with one line on stderr
for what a user can mend; 130 where Ctrl-C stopped the work.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from cfu_core.cli import bundle_verbs, data_verbs, queue_verbs, report_verbs, run_verbs, training_verbs
from cfu_core.cli.terminal import INTERRUPTED, MENDABLE
from cfu_core.errors import CfuError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    try:
        arguments = _parser().parse_args(argv)
        return arguments.verb(arguments)
    except CfuError as error:
        print(f"{error!s}".replace("\n", " "), file=sys.stderr)
        return MENDABLE
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(MENDABLE, f"{self.prog}: {message}. See --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m cfu_core", description="Classify images of colony-forming units.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for module in (data_verbs, training_verbs, run_verbs, report_verbs, bundle_verbs, queue_verbs):
        module.add_verbs(verbs)
    return parser
