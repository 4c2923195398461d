"""Numbers of things in words, with the right plural."""


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Return a number with its noun, and with its verb where one follows: ``1 image is``, ``1,200 images are``.

    Parameters
    ----------
    count : int
    singular : str
        What follows the number 1: ``image``, ``class``, ``image is``.
    several : str, optional
        What follows any other number; by default `singular` with an s.
    """
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"
