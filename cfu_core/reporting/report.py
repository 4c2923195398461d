"""Report of runs as one self-contained HTML file, or as PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cfu_core.errors import ReportError
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.published.zamani_2023 import REMARKS
from cfu_core.reporting import inputs_section, results_section, summary_section
from cfu_core.reporting.accuracy_plot import accuracies
from cfu_core.reporting.confusion_matrix_plot import confusion_matrices
from cfu_core.reporting.figure_fonts import missing_characters_note, use_installed_fonts
from cfu_core.reporting.learning_curve_plot import learning_curves
from cfu_core.reporting.pdf import print_pdf
from cfu_core.reporting.plot_style import inline_svg
from cfu_core.reporting.replay_commands import again_command, has_missing_classes, train_command
from cfu_core.reporting.run_plots import evaluation_of, probability_figures
from cfu_core.reporting.table_format import UNDEFINED, TextTable
from cfu_core.reporting.time_plot import phase_times
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among
from cfu_core.storage import read_json, write_bytes

SUFFIXES = (".html", ".pdf")
CAPTIONS = {
    "roc": "ROC curves of each class against the rest.",
    "precision_recall": "Precision-recall curves. The precision of a random classifier is the fraction of the class.",
    "reliability": "Accuracy by confidence in ten bins; larger dots: more images.",
    "coverage": "Accuracy on the images of highest confidence.",
}


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A figure of the report.

    Attributes
    ----------
    svg : Markup
        The figure as an SVG element, which is not escaped again.
    caption : str
        Text below the figure; it names characters that no installed font has.
    """

    svg: Markup
    caption: str


def report_html(runs: Sequence[Run], *, now: datetime | None = None) -> str:
    """Write a report of finished runs as a self-contained HTML page.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, each once, in the order of the report.
    now : datetime, optional
        Time of the report, displayed to the minute with its time zone, if it has one; by default the current time in
        UTC.

    Returns
    -------
    str
        HTML that loads nothing from other files or the network: a summary, the inputs (datasets, recipes, training
        settings), Tables 3 and 4, comparisons of runs, and a section for each run.

    Raises
    ------
    ReportError
        `runs` is empty.
    RunError
        A run has not finished.
    StorageError
        A file with the results or the times of a run is damaged or not readable.
    """
    if not runs:
        raise ReportError("No run was chosen.", "A report needs at least one run.", "Choose finished runs.")
    evaluations = {run.id: evaluation_of(run) for run in runs}
    names = names_among(runs, leave_out_shared=True)  # the title has weights and mode
    by_name = {names[run.id]: evaluations[run.id] for run in runs}
    published = {
        names[run.id]: found.accuracy if (found := results_section.published_result(run)) else None for run in runs
    }
    preprocessing = results_section.compare_preprocessing(runs)
    missing = {dataset: has_missing_classes(dataset) for dataset in {run.config.dataset for run in runs}}
    page = _templates().get_template("report.html.j2")
    return page.render(
        title=summary_section.report_title(runs),
        summary=summary_section.summary(runs, evaluations, names, preprocessing),
        created=f"{now or datetime.now(UTC):%Y-%m-%d %H:%M %Z}",
        drawn=sorted({run.plan.dataset.name for run in runs if run.plan.dataset.drawn}),
        datasets=inputs_section.dataset_sections(runs),
        recipes=inputs_section.recipe_sections(runs, names),
        training=inputs_section.training_table(runs, names),
        training_notes=inputs_section.training_notes(runs),
        table_4=[
            results_section.accuracy_table(runs, evaluations, names),
            results_section.precision_table(runs, evaluations, names),
        ],
        accuracies=_figure("accuracies", accuracies(by_name, published), "Accuracy of each run with its interval."),
        confusions=_figure(
            "confusions", confusion_matrices(by_name), "Number of images, and percentage of the true class."
        ),
        comparisons=results_section.comparison_tables(runs, preprocessing, names),
        table_3=results_section.time_table(runs, names),
        times=_phase_times(runs, names),
        remark=REMARKS[1],
        run_sections=[
            _run_section(number, run, names[run.id], evaluations[run.id], missing[run.config.dataset])
            for number, run in enumerate(runs, 1)
        ],
        devices=_device_table(runs, names),
        versions=_version_tables(runs, names),
    )


def write_report(runs: Sequence[Run], path: Path) -> None:
    """Write a report of finished runs into a file, replacing an existing file; an error leaves no partial file.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, each once, in the order of the report.
    path : Path
        File to write; its folder is created if missing. Its suffix, ``.html`` or ``.pdf`` in upper or lower case,
        determines the format.

    Raises
    ------
    ReportError
        The suffix is not ``.html`` or ``.pdf``; `runs` is empty; or for PDF, no browser was found or it produced none.
    RunError
        A run has not finished.
    StorageError
        The disk is full, or the folder is not writable; or a file with the results or the times of a run is damaged or
        not readable.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ReportError(
            f"A report cannot be written as {path.name!r}.", f"The file name must end in {' or '.join(SUFFIXES)}."
        )
    html = report_html(runs)
    write_bytes(path, html.encode() if suffix == ".html" else print_pdf(html))


@cache
def _templates() -> Environment:
    folder = Path(__file__).with_name("templates")
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _figure(name: str, figure: Any, caption: str) -> ReportFigure:
    note = missing_characters_note(use_installed_fonts(figure))
    return ReportFigure(svg=Markup(inline_svg(figure, name)), caption=f"{caption} {note}".strip())


def _phase_times(runs: Sequence[Run], names: Mapping[str, str]) -> ReportFigure | None:
    seconds = {names[run.id]: timing["seconds"] for run in runs if (timing := run.timing())}
    return _figure("times", phase_times(seconds), "Time by phase.") if seconds else None


def _run_section(number: int, run: Run, name: str, evaluation: Evaluation, lost_class: bool) -> dict[str, Any]:
    """Return the parts of the section on one run."""
    history = run.history()
    caption = "Loss and accuracy by epoch; a star marks the epoch whose weights were kept."
    learning = _figure(f"learning{number}", learning_curves(history), caption) if history else None
    commands = (again_command(run), train_command(run, without_missing_classes=lost_class))
    return {
        "name": name,
        "id": run.id,
        "tables": [results_section.class_table(evaluation), results_section.summary_table(evaluation)],
        "figures": [
            _figure(f"{kind.replace('_', '')}{number}", figure, CAPTIONS[kind])
            for kind, figure in probability_figures(run).items()
        ],
        "learning": learning,
        "probe": _probe_note(run),
        "commands": [command for command in commands if command],
    }


def _probe_note(run: Run) -> str:
    """Describe how the regularisation of a probe was chosen; empty for a fine-tuned network."""
    path = run.folder / "probe.json"
    if not path.exists():
        return ""
    found = read_json(path)
    return (
        f"A probe has no epochs. Of {len(found['trials'])} regularisation strengths, C = {found['strength']:g} gave "
        "the best result on the validation images (C is the inverse of the strength)."
    )


def _device_table(runs: Sequence[Run], names: Mapping[str, str]) -> TextTable:
    rows = []
    for run in runs:
        timing = run.timing() or {}
        rows.append([names[run.id], timing.get("arithmetic") or timing.get("device") or UNDEFINED, run.id])
    return TextTable(
        caption="Devices", columns=["Run", "Device and arithmetic", "Identifier"], rows=rows, text_columns=3
    )


def _version_tables(runs: Sequence[Run], names: Mapping[str, str]) -> list[TextTable]:
    """Make a table of the software versions for each set of runs that share them."""
    seen: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run in runs:
        seen.setdefault(tuple(run.plan.environment.items()), []).append(names[run.id])
    return [
        TextTable(
            caption="Versions" + (f" of {', '.join(which)}" if len(seen) > 1 else ""),
            columns=["Software", "Version"],
            rows=[[what, version or UNDEFINED] for what, version in versions],
            text_columns=2,
            note="A commit that ends in -dirty: files of the program differed from the commit.",
        )
        for versions, which in seen.items()
    ]
