from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among, shared_training
from cfu_core.storage import read_json, write_json
from tests.pages.written import write_run


def test_names_have_weights_and_mode_unless_all_runs_share_them_and_the_caller_shows_them(small_dataset):
    plain, treated = write_run(small_dataset), write_run(small_dataset, preprocessed=True)
    assert names_among([plain, treated]) == {
        plain.id: "AlexNet, original, random weights, fine-tuned",
        treated.id: "AlexNet, preprocessed, random weights, fine-tuned",
    }
    short = {plain.id: "AlexNet, original", treated.id: "AlexNet, preprocessed"}
    assert names_among([plain, treated], leave_out_shared=True) == short
    assert shared_training([plain, treated]) == "random weights, fine-tuned"


def test_only_what_all_runs_share_is_left_out(small_dataset):
    tuned, probe = write_run(small_dataset), write_run(small_dataset)
    spec = read_json(probe.folder / "spec.json")
    spec["config"] |= {"mode": "probe"}
    write_json(probe.folder / "spec.json", spec)
    runs = [tuned, Run(probe.folder)]
    assert runs[1].default_name == "AlexNet, original, random weights, probe"
    assert names_among(runs, leave_out_shared=True) == {
        tuned.id: "AlexNet, original, fine-tuned, 3 epochs",
        probe.id: "AlexNet, original, probe",
    }
    assert shared_training(runs) == "random weights"


def test_names_have_the_settings_in_which_runs_differ(small_dataset):
    short, long = write_run(small_dataset), write_run(small_dataset)
    spec = read_json(long.folder / "spec.json")
    spec["config"] |= {"epochs": 20, "seed": 3}
    write_json(long.folder / "spec.json", spec)
    assert names_among([short, Run(long.folder)]) == {
        short.id: "AlexNet, original, random weights, fine-tuned, 3 epochs, seed 0",
        long.id: "AlexNet, original, random weights, fine-tuned, 20 epochs, seed 3",
    }


def test_a_given_name_is_used_and_equal_names_get_the_end_of_the_identifier(small_dataset):
    named, one, other = (write_run(small_dataset) for _ in range(3))
    named.rename("Monday")
    names = names_among([named, one, other])
    assert names[named.id] == "Monday"
    assert names[one.id] == f"AlexNet, original, random weights, fine-tuned, {one.id[-4:]}"
    assert len(set(names.values())) == 3


def test_no_runs_have_no_names():
    assert names_among([]) == {}
