"""All plots of a run, and a zip archive with them."""

import io
import zipfile
from collections.abc import Sequence

from matplotlib.figure import Figure

from cfu_core.errors import RunError
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.probability_metrics import assess_calibration, curves_by_class
from cfu_core.reporting.accuracy_plot import accuracies
from cfu_core.reporting.confusion_matrix_plot import confusion_matrices
from cfu_core.reporting.figure_fonts import missing_characters_note, use_installed_fonts
from cfu_core.reporting.learning_curve_plot import learning_curves
from cfu_core.reporting.plot_style import png, svg
from cfu_core.reporting.probability_plots import coverage_curve, precision_recall, reliability_diagram, roc
from cfu_core.reporting.time_plot import phase_times
from cfu_core.runs.run import Run


def evaluation_of(run: Run) -> Evaluation:
    """Return the evaluation of a finished run.

    Raises
    ------
    RunError
        The run has no evaluation, because it has not finished.
    StorageError
        ``evaluation.json`` is damaged, or the user may not read it.
    """
    found = run.evaluation()
    if found is None:
        raise RunError(f"The run {run.id} has no results.", "It has not finished.", "Choose finished runs.")
    return found


def run_figures(run: Run) -> dict[str, Figure]:
    """Draw all plots of a run.

    Parameters
    ----------
    run : Run
        Finished run.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        Figure by name: ``confusion_matrix``, ``accuracy``, ``roc``, ``precision_recall``, ``reliability``,
        ``coverage``, ``learning_curves`` (not for a probe) and ``time``.

    Raises
    ------
    RunError
        The run has not finished.
    StorageError
        A file with the results or the times of the run is damaged or not readable.
    """
    evaluation = {run.name: evaluation_of(run)}
    found = {"confusion_matrix": confusion_matrices(evaluation), "accuracy": accuracies(evaluation)}
    found |= probability_figures(run)
    history = run.history()
    if history:
        found["learning_curves"] = learning_curves(history)
    timing = run.timing()
    if timing:
        found["time"] = phase_times({run.name: timing["seconds"]})
    return found


def probability_figures(run: Run) -> dict[str, Figure]:
    """Plot the metrics of the predicted probabilities of a run's test images.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        Figure by name: ``roc``, ``precision_recall``, ``reliability`` (also after temperature scaling, which is fitted
        to the validation images) and ``coverage``; empty until the run is tested.
    """
    tested = run.probabilities("test")
    if tested is None:
        return {}
    curves = curves_by_class(*tested, run.classes)
    calibration = assess_calibration(tested, run.probabilities("validation"))
    return {
        "roc": roc(curves),
        "precision_recall": precision_recall(curves),
        "reliability": reliability_diagram(calibration.diagrams),
        "coverage": coverage_curve(calibration.coverage, calibration.accuracy),
    }


def figures_zip(runs: Sequence[Run]) -> bytes:
    """Return a zip archive of all plots of runs as PNG and SVG.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs.

    Returns
    -------
    bytes
        Content of a zip archive with two files per plot, such as ``roc.png`` and ``roc.svg`` (names from
        `run_figures`); for several runs, in one folder per run that is named by its identifier. If no installed font
        has a character of a name, ``missing_fonts.txt`` says so.

    Raises
    ------
    RunError
        A run has not finished.
    StorageError
        A file with the results or the times of a run is damaged or not readable.
    """
    file = io.BytesIO()
    notes: list[str] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for run in runs:
            folder = f"{run.id}/" if len(runs) > 1 else ""
            for name, figure in run_figures(run).items():
                if note := missing_characters_note(use_installed_fonts(figure)):
                    notes.append(f"{folder}{name}: {note}\n")
                archive.writestr(f"{folder}{name}.png", png(figure))
                archive.writestr(f"{folder}{name}.svg", svg(figure))
        if notes:
            archive.writestr("missing_fonts.txt", "".join(notes))
    return file.getvalue()
