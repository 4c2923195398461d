"""The filter of the Explore page: set by widgets, charts, findings and links, and part of the URL."""

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
from cfu_core.wording import class_name
from pages.components import charts
from pages.components.address import just_opened
from pages.components.page_layout import escaped
from pages.components.saved_items import save_button, saved_items_list

FILTER, OF_DATASET, NONCE = "filter", "filter_dataset", "filter_nonce"
SAVED = "view"  # URL parameter: name of a saved filter
SIZES = {"pixels": "Image size", "size_bytes": "File size"}


def current(data: Dataset) -> Filter:
    """Return the current filter: from the URL when the page is opened, else the last one set for this dataset."""
    if st.session_state.get(OF_DATASET) != data.id:
        st.session_state.update({OF_DATASET: data.id, FILTER: Filter()})
    if just_opened("filter_shown_on"):
        in_link = {name: st.query_params.get_all(name) for name in st.query_params if is_filter_parameter(name)}
        saved = saved_filters(data.id).get(st.query_params.get(SAVED, ""))
        if in_link or saved:
            set_filter(saved or Filter.from_params(in_link))
    return st.session_state[FILTER]


def set_filter(new: Filter) -> None:
    """Set the filter from outside its own widgets, which are created anew with its values."""
    st.session_state[FILTER] = new
    st.session_state[NONCE] = st.session_state.get(NONCE, 0) + 1
    st.session_state["page"] = 1


def write_url(chosen: Filter) -> None:
    """Write the filter to the URL."""
    params = chosen.to_params()
    for name in [n for n in st.query_params if (is_filter_parameter(n) and n not in params) or n == SAVED]:
        del st.query_params[name]
    for name, values in params.items():
        if st.query_params.get_all(name) != values:
            st.query_params[name] = values


def widget_key(name: str) -> str:
    """Return a widget key that changes whenever `set_filter` sets the filter."""
    return f"{name}_{st.session_state.get(NONCE, 0)}"


def _set_field(field: str, key: str, convert: Callable[[Any], Any] = tuple) -> None:
    """Set one field of the filter from a widget."""
    st.session_state[FILTER] = st.session_state[FILTER].changed(**{field: convert(st.session_state[key])})
    st.session_state["page"] = 1


def widgets(data: Dataset, chosen: Filter, kinds: dict[str, str]) -> None:
    """Show the widgets of the filter. `kinds` holds the titles of the audit's findings by kind."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        classes = data.classes + ([""] if data.unlabelled else [])
        _pills("Class", "classes", classes, chosen.classes, lambda label: escaped(class_name(label)))
        _pills("Partition", "partitions", list(PARTITIONS), chosen.partitions, lambda p: charts.PARTITION_NAMES[p])
        key = widget_key("filter_name")
        st.text_input(
            "Name contains",
            chosen.name,
            key=key,
            on_change=_set_field,
            args=("name", key, str),
            width=170,
            max_chars=120,
        )
        with st.popover("More filters", icon=":material/tune:"):
            if data.has_groups:
                _group(data, chosen)
            if kinds:
                _pills("Audit finding", "findings", list(kinds), chosen.findings, lambda k: kinds.get(k, k))
            st.caption("To filter by a measure or by an area of the map, draw in the panels Measures and Map.")
        _saved_views(data, chosen)


def _pills(label: str, field: str, options: list[str], now: tuple[str, ...], names: Callable[[str], str]) -> None:
    """Show the options of one field of the filter as buttons, several of which can be selected."""
    key = widget_key(f"filter_{field}")
    chosen = [option for option in options if option in now]
    st.pills(
        label,
        options,
        selection_mode="multi",
        default=chosen,
        key=key,
        format_func=names,
        on_change=_set_field,
        args=(field, key),
        wrap=True,
        width="content",
    )


def _group(data: Dataset, chosen: Filter) -> None:
    """Show a select box that adds one group at a time, since there may be hundreds."""
    others = sorted(set(data.images["group"]) - set(chosen.groups))
    key = widget_key(f"filter_group_{len(chosen.groups)}")
    st.selectbox(
        "Group (dish, donor)",
        others,
        index=None,
        key=key,
        format_func=lambda g: g or "no group",
        placeholder="Select",
        on_change=lambda: _set_field("groups", key, lambda group: (*chosen.groups, group)),
    )


def _saved_views(data: Dataset, chosen: Filter) -> None:
    """Show the saved filters, and save the current one under a name."""
    found = saved_filters(data.id)
    with st.popover("Views", icon=":material/bookmark:", help="Filters of this dataset that were saved under a name."):
        if not found and not chosen:
            st.caption("Filter the images first; then save the filter here under a name.")
        saved_items_list(found, noun="view", on_use=set_filter, on_delete=lambda name: delete_filter(data.id, name))
        if chosen:
            name = st.text_input("Name of this view", key="view_name", max_chars=MAX_NAME_LENGTH)
            save_button(
                "Save this view",
                name,
                noun="view",
                icon=":material/bookmark_add:",
                on_save=lambda: save_filter(data.id, name, chosen),
            )


def chips(chosen: Filter, kinds: dict[str, str]) -> None:
    """Show each part of the filter as a button that removes it."""
    if not chosen:
        return
    parts: list[tuple[str, Filter]] = []
    for field in ("classes", "partitions", "groups", "findings"):
        for value in getattr(chosen, field):
            rest = tuple(v for v in getattr(chosen, field) if v != value)
            none = class_name("") if field == "classes" else "no group"
            shown = kinds.get(value) or charts.PARTITION_NAMES.get(value) or escaped(value) or none
            parts.append((shown, chosen.changed(**{field: rest})))
    if chosen.name:
        parts.append((f"name: {escaped(chosen.name)}", chosen.changed(name="")))
    for measure, (low, high) in chosen.ranges.items():
        label = SIZES.get(measure) or (MEASURES[measure].label if measure in MEASURES else measure)
        parts.append((f"{label} {low:.3g} to {high:.3g}", chosen.with_range(measure, None)))
    if chosen.lasso:
        parts.append(("area of the map", chosen.changed(lasso=())))
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for number, (text, remaining) in enumerate(parts):
            st.button(
                text,
                key=f"chip_{number}_{text}",
                icon=":material/close:",
                on_click=set_filter,
                args=(remaining,),
                help="Remove this filter",
            )
        st.button("Clear all", key="chips_clear", on_click=set_filter, args=(Filter(),), type="tertiary")
