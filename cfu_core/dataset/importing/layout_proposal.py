"""Proposal of what the levels of folders in a source mean, from the names of the folders.

Where the names do not decide, the layout contains a question, and an import needs the answer of a person.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

from cfu_core.dataset.dataset import slug
from cfu_core.dataset.importing.folder_layout import (
    MOST_NAMED,
    FolderLayout,
    FolderLevel,
    LayoutChoice,
    check_roles,
    folder_levels,
)
from cfu_core.dataset.importing.folder_names import (
    is_cell,
    is_group,
    is_of_copies,
    is_of_masks,
    is_of_originals,
    is_series,
    is_well,
)
from cfu_core.dataset.name_forms import name_key
from cfu_core.dataset.partition_names import partition_named
from cfu_core.errors import DatasetError
from cfu_core.wording import first_of, plural

_FEW_IMAGES = 2  # images of a folder; a level of folders with no more has one folder for each image
_MANY_FOLDERS = 10


def choose_layout(paths: Sequence[str], choice: LayoutChoice, *, source: str) -> tuple[FolderLayout, list[FolderLevel]]:
    """Return the layout of a source as a person states it, completed by a proposal, and the levels.

    Parameters
    ----------
    paths : sequence of str
        POSIX paths of the images, relative to the source.
    choice : LayoutChoice
        What is stated.
    source : str
        Name or path of the source.

    Returns
    -------
    layout : FolderLayout
        Without a question if the choice names the role or the level of the class.
    levels : list of FolderLevel
        Without the folders that are left out.

    Raises
    ------
    DatasetError
        The choice names a role that does not exist, one role twice, no class, more levels than there are, a partition
        whose folders are not named like one, or a folder to leave out that does not exist.
    """
    named = {name for path in paths for name in path.split("/")[:-1]}
    left_out = _proposed_left_out(named) if choice.left_out is None else _matching(named, choice.left_out, source)
    levels = folder_levels(paths, left_out)
    stated = max(len(choice.roles or ()), choice.class_level or 0)
    if stated > len(levels):
        raise DatasetError(
            f"The layout states level {stated}, but the images of {source} are in {plural(len(levels), 'level')} of "
            "folders.",
            "; ".join(f"level {number}: {level.describe()}" for number, level in enumerate(levels, start=1)) + "."
            if levels
            else "",
            "Correct the layout.",
        )
    if choice.roles is not None:
        roles = (*choice.roles, *["ignored"] * (len(levels) - len(choice.roles)))
        _check_stated(roles, levels, unlabelled=choice.unlabelled)
        layout = FolderLayout(roles=roles, left_out=left_out, reasons=("",) * len(roles), unlabelled=choice.unlabelled)
        return layout, levels
    return _proposed(levels, left_out, choice, PurePath(source).stem), levels


def _check_stated(roles: Sequence[str], levels: Sequence[FolderLevel], *, unlabelled: bool) -> None:
    check_roles(roles)
    if "class" not in roles and not unlabelled:
        raise DatasetError(
            "No level of folders is the class.", "", "State which one it is, or that the images have no classes yet."
        )
    if "class" in roles and unlabelled:
        raise DatasetError(
            f"Level {roles.index('class') + 1} of the folders is the class, but the images have no classes yet.",
            "Only one of these can be true.",
            "Correct the layout.",
        )
    if "partition" in roles:
        level = levels[roles.index("partition")]
        if not any(map(partition_named, level.images)):
            raise DatasetError(
                f"The folders {first_of(list(level.images), MOST_NAMED)} are not named like partitions.",
                "Expected names such as train, valid and test.",
                "Rename the folders, or set this level to ignored.",
            )


def _matching(named: Iterable[str], left_out: Sequence[str], source: str) -> frozenset[str]:
    by_key: dict[str, list[str]] = {}
    for name in named:
        by_key.setdefault(name_key(name), []).append(name)
    missing = [name for name in left_out if name_key(name) not in by_key]
    if missing:
        raise DatasetError(
            f"{source} has no folder named {missing[0]!r} that could be left out.", "", "Correct the name."
        )
    return frozenset(name for each in left_out for name in by_key[name_key(each)])


def _proposed_left_out(named: Iterable[str]) -> frozenset[str]:
    """Return folders of masks and the like, and of altered copies if there is another folder beside them."""
    names = list(named)
    found = {name for name in names if is_of_masks(name)}
    if any(map(is_of_originals, names)):
        found |= {name for name in names if is_of_copies(name)}
    return frozenset(found) if len(found) < len(names) else frozenset()


def _proposed(
    levels: Sequence[FolderLevel], left_out: frozenset[str], choice: LayoutChoice, source: str
) -> FolderLayout:
    class_level = choice.class_level
    # a zip or an upload of one folder of images may contain this folder itself, which is not a class
    wrapped = len(levels) == 1 and all(_is_named_like(name, source) for name in levels[0].images)
    unlabelled = choice.unlabelled or not levels or (wrapped and not class_level)
    roles: list[str] = [""] * len(levels)
    reasons = [""] * len(levels)
    questions = []

    def assign(level: int, role: str, reason: str) -> None:
        roles[level], reasons[level] = role, reason

    if class_level:
        assign(class_level - 1, "class", "")
    for level, found in enumerate(levels):
        role, reason = _recognised(found)
        if role in ("partition", "group") and role in roles:
            role, reason = "ignored", f"there is another {role} above"
        if role and not roles[level]:
            assign(level, role, reason)
    if not class_level and not unlabelled:
        candidates = [level for level, role in enumerate(roles) if not role]
        chosen, reason, question = _class_level(levels, candidates)
        if chosen is None:
            question = (
                f"No level of folders looks like the class: {_levels_in_words(levels, roles)}. Which level is it?"
            )
        else:
            assign(chosen, "class", reason)
            question = question or _partition_question(levels[chosen]) or _loose_question(levels, chosen)
        questions.append(question)
    for level, role in enumerate(roles):
        if not role:
            reason = "a single folder" if len(levels[level].images) == 1 else ""
            assign(level, "ignored", reason or ("" if unlabelled else "another level is the class"))
    return FolderLayout(
        roles=tuple(roles),
        left_out=left_out,
        reasons=tuple(reasons),
        question=" ".join(filter(None, questions)),
        unlabelled=unlabelled,
    )


def _is_named_like(folder: str, source: str) -> bool:
    """Return whether a folder has the name of the source; of an upload only the letters of ASCII are known."""
    if name_key(folder) == name_key(source):
        return True
    return any(letter.isascii() and letter.isalnum() for letter in folder) and slug(folder) == slug(source)


def _levels_in_words(levels: Sequence[FolderLevel], roles: Sequence[str]) -> str:
    named = {"partition": "partitions", "group": "dishes or donors", "ignored": "a series"}
    return "; ".join(
        f"level {number} has {level.describe()}" + (f" (named like {named[role]})" if role in named else "")
        for number, (level, role) in enumerate(zip(levels, roles, strict=True), start=1)
    )


def _partition_question(level: FolderLevel) -> str:
    named = [name for name in level.images if partition_named(name)]
    if not named:
        return ""
    others = first_of([name for name in level.images if name not in named], MOST_NAMED)
    return f"{named[0]} is a folder beside {others}, but named like a partition of the images. Is it a class?"


def _loose_question(levels: Sequence[FolderLevel], chosen: int) -> str:
    """Ask if several images, and more than a tenth, are outside the folders of the class."""
    loose = sum(level.loose for level in levels[: chosen + 1])
    if loose <= max(1, levels[chosen].total // 10):
        return ""
    return (
        f"{plural(loose, 'image is', 'images are')} not in a folder of level {chosen + 1} and would be left out; "
        f"{levels[chosen].total:,} are in {levels[chosen].describe()}. Are these folders the classes?"
    )


def _recognised(level: FolderLevel) -> tuple[str, str]:
    """Return the role of a level whose names say it, and the reason; two empty texts for another level."""
    names = list(level.images)
    others = [name for name in names if not partition_named(name)]
    if not others or len(names) - len(others) > 1:
        rest = f"; the images in {first_of(others, MOST_NAMED)} get a partition from the program" if others else ""
        return "partition", f"named like {'partitions' if len(names) > 1 else 'a partition'}{rest}"
    if any(map(is_cell, names)):
        return "", ""
    if _most(names, is_group) or (len(names) > 1 and all(map(is_well, names))):
        return "group", "named like dishes or donors"
    if _most(names, is_series):
        return "ignored", "named like days, dates or batches"
    if len(names) > _MANY_FOLDERS and level.total <= _FEW_IMAGES * sum(level.parents.values()):
        return "ignored", "about one folder for each image"
    return "", ""


def _most(names: Sequence[str], matches: Callable[[str], bool]) -> bool:
    return sum(map(matches, names)) > len(names) / 2


def _class_level(levels: Sequence[FolderLevel], candidates: Sequence[int]) -> tuple[int | None, str, str]:
    """Choose the class among levels without a role; return it, the reason, and a question or an empty text."""
    if not candidates:
        return None, "", ""
    several = [level for level in candidates if len(levels[level].images) > 1]
    cells = [level for level in candidates if any(map(is_cell, levels[level].images))]
    named = [level for level in several if level in cells]
    if len(named) == 1:
        return named[0], "names of colonies or cells", ""
    if not several:
        single = all(len(level.images) == 1 for level in levels)
        found = cells[:1] or (candidates[:1] if single else [])
        return (found[0], "the only folder", "") if found else (None, "", "")
    first, above = several[0], several[0] - 1
    if above in candidates and levels[first].loose:
        # Folders in a single folder that also contains images: classes, or parts of one class?
        few = levels[first].loose * 10 <= levels[first].total
        more_above = levels[first].loose > levels[first].total
        reason = "most images are directly in it" if more_above else "the first level of several folders"
        return above if more_above else first, reason, "" if few else _depth_question(levels, above)
    crossed = [level for level in several[1:] if _repeats(levels[level])]
    if crossed and first not in cells:
        question = (
            f"Two levels of folders may be the class: level {first + 1} has {levels[first].describe()}, and level "
            f"{crossed[0] + 1} has {levels[crossed[0]].describe()}. Which one is it?"
        )
        return first, "the first level of several folders", question
    return first, f"the {'only' if len(several) == 1 else 'first'} level of several folders", ""


def _repeats(level: FolderLevel) -> bool:
    """Return whether most names of a level occur in several places."""
    return sum(count > 1 for count in level.parents.values()) > len(level.parents) / 2


def _depth_question(levels: Sequence[FolderLevel], above: int) -> str:
    (name,) = levels[above].images
    below = levels[above + 1]
    return (
        f"The folder {name} contains {plural(below.loose, 'image')} directly, and {below.total:,} in "
        f"{below.describe()}. Is {name} a class, or are the folders in it the classes?"
    )
