import numpy as np
import pytest
import torch

from cfu_core.training.loading import BatchLoader

CPU = torch.device("cpu")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3), np.uint8)


@pytest.mark.parametrize("resident", [False, True])
def test_images_are_loaded_as_they_are_in_the_cache(pixels, resident):
    rows = np.arange(10, 590)
    loader = BatchLoader(pixels, rows, CPU, on_device=resident)
    for batch in (np.array([500, 10, 37]), np.array([589]), rows[::-1]):
        images = loader.load(batch)
        assert images.dtype == torch.uint8
        np.testing.assert_array_equal(images.numpy(), pixels[batch])


def test_rows_that_were_read_ahead_are_not_read_again(pixels):
    read = []

    class Watched(np.ndarray):
        def __getitem__(self, rows):
            read.append(np.atleast_1d(rows).tolist())
            return np.asarray(self)[rows]

    loader = BatchLoader(pixels.view(Watched), np.arange(600), CPU, on_device=False)
    read.clear()
    first, second, other = np.array([1, 2]), np.array([3, 4]), np.array([7])
    loader.load(first, upcoming=second)
    np.testing.assert_array_equal(loader.load(second, upcoming=np.array([5, 6])).numpy(), pixels[second])
    np.testing.assert_array_equal(loader.load(other).numpy(), pixels[other])  # not what was announced
    assert read.count([3, 4]) == 1


def test_on_the_cpu_images_are_read_from_the_memory_map(pixels, tmp_path):
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    loader = BatchLoader(mapped, np.arange(600), CPU)
    assert loader._resident is None
    np.testing.assert_array_equal(loader.load(np.array([599, 0])).numpy(), pixels[[599, 0]])


@pytest.mark.parametrize(("free", "resident"), [(4 * 600 * 48, True), (4 * 600 * 48 - 4, False)])
def test_a_gpu_keeps_all_images_if_a_quarter_of_its_memory_suffices(pixels, monkeypatch, free, resident):
    monkeypatch.setattr("cfu_core.training.loading.free_memory", lambda device: free)
    meta = torch.device("meta")  # takes no memory and computes nothing, as a GPU that is not there
    loader = BatchLoader(pixels, np.arange(600), meta)
    assert (loader._resident is not None) is resident
    assert loader.wait_seconds > 0
