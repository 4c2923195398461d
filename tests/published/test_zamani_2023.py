import pytest

from cfu_core.published import zamani_2023

TEST_IMAGES = 109


def test_table_2_adds_up_to_the_class_totals():
    for name, parts in zamani_2023.TABLE_2.items():
        assert sum(parts.values()) == zamani_2023.CLASS_TOTALS[name]
    assert sum(zamani_2023.CLASS_TOTALS.values()) == 728
    assert sum(parts["test"] for parts in zamani_2023.TABLE_2.values()) == TEST_IMAGES
    assert sum(parts["validation"] for parts in zamani_2023.TABLE_2.values()) == TEST_IMAGES


@pytest.mark.parametrize("value", [v for r in zamani_2023.RESULTS.values() for v in (r.precision, r.accuracy)])
def test_every_value_of_table_4_is_a_whole_number_of_images(value):
    images = round(value * TEST_IMAGES)
    assert round(images / TEST_IMAGES, 4) == value


def test_training_times_add_up_to_twelve_hours_and_thirty_nine_minutes():
    assert round(sum(r.seconds for r in zamani_2023.RESULTS.values()) / 60) == 12 * 60 + 39
