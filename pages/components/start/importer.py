"""The demo dataset and the import of images, with their progress."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from cfu_core.dataset.importing.uploads import discard_upload, stage_upload
from cfu_core.errors import CfuError
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from pages.components import job_progress
from pages.components.edit_lock import shared_value
from pages.components.page_layout import escaped
from pages.components.start.source_preview import previewed

WATCHED = "data_job"  # session-state key: folder of the job whose dataset this session opens


@dataclass
class _Form:
    """The state of the import form in a session.

    It is one object because Streamlit may stop a run at any access to the session state: an import is submitted and its
    form emptied without such an access in between, so that it is neither lost nor submitted twice.

    Attributes
    ----------
    number : int
        A new number creates new, empty widgets.
    staged : (list of str, Path) or None
        Identifiers of the uploaded files, and the path where they are stored.
    """

    number: int = 0
    staged: tuple[list[str], Path] | None = None


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
    state = shared_value("import_form", _Form)
    form = state.number
    source, title = _path_source(form) if way == "Path" else _uploaded_source(state, folder=way == "Folder")
    name = st.text_input("Name of the dataset", key=f"import_name_{form}", placeholder=title)
    chosen = previewed(source, key=f"import_{form}", stored=way != "Path") if source is not None else None
    if st.button("Import", type="primary", icon=":material/download:", key="import_go", disabled=chosen is None):
        assert source is not None
        assert chosen is not None
        layout, zip_names = chosen
        spec: dict[str, Any] = {"source": str(source), "layout": asdict(layout), "zip_names": zip_names}
        if way == "Path":
            spec |= {"name": name.strip() or None}
        else:
            spec |= {"name": name.strip() or title, "uploaded": True}
        job = submit("import", spec)
        state.number = form + 1
        if way != "Path":
            state.staged = None  # the job removes the upload
        watch(job)
        st.rerun()


def _path_source(form: int) -> tuple[Path | None, str]:
    """Return the path that was entered, and the placeholder of the name."""
    path = st.text_input(
        "Folder, zip or CSV on the computer that runs the dashboard",
        key=f"import_path_{form}",
        help="A folder with a subfolder per class, a zip of one, or a CSV with the columns path, label, group.",
    )
    return Path(path.strip()).expanduser().absolute() if path.strip() else None, "Name of the file or folder"


def _uploaded_source(state: _Form, *, folder: bool) -> tuple[Path | None, str]:
    """Return the path where the uploaded files are stored, and the name of the zip or folder."""
    if folder:
        files = st.file_uploader(  # of any type: the browser would drop other files without a message
            "Folder with a subfolder per class", accept_multiple_files="directory", key=f"import_folder_{state.number}"
        )
    else:
        one = st.file_uploader(
            "Zip with a folder per class", type="zip", key=f"import_zip_{state.number}", max_upload_size=2000
        )
        files = [one] if one else []
    if not files:
        _discard_staged(state)
        return None, "Name of the file or folder"
    title = Path(files[0].name.replace("\\", "/")).parts[0].removesuffix(".zip")
    return _staged(state, files, title), title


def _staged(state: _Form, files: list, title: str) -> Path | None:
    """Store uploaded files once, so that they can be listed and imported; None if they cannot be used."""
    identity = [file.file_id for file in files]
    if state.staged and state.staged[0] == identity:
        return state.staged[1]
    _discard_staged(state)
    try:
        with st.spinner("Storing the upload …"):
            path = stage_upload([(file.name, file) for file in files], name=title)
            state.staged = (identity, path)  # at once: the run may be stopped at the end of the spinner
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return path


def _discard_staged(state: _Form) -> None:
    """Remove an upload that was not imported."""
    known, state.staged = state.staged, None
    if known:
        discard_upload(known[1])


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
