"""The demo dataset and the import of images, with their progress."""

from pathlib import Path

import streamlit as st

from cfu_core.dataset.importing.uploads import stage_upload
from cfu_core.errors import CfuError
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from pages.components import job_progress
from pages.components.page_layout import escaped

WATCHED = "data_job"  # session-state key: folder of the job whose dataset this session opens
FORM = "import_form_number"  # session-state key: a new number creates new, empty widgets


def watch(job: Job) -> None:
    """Show the progress of a job, and open its dataset when it has finished."""
    st.session_state[WATCHED] = str(job.folder)


def demo_button(*, label: str = "Draw the demo dataset", primary: bool = True) -> None:
    """Show a button that draws the demo dataset; it is disabled while a job draws it."""
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
    """Show the form that imports a zip, a folder or a path; the form is emptied afterwards."""
    way = st.segmented_control(
        "Where are your images?", ["Zip", "Folder", "Path"], default="Zip", required=True, key="import_way"
    )
    form = st.session_state.setdefault(FORM, 0)
    name = st.text_input("Name of the dataset", key=f"import_name_{form}", placeholder="Name of the file or folder")
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
        files = st.file_uploader(  # of any type: the browser would drop other files without a message
            "Folder with a subfolder per class",
            accept_multiple_files="directory",
            key=f"import_folder_{form}",
        )
    if st.button("Import", type="primary", icon=":material/download:", key="import_go", disabled=not files):
        _submit_upload(files, name.strip())


def _submit_upload(files: list, name: str) -> None:
    """Store uploaded files and submit their import."""
    title = name or Path(files[0].name.replace("\\", "/")).parts[0].removesuffix(".zip")
    try:
        staged = stage_upload([(file.name, file) for file in files], name=title)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    watch(submit("import", {"source": str(staged), "name": title, "uploaded": True}))
    _clear_form()


def _clear_form() -> None:
    """Empty the form and rerun the page."""
    st.session_state[FORM] += 1
    st.rerun()


def data_progress() -> None:
    """Show the progress of the imports of all sessions; poll only while there are any."""
    watched = st.session_state.get(WATCHED)
    if job_progress.active("data") or watched:
        _poll()
    notice = st.session_state.pop("import_notice", None)
    if notice:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(notice, icon=":material/check_circle:")
            st.page_link("pages/data/explore.py", label="Open on Explore", icon=":material/grid_view:")


@st.fragment(run_every=0.5)
def _poll() -> None:
    """Show the progress of the jobs, and buttons that cancel them."""
    for job in job_progress.active("data"):
        with st.container(border=True):
            st.write(
                "**Demo dataset**"
                if job.kind == "demo"
                else f"**Import of {escaped(job.spec['name'] or job.spec['source'])}**"
            )
            job_progress.progress(job.status())
            if st.button("Cancel", key=f"cancel-{job.id}", icon=":material/close:"):
                job.request_stop()
    watched = st.session_state.get(WATCHED)
    if watched:
        _finish(Job(Path(watched)))
    elif not job_progress.active("data"):
        st.rerun()


def _finish(job: Job) -> None:
    """Open the dataset of the watched job when it has finished, or show why it failed."""
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
