import pytest

from pages.components.charts import text_colour_on


@pytest.mark.parametrize(
    ("colour", "text"),
    [
        ("#757575", "#ffffff"),  # 4.61 : 1, black would have 4.56 : 1
        ("#767676", "#000000"),  # 4.62 : 1, white would have 4.54 : 1
        ("#9d1f3f", "#ffffff"),
        ("rgb(202, 136, 152)", "#000000"),
        ("rgb(0, 0, 0)", "#ffffff"),
    ],
)
def test_text_in_a_bar_or_cell_is_black_or_white_by_contrast(colour, text):
    assert text_colour_on(colour) == text
