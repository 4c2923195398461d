"""What an import of a source would give: its levels of folders, which a person can change, and its classes."""

import hashlib
from pathlib import Path

import pandas as pd
import streamlit as st

from cfu_core.dataset.importing.folder_layout import FolderLayout, FolderLevel, LayoutChoice
from cfu_core.dataset.importing.preview import SourcePreview, preview_source
from cfu_core.dataset.importing.zip_names import GUESSES
from cfu_core.dataset.partition_names import PARTITIONS
from cfu_core.errors import ArchiveError, CfuError
from cfu_core.wording import class_name, first_of, plural
from pages.components.page_layout import escaped

_ROLES = {
    "class": "Class",
    "partition": "Partition: training, validation, test",
    "group": "Dish or donor (stays together)",
    "ignored": "Not used",
}
_MOST_FOLDERS = 6
_MOST_CLASSES = 12
LISTED_AGAIN_AFTER = 2  # seconds; files may change, but one run of the page lists them several times


def previewed(source: Path, *, key: str, stored: bool) -> tuple[LayoutChoice, str | None] | None:
    """Show what an import would give; return the layout and the encoding of names, or None if it is not possible yet.

    `key` makes the keys of the widgets unique, with the source, so that a choice does not carry over to another one.
    `stored` means that the source is an upload, which does not change.
    """
    key = f"{key}_{_digest(source)}"
    if not stored:
        st.button(
            "List again",
            icon=":material/refresh:",
            type="tertiary",
            on_click=_preview.clear,
            key=f"{key}_list",
            help="After you have changed files in the folder.",
        )
    encoding = st.session_state.get(f"{key}_encoding")
    try:
        found = _preview(str(source), LayoutChoice(), encoding)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        if isinstance(error, ArchiveError) and encoding:
            _choose_encoding(key)
        return None
    if encoding or found.guessed_names:
        _choose_encoding(key)
    choice = LayoutChoice()
    if found.manifest:
        st.caption(f":material/table: `{found.manifest}` gives the classes.")
    elif found.layout is not None and _needs_choice(found.layout):
        stated = _choose_layout(source, found, encoding, key=key)
        if stated is None:
            return None
        choice = stated
        found = _preview(str(source), choice, encoding)
    if found.error:
        st.warning(escaped(found.error), icon=":material/help:")
        return None
    _show_classes(found)
    return choice, encoding


@st.cache_data(ttl=LISTED_AGAIN_AFTER, max_entries=16, show_spinner="Listing the files …")
def _preview(source: str, choice: LayoutChoice, encoding: str | None) -> SourcePreview:
    return preview_source(Path(source), layout=choice, zip_names=encoding)


def _choose_encoding(key: str) -> None:
    labels: dict[str | None, str] = {None: "As guessed", **{guess.encoding: guess.label for guess in GUESSES}}
    st.selectbox(
        "Encoding of the names in the zip",
        list(labels),
        format_func=labels.__getitem__,
        key=f"{key}_encoding",
        help="The zip does not say how its names are written. If the names below are garbled, choose another encoding.",
    )


def _choose_layout(source: Path, found: SourcePreview, encoding: str | None, *, key: str) -> LayoutChoice | None:
    """Show the levels of folders with a choice of what each is; None as long as a person must choose one."""
    layout, levels = _layout(found)
    left_out: tuple[str, ...] = ()
    st.markdown("**Folders**")
    above = st.container()  # for the levels, which depend on the folders that are left out
    if len(levels) > 1 or layout.left_out:
        left_out = tuple(
            st.multiselect(
                "Folders to leave out",
                found.folders,
                default=sorted(layout.left_out),
                placeholder="None",
                key=f"{key}_left_out_{_digest(found.folders, sorted(layout.left_out))}",
                help="Images in folders of these names, at any level, are not imported, such as masks.",
            )
        )
        layout, levels = _layout(_preview(str(source), LayoutChoice(left_out=left_out), encoding))
    with above:
        if layout.question:
            st.warning(escaped(layout.question), icon=":material/help:")
        chosen = [_choose_role(layout, levels, level, key=key) for level in range(len(levels))]
    roles = tuple(role for role in chosen if role is not None)
    if len(roles) < len(chosen):
        return None
    if roles == layout.roles and not layout.question:
        return LayoutChoice(left_out=left_out)  # with the reasons of the proposal
    return LayoutChoice(roles=roles, left_out=left_out, unlabelled="class" not in roles)


def _digest(*facts: object) -> str:
    """Return a short text for the key of a widget that depends on these facts."""
    return hashlib.blake2b(repr(facts).encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


def _needs_choice(layout: FolderLayout) -> bool:
    """Return whether there is more to choose than that the only level of folders is the class."""
    return bool(layout.roles != ("class",) and layout.roles) or bool(layout.question or layout.left_out)


def _layout(found: SourcePreview) -> tuple[FolderLayout, tuple[FolderLevel, ...]]:
    assert found.layout is not None  # None only for a manifest
    return found.layout, found.levels


def _choose_role(layout: FolderLayout, levels: tuple[FolderLevel, ...], level: int, *, key: str) -> str | None:
    proposed = layout.roles[level]
    certain = not layout.question or ("class" in layout.roles and proposed in ("partition", "group"))
    names = first_of([f"{name} ({count:,})" for name, count in levels[level].images.items()], _MOST_FOLDERS)
    chosen = st.selectbox(
        f"Level {level + 1}: {escaped(names)}",
        list(_ROLES),
        index=list(_ROLES).index(proposed) if certain else None,
        format_func=_ROLES.__getitem__,
        placeholder="What is this level?",
        key=f"{key}_role_{level}_{_digest(names, certain and proposed)}",  # a new proposal replaces an old choice
    )
    if certain and chosen == proposed and layout.reasons[level]:
        st.caption(f"Proposed: {escaped(layout.reasons[level])}.")
    return chosen


def _show_classes(found: SourcePreview) -> None:
    """Show the number of images by class, and by partition if the source gives it."""
    numbers = pd.Series(found.counts).unstack(fill_value=0)
    numbers = numbers.loc[numbers.sum(axis=1).sort_values(ascending=False).index]
    total = int(numbers.to_numpy().sum())
    text = f"{plural(total, 'image')} in {plural(len(found.classes), 'class', 'classes')}"
    if found.groups:
        text += f", {plural(found.groups, 'dish or donor', 'dishes or donors')}"
    st.markdown(f"**{text}**")
    shown = numbers.iloc[:_MOST_CLASSES]
    columns = [name for name in (*PARTITIONS, "") if name in shown]
    names = {"": "no partition" if len(columns) > 1 else "images"}
    table = shown[columns].rename(columns=names).rename_axis(index="Class")
    st.table(table.rename(index=lambda label: escaped(class_name(label))))
    if "" in shown.index:
        st.caption("Images without a class can be labelled on Explore. Training uses images with a class only.")
    if len(numbers) > _MOST_CLASSES:
        st.caption(f"and {len(numbers) - _MOST_CLASSES:,} more classes")
    if any(name in columns for name in PARTITIONS):
        st.caption(
            "The dataset is split as its source divides it. To let the program split it, set that level to Not used."
        )
    left_out = [issue for issue in found.issues if issue.left_out]
    if left_out:
        title = f"{plural(len(left_out), 'file or folder', 'files or folders')} left out"
        with st.expander(title, icon=":material/warning:"):
            st.table(pd.DataFrame({"Why": [escaped(issue.detail) for issue in left_out[:50]]}), hide_index=True)
            if len(left_out) > 50:
                st.caption(f"and {len(left_out) - 50:,} more")
