"""The selected dataset if it does not exist: what happened to it, its restoration, and the choice of another one."""

import streamlit as st

from cfu_core.dataset.bin import DeletedDataset, find_deleted, restore_dataset
from cfu_core.dataset.catalog import is_saved, list_datasets
from cfu_core.dataset.dataset import is_safe_id
from cfu_core.errors import CfuError
from pages.components.address import PAGE
from pages.components.page_layout import escaped

MISSING = "dataset_missing"  # session-state key: the selected dataset, if it does not exist
_REFUSED = "restoration_refused"  # session-state key: why a dataset could not be restored


def restore(deleted: DeletedDataset) -> str:
    """Restore a deleted dataset and select it; return why it could not be restored, or ``""``; for callbacks."""
    try:
        _open(restore_dataset(deleted.entry))
    except CfuError as error:
        return str(error)
    return ""


def describe_deletion(deleted: DeletedDataset) -> str:
    """Return a sentence in Markdown that says when and by whom a dataset was deleted, and how long it is kept."""
    who = f" by {escaped(deleted.who)}" if deleted.who else ""
    return (
        f"**{escaped(deleted.name)}** was deleted on {deleted.when:%Y-%m-%d %H:%M} UTC{who}. "
        f"It is kept until {deleted.kept_until:%Y-%m-%d}."
    )


def missing_dataset() -> str | None:
    """Say which dataset does not exist, offer to restore it or to choose another one, and return its identifier.

    Return None, and show nothing, if the selected dataset exists or none is selected.
    """
    missing = st.session_state.get(MISSING)
    if not missing:
        return None
    summaries = list_datasets()
    deleted = find_deleted(missing) if is_safe_id(missing) else None
    damaged = next((summary.damaged for summary in summaries if summary.id == missing), "")
    with st.container(border=True):
        st.header("This dataset was deleted" if deleted else "This dataset cannot be shown", anchor=False)
        if refused := st.session_state.pop(_REFUSED, ""):
            st.error(refused, icon=":material/error:")
        if deleted:
            st.write(describe_deletion(deleted))
            st.button(
                "Restore",
                icon=":material/restore_from_trash:",
                key="restore_missing",
                on_click=_restore,
                args=(deleted,),
            )
        elif damaged:
            st.write(escaped(damaged))
        elif is_safe_id(missing):
            st.write(
                f"There is no dataset with the identifier {escaped(missing)}. It was deleted, or the link is wrong."
            )
        else:
            st.write("The address names a dataset that cannot exist.")
        intact = [summary for summary in summaries if not summary.damaged]
        if intact:
            st.write("Choose another dataset:")
            with st.container(horizontal=True):
                for summary in intact:
                    st.button(escaped(summary.name), key=f"open-{summary.id}", on_click=_open, args=(summary.id,))
        elif st.session_state[PAGE]:  # empty for the overview itself
            st.page_link("pages/start/overview.py", label="Go to the overview", icon=":material/home:")
    return missing


def deleted_notice(identifier: str) -> None:
    """Say that the dataset of a run is in the bin, if it is and the page has not said so."""
    if identifier == st.session_state.get(MISSING) or is_saved(identifier):
        return
    if deleted := find_deleted(identifier):
        st.info(
            f"The dataset of this run: {describe_deletion(deleted)} It can be restored on the Overview page.",
            icon=":material/delete:",
        )


def _restore(deleted: DeletedDataset) -> None:
    st.session_state[_REFUSED] = restore(deleted)


def _open(identifier: str) -> None:
    st.session_state["open_dataset"] = identifier
