"""What the levels of folders in a source mean: the class, the partition, the group, or nothing.

`cfu_core.dataset.importing.layout_proposal` proposes a layout.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from cfu_core.errors import DatasetError
from cfu_core.wording import first_of, plural

#: What a level of folders can be.
ROLES = ("class", "partition", "group", "ignored")

MOST_NAMED = 4  # folders in a message


@dataclass(frozen=True, kw_only=True)
class FolderLevel:
    """The folders at one depth of a source.

    Attributes
    ----------
    images : Mapping of str to int
        Number of images in each folder and its subfolders, by the name of the folder; folders of one name in different
        places count together. Most images first.
    parents : Mapping of str to int
        Number of folders in which a folder of this name is.
    loose : int
        Number of images directly in a folder of the level above, thus without a folder of this level.
    """

    images: Mapping[str, int]
    parents: Mapping[str, int]
    loose: int

    @property
    def total(self) -> int:
        """Number of images in folders of this level."""
        return sum(self.images.values())

    def describe(self) -> str:
        """Return the number of folders and the names of the first ones."""
        return f"{plural(len(self.images), 'folder')}: {first_of(list(self.images), MOST_NAMED)}"


@dataclass(frozen=True, kw_only=True)
class LayoutChoice:
    """What a person states about the levels of folders; what is None is proposed.

    Attributes
    ----------
    roles : tuple of str, optional
        One of `ROLES` for each level, from the top; levels below are ignored.
    class_level : int, optional
        Level of the class, counted from 1. Without effect if there are `roles`.
    left_out : tuple of str, optional
        Names of folders at any level whose images are left out.
    unlabelled : bool
        Whether the images have no classes yet.
    """

    roles: tuple[str, ...] | None = None
    class_level: int | None = None
    left_out: tuple[str, ...] | None = None
    unlabelled: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a choice from the JSON form that `dataclasses.asdict` gives; missing values are None."""
        lists = {name: tuple(values[name]) for name in ("roles", "left_out") if values.get(name) is not None}
        return cls(class_level=values.get("class_level"), unlabelled=values.get("unlabelled", False), **lists)


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """What each level of folders means.

    Attributes
    ----------
    roles : tuple of str
        One of `ROLES` for each level, from the top. Each except ``ignored`` occurs at most once.
    left_out : frozenset of str
        Names of folders at any level whose images are left out.
    reasons : tuple of str
        Why each level has its role, as a phrase for users; ``""`` for a role that a person stated.
    question : str
        What the names do not decide, as sentences for users; ``""`` if they do.
    unlabelled : bool
        Whether the images are imported without classes; no level has the role ``class`` then.
    """

    roles: tuple[str, ...]
    left_out: frozenset[str]
    reasons: tuple[str, ...]
    question: str = ""
    unlabelled: bool = False

    @cached_property
    def positions(self) -> dict[str, int]:
        """Level of each role but ``ignored``, counted from 0."""
        return {role: level for level, role in enumerate(self.roles) if role != "ignored"}

    def value(self, folders: Sequence[str], role: str) -> str:
        """Return the name of the folder that has a role, of the folders around an image; ``""`` if there is none."""
        level = self.positions.get(role)
        return folders[level] if level is not None and level < len(folders) else ""

    def describe(self, levels: Sequence[FolderLevel]) -> str:
        """Describe the role of each level for users."""
        parts = [
            f"level {number} ({first_of(list(level.images), MOST_NAMED)}) {_AS[role]}"
            + (f": {reason}" if reason else "")
            for number, (level, role, reason) in enumerate(zip(levels, self.roles, self.reasons, strict=True), start=1)
        ]
        return f"Folders: {'; '.join(parts)}."


_AS = {"class": "is the class", "partition": "is the partition", "group": "is the group", "ignored": "is not used"}


def folder_levels(paths: Iterable[str], left_out: Iterable[str] = ()) -> list[FolderLevel]:
    """Count the images by the names of their folders, for each level from the top.

    Parameters
    ----------
    paths : iterable of str
        POSIX paths of the images, relative to the source.
    left_out : iterable of str
        Names of folders whose images are not counted.
    """
    skipped = frozenset(left_out)
    images: list[Counter[str]] = []
    places: list[set[tuple[str, ...]]] = []
    depths: Counter[int] = Counter()
    for place, count in Counter(path.rpartition("/")[0] for path in paths).items():
        folders = place.split("/") if place else []
        if not skipped.isdisjoint(folders):
            continue
        depths[len(folders)] += count
        for level, name in enumerate(folders):
            if level == len(images):
                images.append(Counter())
                places.append(set())
            images[level][name] += count
            places[level].add(tuple(folders[: level + 1]))
    return [
        FolderLevel(
            images=dict(counts.most_common()),
            parents=Counter(place[-1] for place in places[level]),
            loose=depths[level],
        )
        for level, counts in enumerate(images)
    ]


def parse_roles(text: str) -> tuple[str, ...]:
    """Parse the roles of levels as a user writes them, such as ``partition/class/donor``.

    Parameters
    ----------
    text : str
        One word for each level, from the top, with slashes between: ``class``, ``partition`` or ``split``, ``group``,
        ``dish`` or ``donor``, ``ignored`` or ``-``.

    Raises
    ------
    DatasetError
        A word is not known, or one role occurs twice.
    """
    words = {role: role for role in ROLES} | {"split": "partition", "dish": "group", "donor": "group", "-": "ignored"}
    parts = [part.strip().casefold() for part in text.strip("/ ").split("/")]
    unknown = [part for part in parts if part not in words]
    if unknown:
        raise DatasetError(
            f"{unknown[0]!r} in the layout {text!r} is not a role of a level of folders.",
            "Expected one word for each level, from the top, such as partition/class/donor; - is a level that is not "
            "used.",
            f"Write {', '.join(words)} with slashes between them.",
        )
    roles = tuple(words[part] for part in parts)
    check_roles(roles)
    return roles


def check_roles(roles: Sequence[str]) -> None:
    """Check that all roles are among `ROLES`, and that none except ``ignored`` occurs twice.

    Raises
    ------
    DatasetError
        If this is not so.
    """
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise DatasetError(f"{unknown[0]!r} is not a role of a level of folders.", f"Expected {', '.join(ROLES)}.", "")
    twice = [role for role, count in Counter(roles).items() if count > 1 and role != "ignored"]
    if twice:
        raise DatasetError(
            f"Two levels of folders are the {twice[0]}.", "It can be one level.", "Set the other one to ignored."
        )
