"""The router: page configuration and the menu, nothing else."""

import streamlit as st

from pages.components.state import dataset_sidebar

st.set_page_config(page_title="CFU Workbench", page_icon="pages/components/icon.png", layout="wide")
st.logo("pages/components/logo.svg", size="large")

page = st.navigation(
    {
        section: [
            st.Page(f"pages/{path}.py", title=title, icon=f":material/{icon}:", help=text)
            for path, title, icon, text in pages
        ]
        for section, pages in {
            "Start": [("start/overview", "Overview", "home", "The workflow, and the ways to the demo or your images.")],
            "Data": [
                ("data/explore", "Explore", "grid_view", "Counts, the split, a gallery, and problems with files."),
                ("data/preprocess", "Preprocess", "tune", "Crop and CLAHE on one image, before and after."),
            ],
            "Model": [
                ("model/train", "Train", "model_training", "Choose a network, start, watch and stop."),
                ("model/results", "Results", "monitoring", "Tables, confusion matrices and learning curves."),
            ],
        }.items()
    }
)
dataset_sidebar(page.url_path)
page.run()
