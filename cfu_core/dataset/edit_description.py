"""Description of an edit of a dataset in one line of text."""

from cfu_core.dataset.history import Edit

SHOWN = 3  # values and paths that are listed


def describe_edit(edit: Edit) -> str:
    """Describe an edit in one line of text.

    Returns
    -------
    str
        For example ``relabel to CFU-GM: A/01.jpg, A/02.jpg`` or ``undo of edit 2``. The first `SHOWN` different values
        and the first `SHOWN` paths are listed; further paths are counted, further values are omitted.
    """
    if edit.kind in ("undo", "redo"):
        return f"{edit.kind} of edit {edit.changes['edit']}"
    paths = list(edit.changes)
    values = dict.fromkeys(str(value) for value in edit.changes.values() if value is not None)
    new_values = f" to {', '.join(list(values)[:SHOWN])}" if values else ""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return f"{edit.kind}{new_values}: {', '.join(paths[:SHOWN])}{more}"
