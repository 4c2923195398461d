"""The model card of a bundle, as Markdown: classes, results, training, limits and use of the network."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.models.registry import architecture
from cfu_core.reporting.table_format import CLASS_COLUMNS, class_rows, format_interval
from cfu_core.wording import plural

CARD_COLUMNS = ("Class", "Images", "Precision", "Recall", "Recall, 95 % interval", "Specificity", "F1")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def model_card(manifest: Mapping[str, Any], evaluation: Evaluation) -> str:
    """Return the model card of a bundle: its ``README.md``.

    Parameters
    ----------
    manifest : mapping of str to object
        Entries of ``bundle.json``, as `cfu_core.exporting.export.export_run` writes them.
    evaluation : Evaluation
        Metrics on the test images.

    Returns
    -------
    str
        Markdown: classes, results with intervals, confusion matrix, training, limits and instructions.

    References
    ----------
    M. Mitchell et al., "Model Cards for Model Reporting", Proc. ACM Conference on Fairness, Accountability, and
    Transparency, pp. 220-229, 2019.
    """
    low, high = wilson_interval(evaluation.correct, evaluation.n_images)
    columns = [CLASS_COLUMNS.index(name) for name in CARD_COLUMNS]
    rows = [[escape_markdown(row[column]) for column in columns] for row in class_rows(evaluation)]
    known = architecture(manifest["architecture"])
    return _template().render(
        manifest=manifest,
        evaluation=evaluation,
        interval=format_interval(low, high),
        columns=CARD_COLUMNS,
        classes=rows,
        head=known.head,
        options=dict(known.builder_arguments),
        rectifier=known.rectifier,
        own=manifest["architecture"] == "darknet19",
        confusion=list(zip(map(escape_markdown, evaluation.classes), evaluation.confusion, strict=True)),
    )


def escape_markdown(text: str) -> str:
    """Escape characters that format text within a line of Markdown; line breaks and repeated spaces become one space.

    The beginning of a list (``-``, ``+`` or ``1.``) is not escaped.
    """
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
    environment.filters["plain"] = escape_markdown
    environment.filters["plural"] = plural
    return environment.get_template("card.md.j2")
