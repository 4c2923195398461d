"""The choice of one of several pictures of a file on Explore."""

import pytest

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.imaging.planes import FUSED


@pytest.fixture
def stack(cfu_home, cases, tmp_path) -> Dataset:  # noqa: ARG001 - sets CFU_HOME
    (tmp_path / "stack" / "A").mkdir(parents=True)
    for name in ("imagej_z5.tif", "thumbnail_first.tif"):
        (tmp_path / "stack" / "A" / name).write_bytes((cases / "05_stacks" / name).read_bytes())
    return import_source(tmp_path / "stack")


def test_another_picture_of_a_stack_is_chosen(visit, stack):
    app = visit("data/explore", dataset=stack.id, image="A/imagej_z5.tif")
    app.session_state["plane_editor"] = True  # opened
    app.run()
    (slider,) = [slider for slider in app.slider if slider.label == "Picture"]
    assert slider.value == 3
    assert app.button(key="plane_use").disabled
    slider.set_value(2).run()
    app.button(key="plane_use").click().run()
    assert not app.exception
    assert load_dataset(stack.id).plane(0) == 1
    app.button(key="edit_undo").click().run()
    assert load_dataset(stack.id).plane(0) == 2


def test_all_planes_in_focus_are_chosen_and_undone(visit, stack):
    app = visit("data/explore", dataset=stack.id, image="A/imagej_z5.tif")
    app.session_state["plane_editor"] = True  # opened
    app.run()
    (use,) = [group for group in app.segmented_control if group.label == "Use"]
    assert (use.options, use.value) == (["One picture", "All planes in focus"], "One picture")
    use.set_value("All planes in focus").run()
    assert not [slider for slider in app.slider if slider.label == "Picture"]
    assert any("sharpest around it" in caption.value for caption in app.caption)
    app.button(key="plane_use").click().run()
    assert not app.exception
    assert load_dataset(stack.id).plane(0) == FUSED
    app.button(key="edit_undo").click().run()
    assert load_dataset(stack.id).plane(0) == 2


def test_a_file_with_one_picture_of_its_size_has_no_choice(visit, stack):
    app = visit("data/explore", dataset=stack.id, image="A/thumbnail_first.tif")
    app.session_state["plane_editor"] = True
    app.run()
    assert not [slider for slider in app.slider if slider.label == "Picture"]
