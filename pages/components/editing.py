"""Edits of a dataset: class, exclusion, partition and colony box of images, with a log, undo and redo."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from cfu_core.dataset.audit.divided_groups import rest_of_groups
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edit_description import describe_changes, describe_edit
from cfu_core.dataset.edits import edit_dataset, next_redo, next_undo, redo_edit, undo_edit
from cfu_core.dataset.grouping import group_edit, groups_from_pattern, suggest_patterns
from cfu_core.dataset.history import Edit
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.errors import CfuError
from cfu_core.imaging.cropping import Box
from cfu_core.wording import listed, plural
from pages.components import cached, charts
from pages.components.browser.tiles import select
from pages.components.dataset_choice import split_seed
from pages.components.edit_lock import edit_lock, shared_value
from pages.components.page_layout import escaped

WHO = "edit_who"
MOST_GROUPS = 5  # named in the warning before a move


def apply_edit(data: Dataset, kind: str, changes: Mapping[str, Any], why: str = "") -> bool:
    """Add an edit to the log and return whether that succeeded; the next run shows a message either way."""
    who = st.session_state.get(WHO, "")

    def edit() -> str:
        edit_dataset(data.id, kind, changes, who=who, why=why)
        return f"{describe_changes(kind, changes)}. You can undo it."

    return _save(edit)


def label_images(data: Dataset, labels: Mapping[str, str], classes: Collection[str]) -> bool:
    """Give images their classes, by path, as one edit, and return whether that succeeded.

    A class that is neither in the dataset nor in `classes`, those of the keys, is refused: the user may have removed it
    since. The next run shows a message either way.
    """
    messages = _messages()
    allowed = {*data.classes, *classes}
    known = {path: label for path, label in labels.items() if label in allowed}
    saved = bool(known) and apply_edit(data, "relabel", known, "by key")
    if len(known) < len(labels):
        names = listed(sorted({f"“{escaped(label)}”" for label in labels.values() if label not in allowed}))
        found = f"{plural(len(labels) - len(known), 'image was', 'images were')} not labelled {names}."
        text = f"{found} Expected one of the classes of the keys. Add the class to the keys and label again."
        messages.append(("error", text))
    return saved


def set_box(data: Dataset, path: str, box: Box | None) -> None:
    """Set the colony box of an image by hand; None resets it to the automatic box."""
    apply_edit(data, "box", {path: list(box) if box else None})


def show_message() -> None:
    """Show what the last edits did, or why they failed."""
    messages = _messages()
    for message in list(messages):
        kind, text = message
        if kind == "error":
            st.error(text, icon=":material/error:")
        else:
            st.toast(text, icon=":material/check_circle:")
        with suppress(ValueError):  # another run has shown it too
            messages.remove(message)  # not before: the run may be stopped before it shows the message


def _save(edit: Callable[[], str]) -> bool:
    """Save an edit, leave what it returns as a message for the next run, and return whether that succeeded.

    Nothing uses Streamlit after the edit is saved, because the run may be stopped there.
    """
    messages = _messages()
    with edit_lock():
        try:
            done = edit()
        except CfuError as error:
            messages.append(("error", str(error)))
            return False
        # of several edits only the last one is announced, which can be undone
        messages[:] = [*(message for message in messages if message[0] == "error"), ("done", done)]
        return True


def _messages() -> list[tuple[str, str]]:
    """Return the messages that are not shown yet, each with its kind, ``done`` or ``error``."""
    return shared_value("edit_messages", list)


def selection_toolbar(data: Dataset, chosen: Sequence[str], words: str, *, key: str, tiles_key: str) -> None:
    """Show the edits that apply to the images selected in a grid; `words` says how many images the grid has.

    The parts that depend on the selection are last, so that no button moves while the pointer is over it.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        edit_buttons(data, chosen, key=key, done=lambda: select([], key=tiles_key))
        undo_buttons(data)
        st.markdown(f"**{len(chosen)} selected** · {words}" if chosen else words, width="content")
        if chosen:
            st.button(
                "Clear selection",
                on_click=select,
                args=([],),
                kwargs={"key": tiles_key},
                type="tertiary",
                key=f"{key}_go",
            )


def undo_buttons(data: Dataset) -> None:
    """Show the buttons for undo and redo, whose help texts say which edit they concern."""
    log = data.edits
    for label, icon, edit, action in (
        ("Undo", ":material/undo:", next_undo(log), undo_edit),
        ("Redo", ":material/redo:", next_redo(log), redo_edit),
    ):
        st.button(
            label,
            icon=icon,
            key=f"edit_{label.lower()}",
            help=_help(label, edit),
            disabled=not edit,
            on_click=_undo_or_redo,
            args=(data.id, action, label, edit),
        )


def _help(label: str, edit: Edit | None) -> str:
    if edit is None:
        return f"There is no edit to {label.lower()}"
    return f"{label}: {describe_changes(edit.kind, edit.changes)}"


def _undo_or_redo(dataset: str, action: Callable[..., Any], label: str, edit: Edit) -> None:
    who = st.session_state.get(WHO, "")

    def save() -> str:
        action(dataset, who=who)
        return f"{label}: {describe_changes(edit.kind, edit.changes)}"

    _save(save)


def edit_buttons(data: Dataset, paths: Sequence[str], *, key: str, done: Callable[[], None] = lambda: None) -> None:
    """Show the buttons that relabel, exclude or move these images and ask for a reason; call `done` after an edit."""

    def change(kind: str, changes: Mapping[str, Any], why: str) -> None:
        if apply_edit(data, kind, changes, why):
            done()
        st.rerun()

    with st.popover("Change class", icon=":material/label:", disabled=not paths):
        label = st.selectbox(
            "New class", data.classes, index=None, accept_new_options=True, key=f"{key}_label", placeholder="Select"
        )
        why = _note(f"{key}_label")
        if st.button("Change class", key=f"{key}_relabel", type="primary", disabled=not label):
            change("relabel", dict.fromkeys(paths, label), why)
    with st.popover("Exclude", icon=":material/visibility_off:", disabled=not paths):
        st.caption(
            "Excluded images remain on disk but are not shown and not used for training or testing, until you include "
            "them again."
        )
        why = _note(f"{key}_exclude")
        if st.button("Exclude", key=f"{key}_exclude", type="primary"):
            change("exclude", dict.fromkeys(paths), why)
    with st.popover("Move", icon=":material/move_item:", disabled=not paths):
        part = st.selectbox(
            "To the partition", PARTITIONS, key=f"{key}_part", format_func=lambda p: charts.PARTITION_NAMES[p]
        )
        moved = _whole_groups(data, paths, part, key=key)
        why = _note(f"{key}_part")
        if st.button("Move", key=f"{key}_move", type="primary"):
            change("partition", dict.fromkeys(moved, part), why)


def _whole_groups(data: Dataset, paths: Sequence[str], partition: str, *, key: str) -> list[str]:
    """Return the images to move: with those that remain of their groups, unless the user unticks the box."""
    if not paths or not data.has_groups:
        return list(paths)
    assignment = cached.split(data, split_seed()).assignment
    rest = rest_of_groups(data.images, assignment, paths, partition=partition)
    if not rest:
        return list(paths)
    lines = [f"- {escaped(group.describe(assignment))}" for group in rest[:MOST_GROUPS]]
    if len(rest) > MOST_GROUPS:
        lines.append(f"- {plural(len(rest) - MOST_GROUPS, 'more group is', 'more groups are')} divided as well.")
    st.warning(
        "\n".join(["This move would divide images of one dish or donor, a leak:", "", *lines]),
        icon=":material/warning:",
    )
    others = [path for group in rest for path in group.others]
    whole = f"Move all {len(paths) + len(others)} images, so that each group stays together"
    return [*paths, *others] if st.checkbox(whole, value=True, key=f"{key}_whole") else list(paths)


def _note(key: str) -> str:
    """Ask for the user's name, which is stored for the session, and return the reason."""
    with st.container(horizontal=True):
        st.text_input("Your name", st.session_state.get(WHO, ""), key=f"{key}_who", on_change=_remember, args=(key,))
        return st.text_input("Reason", key=f"{key}_why")


def _remember(key: str) -> None:
    st.session_state[WHO] = st.session_state[f"{key}_who"]


def history_panel(data: Dataset) -> None:
    """Show the log of edits, the excluded images, and the form for groups from file names."""
    log = data.edits
    if log:
        st.caption(f"This is version {data.version} of the dataset. Every run records the version that it used.")
        when = st.column_config.DatetimeColumn(format="distance")
        st.dataframe(log_table(log)[::-1], hide_index=True, column_config={"When": when})
    else:
        st.caption("There are no edits since the import. Each edit will be listed here with who made it, when and why.")
    if len(data.excluded):
        paths = data.excluded["path"].tolist()
        one = st.selectbox(f"Excluded images ({len(paths)})", paths, key="excluded_path")
        with st.container(horizontal=True):
            for label, key, back in (("Include again", "include", [one]), ("Include all again", "include_all", paths)):
                if st.button(label, key=key, icon=":material/undo:"):
                    apply_edit(data, "include", dict.fromkeys(back))
                    st.rerun()
    _groups(data)


def log_table(log: Sequence[Edit]) -> pd.DataFrame:
    """Return the edits as a table with one row each."""
    return pd.DataFrame(
        {
            "No.": [e.number for e in log],
            "When": pd.to_datetime([e.when for e in log]),
            "Who": [e.who for e in log],
            "What": [describe_edit(e) for e in log],
            "Why": [e.why for e in log],
        }
    )


def _groups(data: Dataset) -> None:
    """Show the form that reads the dish or donor of each image from its file name, with a preview."""
    with st.expander("Groups (dish, donor) from file names", icon=":material/workspaces:"):
        st.caption(
            "The split must not separate images of one dish or donor. Describe the file names by a pattern: `{group}` "
            "for the group, `*` for any text, `#` for a number; or by a regular expression with one group in "
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
        without = plural(left, "image does", "images do")
        rest = f"; {without} not match the pattern, and each counts as a group of its own." if left else "."
        st.write(f"**{plural(len(sizes), 'group')}**{rest}")
        st.dataframe(pd.DataFrame({"Group": groups, "Image": paths}).head(200), hide_index=True, height=220)
        if st.button("Use these groups", key="group_go", type="primary", disabled=not len(sizes)):
            apply_edit(data, "group", group_edit(data, pattern), f"pattern {pattern}")
            st.rerun()


def _take_pattern(pattern: str) -> None:
    st.session_state["group_pattern"] = pattern
