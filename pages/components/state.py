"""What this browser session has chosen, mirrored in the URL so that a reload or a sent link shows the same."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from cfu_core.dataset.catalog import list_datasets
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import Setting, setting
from pages.components import cached

DRAWN = "drawn, not photographed"
PAGE = "current_page"
SEED = "split_seed"


@contextmanager
def in_url(key: str, default: Any, allowed: Callable[[Any], bool], *, always: bool = False) -> Iterator[None]:
    """Tie the widget made in this block to the URL: what a link says goes in, what the widget says comes out.

    Parameters
    ----------
    key : str
        Of the widget, and in the URL.
    default : Any
        Value where nothing was chosen; not written to the URL unless `always`.
    allowed : callable
        Whether a value makes sense; what does not is left aside. A link may say anything.
    """
    kept = f"{key}_kept"
    arrived = arrived_on(f"{key}_shown_on")
    if arrived or key not in st.session_state:  # Streamlit forgets a widget that a page does not show
        value = st.session_state.get(kept, default)
        if arrived and key in st.query_params:
            value = _parsed(st.query_params.get_all(key), default)
        st.session_state[key] = value if value is not None and allowed(value) else default
    elif not allowed(st.session_state[key]):
        st.session_state[key] = default
    # else it is left alone: setting it in every run would take back what a hand does meanwhile
    yield
    value = st.session_state[kept] = st.session_state[key]
    if value is None or (value == default and not always):
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value if isinstance(value, list) else str(value)


def linked(key: str, default: Any, allowed: Callable[[Any], bool]) -> tuple[Any, bool]:
    """A value that no widget of Streamlit's holds, and whether the page was just opened.

    It comes from the link on arrival, else it is what `link` kept.
    """
    value = st.session_state.get(f"{key}_kept", default)
    arrived = arrived_on(f"{key}_linked_on")
    if arrived and key in st.query_params:
        value = _parsed(st.query_params.get_all(key), default)
    value = value if value is not None and allowed(value) else default
    link(key, value, default)
    return value, arrived


def keep(key: str, value: Any, default: Any) -> None:
    """Set from a callback what `in_url` or `linked` holds under `key`."""
    link(key, value, default)
    st.session_state[key] = value


def link(key: str, value: Any, default: Any) -> None:
    """Keep a value for the visit, and in the URL unless it is the default."""
    st.session_state[f"{key}_kept"] = value
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != str(value):
        st.query_params[key] = str(value)


def arrived_on(memory: str) -> bool:
    """Whether the page has just been opened or switched to, as seen by whoever keeps `memory` in the session."""
    arrived = st.session_state.get(memory) != st.session_state[PAGE]
    st.session_state[memory] = st.session_state[PAGE]
    return arrived


def _parsed(texts: list[str], default: Any) -> Any:
    try:
        if isinstance(default, list):
            return texts
        if isinstance(default, bool):
            return texts[-1] == "True"
        return texts[-1] if default is None else type(default)(texts[-1])
    except ValueError:
        return None


def url_choice(
    label: str, options: Sequence[str], *, key: str, names: Callable[[str], str], default: str, **kwargs: Any
) -> str | None:
    """A select box whose identifier stands in the URL under `key`."""
    with in_url(key, default, lambda value: value in options, always=True):
        return st.selectbox(label, options, key=key, format_func=names, **kwargs)


def panel(key: str, names: Sequence[str]) -> str:
    """Choose which of a page's panels is open, in the URL; the others are not computed.

    ``st.tabs`` keeps every panel in the page, and the whole of it is compared at each message of the live view.
    """
    with in_url(key, names[0], names.__contains__):
        open_now = st.segmented_control("Panel", names, key=key, required=True, label_visibility="collapsed")
    return open_now or names[0]


def in_tabs(views: Mapping[str, Callable[[Any], None]], shown: Any, *, key: str) -> None:
    """Several views of one thing, each under a tab with its name; only the open one is computed."""
    for tab, view in zip(st.tabs(list(views), key=key, on_change="rerun"), views.values(), strict=True):
        if tab.open:
            with tab:
                view(shown)


def dataset_sidebar(page: str) -> None:
    """The dataset that every page shows, chosen once for all pages; `page` is the one to be shown."""
    st.session_state[PAGE] = page
    summaries = {s.id: s for s in list_datasets() if not s.damaged}
    if (opened := st.session_state.pop("open_dataset", None)) in summaries:
        st.session_state["dataset"] = st.session_state["dataset_kept"] = opened
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
            st.caption(f"{summary.n_images} images, {len(summary.counts)} classes")
            if summary.drawn:
                st.badge(DRAWN, icon=":material/draw:", color="orange")


def header(title: str, caption: str) -> None:
    """The top of a page."""
    if st.context.theme.type == "dark":
        # Streamlit writes white on its primary colour, which is pale in the dark theme, as text in it has to be
        ink = st.get_option("theme.dark.backgroundColor")
        on_primary = "[data-testid=stBaseButton-primary]:not(:disabled), [data-testid=stMultiSelect] [data-tag] *"
        st.html(f"<style>{on_primary} {{color: {ink}}}</style>")
    st.title(title, anchor=False)
    st.caption(caption)


def chosen_dataset() -> Dataset:
    """The chosen dataset; without one the page ends with the way to it."""
    identifier = st.session_state.get("dataset")
    if not identifier:
        with st.container(border=True):
            st.header("No dataset yet", anchor=False)
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
    return linked_slider("clip", setting(Recipe, "clip_limit"), 2.0), linked_slider(
        "tiles", setting(Recipe, "tiles"), 8
    )


def linked_slider(key: str, declared: Setting, default: Any) -> Any:
    """A slider made from a setting's declaration, in the URL."""
    kind = type(default)
    low, high, step = (kind(value) for value in (declared.minimum, declared.maximum, declared.step))
    with in_url(key, default, lambda value: low <= value <= high):
        return st.slider(declared.label, low, high, step=step, key=key, help=declared.help)


def split_seed() -> int:
    """Which split counts now, whether or not the page asks for it."""
    asked = _parsed([st.query_params.get(SEED, "")], 0)
    now = st.session_state.get(SEED, st.session_state.get(f"{SEED}_kept", asked))
    return now if now is not None and _seed_allowed(now) else 0


def split_seed_input() -> int:
    """Choose the split, in the URL; the same on every page."""
    with in_url(SEED, 0, _seed_allowed):
        return st.number_input(
            "Split seed",
            0,
            2**31 - 1,
            key=SEED,
            help="Another number gives another random split with the same counts. Each is kept with the dataset.",
            width=180,
        )


def _seed_allowed(value: int) -> bool:
    return 0 <= value < 2**31
