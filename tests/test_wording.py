import pytest

from cfu_core.wording import first_of, listed, plural


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


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (["a"] * 1202, "a, a and 1,200 more"),
    ],
)
def test_of_many_texts_the_first_are_listed_and_the_others_counted(texts, text):
    assert first_of(texts, 2) == text


@pytest.mark.parametrize(("texts", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_the_last_of_several_texts_follows_and(texts, text):
    assert listed(texts) == text
