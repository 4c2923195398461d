"""The export of a run's network: a button that starts it, then the download."""

import streamlit as st

from cfu_core.runs.run import BUNDLE, Run
from pages.components.job_requests import job_button


def show_bundle(run: Run) -> None:
    """Show the download of a run's exported network, or the button that exports it."""
    path = run.folder / BUNDLE
    if not path.exists():
        job_button(
            "export",
            run.id,
            label="Export the network",
            icon=":material/deployed_code_update:",
            doing="Exporting the network with its preprocessing, and testing the export",
            help="Weights, ONNX, preprocessing, model card and a self-test in one zip, for use without this dashboard. "
            "The export takes some seconds, once. It contains up to 20 of the test images.",
        )
        return
    st.download_button(
        f"Download the network ({path.stat().st_size / 1e6:,.0f} MB)",
        path.read_bytes,
        f"bundle-{run.id}.zip",
        "application/zip",
        icon=":material/deployed_code:",
        key=f"bundle-{run.id}",
        on_click="ignore",
        help="Weights, ONNX, preprocessing, model card and a self-test. Its `README.md` explains how to use it. When "
        "it was exported, it gave the same probabilities as the dashboard.",
    )
