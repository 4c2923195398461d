"""Counts with their nouns in the correct singular or plural form, and lists that end with a count."""

from collections.abc import Sequence


def class_name(label: str) -> str:
    """Return the name of a class for display; ``no class`` for the label of an image without one, ``""``."""
    return label or "no class"


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Return a count with its noun, and optionally its verb: ``1 image is``, ``1,200 images are``.

    Parameters
    ----------
    count : int
        Number to write, with commas between groups of three digits.
    singular : str
        Text after the number 1: ``image``, ``class``, ``image is``.
    several : str, optional
        Text after any other number, 0 included: ``classes``, ``images are``; by default `singular` with an s.
    """
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def first_of(texts: Sequence[str], most: int) -> str:
    """List texts with commas; of more than `most`, only these and the number of the others: ``a, b and 1,200 more``.

    Parameters
    ----------
    texts : sequence of str
        Texts to list.
    most : int
        Largest number of texts that are listed, at least 1.
    """
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def listed(texts: Sequence[str]) -> str:
    """List texts with commas and "and" before the last: ``a``, ``a and b``, ``a, b and c``.

    Parameters
    ----------
    texts : sequence of str
        At least one.
    """
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
