"""The workflow, what is loaded, and the ways in."""

from contextlib import suppress

import streamlit as st

from cfu_core.dataset.catalog import list_datasets, rename_dataset
from cfu_core.errors import CfuError
from cfu_core.jobs.launch import remove_dataset
from cfu_core.runs.run_store import list_runs
from cfu_core.storage import home
from cfu_core.wording import plural
from pages.components import cached, charts, job_progress
from pages.components.dataset_choice import DRAWN
from pages.components.page_layout import header, icon_button, icon_popover
from pages.components.start.importer import data_progress, demo_button, import_form
from pages.components.start.workflow import workflow


@st.dialog("Delete this dataset?")
def confirm_delete(identifier: str, name: str) -> None:
    st.write(f"**{name}** and its stored copies of the images will be removed. Your own files are not touched.")
    if st.button("Delete", type="primary", icon=":material/delete:"):
        try:
            remove_dataset(identifier)
        except CfuError as error:
            st.error(str(error))
            return
        st.rerun()


header(
    "CFU Workbench",
    "Explore images of hematopoietic colonies, try preprocessing live, train convolutional networks on them, "
    "and read results that a reviewer would trust. After Zamani et al. 2023.",
)
workflow()
data_progress()

summaries = list_datasets()
place = st.grid(2, min_column_width=380, gap="large")
left, right = place.cell(), place.cell()
with left:
    st.header("Start with the demo" if not summaries else "Your datasets", anchor=False)
    if not summaries:
        st.write(
            "728 images of CFU-E, CFU-GM and CFU-PreB colonies in the numbers of the paper. "
            f"Labelled photographs of colonies are not public, so these are **{DRAWN}**."
        )
    for summary in summaries:
        with st.container(border=True):
            if summary.damaged:
                st.error(summary.damaged, icon=":material/error:")
                continue
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{summary.name}**", width="stretch")
                if summary.drawn:
                    st.badge(DRAWN, icon=":material/draw:", color="orange")
                st.page_link(
                    "pages/data/explore.py",
                    label="Explore",
                    icon=":material/arrow_forward:",
                    query_params={"dataset": summary.id},
                )
                with icon_popover(f"Rename {summary.name}", icon=":material/edit:", key=f"edit-{summary.id}"):
                    name = st.text_input("Name", summary.name, key=f"rename-{summary.id}")
                    if st.button("Save", key=f"save-{summary.id}", disabled=not name.strip()):
                        rename_dataset(summary.id, name.strip())
                        st.rerun()
                if icon_button(f"Delete {summary.name}", icon=":material/delete:", key=f"delete-{summary.id}"):
                    confirm_delete(summary.id, summary.name)
            if summary.id == st.session_state.get("dataset"):
                st.caption(f"{plural(summary.n_images, 'image')}; shown on all pages")
                charts.show(
                    charts.class_bars(summary.counts),
                    key="classes",
                    alt="Images of each class",
                    height=24 + 34 * len(summary.counts),
                )
            else:
                counts = " · ".join(f"{name} {n}" for name, n in summary.counts.items())
                st.caption(f"{plural(summary.n_images, 'image')}: {counts}")
            if summary.n_import_issues:
                left_out = plural(summary.n_import_issues, "file was", "files were")
                st.page_link(
                    "pages/data/explore.py",
                    label=f"{left_out} left out: see why on Explore",
                    icon=":material/warning:",
                    query_params={"dataset": summary.id, "explore_panel": "History"},
                )
    if not any(summary.drawn for summary in summaries):
        demo_button(primary=not summaries)
with right:
    st.header("Use your own images", anchor=False)
    with st.container(border=True):
        import_form()
    with st.expander("How should the folder look?", icon=":material/folder:"):
        st.code("my_images/\n  CFU-E/\n    001.jpg\n    002.tif\n  CFU-GM/\n    …", language=None)
        st.write(
            "One subfolder per class; JPEG, PNG, BMP or TIFF. With a `manifest.csv` (columns path, label, group) "
            "beside them, images of one group, such as a dish or a donor, are never split between training and test."
        )

runs = list_runs()
training = job_progress.active("device")
with st.container(border=True, horizontal=True, gap="large"):
    st.metric("Datasets", len(summaries))
    st.metric("Runs", len(runs))
    st.metric("Training now or waiting", len(training))
st.caption(f":material/folder_open: Everything is kept in `{home()}` (set `CFU_HOME` to choose another folder).")
if chosen := st.session_state.get("dataset"):
    with suppress(CfuError):  # the next page says what is wrong with it
        cached.dataset(chosen)  # while the front page is read: opening a large dataset takes a moment
