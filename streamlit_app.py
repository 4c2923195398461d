"""The entry point of the dashboard: page configuration and menu."""

import streamlit as st

from pages.components.dataset_choice import dataset_sidebar
from pages.components.server.garbage_collection import freeze_imported_modules

st.set_page_config(page_icon="pages/components/icon.png", layout="wide")
st.logo("pages/components/logo.svg", size="large")

# The menu has no section headings: for a screen reader they would split the list.
page = st.navigation(
    [
        st.Page(f"pages/{path}.py", title=title, icon=f":material/{icon}:", help=text)
        for path, title, icon, text in (
            ("start/overview", "Overview", "home", "The workflow, the demo dataset, and the import of your images."),
            ("data/explore", "Explore", "grid_view", "All images, their problems, and a log of corrections."),
            (
                "data/preprocess",
                "Preprocess",
                "tune",
                "Crop and contrast with a live preview; other methods; augmentation.",
            ),
            ("model/train", "Train", "model_training", "Choose a network, train it, and follow its progress."),
            ("model/results", "Results", "monitoring", "Tables, confusion matrices and learning curves."),
        )
    ]
)
st.set_page_config(page_title=f"{page.title} · CFU Workbench")
dataset_sidebar(page.url_path)
page.run()
freeze_imported_modules()
