"""The test images of a run by cell of the confusion matrix, with edits and a new training on them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edit_description import describe_edit
from cfu_core.dataset.history import Edit, applied_and_undone
from cfu_core.errors import CfuError
from cfu_core.evaluation.label_errors import find_label_errors
from cfu_core.evaluation.predictions import ORDERS, prediction_table, sort_predictions
from cfu_core.jobs.launch import run_again
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import PROBABILITY, Run
from cfu_core.wording import class_name, plural
from pages.components import cached, editing
from pages.components.address import in_url, set_value
from pages.components.browser.tiles import Tile, select, selection, tiles
from pages.components.downloads import with_download
from pages.components.page_layout import escaped, succeeded
from pages.components.results.grad_cam import show_class_activation, show_peak_counts

CELL = "cell"  # URL parameter: which images are shown, a cell such as "0-2" or one of the next three
ERRORS, ALL, SUSPECTED = "errors", "every", "doubtful"
PER_PAGE = 24
MAX_EDITS = 30  # listed
SIDE = 168  # pixels; side of a tile


def chosen_cell(run: Run) -> tuple[int, int] | None:
    """Return row and column of the selected cell, or None if no single cell is selected."""
    now = st.session_state.get(CELL) or st.query_params.get(CELL, "")  # the matrix is above the select box
    return _row_and_column(now) if now in _cells(run) else None


def choose_cell(cell: str) -> None:
    """Select the cell, such as ``"0-2"``, whose images the next run shows."""
    set_value(CELL, cell, ERRORS)
    st.session_state.pop("behind_page", None)


def show_images(run: Run) -> None:
    """Show test images as the network's input, by group and order, with the tools to edit them."""
    tested = run.predictions()
    found = run.probabilities("test")
    if tested is None or found is None:
        return
    table = prediction_table(tested["path"], *found, run.classes)
    st.header("Look at the images", anchor=False)
    editing.show_message()
    groups = _groups(table, run.classes, find_label_errors(*found))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with in_url(CELL, ERRORS, groups.__contains__):
            which = st.selectbox("Images", list(groups), key=CELL, format_func=lambda g: groups[g][0], width=420)
        with in_url("by", next(iter(ORDERS)), ORDERS.__contains__):
            order = st.selectbox("Sort", list(ORDERS), key="by", width=200)
    if which == SUSPECTED:
        st.caption(
            "For these images the network, which was not trained on them, gives another class at least the mean "
            "probability of that class's own images (confident learning, Northcutt et al. 2021). Look at each: either "
            "the label or the network is wrong. *Repeat* with a cross-validation checks every image of the dataset."
        )
    rows = sort_predictions(groups[which][1], order)
    try:
        data = planned_dataset(run)
        now = cached.dataset(data.id)
    except CfuError as error:
        st.warning(f"{error} Only the table of predictions can be shown, not the images.", icon=":material/hide_image:")
        with_download(rows, f"{run.id}-images")
        return
    _grid(run, data, now, rows)


def _groups(table: pd.DataFrame, classes: Sequence[str], suspected: np.ndarray) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return label and rows of each group of images: errors, all, suspected label errors, and each cell."""
    wrong, suspects = table[~table["right"]], table[suspected >= 0]
    groups = {
        ERRORS: (f"All errors ({len(wrong)})", wrong),
        ALL: (f"All test images ({len(table)})", table),
        SUSPECTED: (f"Suspected label errors ({len(suspects)})", suspects),
    }
    cells = {(a, b): rows for (a, b), rows in table.groupby(["true", "predicted"])}
    for i, true in enumerate(classes):
        for j, predicted in enumerate(classes):
            rows = cells.get((true, predicted), table[:0])
            label = f"{true}, correct" if i == j else f"{true} predicted as {predicted}"
            groups[f"{i}-{j}"] = (f"{label} ({len(rows)})", rows)
    return groups


def _cells(run: Run) -> set[str]:
    """Return all cells of the confusion matrix."""
    places = range(len(run.classes))
    return {f"{i}-{j}" for i in places for j in places}


def _row_and_column(cell: str) -> tuple[int, int]:
    """Return row and column of a cell such as ``"0-2"``."""
    row, column = cell.split("-")
    return int(row), int(column)


def _grid(run: Run, data: Dataset, now: Dataset, rows: pd.DataFrame) -> None:
    """Show the images with the tools to edit them, and details of the image if only one is selected."""
    key = f"behind_{run.id}"
    chosen = [path for path in selection(key) if path in set(rows["path"])]
    editing.selection_toolbar(now, chosen, plural(len(rows), "image"), key="behind", tiles_key=key)
    _train_again(run, data, now)
    pages = max(1, -(-len(rows) // PER_PAGE))
    page = min(st.session_state.get("behind_page", 1), pages)
    shown = rows[(page - 1) * PER_PAGE : page * PER_PAGE]
    places = {path: row for row, path in enumerate(data.images["path"])}
    labels = dict(zip(now.images["path"], now.images["label"], strict=True))
    tiles(
        [_tile(run, data, places[record["path"]], record, labels) for record in shown.to_dict("records")],
        key=key,
        size=SIDE,
        label="Test images",
        empty="There is no test image here.",
        on_open=lambda path: select([path], key=key),
    )
    show_peak_counts(run)
    if pages > 1:
        st.pagination(pages, key="behind_page")
    if len(chosen) == 1:
        _details(run, data, places[chosen[0]], rows.set_index("path").loc[chosen[0]])
    elif len(rows):
        st.caption(
            "Each image is shown as the network's input, with the predicted class and its probability, and the true "
            "class where it differs. Click an image for details or to correct it, Shift-click for a range."
        )


def _tile(run: Run, data: Dataset, row: int, record: Mapping, labels: Mapping[str, str]) -> Tile:
    """Return the tile of a test image; `labels` holds the current labels, without excluded images."""
    path = record["path"]
    try:
        picture, broken = cached.small(data, row, run.recipe, SIDE * 2).picture, ""
    except CfuError as error:
        picture, broken = b"", str(error)
    label = labels.get(path)
    changed = "" if label in (None, record["true"]) else f"Its class was changed to {class_name(label)} after this run."
    name = PurePosixPath(path).name
    return Tile(
        id=path,
        picture=picture,
        title=record["predicted"],
        badge=f"{record['probability']:.2f}",
        subtitle=name if record["right"] else f"true: {record['true']} · {name}",
        warning=broken or changed,
        excluded=label is None,
    )


def _details(run: Run, data: Dataset, row: int, record: pd.Series) -> None:
    """Show one image with its path, true and predicted class, the probabilities of all classes, and Grad-CAM."""
    path = data.images["path"].iat[row]
    picture = cached.enhanced(data, row, run.recipe).image
    predictions = run.predictions()
    assert predictions is not None  # the image comes from this table
    probabilities = (
        predictions.set_index("path").loc[path, [PROBABILITY + name for name in run.classes]].to_numpy(float)
    )
    with st.container(border=True):
        place = st.grid(2, min_column_width=300, gap="large")
        with place.cell():
            st.text(path)  # not Markdown: a path may contain any character
            st.markdown(
                f"True class: **{escaped(record['true'])}**  \nPredicted class: **{escaped(record['predicted'])}**, "
                f"probability {record['probability']:.3f}"
            )
            st.page_link(
                "pages/data/explore.py",
                label="Open on Explore",
                icon=":material/zoom_in:",
                query_params={"dataset": data.id, "image": path},
            )
        with place.cell():
            st.dataframe(
                pd.DataFrame({"Class": run.classes, "Probability": probabilities}),
                hide_index=True,
                column_config={"Probability": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.3f")},
            )
        by_class = dict(zip(run.classes, probabilities, strict=True))
        shown = dict.fromkeys((record["predicted"], record["true"]))
        show_class_activation(run, path, picture, [(name, by_class[name]) for name in shown])


def _train_again(run: Run, data: Dataset, now: Dataset) -> None:
    """Show a button that repeats the run on the current dataset if that was edited after the run."""
    before, after = edits_in_effect(data), edits_in_effect(now)
    n_images = count_edited_images([edit for edit in (*before, *after) if edit not in before or edit not in after])
    if not n_images:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        edited = plural(n_images, "image was", "images were")
        st.info(f"{edited} edited after this run was planned.", icon=":material/edit_note:", width="stretch")
        again = st.button("Train again with these edits", key="train_edited", type="primary", icon=":material/replay:")
        if again and succeeded(run_again, run, edited=True):
            st.switch_page("pages/model/train.py")


def count_edited_images(edits: Iterable[Edit]) -> int:
    """Return the number of images that these edits concern."""
    return len({path for edit in edits for path in edit.changes})


def edits_in_effect(data: Dataset) -> list[Edit]:
    """Return the edits of a dataset that were not undone."""
    return applied_and_undone(data.edits)[0]


def show_edits(run: Run) -> None:
    """Show which images were edited before this run was planned."""
    edits = run.edits()
    if not edits:
        return
    edited = plural(count_edited_images(edits), "image")
    with st.popover(f"Trained after edits to {edited}", icon=":material/edit_note:"):
        for edit in edits[-MAX_EDITS:]:
            text = " · ".join(part for part in (describe_edit(edit), edit.who, edit.why) if part)
            st.text(f"{edit.number}. {text}")  # not Markdown: users wrote it
        if len(edits) > MAX_EDITS:
            st.caption(
                f"The last {MAX_EDITS} of {plural(len(edits), 'edit')}. The file `edits.jsonl` in the run's folder "
                "contains all."
            )
