"""The settings on the Train page."""

import pytest
from playwright.sync_api import expect

from cfu_core.dataset.importing.source import import_source

pytestmark = pytest.mark.browser


def test_advanced_settings_stay_open_when_the_weights_change(server, screen, drawn_shapes, monkeypatch):
    monkeypatch.setenv("CFU_HOME", str(server.home))
    dataset = import_source(drawn_shapes, name="shapes")
    screen.open("train", dataset=dataset.id)
    epochs = screen.open_advanced()
    epochs.fill("7")
    epochs.press("Enter")
    for weights in ("Random", "From a file", "ImageNet"):
        screen.choose("train_weights", weights)
        expect(screen.text("copy torchvision's file to")).to_have_count(int(weights == "ImageNet"))
        expect(epochs).to_be_visible()
        expect(epochs).to_have_value("7")
