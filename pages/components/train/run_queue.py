"""The run that trains with its curves, the runs that wait, and the runs that can be resumed."""

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
from pages.components.page_layout import icon_button


def current_run(queue: Sequence[Run]) -> None:
    """Show the run that trains in a few lines at the top of the page, with the buttons that pause and stop it."""
    training, waiting = _by_state(queue)
    for run, status in training:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{run.name}**", width="stretch")
                job_progress.state_badge(status)
                _requests(run)
            job_progress.progress(status)
            if waiting:
                st.caption(_of_all(run, status, waiting))


def _by_state(queue: Sequence[Run]) -> tuple[list[tuple[Run, Status]], list[Run]]:
    """Return the runs that train with their status, and those that wait."""
    states = {run.id: run.status() for run in queue}
    waiting = [run for run in queue if states[run.id].state is State.QUEUED]
    return [(run, states[run.id]) for run in queue if run not in waiting], waiting


def live_queue(queue: Sequence[Run]) -> None:
    """Show the curves of the run that trains, then a line for each run that waits. All tabs read the same files."""
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
    return run.plan.dataset.name + (f" ({DRAWN})" if run.plan.dataset.drawn else "")


def _requests(run: Run) -> None:
    """Show the buttons that pause and stop the run that trains."""
    pausing, stopping = run.pause_requested(), run.stop_requested()
    st.button(
        "Pausing…" if pausing else "Pause",
        icon=":material/pause:",
        key=f"pause-{run.id}",
        disabled=pausing or stopping,
        on_click=run.request_pause,
        help="Frees the device. The run can be resumed where it was.",
    )
    st.button(
        "Stopping…" if stopping else "Stop",
        icon=":material/stop:",
        key=f"stop-{run.id}",
        disabled=stopping,
        on_click=run.request_stop,
        help="Ends the run. The test images stay unseen.",
    )


def _of_all(run: Run, status: Status, waiting: Sequence[Run]) -> str:
    """Return which run of how many this is, and how long all of them take from here."""
    known = list_runs()
    together = [other for other in known if other.plan.batch and other.plan.batch == run.plan.batch]
    done = sum(other.status().state.ended for other in together)
    place, total = (done + 1, len(together)) if together else (1, 1 + len(waiting))
    left = [status.details.get("seconds_left")]
    left += [expected_seconds(other.config, training_images_of(other), known) for other in waiting]
    numbers = [seconds for seconds in left if seconds is not None]
    if not numbers:
        return f"Run {place} of {total}"
    least = "at least " if len(numbers) < len(left) else "about "
    return f"Run {place} of {total}, {least}{job_progress.rough_duration(sum(numbers))} left for all"


def _waiting(run: Run, place: int, total: int) -> None:
    """Show a waiting run in one line, with the ways to move, pause and remove it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption(f"{place + 1}. {run.name} · {_dataset(run)}", width="stretch")
        if total > 1:
            for direction, step, possible in (("up", -1, place > 0), ("down", 1, place < total - 1)):
                icon_button(
                    f"Move {run.name} {direction}",
                    icon=f":material/arrow_{direction}ward:",
                    # with the place: a click that is handled twice still says the same
                    key=f"{direction}-{run.id}-{place + 1}",
                    disabled=not possible,
                    on_click=move,
                    args=(run, place + step),
                )
        icon_button(
            f"Pause {run.name} before it begins",
            icon=":material/pause:",
            key=f"pause-{run.id}",
            on_click=run.request_pause,
        )
        icon_button(
            f"Remove {run.name} from the queue",
            icon=":material/close:",
            key=f"stop-{run.id}",
            on_click=run.request_stop,
        )


def resumable(ended: Sequence[Run]) -> None:
    """Show the runs that were paused, interrupted or failed: why, and a button that resumes each."""
    for run in ended:
        status = run.status()
        if status.state not in (State.PAUSED, State.INTERRUPTED, State.FAILED):
            continue
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{run.name}**", width="stretch")
                job_progress.state_badge(status)
                runs.resume_button(run)
            st.caption(status.message)
            if status.details:
                job_progress.progress(status)
            if status.state is not State.PAUSED:
                runs.show_log(run)
