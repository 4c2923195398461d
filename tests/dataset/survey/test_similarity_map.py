import shutil

import numpy as np
import pytest

from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.similarity_map import CLASSICAL
from cfu_core.dataset.survey.survey import load_survey, survey
from cfu_core.dataset.survey.survey_store import Parts, store_of
from cfu_core.errors import StopRequested, WeightsError

pytestmark = pytest.mark.usefixtures("cfu_home")


class MeanColours:
    """The simplest of networks: the mean of each quarter in each channel. Counts the images it has seen."""

    key, label, side = "mean-1", "Mean colours", 8

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        assert pixels.shape[1:] == (8, 8, 3)
        assert pixels.dtype == np.uint8
        self.seen += len(pixels)
        return pixels.reshape(-1, 2, 4, 2, 4, 3).mean(axis=(2, 4)).reshape(-1, 12).astype(np.float32)


class Unusable(MeanColours):
    def __call__(self, _pixels: np.ndarray) -> np.ndarray:
        raise WeightsError("The weights are damaged.", "", "Download them again.")


@pytest.fixture
def nine(nine_shapes):
    return import_source(nine_shapes, name="nine")


def places(dataset) -> np.ndarray:
    return load_survey(dataset).table[["map_x", "map_y"]].to_numpy()


def test_a_networks_features_make_the_map_and_are_computed_once(nine):
    network = MeanColours()
    survey(nine, network=network)
    assert network.seen == 9
    assert load_survey(nine).map_source.startswith("Mean colours, ")
    assert np.isfinite(places(nine)).all()
    survey(nine, network=network)
    assert network.seen == 9


def test_the_map_is_redrawn_with_and_without_a_network(nine):
    survey(nine)
    classical = places(nine)
    survey(nine, network=MeanColours())
    assert not np.allclose(places(nine), classical)
    survey(nine)
    np.testing.assert_array_equal(places(nine), classical)
    assert load_survey(nine).map_source.startswith("Colour, texture and shape")


def test_an_unusable_network_is_reported_and_the_map_is_drawn_without_it(nine):
    survey(nine, network=Unusable())
    source = load_survey(nine).map_source
    assert source.startswith("Colour, texture and shape, ")
    assert source.endswith(". A network was not used: The weights are damaged. Download them again")
    assert np.isfinite(places(nine)).all()


def test_a_network_that_is_no_longer_used_is_not_reported(nine):
    survey(nine, network=Unusable())
    survey(nine)
    assert "not used" not in load_survey(nine).map_source


def test_another_dataset_copies_the_features_of_the_network(nine, nine_shapes, tmp_path):
    survey(nine, network=MeanColours())
    shutil.copytree(nine_shapes / "ring", tmp_path / "rings" / "ring")
    rings = import_source(tmp_path / "rings", name="rings")
    network = MeanColours()
    survey(rings, network=network)
    assert network.seen == 0
    assert load_survey(rings).map_source.startswith("Mean colours")
    with_network = Parts(store_of(rings.id).folder / network.key)
    assert with_network.gather("features", list(rings.images["digest"]))[0].all()


def test_a_survey_stopped_during_feature_extraction_resumes(nine):
    def progress(phase: str):
        def count(done: int, _total: int) -> None:
            if "Mean colours" in phase and done > 0:
                raise StopRequested

        return count

    with pytest.raises(StopRequested):
        survey(nine, progress=progress, network=MeanColours())
    assert not load_survey(nine).complete
    survey(nine, network=MeanColours())
    assert load_survey(nine).complete


def test_unreadable_images_are_not_on_the_map(nine):
    file = nine.image_file(3)
    file.write_bytes(file.read_bytes()[:50])
    survey(nine, network=MeanColours())
    assert np.isfinite(places(nine)).all(axis=1).tolist() == [row != 3 for row in range(9)]


def test_features_of_a_network_have_a_folder_of_their_own(nine):
    survey(nine, network=MeanColours())
    folders = {entry.name for entry in store_of(nine.id).folder.iterdir() if entry.is_dir()}
    assert folders == {MeanColours.key}
    assert CLASSICAL not in folders
