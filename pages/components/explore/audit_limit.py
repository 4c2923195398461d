"""A limit of the audit that can be moved: histogram of the measure, slider, and the images nearest to the limit."""

from pathlib import PurePosixPath

import numpy as np
import streamlit as st

from cfu_core.dataset.audit.limits import Limit, save_limit
from cfu_core.errors import CfuError
from pages.components import cached, charts
from pages.components.cached import View
from pages.components.explore import panel_charts
from pages.components.explore.grid import open_large
from pages.components.page_layout import escaped, succeeded

PER_SIDE = 4  # images on either side of the limit


def move_limit(view: View, limit: Limit) -> None:
    """Show a limit with its measure, and store it with the dataset when it is moved."""
    facts = limit.facts
    key = f"limit_{limit.kind}"
    if st.session_state.get(key) != limit.value:  # first shown, reset, moved in another window, or not stored
        st.session_state[key] = float(limit.value)
    values = limit.values[np.isfinite(limit.values)]
    if not len(values):
        st.info("Not measured yet.", icon=":material/hourglass:")
        return
    if limit.classes:
        figure = panel_charts.limit_bars(dict(zip(limit.classes, limit.values, strict=True)), limit)
    else:
        figure = panel_charts.limit_histogram(values, limit)
    charts.show(figure, key=f"chart_{limit.kind}", alt=f"{facts.measure} with the limit", height=170)
    st.slider(
        f"{facts.measure}: listed {'above' if facts.above else 'below'}",
        float(facts.lowest),
        float(max(facts.highest, limit.value)),
        step=float(facts.step),
        format=f"%.{0 if facts.step >= 1 else 1}f{facts.unit.replace('%', '%%')}",
        key=key,
        help=facts.help,
        on_change=_store,
        args=(view.data.id, limit.kind, key),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if limit.changed:
            st.caption(f"{limit.change[:1].upper()}{limit.change[1:]}, kept with the dataset.")
        else:
            st.caption(f"The default limit is {facts.text(limit.default)}.")
        if limit.changed:
            st.button(
                f"Reset to {facts.text(limit.default)}",
                icon=":material/restart_alt:",
                key=f"reset_{limit.kind}",
                on_click=_reset,
                args=(view.data.id, limit.kind),
            )
    if not limit.classes:
        _nearest(view, limit)


def _store(dataset_id: str, kind: str, key: str) -> None:
    succeeded(save_limit, dataset_id, kind, st.session_state[key])


def _reset(dataset_id: str, kind: str) -> None:
    succeeded(save_limit, dataset_id, kind, None)


def _nearest(view: View, limit: Limit) -> None:
    """Show the images nearest to the limit, first those that are not listed, then those that are."""
    within, beyond = limit.nearest(PER_SIDE)
    for name, rows in (("Not listed, nearest to the limit", within), ("Listed, nearest to the limit", beyond)):
        st.caption(name if rows else f"{name}: none")
        for place, row in zip(st.columns(PER_SIDE), rows, strict=False):
            with place:
                _thumbnail(view, limit, row)


def _thumbnail(view: View, limit: Limit, row: int) -> None:
    path = view.table["path"].iat[row]
    try:
        st.image(cached.thumbnail(view.data, row), width="stretch")
    except CfuError as error:
        st.caption(escaped(str(error)))
    st.button(
        limit.facts.text(limit.values[row]),
        key=f"near_{limit.kind}_{row}",
        type="tertiary",
        help=f"Enlarge {escaped(PurePosixPath(path).name)}, {escaped(view.table['label'].iat[row])}",
        on_click=open_large,
        args=(path,),
    )
