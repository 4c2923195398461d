"""Counts with their nouns in the correct singular or plural form."""


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
