from collections import Counter

import pytest

from cfu_core.dataset.name_forms import clean_name, name_key, unify_names


@pytest.mark.parametrize(
    "form",
    [
        *("cfu-e", "CFU-E ", "\u00a0CFU-E", "CFU-E\u200b", "CFU\u2010E", "CFU\u2011E", "CFU\u2013E", "CFU\u2212E"),
        *("CFU\u00ad-E", "\ufeffCFU-E", "ＣＦＵ－Ｅ", "CFU-E.", "\u202aCFU-E\u202c"),
    ],
)
def test_names_that_look_alike_have_one_key(form):
    assert name_key(form) == name_key("CFU-E")


@pytest.mark.parametrize("other", ["CFU-GM", "CFU E", "CFUE", "CFU--E", "CFU-E2", "CFU-É", "CFU-E²"])
def test_other_names_have_another_key(other):
    assert name_key(other) != name_key("CFU-E")
    assert name_key("CFU-E²") != name_key("CFU-E2")


def test_accents_and_blanks():
    assert name_key("Mu\u0308ller  1") == name_key("M\u00fcller\u00a01")
    assert name_key("STRASSE") == name_key("straße")
    assert clean_name(" Mu\u0308ller\u2009 1\n") == "M\u00fcller 1"


@pytest.mark.parametrize("name", [".", "..", "-", "\u200b", ""])
def test_names_of_nothing_else_are_kept_apart(name):
    assert name_key(name) == clean_name(name)


def test_the_most_frequent_spelling_is_shown():
    spelling, changed = unify_names(["cfu-e", "CFU-E", "CFU-E", "CFU-E ", "B", "b", "C"])
    assert spelling == {"cfu-e": "CFU-E", "CFU-E": "CFU-E", "CFU-E ": "CFU-E", "B": "B", "b": "B", "C": "C"}
    assert changed == {"CFU-E": Counter({"CFU-E": 2, "cfu-e": 1, "CFU-E ": 1}), "B": Counter("Bb")}


def test_forms_that_differ_only_invisibly_count_together():
    spelling, _ = unify_names(["cfu", "cfu", "CFU", "CFU ", "CFU\u00a0"])
    assert set(spelling.values()) == {"CFU"}


def test_a_single_name_with_an_invisible_character_is_cleaned_and_reported():
    spelling, changed = unify_names(["A\u200b", "B"])
    assert spelling == {"A\u200b": "A", "B": "B"}
    assert changed == {"A": Counter({"A\u200b": 1})}
