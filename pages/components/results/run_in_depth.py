"""Details of one run: metrics, images, learning curves and calibration."""

import streamlit as st

from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import EARLIER_CROP
from cfu_core.wording import plural
from pages.components import job_progress, learning_curves, runs
from pages.components.dataset_choice import DRAWN
from pages.components.downloads import with_download
from pages.components.page_layout import escaped, in_tabs
from pages.components.results.bundles import show_bundle
from pages.components.results.images_of_a_cell import show_edits, show_images
from pages.components.results.metrics import (
    calibration,
    class_metrics,
    one_vs_rest_curves,
    show_unlike_test_images,
    summary_metrics,
)
from pages.components.results.reports import plots_download


def show_learning(run: Run) -> None:
    """Show the learning curves, or the choice of a probe's regularisation strength."""
    learning_curves.curves_of(run, key="curves")
    learning_curves.probe_figure(run)


def show_run(run: Run) -> None:
    """Show the details of one run."""
    evaluation = run.evaluation()
    with st.container(horizontal=True, vertical_alignment="center"):
        job_progress.state_badge(run.status())
        st.badge(f"started from {escaped(run.plan.weights_label)}", icon=":material/flag:", color="blue")
        st.badge(escaped(run.plan.dataset.name), icon=":material/database:", color="gray")
        if run.plan.dataset.drawn:
            st.badge(DRAWN, icon=":material/draw:", color="orange")
        length = "only the last layer" if run.mode == "probe" else plural(run.config.epochs, "epoch")
        show_edits(run)
        st.caption(f"{run.recipe.summary} · seed {run.config.seed} · {length}", width="stretch")
    if run.plan.earlier_crop:
        st.info(EARLIER_CROP, icon=":material/crop:")
    if evaluation:
        place = st.grid(5, min_column_width=150)
        with place.cell(column_span=3):
            class_metrics(evaluation)
            show_unlike_test_images(run)
        with place.cell(column_span=2):
            plots_download(run)
            with_download(
                run.predictions(), f"{run.id}-predictions", label="Predictions of all test images", show=False
            )
            show_bundle(run)
        show_images(run)
        views = {
            "Learning curves": show_learning,
            "All metrics": summary_metrics,
            "ROC and precision-recall": one_vs_rest_curves,
            "Calibration": calibration,
        }
        in_tabs(views, run, key="depth")
    else:
        show_learning(run)
    runs.computation_details(run)
    st.caption(f":material/folder_open: `{run.folder}`")
