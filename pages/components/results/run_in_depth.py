"""One run in depth: metrics, images, learning curves and calibration."""

import streamlit as st

from cfu_core.runs.run import Run
from cfu_core.wording import plural
from pages.components import job_progress, learning_curves, runs
from pages.components.dataset_choice import DRAWN
from pages.components.downloads import with_download
from pages.components.page_layout import in_tabs
from pages.components.results.bundles import show_bundle
from pages.components.results.images_of_a_cell import edits_of, show_images
from pages.components.results.metrics import against_the_rest, all_figures, class_figures, confidence
from pages.components.results.reports import figure_downloads


def learning(run: Run) -> None:
    """Show the learning curves, or how a probe was regularised."""
    learning_curves.curves_of(run, key="curves")
    learning_curves.probe_figure(run)


def show_run(run: Run) -> None:
    """Show one run in depth."""
    evaluation = run.evaluation()
    with st.container(horizontal=True, vertical_alignment="center"):
        job_progress.state_badge(run.status())
        st.badge(f"began with {run.plan.weights_label}", icon=":material/flag:", color="blue")
        st.badge(run.plan.dataset.name, icon=":material/database:", color="gray")
        if run.plan.dataset.drawn:
            st.badge(DRAWN, icon=":material/draw:", color="orange")
        length = "only the last layer" if run.mode == "probe" else plural(run.config.epochs, "epoch")
        edits_of(run)
        st.caption(f"{run.recipe.summary} · seed {run.config.seed} · {length}", width="stretch")
    if evaluation:
        place = st.grid(5, min_column_width=150)
        with place.cell(column_span=3):
            class_figures(evaluation)
        with place.cell(column_span=2):
            figure_downloads(run)
            with_download(
                run.predictions(), f"{run.id}-predictions", label="Predictions of every test image", show=False
            )
            show_bundle(run)
        show_images(run)
        views = {
            "Learning": learning,
            "All metrics, with intervals": all_figures,
            "Each class against the rest": against_the_rest,
            "Calibration": confidence,
        }
        in_tabs(views, run, key="depth")
    else:
        learning(run)
    runs.how_it_was_computed(run)
    st.caption(f":material/folder_open: `{run.folder}`")
