"""Draw the demo dataset or import images, and show the progress."""

from pathlib import Path

import streamlit as st

from cfu_core.dataset.importing.uploads import stage_upload
from cfu_core.errors import CfuError
from cfu_core.imaging.reading import EXTENSIONS
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from pages.components import job_progress

WATCHED = "data_job"  # the job whose result this session opens
FORM = "import_form_number"  # a new number gives the form new, empty widgets


def watch(job: Job) -> None:
    """Show a job until it ends, then open the dataset that it made."""
    st.session_state[WATCHED] = str(job.folder)


def demo_button(*, label: str = "Draw the demo dataset", primary: bool = True) -> None:
    """Show a button that draws the demo dataset; it is disabled while that is under way."""
    drawing = any(job.kind == "demo" for job in job_progress.active("data"))
    if st.button(
        label,
        icon=":material/draw:",
        type="primary" if primary else "secondary",
        key="demo_button",
        disabled=drawing,
    ):
        watch(submit("demo", {"seed": 0}))
        st.rerun()


def import_form() -> None:
    """Choose a zip, a folder or a path, name the dataset, and import it; the form is empty again afterwards."""
    way = st.segmented_control(
        "Where are your images?", ["Zip", "Folder", "Path"], default="Zip", required=True, key="import_way"
    )
    form = st.session_state.setdefault(FORM, 0)
    name = st.text_input("Name of the dataset", key=f"import_name_{form}", placeholder="taken from the file or folder")
    if way == "Path":
        path = st.text_input(
            "Folder, zip or CSV on the computer that runs the dashboard",
            key=f"import_path_{form}",
            help="A folder with a subfolder per class, a zip of one, or a CSV with the columns path, label, group.",
        )
        if st.button("Import", type="primary", icon=":material/download:", key="import_go", disabled=not path):
            source = Path(path).expanduser()
            watch(submit("import", {"source": str(source.absolute()), "name": name.strip() or None}))
            _clear_form()
        return
    if way == "Zip":
        one = st.file_uploader(
            "Zip with a folder per class", type="zip", key=f"import_zip_{form}", max_upload_size=2000
        )
        files = [one] if one else []
    else:
        types = [extension.lstrip(".") for extension in sorted(EXTENSIONS)] + ["csv"]
        files = st.file_uploader(
            "Folder with a subfolder per class",
            type=types,
            accept_multiple_files="directory",
            key=f"import_folder_{form}",
        )
    if st.button("Import", type="primary", icon=":material/download:", key="import_go", disabled=not files):
        _submit_upload(files, name.strip())


def _submit_upload(files: list, name: str) -> None:
    title = name or Path(files[0].name.replace("\\", "/")).parts[0].removesuffix(".zip")
    try:
        staged = stage_upload([(file.name, file) for file in files], name=title)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    watch(submit("import", {"source": str(staged), "name": title, "uploaded": True}))
    _clear_form()


def _clear_form() -> None:
    st.session_state[FORM] += 1
    st.rerun()


def data_progress() -> None:
    """Show the imports under way, of this session and of others; nothing polls when nothing runs."""
    watched = st.session_state.get(WATCHED)
    if job_progress.active("data") or watched:
        _poll()
    notice = st.session_state.pop("import_notice", None)
    if notice:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(notice, icon=":material/check_circle:")
            st.page_link("pages/data/explore.py", label="Open it on Explore", icon=":material/grid_view:")


@st.fragment(run_every=0.5)
def _poll() -> None:
    for job in job_progress.active("data"):
        with st.container(border=True):
            st.write(
                "**Demo dataset**" if job.kind == "demo" else f"**Import of {job.spec['name'] or job.spec['source']}**"
            )
            job_progress.progress(job.status())
            if st.button("Cancel", key=f"cancel-{job.id}", icon=":material/close:"):
                job.request_stop()
    watched = st.session_state.get(WATCHED)
    if watched:
        _settle(Job(Path(watched)))
    elif not job_progress.active("data"):
        st.rerun()


def _settle(job: Job) -> None:
    """Open the dataset of the watched job when it has ended, or show why there is none."""
    status = job.status()
    if status.state is State.FINISHED:
        del st.session_state[WATCHED]
        st.session_state["open_dataset"] = status.details["dataset"]
        st.session_state["import_notice"] = "The dataset is ready."
        st.rerun()
    elif status.state.ended:
        st.error(status.message, icon=":material/error:")
        if st.button("Dismiss", key="dismiss_import"):
            del st.session_state[WATCHED]
            st.rerun()
