"""The images behind a run's figures: choose a cell of the confusion matrix, look, correct, and train again."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.evaluation.label_errors import find_label_errors
from cfu_core.evaluation.predictions import ORDERS, prediction_table, sort_predictions
from cfu_core.jobs.launch import run_again
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import PROBABILITY, Run
from cfu_core.wording import plural
from pages.components import cached, editing
from pages.components.address import in_url, keep
from pages.components.browser.tiles import Tile, select, selection, tiles
from pages.components.downloads import with_download
from pages.components.page_layout import escaped
from pages.components.results.grad_cam import show_attention, show_pointing

CELL, ERRORS, EVERY, DOUBTFUL = "cell", "errors", "every", "doubtful"  # the first in the URL: which images are shown
PER_PAGE = 24
EDITS = 30  # that are told one by one
SIDE = 168  # pixels


def chosen_cell(run: Run) -> tuple[int, int] | None:
    """Row and column of the cell whose images are shown, if it is one cell."""
    now = st.session_state.get(CELL) or st.query_params.get(CELL, "")  # the matrix is drawn before the select box
    return _places(now) if now in _cells(run) else None


def choose_cell(cell: str) -> None:
    """Show the images of a cell, ``"0-2"``, from the next run on."""
    keep(CELL, cell, ERRORS)
    st.session_state.pop("behind_page", None)


def show_images(run: Run) -> None:
    """Which images, in which order, as the network saw them; and what can be done about them."""
    tested = run.predictions()
    found = run.probabilities("test")
    if tested is None or found is None:
        return
    table = prediction_table(tested["path"], *found, run.classes)
    st.header("The images behind the figures", anchor=False)
    editing.notice()
    groups = _groups(table, run.classes, find_label_errors(*found))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with in_url(CELL, ERRORS, groups.__contains__):
            which = st.selectbox("Images", list(groups), key=CELL, format_func=lambda g: groups[g][0], width=420)
        with in_url("by", next(iter(ORDERS)), ORDERS.__contains__):
            order = st.selectbox("Sorted", list(ORDERS), key="by", width=200)
    if which == DOUBTFUL:
        st.caption(
            "The network, which has not learned from these images, gives another class at least the probability that "
            "images of that class usually have (confident learning, Northcutt et al. 2021). Look at each: the label "
            "may be wrong, or the network is. *Repeat* over folds asks the same of every image."
        )
    rows = sort_predictions(groups[which][1], order)
    try:
        data = planned_dataset(run)
        now = cached.dataset(data.id)
    except CfuError as error:
        st.warning(f"{error} The pictures cannot be shown; the table can.", icon=":material/hide_image:")
        with_download(rows, f"{run.id}-images")
        return
    _grid(run, data, now, rows)


def _groups(table: pd.DataFrame, classes: Sequence[str], seems: np.ndarray) -> dict[str, tuple[str, pd.DataFrame]]:
    """What can be chosen, in words, with its rows: errors, all, doubtful classes, every cell."""
    wrong, doubtful = table[~table["right"]], table[seems >= 0]
    groups = {
        ERRORS: (f"All errors ({len(wrong)})", wrong),
        EVERY: (f"All test images ({len(table)})", table),
        DOUBTFUL: (f"Suspected label errors ({len(doubtful)})", doubtful),
    }
    cells = {(a, b): rows for (a, b), rows in table.groupby(["true", "predicted"])}
    for i, true in enumerate(classes):
        for j, predicted in enumerate(classes):
            rows = cells.get((true, predicted), table[:0])
            words = f"{true}, found" if i == j else f"{true} called {predicted}"
            groups[f"{i}-{j}"] = (f"{words} ({len(rows)})", rows)
    return groups


def _cells(run: Run) -> set[str]:
    places = range(len(run.classes))
    return {f"{i}-{j}" for i in places for j in places}


def _places(cell: str) -> tuple[int, int]:
    row, column = cell.split("-")
    return int(row), int(column)


def _grid(run: Run, data: Dataset, now: Dataset, rows: pd.DataFrame) -> None:
    """The images with the tools to correct them, and the one that is chosen in full."""
    key = f"behind_{run.id}"
    chosen = [path for path in selection(key) if path in set(rows["path"])]
    editing.toolbar(now, chosen, plural(len(rows), "image"), key="behind", tiles_key=key)
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
        empty="No test image lies here.",
        on_open=lambda path: select([path], key=key),
    )
    show_pointing(run)
    if pages > 1:
        st.pagination(pages, key="behind_page")
    if len(chosen) == 1:
        _one(run, data, places[chosen[0]], rows.set_index("path").loc[chosen[0]])
    elif len(rows):
        st.caption(
            "As the network saw them, with the class it gave and its probability; below it what the image is, where "
            "that differs. Click one to look closer or to correct it, Shift-click for a range."
        )


def _tile(run: Run, data: Dataset, row: int, record: Mapping, labels: Mapping[str, str]) -> Tile:
    path = record["path"]
    try:
        picture, broken = cached.small(data, row, run.recipe, SIDE * 2).picture, ""
    except CfuError as error:
        picture, broken = b"", str(error)
    label = labels.get(path)
    changed = "" if label in (None, record["true"]) else f"Its class was changed to {label}."
    name = PurePosixPath(path).name
    return Tile(
        id=path,
        picture=picture,
        title=record["predicted"],
        badge=f"{record['probability']:.2f}",
        subtitle=name if record["right"] else f"is {record['true']} · {name}",
        warning=broken or changed,
        excluded=label is None,
    )


def _one(run: Run, data: Dataset, row: int, record: pd.Series) -> None:
    """One image: its name, what it is, what it was called, and every class's probability."""
    path = data.images["path"].iat[row]
    picture = cached.enhanced(data, row, run.recipe).image
    every = run.predictions()
    assert every is not None  # the image comes from it
    odds = every.set_index("path").loc[path, [PROBABILITY + name for name in run.classes]].to_numpy(float)
    with st.container(border=True):
        place = st.grid(2, min_column_width=300, gap="large")
        with place.cell():
            st.text(path)  # a name may hold what markdown would read as its own
            st.markdown(
                f"True class: **{escaped(record['true'])}**  \nThe network says: **{escaped(record['predicted'])}**, "
                f"probability {record['probability']:.3f}"
            )
            st.page_link(
                "pages/data/explore.py",
                label="Open it on the Explore page",
                icon=":material/zoom_in:",
                query_params={"dataset": data.id, "image": path},
            )
        with place.cell():
            st.dataframe(
                pd.DataFrame({"Class": run.classes, "Probability": odds}),
                hide_index=True,
                column_config={"Probability": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.3f")},
            )
        of = dict(zip(run.classes, odds, strict=True))
        wanted = dict.fromkeys((record["predicted"], record["true"]))
        show_attention(run, path, picture, [(name, of[name]) for name in wanted])


def _train_again(run: Run, data: Dataset, now: Dataset) -> None:
    """Where the dataset was edited since, the same training on it as it is now."""
    since = now.version - data.version
    if not since:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        what = "an edit" if since == 1 else f"{since} edits"
        st.info(f"The dataset has {what} that this run has not seen.", icon=":material/edit_note:", width="stretch")
        if st.button("Train again with these edits", key="train_edited", type="primary", icon=":material/replay:"):
            try:
                run_again(run, edited=True)
            except CfuError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.switch_page("pages/model/train.py")


def edits_of(run: Run) -> None:
    """What was changed by hand before this run was planned."""
    edits = run.edits()
    if not edits:
        return
    with st.popover(f"Trained after {len(edits)} edit{'s' * (len(edits) > 1)} by hand", icon=":material/edit_note:"):
        for edit in edits[-EDITS:]:
            said = " · ".join(part for part in (editing.words(edit), edit.who, edit.why) if part)
            st.text(f"{edit.number}. {said}")  # in people's own words: no markdown
        if len(edits) > EDITS:
            st.caption(f"The last {EDITS} of {len(edits)}; all stand in `edits.jsonl` in the run's folder.")
