import pytest

from cfu_core.wording import plural


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (2, ("class", "classes"), "2 classes"),
        (1, ("image is", "images are"), "1 image is"),
        (1200, ("image is", "images are"), "1,200 images are"),
    ],
)
def test_a_number_has_the_right_form_of_its_noun(count, words, text):
    assert plural(count, *words) == text
