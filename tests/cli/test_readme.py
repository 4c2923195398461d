"""The README names every subcommand and every option of the shell."""

import re

import pytest

from cfu_core import PROJECT
from cfu_core.cli import _parser

SHELL = (PROJECT / "README.md").read_text(encoding="utf-8").partition("\n## The shell\n")[2].partition("\n## ")[0]
USAGES = re.findall(r"^python -m cfu_core ([a-z|]+)(.*\n(?: {2,}.*\n)*)", SHELL, flags=re.MULTILINE)
(OF_DATA,) = re.findall(r"^DATA: (.*)$", SHELL, flags=re.MULTILINE)
(VERBS,) = (action.choices for action in _parser()._actions if action.choices)

INTERNAL = {"job", "work"}  # started by the program itself


def usage(verb: str) -> str:
    (text,) = (text for verbs, text in USAGES if verb in verbs.split("|"))
    same = re.search(r"\[from (--\S+) on, the same options as (\w+)\]", text)
    text = re.sub(r"\bDATA\b", OF_DATA, text)
    return text.replace(same[0], usage(same[2]).partition(f"[{same[1]} ")[2]) + same[1] if same else text


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - INTERNAL))
def test_every_option_of_a_subcommand_is_in_the_readme(verb):
    options = {text for action in VERBS[verb]._actions for text in action.option_strings if text.startswith("--")}
    assert options - {"--help"} == set(re.findall(r"--[a-z][a-z-]*[a-z]", usage(verb)))
