import pickle

import pytest

from cfu_core import errors
from cfu_core.errors import CfuError, ImageError, StopRequested

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CfuError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_can_be_pickled(kind):
    error = pickle.loads(pickle.dumps(kind("Found this.", "Expected that.", "Do so.")))
    assert type(error) is kind
    assert (error.found, error.expected, error.remedy) == ("Found this.", "Expected that.", "Do so.")
    assert str(error) == "Found this. Expected that. Do so."


def test_the_kind_of_an_image_error_is_pickled_too():
    error = pickle.loads(pickle.dumps(ImageError("Found this.", remedy="Do so.", kind="truncated")))
    assert error.kind == "truncated"
    assert str(error) == "Found this. Do so."


@pytest.mark.parametrize(
    ("parts", "text"), [(("a",), "a"), (("a", "b"), "a b"), (("a", "", "c"), "a c"), (("a", "b", "c"), "a b c")]
)
def test_the_message_joins_all_parts_that_are_not_empty(parts, text):
    assert str(CfuError(*parts)) == text


def test_all_errors_are_cfu_errors_except_a_stop():
    assert len(KINDS) > 5
    assert not issubclass(StopRequested, CfuError)
