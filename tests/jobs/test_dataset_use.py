"""What depends on a dataset."""

from cfu_core.dataset.edits import edit_dataset
from cfu_core.job import State, Status, create_job
from cfu_core.jobs.dataset_use import dataset_use
from tests.pages.written import write_run


def test_nothing_depends_on_a_new_dataset(small_dataset):
    use = dataset_use(small_dataset.id)
    assert (use.runs, use.edits, use.jobs, use.sentences, use.active_runs) == ({}, 0, (), [], 0)


def test_runs_edits_and_jobs_are_counted(small_dataset):
    for state in (State.PAUSED, State.QUEUED, State.FINISHED, State.FINISHED):
        write_run(small_dataset, state)
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    create_job("survey", {"dataset": small_dataset.id})
    create_job("prepare", {"dataset": small_dataset.id}).write_status(Status(state=State.FINISHED))
    create_job("survey", {"dataset": "another-00000000"})
    use = dataset_use(small_dataset.id)
    assert use.active_runs == 1
    assert use.sentences == [
        "4 runs use this dataset: 1 waiting, 1 paused, 2 finished.",
        "1 unfinished run cannot be resumed while the dataset is deleted.",
        "The dataset has 1 manual edit.",
        "A survey of this dataset is waiting or running; the deletion stops it.",
    ]
    create_job("estimate", {"dataset": small_dataset.id})
    assert dataset_use(small_dataset.id).sentences[-1] == (
        "A survey of this dataset and an estimate of the accuracy on this dataset are waiting or running; the deletion "
        "stops them."
    )
    assert dataset_use("another-00000000").runs == {}
