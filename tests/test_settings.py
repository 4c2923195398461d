import math
from dataclasses import dataclass

import pytest

from cfu_core.errors import RecipeError
from cfu_core.settings import Setting, declare, setting, validate, validate_name


@dataclass(frozen=True, kw_only=True)
class Oven:
    heat: float = declare(180.0, "Heat", "How hot.", minimum=-10.0, maximum=250.0, step=5.0)
    minutes: int = declare(20, "Minutes", "How long.", minimum=0, maximum=60, step=1)
    below: int = declare(-1, "Below", "Under zero.", minimum=-5, maximum=0)
    mode: str = declare("fan", "Mode", "How.", choices=("fan", "grill"))
    note: str = ""


def test_a_declaration_has_label_help_limits_and_choices():
    assert setting(Oven, "heat") == Setting(label="Heat", help="How hot.", minimum=-10.0, maximum=250.0, step=5.0)
    assert setting(Oven, "mode").choices == ("fan", "grill")
    assert Oven().heat == 180.0


@pytest.mark.parametrize(
    "values", [{}, {"heat": -10}, {"heat": 250.0}, {"minutes": 0}, {"minutes": 60}, {"below": 0}, {"mode": "grill"}]
)
def test_values_within_their_limits_pass(values):
    assert validate(Oven(**values), RecipeError) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heat": 250.1}, r"Heat is 250\.1\. It must be a number from -10 to 250\."),
        ({"heat": -11}, "Heat is -11"),
        ({"heat": math.nan}, "Heat is nan"),
        ({"heat": -math.inf}, "Heat is -inf"),
        ({"heat": "hot"}, "Heat is 'hot'"),
        ({"heat": None}, "Heat is None"),
        ({"heat": 10**400}, "Heat is 1000"),
        ({"minutes": -1}, r"Minutes is -1\. It must be a whole number from 0 to 60\."),
        ({"minutes": 1.0}, r"Minutes is 1\.0"),
        ({"minutes": False}, "Minutes is False"),
        ({"below": 1}, "Below is 1"),
        ({"mode": "steam"}, r"Mode is 'steam'\. It must be one of: fan, grill\."),
        ({"mode": None}, "Mode is None"),
    ],
)
def test_other_values_are_refused_by_name_value_and_limits(values, message):
    with pytest.raises(RecipeError, match=message):
        validate(Oven(**values), RecipeError)


@pytest.mark.parametrize(("name", "message"), [("  ", "has 0 characters"), ("x" * 61, "has 61 characters")])
def test_a_name_has_1_to_60_characters(name, message):
    with pytest.raises(RecipeError, match=rf"The name of the view {message}\. It must have 1 to 60\."):
        validate_name(name, of="view", error=RecipeError)


def test_spaces_around_a_name_are_removed():
    assert validate_name(" x ", of="view", error=RecipeError) == "x"
