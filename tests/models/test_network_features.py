import numpy as np
import pytest
import torch

from cfu_core.errors import WeightsError
from cfu_core.models.network_features import WEIGHT_FILES, NetworkFeatures
from cfu_core.models.networks import build_network
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.models.weight_files import local_weights, weights_folder


def cpu() -> torch.device:
    return torch.device("cpu")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(build_network("resnet18", seed=3).state_dict(), path)
    return path


def test_features_are_the_input_of_the_last_layer(file):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    found = NetworkFeatures(file, cpu)(pixels)
    assert found.shape == (3, 512)
    assert found.dtype == np.float32
    network = build_network("resnet18", seed=3).eval()
    seen = []
    network.fc.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    scaled = (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD
    with torch.inference_mode():
        network(torch.from_numpy(scaled.transpose(0, 3, 1, 2)).float())
    np.testing.assert_allclose(found, seen[0].numpy(), rtol=1e-3, atol=1e-4)


def test_features_are_stored_under_the_name_of_the_weights_file(file):
    network = NetworkFeatures(file, cpu)
    assert (network.key, network.side) == ("mine", 224)
    assert network.label == "ResNet-18 with ImageNet weights"


def test_a_damaged_file_is_refused_when_the_first_image_comes(tmp_path):
    path = tmp_path / WEIGHT_FILES[0]
    path.write_bytes(b"cut short")
    network = NetworkFeatures(path, cpu)
    with pytest.raises(WeightsError, match="damaged or truncated"):
        network(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.usefixtures("cfu_home")
def test_weights_are_taken_from_the_folder_of_weights_by_torchvisions_name_only():
    assert local_weights(WEIGHT_FILES) is None
    weights_folder().mkdir(parents=True)
    (weights_folder() / "resnet18-mine.pth").touch()
    assert local_weights(WEIGHT_FILES) is None
    for name in reversed(WEIGHT_FILES):
        (weights_folder() / name).touch()
        assert local_weights(WEIGHT_FILES) == weights_folder() / name
