"""One evaluation on the page: the confusion matrix, and the figures of each class."""

import pandas as pd
import streamlit as st

from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.tables import per_class_table
from pages.components import charts
from pages.components.downloads import with_download

SHARES = ("Precision", "Recall", "F1")


def confusion_matrix(evaluation: Evaluation) -> None:
    """Counts or per cent, large enough for the back of a lecture room."""
    units = ["Counts", "Per cent of the true class"]
    unit = st.segmented_control("Confusion matrix", units, default=units[0], required=True, key="unit")
    charts.show(
        charts.confusion(evaluation.confusion, evaluation.classes, percent=unit != units[0]),
        key="confusion",
        alt="Confusion matrix, rows true, columns predicted",
        height=160 + 110 * len(evaluation.classes),
    )


def class_figures(evaluation: Evaluation) -> None:
    """Accuracy, precision by its two names, and every class."""
    left, middle, right = st.columns(3)
    of = f"{evaluation.correct} of {evaluation.images} test images"
    left.metric("Accuracy", f"{evaluation.accuracy:.1%}", help=of)
    middle.metric("Precision, macro", f"{evaluation.precision_macro:.1%}")
    right.metric("Precision, micro", f"{evaluation.precision_micro:.1%}")
    table = per_class_table(evaluation)
    text = table.assign(**{s: table[s].map(lambda v: "undefined" if pd.isna(v) else f"{v:.4f}") for s in SHARES})
    with_download(text, "per_class", column_order=["Class", "Images", *SHARES])
    st.caption(
        "Precision: of the images called this class, the share that is. Recall: of the images of this class, the "
        "share that was found. Undefined: nothing was called this class, or there is no image of it; the macro mean "
        "counts an undefined precision as 0."
    )
