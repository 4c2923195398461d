"""Subcommands that the dashboard and the queue start: ``work`` and ``job``."""

import argparse
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import OK
from cfu_core.jobs.queue import LANES


def add_verbs(verbs: Any) -> None:
    """Add the subcommands ``work`` (run the queued jobs of a lane) and ``job`` (run one job) to the command line.

    Their exit status is 0 also if a job fails or stops; ``status.json`` of the job has its final state.

    Parameters
    ----------
    verbs : argparse._SubParsersAction
        Value of `argparse.ArgumentParser.add_subparsers`. Each subcommand sets ``verb``, the function to call with the
        parsed arguments, which returns the exit status.
    """
    work = verbs.add_parser("work", help="run the queued jobs of a lane (started by the dashboard)")
    work.add_argument("lane", choices=sorted(set(LANES.values())))
    work.set_defaults(verb=_work)

    job = verbs.add_parser("job", help="run one queued job (started by the queue)")
    job.add_argument("folder", type=Path)
    job.set_defaults(verb=_job)


def _work(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.worker import work

    work(arguments.lane)
    return OK


def _job(arguments: argparse.Namespace) -> int:
    from cfu_core.jobs.queue import open_job
    from cfu_core.jobs.tasks import execute

    execute(open_job(arguments.folder))
    return OK
