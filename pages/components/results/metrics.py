"""The evaluation of one run: metrics of each class and of all classes with intervals, curves and calibration."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import per_class_table, summary_metrics_table
from cfu_core.evaluation.probability_metrics import assess_calibration, curves_by_class
from cfu_core.runs.run import Run
from cfu_core.runs.training_reference_store import read_record
from cfu_core.wording import plural
from pages.components import charts
from pages.components.downloads import with_download
from pages.components.page_layout import escaped
from pages.components.results import metric_charts

SHARES = ("Precision", "Recall", "Specificity", "F1")


def class_metrics(evaluation: Evaluation) -> None:
    """Show accuracy, macro and micro precision, and the metrics of each class."""
    left, middle, right = st.columns(3)
    low, high = wilson_interval(evaluation.correct, evaluation.n_images)
    left.metric("Accuracy", f"{evaluation.accuracy:.1%}")
    middle.metric("Precision, macro", f"{evaluation.precision_macro:.1%}")
    right.metric("Precision, micro", f"{evaluation.precision_micro:.1%}")
    st.caption(
        f"{evaluation.correct} of {plural(evaluation.n_images, 'test image')} correct; 95 % interval of the accuracy: "
        f"{low:.1%} to {high:.1%} (Wilson)."
    )
    table = per_class_table(evaluation)
    text = _as_text(table, SHARES)
    intervals = zip(text["Recall"], table["Recall, low"], table["Recall, high"], strict=True)
    text["Recall (95 %)"] = [
        recall if pd.isna(low) else f"{recall} ({low:.2f}–{high:.2f})" for recall, low, high in intervals
    ]
    columns = ["Class", "Images", "Precision", "Recall (95 %)", "Specificity", "F1"]
    with_download(text[columns], "per_class", file=table)
    st.caption(
        "Precision: the fraction of the images predicted as this class that are of this class. Recall (sensitivity): "
        "the fraction of the images of this class that are predicted as it, with its 95 % interval (Wilson). "
        "Specificity: the fraction of all other images that are not predicted as this class. Undefined: no image was "
        "predicted as this class, or there is no image of it; the macro mean counts an undefined precision as 0."
    )


def show_unlike_test_images(run: Run) -> None:
    """Say how many test images are unlike all training images; runs of earlier versions may not know it."""
    record = read_record(run)
    if record is None:
        return
    verb = "is" if record.unlike_test_images == 1 else "are"
    st.caption(
        f"{record.unlike_test_images} of {plural(record.test_images, 'test image')} {verb} unlike all training images, "
        "in the features of the network or in brightness, contrast, sharpness or colour. `predict` names such images, "
        "whose answers are not to be trusted. The threshold rests on "
        f"{plural(record.validation_images, 'validation image')}: up to {record.false_alarms[1]:.1%} of images like "
        "these will be called unlike, too."
    )


def summary_metrics(run: Run) -> None:
    """Show the summary metrics of all classes with their intervals."""
    evaluation = run.evaluation()
    if evaluation is None:
        return
    table = _summary_table(str(evaluation.to_dict()), evaluation).rename(columns={"Figure": "Metric"})
    text = _as_text(table[["Metric", "Value"]], ["Value"])
    text["95 % interval"] = _intervals(table, "Low", "High")
    with_download(text, "figures", file=table)
    st.caption(
        f"95 % intervals for {plural(evaluation.n_images, 'test image')}: Wilson's for the accuracy, a percentile "
        "bootstrap over the images for the others. Macro: each class has the same weight. Weighted: each class is "
        "weighted by its number of images. Kappa and Matthews: 1 for always right, 0 for no better than chance."
    )


def one_vs_rest_curves(run: Run) -> None:
    """Show the one-vs-rest ROC and precision-recall curves of each class."""
    tested = run.probabilities("test")
    if tested is None:
        return
    found = curves_by_class(*tested, run.classes)
    drawn = {name: each for name, each in found.items() if each}
    place = st.grid(2, min_column_width=380)
    for kind in ("roc", "precision-recall"):
        with place.cell():
            alt = f"{kind} curve of each class against all other classes"
            charts.show(metric_charts.ranking(drawn, kind), key=kind, alt=alt, height=460)
    shares = ", ".join(f"{escaped(name)} {each.share:.3f}" for name, each in drawn.items())
    missing = ", ".join(escaped(name) for name in found if name not in drawn)
    st.caption(
        "Each class against all others: the images are ranked by the predicted probability of the class. Area under "
        "the ROC curve: the probability that an image of the class is ranked above an image of another class. The "
        f"average precision of a random classifier is the class's fraction of the images: {shares}."
        + (f" Undefined, because there is no test image of the class or no other: {missing}." if missing else "")
    )


def calibration(run: Run) -> None:
    """Show the calibration, and the accuracy if a person checks the least certain images."""
    tested = run.probabilities("test")
    if tested is None:
        return
    found = assess_calibration(tested, run.probabilities("validation"))
    text = f"Expected calibration error {found.unscaled.expected_error:.3f}"
    if found.scaled is not None and found.temperature is not None:
        confident = "over-confident" if found.temperature > 1 else "under-confident"
        text += (
            f"; {found.scaled.expected_error:.3f} with its logits divided by {found.temperature:.2f}. This temperature "
            f"was fitted to the validation images, on which it was {confident}"
        )
    place = st.grid(2, min_column_width=380)
    with place.cell():
        charts.show(
            metric_charts.reliability(found.diagrams), key="reliability", alt="Accuracy by confidence", height=420
        )
    with place.cell():
        figure = metric_charts.coverage(found.coverage, found.accuracy)
        charts.show(
            figure, key="coverage", alt="Accuracy by the fraction of images that the network classifies", height=420
        )
    st.caption(
        f"{text}. The error is the mean difference between confidence and accuracy over ten bins, weighted by the "
        f"number of images; with {plural(len(tested[0]), 'image')} part of it is due to chance. Larger points: "
        "more images."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _summary_table(key: str, _evaluation: Evaluation) -> pd.DataFrame:  # noqa: ARG001 - the key is its content
    """Return the summary metrics with their bootstrap intervals."""
    return summary_metrics_table(_evaluation)


def _as_text(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return fractions as text; an undefined one is ``undefined``."""
    return table.assign(**{c: table[c].map(lambda v: "undefined" if pd.isna(v) else f"{v:.3f}") for c in columns})


def _intervals(table: pd.DataFrame, low: str, high: str) -> list[str]:
    """Return intervals as text, empty where undefined."""
    pairs = zip(table[low], table[high], strict=True)
    return ["" if pd.isna(a) else f"{a:.3f} to {b:.3f}" for a, b in pairs]
