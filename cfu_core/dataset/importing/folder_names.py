"""What the names of folders say: colonies or cells, dishes or donors, days or batches, masks, or altered copies."""

import re

from cfu_core.dataset.name_forms import name_key

_CELLS = re.compile(
    r"\b(cfu|bfu|cfc|hpp|gemm|ltc)\b|colon(y|ies)|burst|erythr|granulo|macroph|mono(cyte|blast)|mega?karyo|lympho"
    r"|neutro|eosino|baso(phil)?\b|blast\b|blasts\b|platelet|leukocyt|myel|pre-?b\b",
)
_GROUP = re.compile(
    r"(donor|donors|patient|subject|mouse|mice|animal|individual|volunteer|plate|dish|well|petri|slide|culture"
    r"|specimen)([ _.-]*\d+[a-z]?|[ _.-]+[a-z]{1,2}\d*)"
)
_WELL = re.compile(r"[a-h][ _-]?(0?[1-9]|1[0-2])")
_SERIES = re.compile(
    r"(day|days|d|week|wk|hour|hours|h|time|timepoint|t|passage|p|batch|run|experiment|exp|series|session|date)"
    r"[ _.-]*\d+|\d{4}[-_. ]?\d{2}[-_. ]?\d{2}|\d{1,2}[-_. ]\d{1,2}[-_. ]\d{2,4}"
)
_NOT_PHOTOGRAPHS = frozenset(
    name
    for one in ("mask", "label", "annotation", "segmentation", "outline", "overlay", "thumbnail", "thumb", "contour")
    for name in (one, f"{one}s")
) | {"gt", "ground truth", "ground_truth", "groundtruth", "seg"}
_ALTERED = frozenset(
    {"preprocessed", "processed", "enhanced", "clahe", "augmented", "augmentation", "aug", "normalized", "normalised"}
)
_UNLABELLED = frozenset({"unlabelled", "unlabeled", "unclassified", "unsorted", "no class", "no label"})
_ORIGINAL = frozenset({"original", "originals", "raw"})


def is_unlabelled(name: str) -> bool:
    """Return whether a name is usual for a folder of images that have no class yet."""
    return name_key(name) in _UNLABELLED


def is_cell(name: str) -> bool:
    """Return whether a name contains that of a type of colony or blood cell."""
    return _CELLS.search(name_key(name).replace("_", " ")) is not None


def is_group(name: str) -> bool:
    """Return whether a name is that of a dish or a donor with its number, such as ``donor 3`` or ``plate_B2``."""
    return _GROUP.fullmatch(name_key(name)) is not None


def is_well(name: str) -> bool:
    """Return whether a name is that of a well of a plate with 96 wells or fewer, such as ``B2``."""
    return _WELL.fullmatch(name_key(name)) is not None


def is_series(name: str) -> bool:
    """Return whether a name is a day, a date, a batch or the like with its number."""
    return _SERIES.fullmatch(name_key(name)) is not None


def is_of_masks(name: str) -> bool:
    """Return whether a name is usual for folders of masks, thumbnails or other pictures that are not photographs."""
    return name_key(name) in _NOT_PHOTOGRAPHS


def is_of_copies(name: str) -> bool:
    """Return whether a name is usual for folders of altered copies, such as ``augmented``."""
    return name_key(name) in _ALTERED


def is_of_originals(name: str) -> bool:
    """Return whether a name is usual for folders of photographs beside altered copies."""
    return name_key(name) in _ORIGINAL
