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
    """A file in the home folder or at another given path cannot be written, read or understood.

    The disk is full, a permission is missing, a file is damaged, or another process keeps a lock for too long. Also:
    the environment variable ``CFU_CACHE_GB`` is not a number.
    """


class ImageError(CfuError):
    """An image cannot be used.

    Parameters
    ----------
    found, expected, remedy : str
        As for `CfuError`.
    kind : str
        Category for lists of errors. ``empty``: the file has 0 bytes. ``not-an-image``: it is in none of the formats
        that are read, or not a regular file. ``truncated``: its end is missing. ``too-large``: it has too many pixels
        or bytes.
        ``missing``: it does not exist. ``no-permission``: it may not be read. ``link``: it is a link that leads out of
        the imported folder or to a missing file. ``unreadable``: it cannot be read or decoded for another reason.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "", *, kind: str = "unreadable") -> None:
        super().__init__(found, expected, remedy)
        self.kind = kind

    def __reduce__(self) -> tuple:
        return _image_error, (self.found, self.expected, self.remedy, self.kind)


def _image_error(found: str, expected: str, remedy: str, kind: str) -> ImageError:
    return ImageError(found, expected, remedy, kind=kind)


class DatasetError(CfuError):
    """A source of images or a dataset cannot be used, or an edit, a filter or a split of it is not possible.

    Also: a worker process that reads images was ended by another program or by the system.
    """


class ArchiveError(DatasetError):
    """An archive or an upload is empty, damaged, too large or dangerous to unpack; none of its files were kept."""


class RecipeError(CfuError):
    """A recipe does not exist or cannot be read, or its name or a setting is not valid, or does not fit an image."""


class WeightsError(CfuError):
    """Weights do not exist, cannot be downloaded, are damaged, or do not fit the network."""


class TrainingError(CfuError):
    """A network does not exist, a training setting is not valid, or the training has diverged.

    Also: the dataset has too few classes or too few images for training.
    """


class RunError(CfuError):
    """A run does not exist, or its state, a change of its dataset or missing results do not allow what was requested.

    Also: several runs have the requested name; a job that is not a run cannot be resumed in its state.
    """


class ReportError(CfuError):
    """A report has no runs, has a file name of an unknown type, or cannot be printed as PDF."""


class BundleError(CfuError):
    """A bundle cannot be exported or read, was changed since its export, or gives wrong probabilities."""


class StopRequested(Exception):
    """A stop or a pause of a computation was requested. This is not an error, so it is not a `CfuError`."""
