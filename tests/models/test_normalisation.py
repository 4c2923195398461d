import numpy as np
import pytest
import torch

from cfu_core.models.normalisation import normalise, to_floats


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 65, 65, 3), dtype=np.uint8)


def test_pixels_become_channels_first_from_zero_to_255(images):
    batch = to_floats(torch.from_numpy(images))
    assert batch.shape == (4, 3, 65, 65)
    assert batch.dtype == torch.float32
    assert batch[2, 1, 10, 20].item() == images[2, 10, 20, 1]


def test_the_source_array_is_not_changed(images):
    before = images.copy()
    to_floats(torch.from_numpy(images)).mul_(3)
    np.testing.assert_array_equal(images, before)


def test_normalisation_is_imagenets():
    batch = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    assert normalise(batch).abs().max() < 1e-6
    one = normalise(torch.full((1, 3, 1, 1), 255.0)).flatten().tolist()
    assert one == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
