"""Change what is known of images, on record: class, exclusion, partition, box; undo and redo."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset, next_redo, next_undo, redo_edit, undo_edit
from cfu_core.dataset.grouping import group_edit, groups_from_pattern, suggest_patterns
from cfu_core.dataset.history import Edit
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.errors import CfuError
from cfu_core.imaging.cropping import Box
from cfu_core.wording import plural
from pages.components import charts
from pages.components.browser.tiles import select

WHO, NOTICE = "edit_who", "edit_notice"
WORDS = {
    "relabel": "class changed",
    "exclude": "excluded",
    "include": "brought back",
    "group": "groups set",
    "box": "colony box set",
    "partition": "partition set",
}


def apply_edit(data: Dataset, kind: str, changes: Mapping[str, Any], why: str = "") -> bool:
    """Write an edit into the log; says so on the next run. False where it was refused, with the reason shown."""
    try:
        edit_dataset(data.id, kind, changes, who=st.session_state.get(WHO, ""), why=why)
    except CfuError as error:
        st.session_state[NOTICE] = ("error", str(error))
        return False
    st.session_state[NOTICE] = ("done", f"{describe(kind, changes)}. You can undo it.")
    return True


def set_box(data: Dataset, path: str, box: Box | None) -> None:
    """Where the colony is, by hand; None goes back to the automatic box."""
    apply_edit(data, "box", {path: list(box) if box else None})


def describe(kind: str, changes: Mapping[str, Any]) -> str:
    """An edit in a few words."""
    count = plural(len(changes), "image")
    values = {str(value) for value in changes.values() if value is not None}
    if kind in ("relabel", "partition") and len(values) == 1:
        value = next(iter(values))
        return f"{count}: {'class' if kind == 'relabel' else 'partition'} {charts.SHORT.get(value, value).lower()}"
    return f"{count}: {WORDS[kind]}"


def notice() -> None:
    """What the last edit did."""
    kind, text = st.session_state.pop(NOTICE, ("", ""))
    if kind == "error":
        st.error(text, icon=":material/error:")
    elif kind:
        st.toast(text, icon=":material/check_circle:")


def toolbar(data: Dataset, chosen: Sequence[str], words: str, *, key: str, tiles_key: str) -> None:
    """What can be done to the images chosen in a grid; `words` say how many it holds.

    What comes and goes with the choice stands last, so that no button moves away from under the mouse.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        actions(data, chosen, key=key, done=lambda: select([], key=tiles_key))
        undo_buttons(data)
        st.markdown(f"**{len(chosen)} chosen** · {words}" if chosen else words, width="content")
        if chosen:
            st.button(
                "Let go", on_click=select, args=([],), kwargs={"key": tiles_key}, type="tertiary", key=f"{key}_go"
            )


def undo_buttons(data: Dataset) -> None:
    """Undo and redo, each saying what it would do."""
    log = data.edits
    for label, icon, edit, act in (
        ("Undo", ":material/undo:", next_undo(log), undo_edit),
        ("Redo", ":material/redo:", next_redo(log), redo_edit),
    ):
        st.button(
            label,
            icon=icon,
            key=f"edit_{label.lower()}",
            help=f"{label}: {describe(edit.kind, edit.changes)}" if edit else f"Nothing to {label.lower()}",
            disabled=not edit,
            on_click=_stepped,
            args=(data.id, act, label, edit),
        )


def _stepped(dataset: str, act: Any, label: str, edit: Edit) -> None:
    try:
        act(dataset, who=st.session_state.get(WHO, ""))
    except CfuError as error:
        st.session_state[NOTICE] = ("error", str(error))
    else:
        st.session_state[NOTICE] = ("done", f"{label}: {describe(edit.kind, edit.changes)}")


def actions(data: Dataset, paths: Sequence[str], *, key: str, done: Callable[[], None] = lambda: None) -> None:
    """Relabel, exclude or move these images; each asks for a reason, and keeps it. `done` is called after an edit."""

    def change(kind: str, changes: Mapping[str, Any], why: str) -> None:
        if apply_edit(data, kind, changes, why):
            done()
        st.rerun()

    with st.popover("Change class", icon=":material/label:", disabled=not paths):
        label = st.selectbox(
            "New class", data.classes, index=None, accept_new_options=True, key=f"{key}_label", placeholder="choose"
        )
        why = _note(f"{key}_label")
        if st.button("Change class", key=f"{key}_relabel", type="primary", disabled=not label):
            change("relabel", dict.fromkeys(paths, label), why)
    with st.popover("Exclude", icon=":material/visibility_off:", disabled=not paths):
        st.caption("Excluded images stay on disk. They are not shown, trained on or tested on, until brought back.")
        why = _note(f"{key}_exclude")
        if st.button("Exclude", key=f"{key}_exclude", type="primary"):
            change("exclude", dict.fromkeys(paths), why)
    with st.popover("Move", icon=":material/move_item:", disabled=not paths):
        part = st.selectbox("To the partition", PARTITIONS, key=f"{key}_part", format_func=lambda p: charts.SHORT[p])
        why = _note(f"{key}_part")
        if st.button("Move", key=f"{key}_move", type="primary"):
            change("partition", dict.fromkeys(paths, part), why)


def _note(key: str) -> str:
    """Who and why; the name is remembered for the visit."""
    with st.container(horizontal=True):
        st.text_input("Your name", st.session_state.get(WHO, ""), key=f"{key}_who", on_change=_remember, args=(key,))
        return st.text_input("Reason", key=f"{key}_why")


def _remember(key: str) -> None:
    st.session_state[WHO] = st.session_state[f"{key}_who"]


def history_panel(data: Dataset) -> None:
    """The log of edits, the images that are excluded, and groups from file names."""
    log = data.edits
    if log:
        st.caption(f"Version {data.version} of this dataset. Every run says which version it used.")
        when = st.column_config.DatetimeColumn(format="distance")
        st.dataframe(log_table(log)[::-1], hide_index=True, column_config={"When": when})
    else:
        st.caption("No image was changed since the import. Changes are kept here with who, when and why.")
    if len(data.excluded):
        paths = data.excluded["path"].tolist()
        one = st.selectbox(f"Excluded images ({len(paths)})", paths, key="excluded_path")
        with st.container(horizontal=True):
            for label, key, back in (("Bring it back", "include", [one]), ("Bring all back", "include_all", paths)):
                if st.button(label, key=key, icon=":material/undo:"):
                    apply_edit(data, "include", dict.fromkeys(back))
                    st.rerun()
    _groups(data)


def log_table(log: Sequence[Edit]) -> pd.DataFrame:
    """Edits, a row each: number, when, who, what, why."""
    return pd.DataFrame(
        {
            "No.": [e.number for e in log],
            "When": pd.to_datetime([e.when for e in log]),
            "Who": [e.who for e in log],
            "What": [words(e) for e in log],
            "Why": [e.why for e in log],
        }
    )


def words(edit: Edit) -> str:
    """What an edit did, with the first image it touched."""
    if edit.kind in ("undo", "redo"):
        return f"{edit.kind} of no. {edit.changes['edit']}"
    first = next(iter(edit.changes))
    return f"{describe(edit.kind, edit.changes)} ({first}{', …' if len(edit.changes) > 1 else ''})"


def _groups(data: Dataset) -> None:
    """Dish or donor from file names, tried live."""
    with st.expander("Groups (dish, donor) from file names", icon=":material/workspaces:"):
        st.caption(
            "Images of one dish or donor must never be parted by the split. Say where the group stands in the names: "
            "`{group}` for the group, `*` for anything, `#` for a number; or a regular expression with one group in "
            "parentheses. New groups make a new split: images may change partition."
        )
        paths = data.images["path"]
        pattern = st.text_input("Pattern", key="group_pattern", placeholder="{group}_*").strip()
        with st.container(horizontal=True, gap="xsmall"):
            for suggested in suggest_patterns(paths):
                st.button(suggested, key=f"pattern_{suggested}", on_click=_take_pattern, args=(suggested,))
        if not pattern:
            return
        try:
            groups = groups_from_pattern(paths, pattern)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
            return
        sizes = groups[groups != ""].value_counts()
        left = int((groups == "").sum())
        st.write(f"**{len(sizes)} groups**" + (f"; {left} images match nothing and stand alone." if left else "."))
        st.dataframe(pd.DataFrame({"Group": groups, "Image": paths}).head(200), hide_index=True, height=220)
        if st.button("Use these groups", key="group_go", type="primary", disabled=not len(sizes)):
            apply_edit(data, "group", group_edit(data, pattern), f"pattern {pattern}")
            st.rerun()


def _take_pattern(pattern: str) -> None:
    st.session_state["group_pattern"] = pattern
