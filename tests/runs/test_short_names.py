from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among
from cfu_core.storage import read_json, write_json
from tests.pages.written import write_run


def test_names_leave_out_what_runs_share(small_dataset):
    plain, treated = write_run(small_dataset), write_run(small_dataset, preprocessed=True)
    assert names_among([plain, treated]) == {plain.id: "AlexNet, original", treated.id: "AlexNet, preprocessed"}


def test_names_tell_what_differs(small_dataset):
    short, long = write_run(small_dataset), write_run(small_dataset)
    spec = read_json(long.folder / "spec.json")
    spec["config"] |= {"epochs": 20, "seed": 3}
    write_json(long.folder / "spec.json", spec)
    assert names_among([short, Run(long.folder)]) == {
        short.id: "AlexNet, original, 3 epochs, seed 0",
        long.id: "AlexNet, original, 20 epochs, seed 3",
    }


def test_a_given_name_comes_first_and_twins_are_told_apart(small_dataset):
    named, one, other = (write_run(small_dataset) for _ in range(3))
    named.rename("Monday")
    names = names_among([named, one, other])
    assert names[named.id] == "Monday"
    assert names[one.id] == f"AlexNet, original, {one.id[-4:]}"
    assert len(set(names.values())) == 3


def test_no_runs_have_no_names():
    assert names_among([]) == {}
