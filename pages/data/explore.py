"""The Explore page: a grid of the images with filters, a large view, the audit and the log of edits."""

import streamlit as st

from cfu_core.errors import CfuError
from pages.components import cached, editing
from pages.components.dataset_choice import chosen_dataset, split_seed
from pages.components.explore import filters, panels
from pages.components.explore.audit_panel import audit_panel
from pages.components.explore.grid import grid, sorted_for_grid
from pages.components.explore.large_view import large_view, opened_row
from pages.components.job_requests import survey_progress
from pages.components.page_layout import header, panel

header("Explore", "Look at every image, find problems and correct them. A selection in a chart filters the grid.")
data = chosen_dataset()
editing.show_message()
chosen = filters.current(data)
try:
    view = cached.view(data, split_seed())
except CfuError as error:
    st.error(str(error), icon=":material/error:")
    st.stop()
survey_progress(data, view.survey)
passes = chosen.mask(view.table)

row = opened_row(view)
if row is not None:
    large_view(view, row, sorted_for_grid(view, passes))
    st.stop()

filters.widgets(data, chosen, view.kinds)
filters.chips(chosen, view.kinds)
filters.write_url(chosen)

with st.grid(5, min_column_width=150, gap="small") as screen:
    with screen.cell(column_span=2):
        shown = {
            "Classes": lambda: panels.split_panel(data, view.split),
            "Measures": lambda: panels.measures_panel(view.table, chosen),
            "Map": lambda: panels.map_panel(view, chosen, passes),
            "Audit": lambda: audit_panel(view),
            "History": lambda: editing.history_panel(data),
        }
        shown[panel("explore_panel", list(shown))]()
    with screen.cell(column_span=3):
        grid(view, passes)
