"""Every registered network as ONNX, and its weights loaded by the code in its model card."""

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from cfu_core.evaluation.metrics import evaluate
from cfu_core.exporting.model_card import model_card
from cfu_core.exporting.onnx_network import ProbabilityNetwork, write_onnx
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.networks import OWN_BUILDERS, build_network, count_features, replace_head
from cfu_core.models.registry import ARCHITECTURES

pytestmark = pytest.mark.processes
CLASSES = ["CFU-E", "CFU_GM", "4 *pure* cells", "PreB"]


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_onnx_gives_the_same_probabilities_and_the_code_in_the_card_loads_the_weights(key, tmp_path, monkeypatch):
    network = build_network(key, seed=3)
    replace_head(network, key, len(CLASSES), seed=3)
    network.eval()
    write_onnx(network, key, tmp_path / "model.onnx")
    side = ARCHITECTURES[key].input_size
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)  # not as many as exported
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    found = session.run(["probabilities", "features"], {"images": images})
    with torch.inference_mode():
        expected, features = (each.numpy() for each in ProbabilityNetwork(network, key)(torch.from_numpy(images)))
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found[1], features, atol=1e-4 * np.abs(features).max())
    assert features.shape == (3, count_features(network, key))
    assert np.ptp(expected, axis=1).max() > 1e-3  # not the same for every class

    card = model_card(facts(key), evaluate(CLASSES, CLASSES[::-1], CLASSES))
    assert r"4 \*pure\* cells" in card
    if key in OWN_BUILDERS:
        return
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    exec(card.partition("```python\n")[2].partition("```")[0], space)
    assert all(torch.equal(t, network.state_dict()[name]) for name, t in space["network"].state_dict().items())


def facts(key: str) -> dict:
    recipe = Recipe.preprocessed(ARCHITECTURES[key].input_size)
    return {
        "name": "mine",
        "created": "today",
        "run": "r1",
        "architecture": key,
        "architecture_label": ARCHITECTURES[key].label,
        "classes": CLASSES,
        "recipe": recipe.to_dict(),
        "recipe_words": recipe.summary,
        "weights_label": "random weights",
        "mode": "probe",
        "training": {"Seed": 0},
        "dataset": {"name": "colonies", "images": 4, "digest": "0" * 64, "version": 0, "drawn": True},
        "selftest_images": 4,
        "reference": {"missing": "Its images were deleted."},
    }
