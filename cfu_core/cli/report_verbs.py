"""The subcommand that writes a report of runs."""

import argparse
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import OK, print_line


def add_verbs(verbs: Any) -> None:
    """Add the subcommand ``report`` to the command line.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    report = verbs.add_parser("report", help="write a report of runs into one file")
    report.add_argument("runs", nargs="+", metavar="RUN")
    report.add_argument("--out", required=True, type=Path, metavar="FILE", help="file name that ends in .html or .pdf")
    report.set_defaults(verb=_report)


def _report(arguments: argparse.Namespace) -> int:
    from cfu_core.reporting.report import write_report
    from cfu_core.runs.run_store import open_run

    runs = list({run.id: run for run in map(open_run, arguments.runs)}.values())
    write_report(runs, arguments.out)
    print_line(str(arguments.out))
    return OK
