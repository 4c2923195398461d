"""The finding about files that the import left out."""

from collections.abc import Iterator

from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.left_out import describe_left_out, missing_classes


def left_out(dataset: Dataset) -> Iterator[Finding]:
    """Find out whether the import left out files or whole classes.

    Yields
    ------
    Finding
        At most one, of the kind ``left-out``: an error if a class is missing completely, otherwise a warning. It has no
        paths and no remedies, because the files are not in the dataset.
    """
    text, missing = describe_left_out(dataset), missing_classes(dataset)
    if text:
        yield Finding(
            kind="left-out",
            title="A class is missing" if missing else "Files were left out at the import",
            detail=f"{text} Each file and the reason are listed below, under Remarks of the import. Correct the files "
            "and import again, or continue without them.",
            paths=(),
            severity="error" if missing else "warning",
        )
