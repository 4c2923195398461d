"""One evaluation on the page: the figures of each class, and all figures with their intervals."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfu_core.evaluation.calibration import accuracy_by_coverage, apply_temperature, fit_temperature, reliability
from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import per_class_table, summary_metrics_table
from cfu_core.evaluation.roc import class_curves
from cfu_core.runs.run import Run
from pages.components import charts
from pages.components.downloads import with_download
from pages.components.results import metric_charts

SHARES = ("Precision", "Recall", "Specificity", "F1")


def class_figures(evaluation: Evaluation) -> None:
    """Accuracy, precision by its two names, and every class."""
    left, middle, right = st.columns(3)
    of = f"{evaluation.correct} of {evaluation.n_images} test images"
    low, high = wilson_interval(evaluation.correct, evaluation.n_images)
    left.metric("Accuracy", f"{evaluation.accuracy:.1%}")
    middle.metric("Precision, macro", f"{evaluation.precision_macro:.1%}")
    right.metric("Precision, micro", f"{evaluation.precision_micro:.1%}")
    st.caption(f"{of}; the 95 % interval of the accuracy is {low:.1%} to {high:.1%} (Wilson)")
    table = per_class_table(evaluation)
    text = _in_words(table, SHARES)
    intervals = zip(text["Recall"], table["Recall, low"], table["Recall, high"], strict=True)
    text["Recall (95 %)"] = [
        said if pd.isna(low) else f"{said} ({low:.2f}–{high:.2f})" for said, low, high in intervals
    ]
    columns = ["Class", "Images", "Precision", "Recall (95 %)", "Specificity", "F1"]
    with_download(text[columns], "per_class", file=table)
    st.caption(
        "Precision: of the images called this class, the share that is. Recall (sensitivity): of the images of this "
        "class, the share that was found, with its 95 % interval (Wilson). Specificity: of all other images, the share "
        "that was not called this class. Undefined: nothing was called this class, or there is no image of it; the "
        "macro mean counts an undefined precision as 0."
    )


def all_figures(run: Run) -> None:
    """One number for all classes, by each of its names, with its interval."""
    evaluation = run.evaluation()
    if evaluation is None:
        return
    table = _figures_table(str(evaluation.to_dict()), evaluation)
    text = _in_words(table[["Figure", "Value"]], ["Value"])
    text["95 % interval"] = _intervals(table, "Low", "High")
    with_download(text, "figures", file=table)
    st.caption(
        f"95 % intervals for {evaluation.n_images} test images: Wilson's for the accuracy, a percentile bootstrap over "
        "the images for the others. Macro: each class counts the same. Weighted: each class by its images. Kappa and "
        "Matthews: 1 for always right, 0 for no better than chance."
    )


def against_the_rest(run: Run) -> None:
    """Each class at every threshold of its probability."""
    tested = run.probabilities("test")
    if tested is None:
        return
    found = {name: class_curves(*tested, place) for place, name in enumerate(run.classes)}
    drawn = {name: each for name, each in found.items() if each}
    place = st.grid(2, min_column_width=380)
    for kind in ("roc", "precision-recall"):
        with place.cell():
            alt = f"{kind} curves of each class against the rest"
            charts.show(metric_charts.ranking(drawn, kind), key=kind, alt=alt, height=460)
    shares = ", ".join(f"{name.replace('_', ' ')} {each.share:.3f}" for name, each in drawn.items())
    missing = ", ".join(name.replace("_", " ") for name in found if name not in drawn)
    st.caption(
        "Every image is ranked by the probability that the network gives to the class. Area under the ROC curve: how "
        "often an image of the class stands above one of another class. Average precision of guessing is the class's "
        f"share of the images: {shares}."
        + (f" Undefined, with no such test image or no other: {missing}." if missing else "")
    )


def confidence(run: Run) -> None:
    """Whether the network is as sure as it is right, and what is gained by handing the doubtful images to a person."""
    tested = run.probabilities("test")
    if tested is None:
        return
    true, probabilities = tested
    ways = {"as it is": reliability(true, probabilities)}
    said = f"Expected calibration error {ways['as it is'].expected_error:.3f}"
    validated = run.probabilities("validation")
    if validated is not None:
        divisor = fit_temperature(*validated)
        ways["temperature scaled"] = reliability(true, apply_temperature(probabilities, divisor))
        sure = "too sure" if divisor > 1 else "not sure enough"
        said += (
            f"; {ways['temperature scaled'].expected_error:.3f} with its logits divided by {divisor:.2f}. That was "
            f"fitted to the validation images, on which it was {sure}"
        )
    place = st.grid(2, min_column_width=380)
    with place.cell():
        charts.show(metric_charts.reliability(ways), key="reliability", alt="Accuracy by confidence", height=420)
    with place.cell():
        figure = metric_charts.coverage(*accuracy_by_coverage(true, probabilities))
        charts.show(figure, key="coverage", alt="Accuracy by the share of images left to the network", height=420)
    st.caption(
        f"{said}. The error is the mean gap between confidence and accuracy over ten bins; with {len(true)} images "
        "chance alone makes some. A larger point stands for more images."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _figures_table(key: str, _evaluation: Evaluation) -> pd.DataFrame:  # noqa: ARG001 - the key is its content
    return summary_metrics_table(_evaluation)


def _in_words(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Shares as text, so that an undefined one says so."""
    return table.assign(**{c: table[c].map(lambda v: "undefined" if pd.isna(v) else f"{v:.3f}") for c in columns})


def _intervals(table: pd.DataFrame, low: str, high: str) -> list[str]:
    pairs = zip(table[low], table[high], strict=True)
    return ["" if pd.isna(a) else f"{a:.3f} to {b:.3f}" for a, b in pairs]
