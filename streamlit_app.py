"""The router: page configuration and the menu, nothing else."""

import streamlit as st

from pages.components.dataset_choice import dataset_sidebar
from pages.components.server.garbage_collection import freeze_imported_modules

st.set_page_config(page_icon="pages/components/icon.png", layout="wide")
st.logo("pages/components/logo.svg", size="large")

# No headings in the menu: Streamlit's break the list in two for a screen reader, and five entries need none.
page = st.navigation(
    [
        st.Page(f"pages/{path}.py", title=title, icon=f":material/{icon}:", help=text)
        for path, title, icon, text in (
            ("start/overview", "Overview", "home", "The workflow, and the ways to the demo or your images."),
            ("data/explore", "Explore", "grid_view", "Every image, what is wrong with it, and corrections on record."),
            ("data/preprocess", "Preprocess", "tune", "Crop and contrast, live; what-if, other methods, augmentation."),
            ("model/train", "Train", "model_training", "Choose a network, start, watch and stop."),
            ("model/results", "Results", "monitoring", "Tables, confusion matrices and learning curves."),
        )
    ]
)
st.set_page_config(page_title=f"{page.title} · CFU Workbench")
dataset_sidebar(page.url_path)
page.run()
freeze_imported_modules()
