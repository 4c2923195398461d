"""Tell from a file's name which dish, donor or slide it shows, so that a split keeps these images together.

Two ways to say where in the name the group stands: a template such as ``{group}_*.jpg``, or a regular expression for
those who know them. Either looks at the file's name; one that holds a ``/`` looks at the whole path.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import DatasetError

LONGEST_PATTERN = 200  # characters
PATIENCE_S = 5.0  # for all names together

LEAST_FITTING = 0.9  # of the names, for a suggestion
MOST_IN_ONE = 0.6  # of the images in the largest group of a suggestion
BLOCKS, BLOCK = 8, 500  # names that suggestions look at

_GROUP = "{group}"
_WILD = {"*": "[^/]*?", _GROUP: "(?P<group>[^/]+?)"}
_HELP = (
    "Write {group} where the group stands, * for any characters, ? for one and # for a number, as in {group}_*.jpg; "
    "or a regular expression with one pair of brackets around the group."
)


def groups_from_pattern(paths: Sequence[str] | pd.Series, pattern: str) -> pd.Series:
    """The group that stands in each name.

    Parameters
    ----------
    paths : sequence of str, or Series
        POSIX, relative.
    pattern : str
        A template with ``{group}``: ``*`` stands for any characters, ``?`` for one, ``#`` for a number, everything
        else for itself in either case; none of them reaches over a ``/``, and ``{group}`` and ``*`` take as few
        characters as possible. It must fit the whole file name, or with a ``/`` the end of the path.
        Or a regular expression with one capturing group, or one that is named ``group``; it is searched in the file
        name, or with a ``/`` in the path.

    Returns
    -------
    Series of str, shape (len(paths),)
        ``""`` where the pattern does not match; with the index of `paths` where that is a Series.

    Raises
    ------
    DatasetError
        The pattern cannot be understood (says where), or would take too long.
    """
    names = [path if "/" in pattern else path.rpartition("/")[2] for path in paths]
    if len(pattern) > LONGEST_PATTERN:
        raise _refused(pattern[:40] + "…", f"has {len(pattern)} characters; at most {LONGEST_PATTERN} are read")
    if _GROUP in pattern:
        expression = re.compile(_from_template(pattern), re.IGNORECASE)
        groups = [found["group"].strip() if (found := expression.search(name)) else "" for name in names]
    else:
        groups = _searched_apart(pattern, _checked_place(pattern), names)
    return pd.Series(groups, index=paths.index if isinstance(paths, pd.Series) else None, dtype="str")


def group_edit(dataset: Dataset, pattern: str) -> dict[str, str]:
    """The changes for `cfu_core.dataset.edits.edit_dataset` of the kind ``group``.

    Images whose names the pattern does not fit keep the group they have: several patterns, one after the other, can
    name the groups of differently named files. Excluded images are grouped as well, for when they come back.

    Returns
    -------
    dict of str to str
        Group by path.

    Raises
    ------
    DatasetError
        The pattern is wrong, or fits no image.
    """
    table = dataset.edited
    groups = groups_from_pattern(table["path"], pattern)
    found = groups != ""
    if not found.any():
        raise DatasetError(
            f"The pattern {pattern!r} fits none of the {len(table)} names.",
            f"They look like {table['path'].iat[0]}.",
            _HELP,
        )
    return dict(zip(table["path"][found], groups[found], strict=True))


def _checked_place(pattern: str) -> int | str:
    """Which capturing group of a regular expression holds the group."""
    try:
        expression = re.compile(pattern)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        what = getattr(error, "msg", str(error))
        raise _refused(pattern, f"is no regular expression: {what}", getattr(error, "pos", None)) from error
    if "group" in expression.groupindex:
        return "group"
    if expression.groups != 1:
        many = "no brackets that mark" if expression.groups == 0 else f"{expression.groups} pairs of brackets to mark"
        raise _refused(pattern, f"has {many} the group")
    return 1


_SEARCH = """
import json, re, sys
pattern, place, names = json.load(sys.stdin)
found = map(re.compile(pattern).search, names)
json.dump([(match[place] or "").strip() if match else "" for match in found], sys.stdout)
"""


def _searched_apart(pattern: str, place: int | str, names: list[str]) -> list[str]:
    """What a regular expression finds. In a process of its own, because some never end and nothing else stops them."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, place, names]),
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            timeout=PATIENCE_S,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(pattern, f"takes more than {PATIENCE_S:g} seconds; repeats inside of repeats do that") from error
    return json.loads(done.stdout)


def _from_template(template: str) -> str:
    """The regular expression of a template; parts once fitted are never tried anew, so that it is always fast."""
    parts = re.split(r"(\*+|\{group\})", template)  # literals at even places, wild cards at odd ones
    if template.count(_GROUP) > 1:
        raise _refused(template, "names {group} twice", template.rindex(_GROUP))
    for place in range(2, len(parts) - 1, 2):
        if not parts[place]:
            where = len("".join(parts[:place]))
            raise _refused(template, "has {group} and * side by side, so nobody knows where one ends", where)
    expression = "(?:^|/)" + _literal(parts[0])
    for place in range(1, len(parts), 2):
        piece = _WILD[_GROUP if parts[place] == _GROUP else "*"] + _literal(parts[place + 1])
        expression += piece if place == len(parts) - 2 else f"(?>{piece})"
    return expression + r"\Z"


def _literal(text: str) -> str:
    return "".join({"?": "[^/]", "#": "[0-9]++"}.get(letter, re.escape(letter)) for letter in text)


def _refused(pattern: str, why: str, at: int | None = None) -> DatasetError:
    where = "" if at is None else f", at character {at + 1}"
    return DatasetError(f"The pattern {pattern!r} {why}{where}.", "", _HELP)


def suggest_patterns(paths: Sequence[str] | pd.Series) -> list[str]:
    """Templates that part these names into a plausible number of groups, the likeliest first; at most five.

    Plausible: nearly every name fits; the top folders, as a rule the classes, have three groups or more in the mean,
    of two images or more in the mean; and no group holds most images.
    """
    sample = _sample(paths)
    if not sample:
        return []
    folders = pd.Series([path.partition("/")[0] for path in sample], dtype="str")
    seen: list[np.ndarray] = []
    found: list[tuple[float, str]] = []
    for template in _candidates(sample):
        groups = groups_from_pattern(sample, template)
        fitting = groups != ""
        share = float(fitting.mean())
        in_folders = len(pd.DataFrame({"folder": folders, "group": groups})[fitting].drop_duplicates())
        if share < LEAST_FITTING or not 3 * folders[fitting].nunique() <= in_folders <= fitting.sum() / 2:
            continue
        codes, _ = pd.factorize(groups)
        if groups[fitting].value_counts().max() > MOST_IN_ONE * len(sample):
            continue
        if not any(np.array_equal(codes, other) for other in seen):
            seen.append(codes)
            found.append((share, template))
    found.sort(key=lambda pair: -pair[0])  # stable: among equals the one that was tried first stays in front
    return [template for _, template in found[:5]]


def _candidates(paths: Sequence[str]) -> list[str]:
    depth = max(path.count("/") for path in paths)
    folders = ["/".join([_GROUP, *["*"] * down]) for down in range(1, min(depth, 3) + 1)]
    names = [f"{_GROUP} (#).*"]  # as Windows numbers files
    for s in "_-. ":
        if any(s in path.rpartition("/")[2] for path in paths):
            names += [f"{_GROUP}{s}#.*", f"{_GROUP}{s}*", f"*{s}{_GROUP}{s}*", f"*{s}{_GROUP}{s}#.*", f"*{s}{_GROUP}.*"]
    return folders + names


def _sample(paths: Sequence[str] | pd.Series) -> list[str]:
    """A few thousand paths in blocks of neighbours, so that groups stay whole."""
    known = list(paths)
    if len(known) <= BLOCKS * BLOCK:
        return known
    starts = np.linspace(0, len(known) - BLOCK, BLOCKS).astype(int)
    return [path for start in starts for path in known[start : start + BLOCK]]
