"""A finding about images that have no class yet."""

from collections.abc import Iterator

import pandas as pd

from cfu_core.dataset.audit.findings import Finding
from cfu_core.wording import plural


def unlabelled(images: pd.DataFrame) -> Iterator[Finding]:
    """Find the images that have no class yet.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset with the columns ``path`` and ``label`` (empty for no class).

    Yields
    ------
    Finding
        At most one, of the kind ``unlabelled`` and the severity ``info``, with these images and no remedy.
    """
    paths = images["path"][images["label"] == ""].tolist()
    if paths:
        yield Finding(
            kind="unlabelled",
            title="Images without a class",
            detail=f"{plural(len(paths), 'image has', 'images have')} no class yet. Training uses the others. Turn "
            "on Label by keys above the grid, enter the names of the classes, and press a number to give a class.",
            paths=tuple((path,) for path in paths),
            severity="info",
        )
