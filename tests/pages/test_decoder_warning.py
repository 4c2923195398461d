"""Damage that the decoder reported is shown with the enlarged image."""

from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import survey
from tests.imaging.test_decoder_warnings import early_end, jpeg


def test_the_warning_is_shown_with_its_image_only(visit, cfu_home, tmp_path):  # noqa: ARG001 - sets CFU_HOME
    (tmp_path / "plates" / "A").mkdir(parents=True)
    (tmp_path / "plates" / "A" / "cut.jpg").write_bytes(early_end())
    (tmp_path / "plates" / "A" / "whole.jpg").write_bytes(jpeg())
    dataset = import_source(tmp_path / "plates")
    survey(dataset)
    app = visit("data/explore", dataset=dataset.id, image="A/cut.jpg")
    assert "Decoder warnings" in [warning.value for warning in app.warning]
    text = r"The decoder reported: Corrupt JPEG data\: premature end of data segment"
    assert text in [caption.value for caption in app.caption]
    app = visit("data/explore", dataset=dataset.id, image="A/whole.jpg")
    assert not any("decoder" in caption.value for caption in app.caption)
