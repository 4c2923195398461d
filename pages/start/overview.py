"""The Overview page: workflow, datasets, demo and import."""

from contextlib import suppress

import streamlit as st

from cfu_core.dataset.catalog import list_datasets, rename_dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.headers import FORMATS
from cfu_core.runs.run_store import list_runs
from cfu_core.storage import home
from cfu_core.wording import plural
from pages.components import cached, charts, job_progress
from pages.components.dataset_choice import DRAWN
from pages.components.missing_dataset import missing_dataset
from pages.components.page_layout import escaped, header, icon_button, icon_popover, succeeded
from pages.components.start.deleted_datasets import confirm_delete, deleted_datasets
from pages.components.start.importer import data_progress, demo_button, import_form
from pages.components.start.workflow import workflow

header(
    "CFU Workbench",
    "Explore images of hematopoietic colonies, preview preprocessing, train convolutional networks on them, and "
    "evaluate the results. After Zamani et al. 2023.",
)
missing_dataset()
workflow()
data_progress()

summaries = list_datasets()
place = st.grid(2, min_column_width=380, gap="large")
left, right = place.cell(), place.cell()
with left:
    st.header("Start with the demo" if not summaries else "Your datasets", anchor=False)
    if not summaries:
        st.write(
            "728 images of CFU-E, CFU-GM and CFU-PreB colonies, with the class sizes of the paper. "
            f"Labelled photographs of colonies are not public, so these are **{DRAWN}**."
        )
    for summary in summaries:
        with st.container(border=True):
            if summary.damaged:
                st.error(summary.damaged, icon=":material/error:")
                continue
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{escaped(summary.name)}**", width="stretch")
                if summary.drawn:
                    st.badge(DRAWN, icon=":material/draw:", color="orange")
                st.page_link(
                    "pages/data/explore.py",
                    label="Explore",
                    icon=":material/arrow_forward:",
                    query_params={"dataset": summary.id},
                )
                with icon_popover(f"Rename {escaped(summary.name)}", icon=":material/edit:", key=f"edit-{summary.id}"):
                    name = st.text_input("Name", summary.name, key=f"rename-{summary.id}")
                    save = st.button("Save", key=f"save-{summary.id}", disabled=not name.strip())
                    if save and succeeded(rename_dataset, summary.id, name.strip()):
                        st.rerun()
                if icon_button(f"Delete {escaped(summary.name)}", icon=":material/delete:", key=f"delete-{summary.id}"):
                    confirm_delete(summary.id, summary.name)
            without = f"{summary.unlabelled:,} without a class" if summary.unlabelled else ""
            if summary.id == st.session_state.get("dataset") and summary.counts:
                size = ", ".join(filter(None, [plural(summary.n_images, "image"), without]))
                st.caption(f"{size}; shown on all pages")
                charts.show(
                    charts.class_bars(summary.counts),
                    key="classes",
                    alt="Number of images per class",
                    height=24 + 34 * len(summary.counts),
                )
            else:
                counts = [f"{escaped(name)} {n}" for name, n in summary.counts.items()]
                listed = " · ".join(filter(None, [*counts, without]))
                st.caption(f"{plural(summary.n_images, 'image')}: {listed}")
            if summary.n_import_issues:
                remarks = plural(summary.n_import_issues, "remark")
                st.page_link(
                    "pages/data/explore.py",
                    label=f"{remarks} of the import: what it left out or assumed",
                    icon=":material/warning:",
                    query_params={"dataset": summary.id, "explore_panel": "Audit"},
                )
    if not any(summary.drawn for summary in summaries):
        demo_button(primary=not summaries)
    deleted_datasets()
with right:
    st.header("Use your own images", anchor=False)
    with st.container(border=True):
        import_form()
    with st.expander("Structure of the folder", icon=":material/folder:"):
        st.code("my_images/\n  CFU-E/\n    001.jpg\n    002.tif\n  CFU-GM/\n    …", language=None)
        st.write(
            f"One subfolder per class, with images in {FORMATS}. More levels are possible, such as "
            "`train/CFU-E` or `donor 3/CFU-GM`: before the import you see what each level is taken for, and can change "
            "it. An optional `manifest.csv` (columns path, label, group, partition) in the folder can give the class "
            "of each image, its dish or donor, and its partition. Images of one dish or donor are never divided "
            "between training and test."
        )

runs = list_runs()
training = job_progress.active("device")
with st.container(border=True, horizontal=True, gap="large"):
    st.metric("Datasets", len(summaries))
    st.metric("Runs", len(runs))
    st.metric("Training now or waiting", len(training))
st.caption(f":material/folder_open: All data are stored in `{home()}`. Set `CFU_HOME` to use another folder.")
if chosen := st.session_state.get("dataset"):
    with suppress(CfuError):  # the next page shows the error
        cached.dataset(chosen)  # read in advance, because opening a large dataset takes a moment
