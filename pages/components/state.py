"""What this browser session has chosen, mirrored in the URL so that a reload or a sent link shows the same."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from cfu_core.dataset.catalog import Dataset, list_datasets
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import setting
from pages.components import cached

DRAWN = "drawn, not photographed"


def url_choice(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    names: Callable[[str], str],
    default: str | None = None,
    **kwargs: Any,
) -> str | None:
    """A select box whose identifier stands in the URL under `key`."""
    written = f"{key}_in_url"
    linked = st.query_params.get(key)
    if linked in options and linked != st.session_state.get(written):
        st.session_state[key] = linked  # someone came by a link
    elif st.session_state.get(key) not in options:
        st.session_state[key] = default
    chosen = st.selectbox(label, options, key=key, format_func=names, persist_state="session", **kwargs)
    if chosen is not None:
        st.query_params[key] = st.session_state[written] = chosen
    return chosen


def dataset_sidebar() -> None:
    """The dataset that every page shows, chosen once for all pages."""
    summaries = {s.id: s for s in list_datasets() if not s.damaged}
    if (opened := st.session_state.pop("open_dataset", None)) in summaries:
        st.session_state["dataset"] = opened
    with st.sidebar:
        if not summaries:
            st.caption("No dataset yet. The Overview page has a demo and takes your own images.")
            return
        chosen = url_choice(
            "Dataset",
            list(summaries),
            key="dataset",
            names=lambda i: summaries[i].name,
            default=next(iter(summaries)),
            help="Everything on the pages is about this dataset. Add others on the Overview page.",
        )
        if chosen:
            summary = summaries[chosen]
            st.caption(f"{summary.images} images, {len(summary.counts)} classes")
            if summary.drawn:
                st.badge(DRAWN, icon=":material/draw:", color="orange")


def header(title: str, caption: str) -> None:
    """The top of a page; it says so when the images are drawn."""
    st.title(title, anchor=False)
    st.caption(caption)


def chosen_dataset() -> Dataset:
    """The chosen dataset; without one the page ends with the way to it."""
    identifier = st.session_state.get("dataset")
    if not identifier:
        with st.container(border=True):
            st.subheader("No dataset yet", anchor=False)
            st.write("Draw the demo dataset or import your own images first.")
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
    """Which dataset this is, and that it is drawn where it is."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f"**{data.name}**", width="content")
        st.caption(f"{len(data.images)} images · {len(data.classes)} classes", width="content")
        if data.drawn:
            st.badge(DRAWN, icon=":material/draw:", color="orange")


def clahe_sliders() -> tuple[float, int]:
    """Clip limit and tiles, in the URL; the same on every page."""
    clip, tiles = setting(Recipe, "clip_limit"), setting(Recipe, "tiles")
    return (
        st.slider(clip.label, 0.1, 40.0, 2.0, 0.1, key="clip", bind="query-params", help=clip.help),
        st.slider(tiles.label, 1, 64, 8, 1, key="tiles", bind="query-params", help=tiles.help),
    )


def split_seed_input() -> int:
    """Which split, in the URL; the same on every page."""
    return st.number_input(
        "Split seed",
        0,
        2**31 - 1,
        0,
        key="split_seed",
        bind="query-params",
        help="Another number gives another random split with the same counts. Each is kept with the dataset.",
        width=180,
    )
