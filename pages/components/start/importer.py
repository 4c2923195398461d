"""The ways in: the demo, an upload, a path on the computer that runs the dashboard; and the progress of either."""

from pathlib import Path

import streamlit as st

from cfu_core.dataset.importing.uploads import stage_upload
from cfu_core.errors import CfuError
from cfu_core.imaging.reading import EXTENSIONS
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from pages.components import job_progress

WATCHED = "data_job"  # the job whose result this session opens


def watch(job: Job) -> None:
    """Show this job until it ends, then open what it made."""
    st.session_state[WATCHED] = str(job.folder)


def demo_button(*, label: str = "Draw the demo dataset", primary: bool = True) -> None:
    """One click to 728 drawn images."""
    if st.button(label, icon=":material/draw:", type="primary" if primary else "secondary", key="demo_button"):
        running = [job for job in job_progress.active("data") if job.kind == "demo"]
        watch(running[0] if running else submit("demo", {"seed": 0}))
        st.rerun()


def import_form() -> None:
    """A zip, a folder or a path; a name; one button."""
    way = st.segmented_control(
        "Where are your images?", ["Zip", "Folder", "Path"], default="Zip", required=True, key="import_way"
    )
    name = st.text_input("Name of the dataset", key="import_name", placeholder="taken from the file or folder")
    if way == "Path":
        path = st.text_input(
            "Folder, zip or CSV on the computer that runs the dashboard",
            key="import_path",
            help="A folder with a subfolder per class, a zip of one, or a CSV with the columns path, label, group.",
        )
        if st.button("Import", type="primary", icon=":material/download:", key="import_go", disabled=not path):
            source = Path(path).expanduser()
            watch(submit("import", {"source": str(source.absolute()), "name": name.strip() or None}))
            st.rerun()
        return
    if way == "Zip":
        one = st.file_uploader("Zip with a folder per class", type="zip", key="import_zip", max_upload_size=2000)
        files = [one] if one else []
    else:
        types = [extension.lstrip(".") for extension in sorted(EXTENSIONS)] + ["csv"]
        files = st.file_uploader(
            "Folder with a subfolder per class", type=types, accept_multiple_files="directory", key="import_folder"
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
    st.rerun()


def data_progress() -> None:
    """Imports under way, this session's and others'; nothing polls when nothing runs."""
    watched = st.session_state.get(WATCHED)
    if job_progress.active("data") or watched:
        _poll()
    notice = st.session_state.pop("import_notice", None)
    if notice:
        st.success(notice, icon=":material/check_circle:")


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
    """When the watched job has ended: open its dataset, or say why there is none."""
    status = job.status()
    if status.state is State.FINISHED:
        del st.session_state[WATCHED]
        st.session_state["open_dataset"] = status.details["dataset"]
        st.session_state["import_notice"] = "The dataset is ready. Have a look at it on the Explore page."
        st.rerun()
    elif status.state.ended:
        st.error(status.message, icon=":material/error:")
        if st.button("Dismiss", key="dismiss_import"):
            del st.session_state[WATCHED]
            st.rerun()
