"""All figures of one run, and a zip of their files."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cfu_core.errors import RunError
from cfu_core.evaluation.calibration import accuracy_by_coverage, apply_temperature, fit_temperature, reliability
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.roc import class_curves
from cfu_core.reporting.comparison_plots import accuracies, confusion_matrices, learning_curves, times
from cfu_core.reporting.plot_style import png, svg
from cfu_core.reporting.probability_plots import coverage_curve, precision_recall, reliability_diagram, roc
from cfu_core.runs.run import Run
from cfu_core.storage import write_bytes


def evaluation_of(run: Run) -> Evaluation:
    """The evaluation of a run that has one.

    Raises
    ------
    RunError
        It has none.
    """
    found = run.evaluation()
    if found is None:
        raise RunError(f"The run {run.id} has no results.", "It has not finished.", "Choose runs that have finished.")
    return found


def run_figures(run: Run) -> dict[str, Figure]:
    """Every figure of one run, by a name for its file; without learning curves where it learned in no epochs.

    Parameters
    ----------
    run : Run

    Raises
    ------
    RunError
        It has not finished.
    """
    evaluation = {run.name: evaluation_of(run)}
    found = {"confusion_matrix": confusion_matrices(evaluation), "accuracy": accuracies(evaluation)}
    found |= probability_figures(run)
    history = run.history()
    if history:
        found["learning_curves"] = learning_curves(history)
    timing = run.timing()
    if timing:
        found["time"] = times({run.name: timing["seconds"]})
    return found


def probability_figures(run: Run) -> dict[str, Figure]:
    """Those that are drawn from the probabilities of the test images."""
    tested, validated = run.probabilities("test"), run.probabilities("validation")
    if tested is None:
        return {}
    true, probabilities = tested
    ranked = {name: class_curves(true, probabilities, place) for place, name in enumerate(run.classes)}
    ways = {"as it is": reliability(true, probabilities)}
    if validated is not None:
        scaled = apply_temperature(probabilities, fit_temperature(*validated))
        ways["temperature scaled"] = reliability(true, scaled)
    return {
        "roc": roc(ranked),
        "precision_recall": precision_recall(ranked),
        "reliability": reliability_diagram(ways),
        "coverage": coverage_curve(*accuracy_by_coverage(true, probabilities)),
    }


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG at 300 dpi and as SVG beside each other.

    Parameters
    ----------
    figure : Figure
    path : Path
        Without a suffix.

    Returns
    -------
    list of Path
        The two files.
    """
    written = []
    for suffix, content in ((".png", png(figure)), (".svg", svg(figure))):
        file = path.with_name(path.name + suffix)
        write_bytes(file, content)
        written.append(file)
    return written


def figures_zip(runs: Sequence[Run]) -> bytes:
    """All figures of runs as PNG and SVG; a folder for each run where they are several.

    Raises
    ------
    RunError
        A run has not finished.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for run in runs:
            folder = f"{run.id}/" if len(runs) > 1 else ""
            for name, figure in run_figures(run).items():
                archive.writestr(f"{folder}{name}.png", png(figure))
                archive.writestr(f"{folder}{name}.svg", svg(figure))
    return file.getvalue()
