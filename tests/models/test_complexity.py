import pytest

from cfu_core.models.complexity import Complexity, complexity
from cfu_core.models.registry import ARCHITECTURES


@pytest.fixture(scope="module")
def sizes() -> dict[str, Complexity]:
    return {key: complexity(key, 3) for key in ARCHITECTURES}


@pytest.mark.parametrize(
    ("key", "layers", "parameters"),
    [
        ("alexnet", 8, 61_100_840),
        ("googlenet", 22, 6_624_904),
        ("resnet18", 18, 11_689_512),
        ("squeezenet1_1", 18, 1_235_496),
        ("mobilenet_v3_small", 54, 2_542_856),
        ("efficientnet_b0", 82, 5_288_548),
        ("convnext_tiny", 59, 28_589_128),
        ("inception_v3", 48, 27_161_264 - 3_326_696),  # without the auxiliary classifier
        # summed by hand from the table of its paper: convolutions, batch normalisation, classification layer
        ("darknet19", 19, 19_802_976 + 2 * 7_200 + 1_025_000),
    ],
)
def test_depth_and_parameters_are_the_published_ones(sizes, key, layers, parameters):
    assert sizes[key].layers == layers
    assert sizes[key].parameters_imagenet == parameters


@pytest.mark.parametrize(
    ("key", "features"),
    [
        *(("alexnet", 4096), ("googlenet", 1024), ("resnet18", 512), ("squeezenet1_1", 512), ("darknet19", 1024)),
        *(("mobilenet_v3_small", 1024), ("efficientnet_b0", 1280), ("convnext_tiny", 768), ("inception_v3", 2048)),
    ],
)
def test_the_new_head_replaces_a_thousand_outputs_by_three(sizes, key, features):
    assert sizes[key].parameters_imagenet - sizes[key].parameters == 997 * (features + 1)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # published multiply-adds at 224 pixels; 299 pixels have (299/224)^2 times as many positions, and edges
        # are rounded up, so that the number is only near to it
        ("alexnet", 0.714e9 - 997 * 4096),
        ("resnet18", 1.814e9 * (299 / 224) ** 2),
        ("googlenet", 1.498e9 * (299 / 224) ** 2),
        ("darknet19", 5.58e9 / 2),  # operations in its paper, two of them a multiply-add
        *(("mobilenet_v3_small", 0.057e9), ("efficientnet_b0", 0.386e9), ("convnext_tiny", 4.456e9)),
        *(("squeezenet1_1", 0.349e9 - 997 * 512 * 13 * 13), ("inception_v3", 5.713e9)),
    ],
)
def test_multiply_adds_are_near_the_published_ones(sizes, key, expected):
    assert sizes[key].multiply_adds == pytest.approx(expected, rel=0.06)


def test_multiply_adds_of_resnet_18_at_224_pixels_are_the_published_ones(monkeypatch):
    from dataclasses import replace

    from cfu_core.models import complexity as module

    at_224 = replace(module.architecture("resnet18"), input_size=224)
    monkeypatch.setattr(module, "architecture", lambda key: at_224)
    assert module.complexity("resnet18", 1000).multiply_adds == pytest.approx(1.814e9, rel=0.005)
