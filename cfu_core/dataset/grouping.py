"""Read the group of an image (its dish, donor or slide) from the file name, so that a split keeps groups together.

A pattern gives the position of the group in the name: a template such as ``{group}_*.jpg``, or a regular expression.
It is matched against the file name, or against the whole path if it contains a ``/``.
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
from cfu_core.wording import plural

LONGEST_PATTERN = 200  # characters
TIMEOUT_S = 5.0  # for all names together

MINIMUM_MATCHES = 0.9  # fraction of the names that a suggestion matches
MAXIMUM_GROUP = 0.6  # fraction of the images in the largest group of a suggestion
BLOCKS, BLOCK = 8, 500  # number and size of the blocks of names from which suggestions are made

_GROUP = "{group}"
_WILDCARDS = {"*": "[^/]*?", _GROUP: "(?P<group>[^/]+?)"}
_HELP = (
    "Write {group} in place of the group, * for any characters, ? for one character and # for a number, as in "
    "{group}_*.jpg; or a regular expression with one pair of brackets around the group."
)


def groups_from_pattern(paths: Sequence[str] | pd.Series, pattern: str) -> pd.Series:
    """Extract the group of each image from its file name.

    Parameters
    ----------
    paths : sequence of str or pandas.Series
        Relative POSIX paths.
    pattern : str
        Either a template with ``{group}``, or a regular expression with one capturing group or with a capturing group
        named ``group``. At most `LONGEST_PATTERN` characters.

        In a template, ``{group}`` matches one or more characters, ``*`` any number of characters, ``?`` one character
        and ``#`` a number. Each other character matches itself, ignoring case. The four wildcards do not match a
        ``/``; ``{group}`` and ``*`` match as few characters as possible. A template must match the whole file name; a
        template that contains a ``/`` must match the whole path, or its end from the beginning of a folder name on.

        A regular expression is searched in the file name; if it contains a ``/``, in the whole path. It distinguishes
        upper and lower case. The first match counts.

    Returns
    -------
    pandas.Series of str, shape (len(paths),)
        The groups in the order of `paths`, without surrounding white space; ``""`` where the pattern does not match.
        If `paths` is a Series, the result has its index.

    Raises
    ------
    DatasetError
        If the pattern is too long or not valid, or the search of a regular expression takes more than `TIMEOUT_S`
        seconds.
    """
    names = [path if "/" in pattern else path.rpartition("/")[2] for path in paths]
    if len(pattern) > LONGEST_PATTERN:
        raise _refused(pattern[:40] + "…", f"has {len(pattern)} characters; at most {LONGEST_PATTERN} are allowed")
    if _GROUP in pattern:
        expression = re.compile(_from_template(pattern), re.IGNORECASE)
        groups = [found["group"].strip() if (found := expression.search(name)) else "" for name in names]
    else:
        groups = _search_in_subprocess(pattern, _capturing_group(pattern), names)
    return pd.Series(groups, index=paths.index if isinstance(paths, pd.Series) else None, dtype="str")


def group_edit(dataset: Dataset, pattern: str) -> dict[str, str]:
    """Return the changes that `cfu_core.dataset.edits.edit_dataset` needs to group images by their names.

    Nothing is written. Images whose names do not match keep their group, so that several patterns can be applied one
    after the other to files with different names. Excluded images are grouped as well, in case they are included again.

    Parameters
    ----------
    dataset : Dataset
        Dataset with the images to group.
    pattern : str
        As for `groups_from_pattern`.

    Returns
    -------
    dict of str to str
        Group by path, for an edit of the kind ``group``. Only images whose names match are included, also if their
        group does not change.

    Raises
    ------
    DatasetError
        If the pattern is too long, not valid or too slow, or matches no image.
    """
    table = dataset.edited
    groups = groups_from_pattern(table["path"], pattern)
    found = groups != ""
    if not found.any():
        raise DatasetError(
            f"The pattern {pattern!r} matches none of the {plural(len(table), 'name')}.",
            f"A name is, for example, {table['path'].iat[0]}.",
            _HELP,
        )
    return dict(zip(table["path"][found], groups[found], strict=True))


def _capturing_group(pattern: str) -> int | str:
    """Check a regular expression, and return the number or name of the capturing group that holds the group."""
    try:
        expression = re.compile(pattern)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        what = getattr(error, "msg", str(error))
        raise _refused(pattern, f"is not a valid regular expression: {what}", getattr(error, "pos", None)) from error
    if "group" in expression.groupindex:
        return "group"
    if expression.groups != 1:
        found = "no brackets" if expression.groups == 0 else f"{expression.groups} pairs of brackets"
        raise _refused(pattern, f"has {found}; one pair should mark the group")
    return 1


_SEARCH = """
import json, re, sys
pattern, group, names = json.load(sys.stdin)
found = map(re.compile(pattern).search, names)
json.dump([(match[group] or "").strip() if match else "" for match in found], sys.stdout)
"""


def _search_in_subprocess(pattern: str, group: int | str, names: list[str]) -> list[str]:
    """Search a regular expression in a subprocess, because some searches do not end and cannot be stopped otherwise."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, group, names]),
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            timeout=TIMEOUT_S,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(pattern, f"takes more than {TIMEOUT_S:g} seconds; avoid nested repetition") from error
    return json.loads(done.stdout)


def _from_template(template: str) -> str:
    """Return the regular expression of a template, without backtracking over matched parts, so that it is fast."""
    parts = re.split(r"(\*+|\{group\})", template)  # literals at even indices, wildcards at odd ones
    if template.count(_GROUP) > 1:
        raise _refused(template, "contains {group} twice", template.rindex(_GROUP))
    for index in range(2, len(parts) - 1, 2):
        if not parts[index]:
            where = len("".join(parts[:index]))
            raise _refused(template, "has {group} and * side by side, so the end of the group is ambiguous", where)
    expression = "(?:^|/)" + _literal(parts[0])
    for index in range(1, len(parts), 2):
        piece = _WILDCARDS[_GROUP if parts[index] == _GROUP else "*"] + _literal(parts[index + 1])
        expression += piece if index == len(parts) - 2 else f"(?>{piece})"
    return expression + r"\Z"


def _literal(text: str) -> str:
    return "".join({"?": "[^/]", "#": "[0-9]++"}.get(letter, re.escape(letter)) for letter in text)


def _refused(pattern: str, why: str, at: int | None = None) -> DatasetError:
    where = "" if at is None else f", at character {at + 1}"
    return DatasetError(f"The pattern {pattern!r} {why}{where}.", "", _HELP)


def suggest_patterns(paths: Sequence[str] | pd.Series) -> list[str]:
    """Suggest templates that divide file names into a plausible number of groups.

    A template is plausible if at least 90 % of the names match; the top folders, which are usually the classes, have on
    average at least three groups, with on average at least two images; and no group has more than 60 % of the images.
    Templates that give the same groups are suggested once. Of more than 4,000 names, eight blocks of 500 consecutive
    names are examined.

    Parameters
    ----------
    paths : sequence of str or pandas.Series
        Relative POSIX paths.

    Returns
    -------
    list of str
        At most five templates for `groups_from_pattern`, by decreasing fraction of matching names; empty if no
        template is plausible.
    """
    sample = _sample(paths)
    if not sample:
        return []
    folders = pd.Series([path.partition("/")[0] for path in sample], dtype="str")
    seen: list[np.ndarray] = []
    found: list[tuple[float, str]] = []
    for template in _candidates(sample):
        groups = groups_from_pattern(sample, template)
        matching = groups != ""
        share = float(matching.mean())
        in_folders = len(pd.DataFrame({"folder": folders, "group": groups})[matching].drop_duplicates())
        if share < MINIMUM_MATCHES or not 3 * folders[matching].nunique() <= in_folders <= matching.sum() / 2:
            continue
        codes, _ = pd.factorize(groups)
        if groups[matching].value_counts().max() > MAXIMUM_GROUP * len(sample):
            continue
        if not any(np.array_equal(codes, other) for other in seen):
            seen.append(codes)
            found.append((share, template))
    found.sort(key=lambda pair: -pair[0])  # stable: of equal shares, the template that was tried first comes first
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
    """Return a few thousand paths in blocks of consecutive ones, so that groups are complete."""
    everything = list(paths)
    if len(everything) <= BLOCKS * BLOCK:
        return everything
    starts = np.linspace(0, len(everything) - BLOCK, BLOCKS).astype(int)
    return [path for start in starts for path in everything[start : start + BLOCK]]
