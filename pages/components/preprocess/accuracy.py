"""The accuracy panel: estimates of how the current recipe changes the accuracy, by jobs in the background."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from cfu_core.jobs.queue import all_jobs
from cfu_core.jobs.tasks import ESTIMATE
from cfu_core.models.registry import ARCHITECTURES, architecture
from cfu_core.models.weight_files import IMAGENET, NONE, check_imagenet_weights
from cfu_core.saved_recipes import saved_recipes
from cfu_core.storage import read_json
from cfu_core.wording import plural
from pages.components import charts
from pages.components.address import in_url
from pages.components.dataset_choice import split_seed
from pages.components.job_requests import poll
from pages.components.train.settings import choose_weights

NOW = "These settings"
SHOWN = 20  # earlier estimates
_GREYSCALE = ".st-key-estimate_for_other_settings .js-plotly-plot {filter: grayscale(1)}"


def estimate_panel(data: Dataset, recipe: Recipe) -> None:
    """Compare the estimated accuracy of the current recipe with that of another one."""
    st.caption(
        "The network is not trained: it computes the features of each image, and only a classifier is fitted to them, "
        "by five-fold cross-validation on the training and validation images. The test images are not used. The "
        "estimate shows which preprocessing helps, not how accurate a trained network becomes."
    )
    jobs = [job for job in all_jobs() if job.kind == "estimate" and job.spec["dataset"] == data.id]
    with st.grid(3, min_column_width=240, gap="medium") as columns:
        with columns.cell():
            key = _network()
        with columns.cell():
            weights = choose_weights()
        with columns.cell():
            name, other = _other_recipe()
    spec = _spec(data, recipe, key, weights, name, other)
    done = [job for job in reversed(jobs) if job.status().state is State.FINISHED]
    stale = bool(done) and any(done[0].spec[part] != spec[part] for part in spec)
    if jobs and not jobs[-1].status().state.ended:
        poll(str(jobs[-1].folder), f"{NOW} against {_other_name(jobs[-1])}: {_summary(jobs[-1])}")
    elif not stale:
        _estimate_button("Estimate accuracy with these settings", spec)
    if jobs and jobs[-1].status().state in (State.FAILED, State.INTERRUPTED):
        st.error(jobs[-1].status().message, icon=":material/error:")
    if done:
        _result(done[0], spec if stale else None)
        _earlier(done[:SHOWN])


def _estimate_button(label: str, spec: Mapping[str, Any]) -> None:
    if st.button(label, icon=":material/query_stats:", key="estimate_go"):
        try:
            if spec["weights"] == IMAGENET:
                check_imagenet_weights(spec["architecture"])
            submit("estimate", spec)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()


def _network() -> str:
    with in_url("probe_network", "alexnet", ARCHITECTURES.__contains__):
        return st.selectbox(
            "Network",
            list(ARCHITECTURES),
            key="probe_network",
            format_func=lambda k: ARCHITECTURES[k].label,
            help="AlexNet processes over a hundred images a second on a CPU; the others are slower.",
        )


def _other_recipe() -> tuple[str, Recipe]:
    """Choose the recipe that the current one is compared with; return its name and the recipe."""
    options = {"Original": Recipe.original(), "Preprocessed, as in the paper": Recipe.preprocessed()} | saved_recipes()
    with in_url("against", "Original", options.__contains__):
        name = st.selectbox(
            "Compare with",
            list(options),
            key="against",
            help="Saved recipes are listed too. Both recipes are tested on the same images.",
        )
    st.caption(options[name].summary)
    return name, options[name]


def _spec(data: Dataset, recipe: Recipe, key: str, weights: str, name: str, other: Recipe) -> dict[str, Any]:
    size = architecture(key).input_size
    return {
        "dataset": data.id,
        "version": data.version,
        "recipes": {NOW: recipe.at(size).to_dict(), name: other.at(size).to_dict()},
        "architecture": key,
        "weights": weights,
        "split_seed": split_seed(),
    }


def _result(job: Job, new_spec: Mapping[str, Any] | None) -> None:
    """Show the newest result in a chart and a sentence; without colours if the settings have changed since."""
    result = read_json(job.folder / ESTIMATE)
    first, second = result["estimates"]
    paired = result["against"][0]
    with st.container(border=True, key="estimate_for_other_settings" if new_spec else "estimate_for_these_settings"):
        if new_spec:
            st.html(f"<style>{_GREYSCALE}</style>")
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown("**For other settings**", width="stretch")
                _estimate_button("Estimate again", new_spec)
            st.caption(f"This estimate is for: {_summary(job)}")
        names = [NOW, _other_name(job)]
        bounds = [[estimate[bound] for estimate in (first, second)] for bound in ("accuracy", "low", "high")]
        charts.show(charts.intervals(names, *bounds), key="estimate_figure", alt="Estimated accuracies", height=230)
        st.markdown(f"**{_verdict(paired)}**")
        st.caption(
            f"{points(paired['difference'])} (95 % interval {points(paired['low'])} to {points(paired['high'])}). Of "
            f"{first['images']} images, {paired['only_second']} were right only with these settings and "
            f"{paired['only_first']} only with {_other_name(job)} (exact McNemar test: {_p_value(paired['p'])}). "
            f"{architecture(job.spec['architecture']).label}, {result['weights']}."
        )
        if job.spec["weights"] == NONE:
            st.warning(
                "The network's weights are random, so its features describe little more than colours and edges. With "
                "ImageNet weights the estimate is closer to the accuracy of a trained network.",
                icon=":material/casino:",
            )
        if not result["all_images"]:
            st.caption(
                f"The estimate uses {plural(first['images'], 'randomly drawn image')}. "
                "More images would narrow the interval little."
            )


def _verdict(paired: Mapping[str, float]) -> str:
    if paired["low"] > 0:
        return "These settings are better for this network."
    if paired["high"] < 0:
        return "These settings are worse for this network."
    return "No clear difference: chance is not ruled out."


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def points(difference: float) -> str:
    """Return a difference of two fractions in percentage points, with its sign."""
    return f"{100 * difference:+.1f} percentage points"


def _earlier(jobs: list[Job]) -> None:
    """Show a table of the estimates, newest first."""
    rows = []
    for job in jobs:
        result = read_json(job.folder / ESTIMATE)
        first, paired = result["estimates"][0], result["against"][0]
        rows.append(
            {
                "Settings": _summary(job),
                "Network": f"{architecture(job.spec['architecture']).label}, {result['weights']}",
                "Accuracy": f"{first['accuracy']:.1%} ({first['low']:.1%} to {first['high']:.1%})",
                "Against": _other_name(job),
                "Difference": points(paired["difference"]),
            }
        )
    if len(rows) > 1:
        with st.expander(f"Earlier estimates ({len(rows)})", icon=":material/history:"):
            st.dataframe(pd.DataFrame(rows), hide_index=True)


def _other_name(job: Job) -> str:
    return list(job.spec["recipes"])[1]


def _summary(job: Job) -> str:
    return Recipe.from_dict(job.spec["recipes"][NOW]).summary
