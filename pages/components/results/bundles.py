"""A run's network to take along: asked for by a button, then its file."""

import streamlit as st

from cfu_core.runs.run import BUNDLE, Run
from pages.components.job_requests import ask_for


def show_bundle(run: Run) -> None:
    """The bundle of a finished run, once it was made; before that, the way to it."""
    path = run.folder / BUNDLE
    if not path.exists():
        ask_for(
            "export",
            run.id,
            label="Export the network",
            icon=":material/deployed_code_update:",
            doing="The network with its preprocessing, for other computers; it is checked before it is handed out",
            help="Weights, ONNX, preprocessing, model card and a self-test in one zip, for use without this dashboard. "
            "It takes some seconds, once. It holds up to 20 of the test images.",
        )
        return
    st.download_button(
        f"The network, to use elsewhere ({path.stat().st_size / 1e6:,.0f} MB)",
        path.read_bytes,
        f"bundle-{run.id}.zip",
        "application/zip",
        icon=":material/deployed_code:",
        key=f"bundle-{run.id}",
        on_click="ignore",
        help="Weights, ONNX, preprocessing, model card and a self-test. `README.md` in it says how to use it. It gave "
        "the dashboard's probabilities when it was made.",
    )
