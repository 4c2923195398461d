"""What can go wrong in a way that a user can mend.

A `CfuError` is shown to the user as it stands: it says what was found, what was expected and what to do.
A programmer's mistake is a `ValueError` or a `TypeError` instead.
"""


class CfuError(Exception):
    """A problem that the user can mend.

    Parameters
    ----------
    found : str
        What was met, with the value or the path, as a sentence.
    expected : str
        What would have been right, as a sentence; may be empty.
    remedy : str
        What to do now, as a sentence; may be empty.
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
    """One image cannot be used.

    Parameters
    ----------
    kind : str
        One word for lists: ``empty``, ``not-an-image``, ``truncated``, ``unreadable``, ``too-large``.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "", *, kind: str = "unreadable") -> None:
        super().__init__(found, expected, remedy)
        self.kind = kind

    def __reduce__(self) -> tuple:
        return _image_error, (self.found, self.expected, self.remedy, self.kind)


def _image_error(found: str, expected: str, remedy: str, kind: str) -> ImageError:
    return ImageError(found, expected, remedy, kind=kind)


class DatasetError(CfuError):
    """A folder, archive, manifest or dataset cannot be used as a whole."""


class ArchiveError(DatasetError):
    """An archive is hostile or broken; nothing of it was kept."""


class RecipeError(CfuError):
    """A preprocessing setting lies outside what makes sense."""


class WeightsError(CfuError):
    """Weights cannot be downloaded, or a file of weights is not what it should be."""


class TrainingError(CfuError):
    """A training setting does not fit the data or the machine."""


class RunError(CfuError):
    """A run cannot be found, read or used."""


class ReportError(CfuError):
    """A report cannot be made or printed."""


class BundleError(CfuError):
    """An exported model cannot be made, or is not what it was when it was made."""


class StopRequested(Exception):
    """Someone asked the work to end. No error: what was done so far stays."""
