"""The times and remarks of a run."""

from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.phase_timer import PhaseTimer
from cfu_core.training.prepared_images import prepare
from tests.pages.written import write_run


def test_a_run_names_the_images_with_fewer_tiles_once(small_dataset):
    run = write_run(small_dataset)
    earlier = {"seconds": {}, "sittings": 1, "remarks": ["Recovered."]}
    timer = PhaseTimer(run, earlier)
    for _ in range(2):
        timer.add_preparation(prepare(small_dataset, Recipe(contrast="clahe", tiles=64, size=32)), 1.0)
    recovered, fewer = timer.to_dict()["remarks"]
    assert recovered == "Recovered."
    assert fewer.startswith(f"CLAHE used fewer than 64 × 64 tiles on {len(small_dataset.images)} small images")


def test_a_run_without_such_images_has_no_remarks(small_dataset):
    timer = PhaseTimer(write_run(small_dataset), {})
    timer.add_preparation(prepare(small_dataset, Recipe(contrast="clahe", tiles=4, size=32)), 1.0)
    assert "remarks" not in timer.to_dict()
