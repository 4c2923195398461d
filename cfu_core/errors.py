"""Errors that a user can fix.

The message of a `CfuError` is shown to the user unchanged: it says what was found, what was expected and what to do.
Programming errors are a `ValueError` or a `TypeError` instead.
"""


class CfuError(Exception):
    """An error that the user can fix.

    Parameters
    ----------
    found : str
        What was found, with the value or the path, as a sentence.
    expected : str, optional
        What was expected, as a sentence.
    remedy : str, optional
        What to do, as a sentence.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "") -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(" ".join(part for part in (found, expected, remedy) if part))

    def __reduce__(self) -> tuple:
        return type(self), (self.found, self.expected, self.remedy)


class StorageError(CfuError):
    """The disk is full, or a folder cannot be written or read."""


class ImageError(CfuError):
    """An image cannot be used.

    Parameters
    ----------
    found, expected, remedy : str
        As for `CfuError`.
    kind : str
        Category for lists of errors: ``empty``, ``not-an-image``, ``truncated``, ``unreadable``, ``too-large``,
        ``missing`` or ``no-permission``.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "", *, kind: str = "unreadable") -> None:
        super().__init__(found, expected, remedy)
        self.kind = kind

    def __reduce__(self) -> tuple:
        return _image_error, (self.found, self.expected, self.remedy, self.kind)


def _image_error(found: str, expected: str, remedy: str, kind: str) -> ImageError:
    return ImageError(found, expected, remedy, kind=kind)


class DatasetError(CfuError):
    """A folder, archive, manifest or dataset cannot be used."""


class ArchiveError(DatasetError):
    """An archive is damaged or dangerous to unpack; none of its files were kept."""


class RecipeError(CfuError):
    """A preprocessing setting is not valid."""


class WeightsError(CfuError):
    """Weights cannot be downloaded, or a file of weights is not valid."""


class TrainingError(CfuError):
    """A training setting does not fit the data or the machine."""


class RunError(CfuError):
    """A run cannot be found, read or used."""


class ReportError(CfuError):
    """A report cannot be made or printed."""


class BundleError(CfuError):
    """A bundle cannot be exported or read, or has been changed since its export."""


class StopRequested(Exception):
    """The user stopped the work. This is not an error; finished work is kept."""
