"""The queue of runs: the current run with its curves, the waiting runs, and the runs that can be resumed."""

from collections.abc import Sequence

import streamlit as st

from cfu_core.job import State, Status
from cfu_core.jobs.queue import move
from cfu_core.runs.duration_estimate import expected_seconds, training_images_of
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.wording import plural
from pages.components import job_progress, learning_curves, runs
from pages.components.dataset_choice import DRAWN
from pages.components.page_layout import escaped, icon_button


def current_run(queue: Sequence[Run]) -> None:
    """Show the progress of the current run, with the buttons that pause and stop it."""
    training, waiting = _by_state(queue)
    for run, status in training:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{escaped(run.name)}**", width="stretch")
                job_progress.state_badge(status)
                _pause_and_stop_buttons(run)
            job_progress.progress(status)
            if waiting:
                st.caption(_total_progress(run, status, waiting))


def _by_state(queue: Sequence[Run]) -> tuple[list[tuple[Run, Status]], list[Run]]:
    """Return the current runs with their status, and the waiting runs."""
    states = {run.id: run.status() for run in queue}
    waiting = [run for run in queue if states[run.id].state is State.QUEUED]
    return [(run, states[run.id]) for run in queue if run not in waiting], waiting


def live_queue(queue: Sequence[Run]) -> None:
    """Show the curves of the current run, and one line for each waiting run. All browser tabs read the same files."""
    training, waiting = _by_state(queue)
    for run, _ in training:
        with st.container(border=True):
            st.caption(f"{_dataset(run)} · {run.recipe.summary}")
            learning_curves.curves_of(run, key=f"live-{run.id}", from_first_batch=True)
    if waiting:
        with st.container(border=True):
            st.markdown(f"**{plural(len(waiting), 'run waits', 'runs wait')}**" + ("" if training else ", starting…"))
            for place, run in enumerate(waiting):
                _waiting(run, place, len(waiting))


def _dataset(run: Run) -> str:
    """Return the name of a run's dataset, for Markdown."""
    return escaped(run.plan.dataset.name) + (f" ({DRAWN})" if run.plan.dataset.drawn else "")


def _pause_and_stop_buttons(run: Run) -> None:
    """Show the buttons that pause and stop the current run."""
    pausing, stopping = run.pause_requested(), run.stop_requested()
    st.button(
        "Pausing…" if pausing else "Pause",
        icon=":material/pause:",
        key=f"pause-{run.id}",
        disabled=pausing or stopping,
        on_click=run.request_pause,
        help="Frees the device. The run can be resumed from this point.",
    )
    st.button(
        "Stopping…" if stopping else "Stop",
        icon=":material/stop:",
        key=f"stop-{run.id}",
        disabled=stopping,
        on_click=run.request_stop,
        help="Ends the run. It is not evaluated on the test images.",
    )


def _total_progress(run: Run, status: Status, waiting: Sequence[Run]) -> str:
    """Return the number of this run among those queued together, and the estimated time left for all."""
    known = list_runs()
    batch = [other for other in known if other.plan.batch and other.plan.batch == run.plan.batch]
    done = sum(other.status().state.ended for other in batch)
    place, total = (done + 1, len(batch)) if batch else (1, 1 + len(waiting))
    left = [status.details.get("seconds_left")]
    left += [expected_seconds(other.config, training_images_of(other), known) for other in waiting]
    estimates = [seconds for seconds in left if seconds is not None]
    if not estimates:
        return f"Run {place} of {total}"
    bound = "at least " if len(estimates) < len(left) else "about "
    return f"Run {place} of {total}, {bound}{job_progress.rough_duration(sum(estimates))} left for all"


def _waiting(run: Run, place: int, total: int) -> None:
    """Show a waiting run in one line, with the buttons that move, pause and remove it."""
    name = escaped(run.name)
    # the heading of the page names the chosen dataset
    dataset = "" if run.plan.dataset.id == st.session_state.get("dataset") else f" · {_dataset(run)}"
    text, buttons = st.columns([3, 1], vertical_alignment="center", gap="small")
    text.caption(f"{place + 1}\\. {name}{dataset}")
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
        for direction, step, possible in (("up", -1, place > 0), ("down", 1, place < total - 1)):
            icon_button(
                f"Move {name} {direction}",
                icon=f":material/arrow_{direction}ward:",
                # includes the place, so that a click that is handled twice has the same effect
                key=f"{direction}-{run.id}-{place + 1}",
                type="tertiary",
                disabled=not possible,
                on_click=move,
                args=(run, place + step),
            )
        icon_button(
            f"Pause {name} before it starts",
            icon=":material/pause:",
            key=f"pause-{run.id}",
            type="tertiary",
            on_click=run.request_pause,
        )
        icon_button(
            f"Remove {name} from the queue",
            icon=":material/close:",
            key=f"stop-{run.id}",
            type="tertiary",
            on_click=run.request_stop,
        )


def resumable_runs(ended: Sequence[Run]) -> None:
    """Show the runs that were paused, interrupted or failed, with the reason and a button that resumes each."""
    for run in ended:
        status = run.status()
        if status.state not in (State.PAUSED, State.INTERRUPTED, State.FAILED):
            continue
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{escaped(run.name)}**", width="stretch")
                job_progress.state_badge(status)
                runs.resume_button(run)
            st.caption(status.message)
            if status.details:
                job_progress.progress(status)
            if status.state is not State.PAUSED:
                runs.show_log(run)
