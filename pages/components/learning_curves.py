"""Learning curves of one or more runs, and the choice of a probe's regularisation strength."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cfu_core.runs.run import METRICS, Run
from cfu_core.runs.short_names import names_among, shared_training
from cfu_core.runs.training_log import MetricsReader
from cfu_core.storage import read_json
from pages.components.charts import MAX_POINTS, scaled, show, theme
from pages.components.page_layout import escaped


def learning_curves(
    history: Sequence[Mapping[str, Any]], batches: Sequence[Mapping[str, Any]], what: str, epochs: int
) -> go.Figure:
    """Draw `what`, ``loss`` or ``accuracy``, per batch and per epoch, as in figures 6 and 7 of the paper."""
    figure = go.Figure()
    scale = 100 if what == "accuracy" else 1
    if batches:
        x = np.array([b["epoch"] - 1 + b["batch"] / b["batches"] for b in batches])
        y = smoothed([np.nan if b[what] is None else scale * b[what] for b in batches])
        kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).astype(int))
        figure.add_scatter(name="batches, smoothed", x=x[kept], y=y[kept], mode="lines", line_width=1.5, opacity=0.55)
    ends = [h["epoch"] for h in history]
    for partition, dash in (("training", "solid"), ("validation", "dash")):
        values = [scaled(h[f"{partition}_{what}"], scale) for h in history]
        figure.add_scatter(name=partition, x=ends, y=values, mode="lines+markers", line={"dash": dash, "width": 3})
    best = [h for h in history if h["best"]]
    if best:
        last = best[-1]
        figure.add_scatter(
            name=f"kept: epoch {last['epoch']}",
            x=[last["epoch"]],
            y=[scaled(last[f"validation_{what}"], scale)],
            mode="markers",
            marker={"symbol": "star", "size": 15},
        )
    unit = "accuracy (%)" if what == "accuracy" else "loss (cross-entropy)"
    figure.update_layout(title=what.capitalize(), xaxis_title="epoch", yaxis_title=unit)
    figure.update_xaxes(range=[0, epochs + 0.2], dtick=max(1, round(epochs / 10)))
    if what == "accuracy":
        figure.update_yaxes(range=[0, 102])
    else:
        figure.update_yaxes(rangemode="tozero")
    return figure


def smoothed(values: Sequence[float], span: int = 10) -> np.ndarray:
    """Return the exponential moving average of a series."""
    return pd.Series(values, dtype=float).ewm(span=span).mean().to_numpy()


def validation_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], what: str) -> go.Figure:
    """Draw `what`, ``loss`` or ``accuracy``, on the validation images per epoch, one line per run."""
    figure = go.Figure()
    scale = 100 if what == "accuracy" else 1
    for name, history in histories.items():
        values = [scaled(h[f"validation_{what}"], scale) for h in history]
        figure.add_scatter(name=name, x=[h["epoch"] for h in history], y=values, mode="lines+markers")
    unit = "accuracy (%)" if what == "accuracy" else "loss (cross-entropy)"
    figure.update_layout(title=f"Validation {what}", xaxis_title="epoch", yaxis_title=unit, showlegend=True)
    figure.update_yaxes(rangemode="tozero")
    return figure


def probe_trials(trials: Sequence[Mapping[str, float]], strength: float) -> go.Figure:
    """Draw the accuracy of a probe by regularisation strength; the chosen one is marked."""
    figure = go.Figure()
    x = [trial["strength"] for trial in trials]
    for partition, dash in (("training", "solid"), ("validation", "dash")):
        y = [100 * trial[f"{partition}_accuracy"] for trial in trials]
        figure.add_scatter(name=partition, x=x, y=y, mode="lines+markers", line={"dash": dash, "width": 3})
    figure.add_vline(strength, line={"color": theme().ink, "dash": "dot", "width": 1})
    figure.update_layout(title="Accuracy by regularisation strength of the last layer", yaxis_title="accuracy (%)")
    figure.update_xaxes(
        type="log",
        dtick=1,
        exponentformat="power",
        title="C, the inverse of the regularisation strength (dotted line: chosen)",
    )
    figure.update_yaxes(range=[0, 102])
    return figure


def curves(
    history: Sequence[Mapping[str, Any]], batches: Sequence[Mapping[str, Any]], epochs: int, *, key: str
) -> None:
    """Show loss and accuracy side by side; `epochs` is the number of epochs in the settings."""
    place = st.grid(2, min_column_width=300)
    for what in ("loss", "accuracy"):
        with place.cell():
            alt = f"{what.capitalize()} per epoch on the training and validation images"
            show(learning_curves(history, batches, what, epochs), key=f"{key}-{what}", alt=alt, height=340)


def curves_of(run: Run, *, key: str, from_first_batch: bool = False) -> None:
    """Show the learning curves of a run after its first epoch, or after its first batch if `from_first_batch`."""
    history, batches = metrics_reader(str(run.folder)).read()
    if history or (from_first_batch and batches):
        curves(history, batches, run.config.epochs, key=key)


@st.cache_resource(show_spinner=False, max_entries=64)
def metrics_reader(folder: str) -> MetricsReader:
    """Return a reader that all sessions share, so that each line of a growing file is read once."""
    return MetricsReader(Path(folder) / METRICS)


def overlay(chosen: Sequence[Run]) -> None:
    """Show the validation curves of several runs, in an expander; a probe has none."""
    opened = st.expander(
        "Learning curves of several runs", icon=":material/stacked_line_chart:", key="overlay", on_change="rerun"
    )
    if not opened.open:
        return
    names = names_among(chosen, leave_out_shared=True)
    found = {names[run.id]: metrics_reader(str(run.folder)).read().epochs for run in chosen}
    histories = {name: epochs for name, epochs in found.items() if epochs}
    with opened:
        if len(histories) < 2:
            st.caption("Only fine-tuned networks have learning curves; fewer than two of these runs are fine-tuned.")
            return
        if shared := shared_training(chosen):
            st.caption(f"All runs: {escaped(shared)}.")
        place = st.grid(2, min_column_width=380)
        for what in ("accuracy", "loss"):
            with place.cell():
                alt = f"Validation {what} of {len(histories)} runs"
                show(validation_curves(histories, what), key=f"overlay-{what}", alt=alt, height=420)


def probe_figure(run: Run) -> None:
    """Show how the regularisation strength of a probe was chosen."""
    path = run.folder / "probe.json"
    if path.exists():
        found = read_json(path)
        figure = probe_trials(found["trials"], found["strength"])
        show(figure, key="probe", alt="Accuracy of the probe by regularisation strength")
