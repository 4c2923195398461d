"""The same training with other seeds and over folds: asked for by one click, shown with every point."""

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.jobs.launch import repeat
from cfu_core.runs.label_errors_over_folds import suspected_label_errors
from cfu_core.runs.repeats import FOLDS, SEEDS, Family, families, in_folds, with_seeds
from cfu_core.runs.run import Run
from pages.components import charts
from pages.components.downloads import with_download


def repeat_button(run: Run) -> None:
    """Train it again with other seeds, or over the folds of a cross-validation."""
    with st.popover("Repeat", icon=":material/library_add:"):
        st.caption(
            "One run is one draw. Runs that are there already are not trained again; the others wait in the queue."
        )
        seeds = f"Seeds {SEEDS[0]} to {SEEDS[-1]}"
        asked = None
        if st.button(seeds, key="repeat_seeds", help="The same split; other weights, order and augmentation."):
            asked = with_seeds(run)
        folds = f"{FOLDS}-fold cross-validation"
        if st.button(folds, key="repeat_folds", help="Every image is tested once; groups stay together."):
            asked = in_folds(run)
        if asked:
            try:
                repeat(run, asked)
            except CfuError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.switch_page("pages/model/train.py")


def show_spread(runs: Sequence[Run]) -> None:
    """Runs that differ by seed or fold alone: mean, standard deviation, and every one of them."""
    found = families(runs)
    if not found:
        return
    st.header("How far results spread", anchor=False)
    table = pd.DataFrame(
        {
            "Runs": [family.name for family in found],
            "Over": [f"{len(family.runs)} {family.varied}" for family in found],
            "Accuracy, mean": [family.mean for family in found],
            "Standard deviation": [family.deviation for family in found],
            "Lowest": [min(family.accuracies) for family in found],
            "Highest": [max(family.accuracies) for family in found],
            "All folds together": [_together(family) for family in found],
        }
    )
    if all(family.varied == "seeds" for family in found):
        table = table.drop(columns="All folds together")
    numbers = table.select_dtypes("number").columns
    with_download(
        table, "spread", column_config={name: st.column_config.NumberColumn(format="%.4f") for name in numbers}
    )
    charts.show(
        _points(found), key="spread", alt="Accuracy of every run, with mean and deviation", height=120 + 56 * len(found)
    )
    st.caption(
        "Every dot is one run; the diamond is their mean, its arms one standard deviation (n − 1). Seeds share the "
        "test images, so they tell how much the training itself wavers, not how sure the accuracy is; folds test "
        "other images each time."
    )
    for place, family in enumerate(found):
        if family.varied == "folds":
            _doubts(family, place)


def _doubts(family: Family, place: int) -> None:
    """Images whose label the networks doubt that have not learned from them; looked for when it is opened."""
    opened = st.expander(
        f"Suspected label errors: {family.name}", icon=":material/rule:", key=f"doubts-{place}", on_change="rerun"
    )
    if not opened.open:
        return
    with opened:
        table = suspected_label_errors(family.runs)
        if table is None:
            st.caption(f"{len(family.runs)} of {family.runs[0].config.folds} folds are there; all are needed.")
            return
        dataset = family.runs[0].plan.dataset.id
        shown = pd.DataFrame(
            {
                "Image": table["path"],
                "Labelled": table["label"],
                "Seems to be": table["seems"],
                "Probability of that": table["probability"],
                "Of its label": table["probability_label"],
                "Look": [f"explore?{urlencode({'dataset': dataset, 'image': path})}" for path in table["path"]],
            }
        )
        number = st.column_config.NumberColumn(format="%.3f")
        with_download(
            shown,
            f"label_errors-{place}",
            file=table,
            column_config={
                "Probability of that": number,
                "Of its label": number,
                "Look": st.column_config.LinkColumn(display_text="Open on Explore"),
            },
        )
        images = "image" if len(table) == 1 else "images"
        st.caption(
            f"{len(table)} {images} of {family.n_images}, each judged by the fold that did not learn from it: another "
            "class has at least the probability there that its own images usually have (confident learning, Northcutt "
            "et al. 2021). The widest gap first. The label may be wrong, or the network is: look, and correct the "
            "class on the Explore page."
        )


def _together(family: Family) -> str:
    """Over the folds each image is tested once, so that they can be added up."""
    if family.varied == "seeds":
        return ""
    low, high = wilson_interval(family.correct, family.n_images)
    return f"{family.correct} of {family.n_images} ({low:.3f} to {high:.3f})"


def _points(found: Sequence[Family]) -> go.Figure:
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
