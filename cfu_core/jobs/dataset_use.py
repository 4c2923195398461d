"""What depends on a dataset: runs, manual edits, and jobs that are working on it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cfu_core.dataset.catalog import list_datasets
from cfu_core.job import Job, State
from cfu_core.jobs.queue import all_jobs
from cfu_core.runs.run import Run
from cfu_core.wording import plural

_NOUNS = {
    "survey": "a survey of this dataset",
    "prepare": "a preparation of the images of this dataset",
    "estimate": "an estimate of the accuracy on this dataset",
}
_WORDS = {State.QUEUED: "waiting"}  # other states are their own words


@dataclass(frozen=True, kw_only=True)
class DatasetUse:
    """What depends on a dataset.

    Attributes
    ----------
    runs : Mapping of State to int
        Number of runs by state, in the order of `State`; without states that no run has.
    edits : int
        Number of edits in the log of the dataset.
    jobs : tuple of str
        Kinds of the other jobs on this dataset that are queued or running, each once.
    """

    runs: Mapping[State, int]
    edits: int
    jobs: tuple[str, ...]

    @property
    def active_runs(self) -> int:
        """Number of queued and running runs, which prevent a deletion."""
        return sum(count for state, count in self.runs.items() if not state.ended)

    @property
    def sentences(self) -> list[str]:
        """What a deletion affects, as sentences; empty if nothing depends on the dataset."""
        found = []
        if self.runs:
            states = ", ".join(f"{count:,} {_WORDS.get(state, state)}" for state, count in self.runs.items())
            total = plural(sum(self.runs.values()), "run uses", "runs use")
            found.append(f"{total} this dataset: {states}.")
            unfinished = sum(count for state, count in self.runs.items() if state.resumable)
            if unfinished:
                found.append(f"{plural(unfinished, 'unfinished run')} cannot be resumed while the dataset is deleted.")
        if self.edits:
            found.append(f"The dataset has {plural(self.edits, 'manual edit')}.")
        if self.jobs:
            listed = " and ".join(_NOUNS.get(kind, f"a job ({kind}) on this dataset") for kind in self.jobs)
            verb, it = ("is", "it") if len(self.jobs) == 1 else ("are", "them")
            found.append(f"{listed[:1].upper()}{listed[1:]} {verb} waiting or running; the deletion stops {it}.")
        return found


def jobs_using(identifier: str) -> list[tuple[Job, State]]:
    """Return all jobs on a dataset with their states, also runs and jobs that have ended.

    Parameters
    ----------
    identifier : str
        Identifier of the dataset, which need not exist.
    """
    jobs = (job for job in all_jobs() if _dataset_of(job) == identifier)
    return [(job, job.status().state) for job in jobs]


def _dataset_of(job: Job) -> str | None:
    return job.plan.dataset.id if isinstance(job, Run) else job.spec.get("dataset")


def dataset_use(identifier: str) -> DatasetUse:
    """Return what depends on a dataset.

    Parameters
    ----------
    identifier : str
        Identifier of the dataset. Of a dataset that does not exist, the runs may exist nevertheless.

    Raises
    ------
    StorageError
        The home folder or a log of edits is not readable.
    """
    runs: Counter[State] = Counter()
    jobs: dict[str, None] = {}
    for job, state in jobs_using(identifier):
        if isinstance(job, Run):
            runs[state] += 1
        elif not state.ended:
            jobs[job.kind] = None
    return DatasetUse(
        runs={state: runs[state] for state in State if runs[state]},
        edits=sum(summary.version for summary in list_datasets() if summary.id == identifier),
        jobs=tuple(jobs),
    )
