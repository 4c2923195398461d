"""The form on the Train page."""

import pytest
from playwright.sync_api import expect

from cfu_core.dataset.importing.source import import_source

pytestmark = pytest.mark.browser


def test_unfolded_settings_stay_unfolded_when_other_weights_are_chosen(server, screen, drawn_shapes, monkeypatch):
    monkeypatch.setenv("CFU_HOME", str(server.home))
    dataset = import_source(drawn_shapes, name="shapes")
    screen.open("train", dataset=dataset.id)
    epochs = screen.unfold_advanced()
    epochs.fill("7")
    epochs.press("Enter")
    for weights in ("Random", "From a file", "ImageNet"):
        screen.choose("train_weights", weights)
        expect(screen.text("put torchvision's file into")).to_have_count(int(weights == "ImageNet"))
        expect(epochs).to_be_visible()
        expect(epochs).to_have_value("7")
