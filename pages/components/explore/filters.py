"""The filter of the Explore page: one object, changed by widgets, charts, findings and links, mirrored in the URL."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from cfu_core.dataset.audit.filtering import (
    Filter,
    delete_filter,
    is_filter_parameter,
    save_filter,
    saved_filters,
)
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.imaging.measures import MEASURES
from cfu_core.settings import MAX_NAME_LENGTH
from pages.components import charts
from pages.components.address import arrived_on
from pages.components.saved_items import keep_button, listed

FILTER, OF_DATASET, NONCE = "filter", "filter_dataset", "filter_nonce"
SAVED = "view"  # a link may name a kept filter
SIZES = {"pixels": "Image size", "size_bytes": "File size"}


def current(data: Dataset) -> Filter:
    """The filter that counts now: from the link on arrival, else what was chosen last for this dataset."""
    if st.session_state.get(OF_DATASET) != data.id:
        st.session_state.update({OF_DATASET: data.id, FILTER: Filter()})
    if arrived_on("filter_shown_on"):
        asked = {name: st.query_params.get_all(name) for name in st.query_params if is_filter_parameter(name)}
        kept = saved_filters(data.id).get(st.query_params.get(SAVED, ""))
        if asked or kept:
            change(kept or Filter.from_params(asked))
    return st.session_state[FILTER]


def change(to: Filter) -> None:
    """Set the filter from elsewhere than its own widgets, which are made anew with it."""
    st.session_state[FILTER] = to
    st.session_state[NONCE] = st.session_state.get(NONCE, 0) + 1
    st.session_state["page"] = 1


def to_url(chosen: Filter) -> None:
    """Write the filter into the address."""
    params = chosen.to_params()
    for name in [n for n in st.query_params if (is_filter_parameter(n) and n not in params) or n == SAVED]:
        del st.query_params[name]
    for name, values in params.items():
        if st.query_params.get_all(name) != values:
            st.query_params[name] = values


def widget_key(name: str) -> str:
    """A key that changes whenever the filter was changed from elsewhere."""
    return f"{name}_{st.session_state.get(NONCE, 0)}"


def _taken(field: str, key: str, wrap: Callable[[Any], Any] = tuple) -> None:
    st.session_state[FILTER] = st.session_state[FILTER].changed(**{field: wrap(st.session_state[key])})
    st.session_state["page"] = 1


def widgets(data: Dataset, chosen: Filter, kinds: dict[str, str]) -> None:
    """Class, partition, name; the rest under More. `kinds` are the findings of the audit with their titles."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        _pills("Class", "classes", data.classes, chosen.classes)
        _pills("Partition", "partitions", list(PARTITIONS), chosen.partitions, lambda p: charts.SHORT[p])
        key = widget_key("filter_name")
        st.text_input(
            "Name contains", chosen.name, key=key, on_change=_taken, args=("name", key, str), width=170, max_chars=120
        )
        with st.popover("More filters", icon=":material/tune:"):
            if data.has_groups:
                _group(data, chosen)
            if kinds:
                _pills("Finding of the audit", "findings", list(kinds), chosen.findings, lambda k: kinds.get(k, k))
            st.caption("Ranges of measures, and outlines on the map: draw them in the panels Measures and Map.")
        _kept(data, chosen)


def _pills(label: str, field: str, options: list[str], now: tuple[str, ...], names: Callable[[str], str] = str) -> None:
    key = widget_key(f"filter_{field}")
    chosen = [option for option in options if option in now]
    st.pills(
        label,
        options,
        selection_mode="multi",
        default=chosen,
        key=key,
        format_func=names,
        on_change=_taken,
        args=(field, key),
        width="content",
    )


def _group(data: Dataset, chosen: Filter) -> None:
    """Add one group after the other; there may be hundreds."""
    others = sorted(set(data.images["group"]) - set(chosen.groups))
    key = widget_key(f"filter_group_{len(chosen.groups)}")
    st.selectbox(
        "Group (dish, donor)",
        others,
        index=None,
        key=key,
        format_func=lambda g: g or "without a group",
        placeholder="choose",
        on_change=lambda: _taken("groups", key, lambda group: (*chosen.groups, group)),
    )


def _kept(data: Dataset, chosen: Filter) -> None:
    """Named filters: apply, keep, forget."""
    found = saved_filters(data.id)
    with st.popover("Views", icon=":material/bookmark:", help="Filters kept under a name, with this dataset."):
        if not found and not chosen:
            st.caption("Filter first; then give the filter a name here, to come back to it.")
        listed(found, noun="view", take=change, forget=lambda name: delete_filter(data.id, name))
        if chosen:
            name = st.text_input("Name of this view", key="view_name", max_chars=MAX_NAME_LENGTH)
            keep_button(
                "Keep this view",
                name,
                noun="view",
                icon=":material/bookmark_add:",
                keep=lambda: save_filter(data.id, name, chosen),
            )


def chips(chosen: Filter, kinds: dict[str, str]) -> None:
    """What is filtered, a button each to take it away."""
    if not chosen:
        return
    parts: list[tuple[str, Filter]] = []
    for field in ("classes", "partitions", "groups", "findings"):
        for value in getattr(chosen, field):
            rest = tuple(v for v in getattr(chosen, field) if v != value)
            shown = kinds.get(value, charts.SHORT.get(value, value)) or "without a group"
            parts.append((shown, chosen.changed(**{field: rest})))
    if chosen.name:
        parts.append((f"name: {chosen.name}", chosen.changed(name="")))
    for measure, (low, high) in chosen.ranges.items():
        label = SIZES.get(measure) or (MEASURES[measure].label if measure in MEASURES else measure)
        parts.append((f"{label} {low:.3g} to {high:.3g}", chosen.with_range(measure, None)))
    if chosen.lasso:
        parts.append(("outline on the map", chosen.changed(lasso=())))
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for number, (text, without) in enumerate(parts):
            st.button(
                text,
                key=f"chip_{number}_{text}",
                icon=":material/close:",
                on_click=change,
                args=(without,),
                help="Take this filter away",
            )
        st.button("Clear all", key="chips_clear", on_click=change, args=(Filter(),), type="tertiary")
