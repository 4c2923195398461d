"""The dataset and the split seed that all pages share."""

from collections.abc import Mapping

import streamlit as st

from cfu_core.dataset.bin import list_deleted
from cfu_core.dataset.catalog import list_datasets
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.summary import DatasetSummary
from cfu_core.errors import CfuError
from cfu_core.wording import plural
from pages.components import cached
from pages.components.address import begin_run, in_url, just_opened, parsed, url_choice
from pages.components.missing_dataset import MISSING, missing_dataset
from pages.components.page_layout import escaped

DRAWN = "drawn, not photographed"
SEED = "split_seed"
_FORGET = "dataset_forgotten"  # session-state key: whether to select another dataset


def dataset_sidebar(page: str) -> None:
    """Show the choice of the dataset in the sidebar; `page` is the page about to be shown."""
    begin_run(page)
    summaries = {s.id: s for s in list_datasets() if not s.damaged}
    if st.session_state.pop(_FORGET, None):
        _select(None)
    if (opened := st.session_state.pop("open_dataset", None)) in summaries:
        _select(opened)
    missing = _find_missing(summaries)
    with st.sidebar:
        if missing:
            st.caption("The selected dataset does not exist.")
            return
        if not summaries:
            st.caption("No dataset yet. Draw the demo or import your images on the Overview page.")
            return
        chosen = url_choice(
            "Dataset",
            list(summaries),
            key="dataset",
            names=lambda i: summaries[i].name,
            default=next(iter(summaries)),
            help="All pages show this dataset. Add others on the Overview page.",
        )
        if chosen:
            summary = summaries[chosen]
            st.caption(f"{plural(summary.n_images, 'image')}, {plural(len(summary.counts), 'class', 'classes')}")
            if summary.drawn:
                st.badge(DRAWN, icon=":material/draw:", color="orange")


def _find_missing(summaries: Mapping[str, DatasetSummary]) -> str | None:
    """Return the dataset that the address or the session names, if it does not exist; no other one replaces it."""
    arrived = just_opened("dataset_asked_on")
    asked = st.query_params.get("dataset") if arrived else None
    known = st.session_state.pop(MISSING, None)
    wanted = asked or known or st.session_state.get("dataset_kept")
    if not wanted:
        return None
    if wanted not in summaries:
        _select(None)
        st.session_state[MISSING] = st.query_params["dataset"] = wanted
        return wanted
    if known:  # it was restored
        _select(wanted)
    return None


def _select(identifier: str | None) -> None:
    """Select a dataset, or none, before the widget of the choice is shown."""
    for key in ("dataset", "dataset_kept"):
        st.session_state.pop(key, None)
        if identifier:
            st.session_state[key] = identifier
    st.session_state.pop(MISSING, None)
    if identifier:
        st.query_params["dataset"] = identifier
    else:
        st.query_params.pop("dataset", None)


def forget_dataset(identifier: str) -> None:
    """Select another dataset in the next run, if this one, which the user deleted, is selected; for callbacks."""
    if identifier in (st.session_state.get("dataset"), st.session_state.get("dataset_kept")):
        st.session_state[_FORGET] = True


def chosen_dataset() -> Dataset:
    """Return the selected dataset; without one, say why and stop the script."""
    if missing_dataset():
        st.stop()
    identifier = st.session_state.get("dataset")
    if not identifier:
        with st.container(border=True):
            st.header("No dataset yet", anchor=False)
            st.write("Draw the demo dataset or import your own images first.")
            if deleted := list_deleted():
                st.write(f"{plural(len(deleted), 'deleted dataset')} can be restored on the Overview page.")
            st.page_link("pages/start/overview.py", label="Go to the overview", icon=":material/home:")
        st.stop()
    try:
        data = cached.dataset(identifier)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
    badges(data)
    return data


def badges(data: Dataset) -> None:
    """Show the name and size of the dataset, and whether its images are drawn."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f"**{escaped(data.name)}**", width="content")
        unlabelled = f" · {data.unlabelled:,} without a class" if data.unlabelled else ""
        st.caption(
            f"{plural(len(data.images), 'image')} · {plural(len(data.classes), 'class', 'classes')}{unlabelled}",
            width="content",
        )
        if data.drawn:
            st.badge(DRAWN, icon=":material/draw:", color="orange")


def split_seed() -> int:
    """Return the current split seed, even if the page does not show it."""
    asked = parsed([st.query_params.get(SEED, "")], 0)
    now = st.session_state.get(SEED, st.session_state.get(f"{SEED}_kept", asked))
    return now if now is not None and _seed_allowed(now) else 0


def split_seed_input() -> int:
    """Show the input of the split seed, which all pages share, and return its value.

    Where the source of the images gives their partitions, the help and a caption say what the seed changes.
    """
    effect = _effect_of_seed()
    with in_url(SEED, 0, _seed_allowed):
        seed = st.number_input(
            "Split seed",
            0,
            2**31 - 1,
            key=SEED,
            help=effect
            or "Each number gives a different random split with the same counts. It is stored with the dataset.",
            width=180,
        )
    if effect:
        st.caption(effect)
    return int(seed)


def _effect_of_seed() -> str:
    """Return what the split seed changes where the source gives partitions; empty if it gives none."""
    try:
        split = cached.split(cached.dataset(st.session_state["dataset"]), split_seed())
    except (CfuError, KeyError):
        return ""  # the page shows the error
    if split.given is None:
        return ""
    if not split.seed_matters:
        return "The source gives the partitions: the seed changes only the folds of a cross-validation."
    return "The source gives partitions: the seed changes only what the program draws, and the folds."


def _seed_allowed(value: int) -> bool:
    """Return whether a split seed is valid."""
    return 0 <= value < 2**31
