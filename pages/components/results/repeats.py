"""Repeats of a run with other seeds or over folds: buttons that start them, and the variation of their results."""

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.jobs.launch import repeat
from cfu_core.runs.label_errors_over_folds import suspected_label_errors
from cfu_core.runs.repeats import FOLDS, SEEDS, Family, families, in_folds, with_seeds
from cfu_core.runs.run import Run
from cfu_core.wording import plural
from pages.components import charts
from pages.components.downloads import with_download
from pages.components.page_layout import escaped, succeeded


def repeat_button(run: Run) -> None:
    """Show the buttons that repeat a run with other seeds or over the folds of a cross-validation."""
    with st.popover("Repeat", icon=":material/library_add:"):
        st.caption(
            "Results vary between runs. Runs that exist already are not trained again; the others join the queue."
        )
        seeds = f"Seeds {SEEDS[0]} to {SEEDS[-1]}"
        configs = None
        if st.button(
            seeds, key="repeat_seeds", help="Same split; different initial weights, order of images and augmentation."
        ):
            configs = with_seeds(run)
        folds = f"{FOLDS}-fold cross-validation"
        if st.button(
            folds, key="repeat_folds", help="Every image is tested once; the images of a group stay in the same fold."
        ):
            configs = in_folds(run)
        if configs and succeeded(repeat, run, configs):
            st.switch_page("pages/model/train.py")


def show_variation(runs: Sequence[Run]) -> None:
    """Show mean, standard deviation and each accuracy of runs that differ only in the seed or only in the fold."""
    found = families(runs)
    if not found:
        return
    st.header("Variation over seeds and folds", anchor=False)
    table = pd.DataFrame(
        {
            "Runs": [family.name for family in found],
            "Over": [f"{len(family.runs)} {family.varied}" for family in found],
            "Accuracy, mean": [family.mean for family in found],
            "Standard deviation": [family.deviation for family in found],
            "Lowest": [min(family.accuracies) for family in found],
            "Highest": [max(family.accuracies) for family in found],
            "All folds pooled": [_pooled_accuracy(family) for family in found],
        }
    )
    if all(family.varied == "seeds" for family in found):
        table = table.drop(columns="All folds pooled")
    numbers = table.select_dtypes("number").columns
    with_download(
        table, "spread", column_config={name: st.column_config.NumberColumn(format="%.4f") for name in numbers}
    )
    charts.show(
        _accuracy_chart(found),
        key="spread",
        alt="Accuracy of each run, with mean and standard deviation",
        height=120 + 56 * len(found),
    )
    st.caption(
        "Each dot is a run; the diamond is their mean, its error bar one standard deviation (n − 1). Runs with "
        "different seeds have the same test images: their variation is that of the training, not the uncertainty of "
        "the accuracy. Each fold has other test images."
    )
    for place, family in enumerate(found):
        if family.varied == "folds":
            _label_errors(family, place)


def _label_errors(family: Family, place: int) -> None:
    """Show the label errors suspected from the out-of-sample predictions; computed when the expander is opened."""
    opened = st.expander(
        f"Suspected label errors: {escaped(family.name)}",
        icon=":material/rule:",
        key=f"doubts-{place}",
        on_change="rerun",
    )
    if not opened.open:
        return
    with opened:
        table = suspected_label_errors(family.runs)
        if table is None:
            st.caption(f"{len(family.runs)} of {family.runs[0].config.folds} folds are finished; all are needed.")
            return
        dataset = family.runs[0].plan.dataset.id
        shown = pd.DataFrame(
            {
                "Image": table["path"],
                "Label": table["label"],
                "Suggested class": table["seems"],
                "Probability of the suggestion": table["probability"],
                "Probability of the label": table["probability_label"],
                "Image on Explore": [
                    f"explore?{urlencode({'dataset': dataset, 'image': path})}" for path in table["path"]
                ],
            }
        )
        number = st.column_config.NumberColumn(format="%.3f")
        with_download(
            shown,
            f"label_errors-{place}",
            file=table,
            column_config={
                "Probability of the suggestion": number,
                "Probability of the label": number,
                "Image on Explore": st.column_config.LinkColumn(display_text="Open"),
            },
        )
        st.caption(
            f"{len(table)} of {plural(family.n_images, 'image')}, each predicted by a network that was not trained on "
            "it. Another class has at least the mean probability of that class's own images (confident learning, "
            "Northcutt et al. 2021); the largest difference of the two probabilities is first. Either the label or the "
            "network is wrong: look at the image, and correct the class on the Explore page."
        )


def _pooled_accuracy(family: Family) -> str:
    """Return the accuracy over all folds, each image being tested once; empty for seeds."""
    if family.varied == "seeds":
        return ""
    low, high = wilson_interval(family.correct, family.n_images)
    return f"{family.correct} of {family.n_images} ({low:.3f} to {high:.3f})"


def _accuracy_chart(found: Sequence[Family]) -> go.Figure:
    """Draw each accuracy, and their mean with an error bar of one standard deviation."""
    figure = go.Figure()
    names = [f"{family.name}, {len(family.runs)} {family.varied}" for family in found]
    for family, name in zip(found, names, strict=True):
        word = "seed" if family.varied == "seeds" else "fold"
        places = [run.config.seed if word == "seed" else run.config.fold + 1 for run in family.runs]
        figure.add_scatter(
            x=[100 * value for value in family.accuracies],
            y=[name] * len(family.runs),
            text=[f"{word} {place}" for place in places],
            mode="markers",
            marker={"size": 11, "opacity": 0.6, "color": charts.theme().categories[0]},
            hovertemplate="%{text}: %{x:.2f} %<extra></extra>",
            showlegend=False,
        )
    figure.add_scatter(
        x=[100 * family.mean for family in found],
        y=names,
        error_x={"type": "data", "array": [100 * family.deviation for family in found], "thickness": 2, "width": 8},
        mode="markers",
        marker={"size": 12, "symbol": "diamond", "color": charts.theme().categories[1]},
        hovertemplate="mean %{x:.2f} %<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(title="accuracy on the test images (%)", fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticklabelstandoff=8)
    return figure
