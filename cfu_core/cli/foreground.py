"""Jobs that a subcommand runs in its own process."""

from cfu_core.cli.terminal import ProgressLine
from cfu_core.errors import CfuError
from cfu_core.job import Job, State
from cfu_core.jobs.launch import ensure_worker
from cfu_core.jobs.queue import LANES
from cfu_core.jobs.worker import run_in_foreground


def run_job(job: Job, title: str) -> str:
    """Run a job in this process when its lane is free, with its progress in the terminal.

    If a worker runs the job first, wait for its end. A worker for the other queued jobs of the lane is then started.
    Ctrl-C stops the job. Call this function in the main thread.

    Parameters
    ----------
    job : Job
        Queued or running job.
    title : str
        Text before the progress in the terminal.

    Returns
    -------
    str
        Final state: ``finished``, ``stopped`` or ``paused``. After Ctrl-C while a worker runs the job, ``running`` if
        it has not stopped yet.

    Raises
    ------
    CfuError
        The job failed or was interrupted; the message says why.
    StorageError
        The home folder is not writable, or the disk is full.
    """
    with ProgressLine() as line:
        ended = run_in_foreground(job, on_status=line.follow(title))
    ensure_worker(LANES[job.kind])
    if ended.state in (State.FAILED, State.INTERRUPTED):
        raise CfuError(ended.message)
    return ended.state.value
