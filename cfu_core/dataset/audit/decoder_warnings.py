"""The finding about images whose decoder reported damage."""

from collections.abc import Iterator

import pandas as pd

from cfu_core.dataset.audit.findings import Finding, exclude
from cfu_core.dataset.survey.survey import Survey
from cfu_core.wording import first_of, plural

_SHOWN = 3  # images that are named for each warning


def decoder_warnings(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    """Find images that were decoded, but with a warning of the decoder.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order; images that are not yet measured are not listed.

    Yields
    ------
    Finding
        At most one, a warning of the kind ``decoder-warning`` that lists all such images, with a remedy that excludes
        them. Its detail quotes each warning with the images that have it.
    """
    texts = pd.Series(survey.table["warning"].to_numpy(str), index=images["path"].to_numpy(str))
    texts = texts[texts != ""]
    if texts.empty:
        return
    quoted = [f"“{text}” ({first_of(list(group.index), _SHOWN)})" for text, group in texts.groupby(texts, sort=True)]
    yield Finding(
        kind="decoder-warning",
        title="Decoder warnings",
        detail=f"In {plural(len(texts), 'image')} the decoder found damage and went on: {'; '.join(quoted)}. Parts of "
        "such images may be grey or shifted. Look at them. Exclude those with wrong pixels, or copy the files again "
        "from their source and import again.",
        paths=tuple((path,) for path in texts.index),
        severity="warning",
        remedies=(exclude(texts.index, "warning of the decoder"),),
    )
