"""The deletion of a dataset, and the list of deleted datasets."""

import streamlit as st

from cfu_core.dataset.bin import KEPT, DeletedDataset, delete_for_good, list_deleted
from cfu_core.errors import CfuError
from cfu_core.jobs.dataset_use import dataset_use
from cfu_core.jobs.launch import remove_dataset
from pages.components.dataset_choice import forget_dataset
from pages.components.editing import WHO
from pages.components.missing_dataset import describe_deletion, restore
from pages.components.page_layout import escaped, icon_popover

_NOTICE = "deletion_notice"  # session-state key: text, and whether it is an error


@st.dialog("Delete this dataset?")
def confirm_delete(identifier: str, name: str) -> None:
    """Say what depends on a dataset, and ask whether to delete it."""
    use = dataset_use(identifier)
    st.write(
        f"**{escaped(name)}** stays under *Deleted datasets* on this page for {KEPT.days} days and can be restored "
        "until then. Your original files are not changed."
    )
    for sentence in use.sentences:
        st.write(escaped(sentence))
    if use.active_runs:
        st.warning("Stop the waiting and running runs on the Train page first.", icon=":material/warning:")
    for_good = st.checkbox(
        "Delete it for good now, which frees its disk space", key="delete_for_good", disabled=bool(use.active_runs)
    )
    if st.button(
        "Delete",
        type="primary",
        icon=":material/delete:",
        key="delete_go",
        disabled=bool(use.active_runs),
        on_click=_delete,
        args=(identifier, name, for_good),
    ):
        st.rerun()


def _delete(identifier: str, name: str, for_good: bool) -> None:
    try:
        remove_dataset(identifier, who=st.session_state.get(WHO, ""), for_good=for_good)
    except CfuError as error:
        st.session_state[_NOTICE] = (str(error), True)
        return
    forget_dataset(identifier)
    st.session_state[_NOTICE] = (f"{escaped(name)} was deleted{' for good' if for_good else ''}.", False)


def deleted_datasets() -> None:
    """Show the notice of the last deletion, and the deleted datasets with buttons to restore or remove them."""
    text, failed = st.session_state.pop(_NOTICE, ("", False))
    if failed:
        st.error(text, icon=":material/error:")
    elif text:
        st.success(text, icon=":material/delete:")
    deleted = list_deleted()
    if not deleted:
        return
    with st.expander(f"Deleted datasets ({len(deleted):,})", icon=":material/delete:"):
        for each in deleted:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(describe_deletion(each), width="stretch")
                st.button(
                    "Restore",
                    key=f"restore-{each.entry}",
                    icon=":material/restore_from_trash:",
                    on_click=_restore,
                    args=(each,),
                )
                name = escaped(each.name)
                with icon_popover(f"Delete {name} for good", icon=":material/delete_forever:", key=each.entry):
                    st.write("This cannot be undone.")
                    st.button(
                        "Delete for good", key=f"remove-{each.entry}", type="primary", on_click=_remove, args=(each,)
                    )


def _restore(deleted: DeletedDataset) -> None:
    refused = restore(deleted)
    st.session_state[_NOTICE] = (refused or f"{escaped(deleted.name)} was restored.", bool(refused))


def _remove(deleted: DeletedDataset) -> None:
    try:
        delete_for_good(deleted.entry)
    except CfuError as error:
        st.session_state[_NOTICE] = (str(error), True)
    else:
        st.session_state[_NOTICE] = (f"{escaped(deleted.name)} was deleted for good.", False)
