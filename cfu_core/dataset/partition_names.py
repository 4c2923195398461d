"""Usual names of partitions in folders and manifests, such as ``train``, ``valid`` and ``hold-out``."""

import re

from cfu_core.dataset.name_forms import name_key

PARTITIONS = ("training", "validation", "test")
_WORDS = {
    "training": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "holdout", "heldout", "eval", "evaluation"),
}
_PARTITION_OF = {word: partition for partition, words in _WORDS.items() for word in words}
_SUFFIX = re.compile(r"[ _.-]*(set|data|dataset|images|imgs|split)$")


def partition_named(name: str) -> str:
    """Return the partition that a name stands for: ``training``, ``validation`` or ``test``; ``""`` if none.

    Examples
    --------
    >>> partition_named("Train_set"), partition_named("hold-out"), partition_named("CFU-E")
    ('training', 'test', '')
    """
    key = _SUFFIX.sub("", name_key(name)) or name_key(name)
    return _PARTITION_OF.get(re.sub(r"[ _.-]+", "", key), "")
