import pytest

from cfu_core.exporting.model_card import escape_markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("CFU_GM *pure* <b>", r"CFU\_GM \*pure\* \<b\>"),
        ("A&lt;B & C", r"A\&lt;B \& C"),  # shown as it is written, not as A<B
        ("two\n lines", "two lines"),
    ],
)
def test_formatting_characters_are_escaped(text, escaped):
    assert escape_markdown(text) == escaped
