"""The model card of a bundle: what the network is for, how well it did, how it is used; as Markdown."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import per_class_table
from cfu_core.models.registry import architecture
from cfu_core.reporting.table_format import between, share

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def model_card(facts: Mapping[str, Any], evaluation: Evaluation) -> str:
    """The card of a bundle.

    Parameters
    ----------
    facts : mapping
        As in ``bundle.json``.
    evaluation : Evaluation
        On the test images.
    """
    low, high = wilson_interval(evaluation.correct, evaluation.n_images)
    rows = [
        [
            plain(row["Class"]),
            str(row["Images"]),
            share(row["Precision"]),
            share(row["Recall"]),
            between(row["Recall, low"], row["Recall, high"]),
            share(row["Specificity"]),
            share(row["F1"]),
        ]
        for _, row in per_class_table(evaluation).iterrows()
    ]
    known = architecture(facts["architecture"])
    return _template().render(
        facts=facts,
        evaluation=evaluation,
        interval=between(low, high),
        classes=rows,
        head=known.head,
        options=dict(known.builder_arguments),
        rectifier=known.rectifier,
        own=facts["architecture"] == "darknet19",
        confusion=list(zip(map(plain, evaluation.classes), evaluation.confusion, strict=True)),
    )


def plain(text: str) -> str:
    """Somebody's own words, so that Markdown takes none of them for its marks."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["plain"] = plain
    return environment.get_template("card.md.j2")
