"""A report of runs that is complete in one file: read in any browser, printed, kept beside the paper."""

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
from cfu_core.reporting import inputs_section, results_section
from cfu_core.reporting.comparison_plots import accuracies, confusion_matrices, learning_curves, times
from cfu_core.reporting.pdf import print_pdf
from cfu_core.reporting.plot_style import inline_svg
from cfu_core.reporting.replay_commands import again_command, train_command
from cfu_core.reporting.run_plots import evaluation_of, probability_figures
from cfu_core.reporting.table_format import Printed
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among
from cfu_core.storage import read_json, write_bytes

SUFFIXES = (".html", ".pdf")
CAPTIONS = {
    "roc": "Each class against the rest at every threshold of its probability.",
    "precision_recall": "The same images by precision and recall; guessing is as precise as the class is frequent.",
    "reliability": "Confidence against accuracy in ten bins; a larger dot stands for more images.",
    "coverage": "Accuracy on the images of which the network is surest.",
}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure of the page with what is said beneath it."""

    svg: Markup
    caption: str


def report_html(runs: Sequence[Run], *, now: datetime | None = None) -> str:
    """A page on one or several finished runs that loads nothing.

    Parameters
    ----------
    runs : sequence of Run
        Each once, in the order in which they are told.
    now : datetime, optional
        What the page says of when it was made; by default this moment.

    Raises
    ------
    CfuError
        There is no run, or one has not finished.
    """
    if not runs:
        raise ReportError(
            "No run was chosen.", "A report tells of one run at least.", "Choose runs that have finished."
        )
    evaluations = {run.id: evaluation_of(run) for run in runs}
    names = names_among(runs)
    by_name = {names[run.id]: evaluations[run.id] for run in runs}
    printed = {names[run.id]: found.accuracy if (found := results_section.published(run)) else None for run in runs}
    page = _templates().get_template("report.html.j2")
    return page.render(
        title=_title(runs, names),
        created=f"{now or datetime.now(UTC):%Y-%m-%d %H:%M %Z}",
        drawn=sorted({run.plan.dataset.name for run in runs if run.plan.dataset.drawn}),
        materials=inputs_section.materials(runs),
        preparations=inputs_section.preparations(runs, names),
        protocol=inputs_section.protocol(runs, names),
        beginnings=inputs_section.beginnings(runs),
        table_4=[
            of(runs, evaluations, names) for of in (results_section.accuracy_table, results_section.precision_table)
        ],
        accuracies=_picture(
            "accuracies", accuracies(by_name, printed), "The accuracy of every run, with its interval."
        ),
        confusions=_picture("confusions", confusion_matrices(by_name), "Counts, and per cent of the true class."),
        verdicts=results_section.verdict_tables(runs, names),
        table_3=results_section.time_table(runs, names),
        times=_times(runs, names),
        remark=REMARKS[1],
        each=[_one(number, run, names[run.id], evaluations[run.id]) for number, run in enumerate(runs, 1)],
        computing=_computing(runs, names),
        environments=_environments(runs, names),
    )


def write_report(runs: Sequence[Run], path: Path) -> None:
    """Write a report, whole or not at all.

    Parameters
    ----------
    runs : sequence of Run
    path : Path
        Its suffix, ``.html`` or ``.pdf``, says as what.

    Raises
    ------
    CfuError
        The suffix is another one, a run has not finished, or there is no browser that prints.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ReportError(f"A report cannot be written as {path.name!r}.", f"Known are {' and '.join(SUFFIXES)}.")
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


def _title(runs: Sequence[Run], names: Mapping[str, str]) -> str:
    if len(runs) == 1:
        return names[runs[0].id]
    return f"{len(runs)} runs on {', '.join(dict.fromkeys(run.plan.dataset.name for run in runs))}"


def _picture(name: str, figure: Any, caption: str) -> Picture:
    return Picture(svg=Markup(inline_svg(figure, name)), caption=caption)


def _times(runs: Sequence[Run], names: Mapping[str, str]) -> Picture | None:
    seconds = {names[run.id]: timing["seconds"] for run in runs if (timing := run.timing())}
    return _picture("times", times(seconds), "Where the time went.") if seconds else None


def _one(number: int, run: Run, name: str, evaluation: Evaluation) -> dict[str, Any]:
    """What is told of one run alone."""
    history = run.history()
    learning = (
        _picture(f"learning{number}", learning_curves(history), "Each epoch; a star marks the one that was kept.")
        if history
        else None
    )
    return {
        "name": name,
        "id": run.id,
        "tables": [results_section.class_table(evaluation), results_section.all_figures_table(evaluation)],
        "figures": [
            _picture(f"{kind.replace('_', '')}{number}", figure, CAPTIONS[kind])
            for kind, figure in probability_figures(run).items()
        ],
        "learning": learning,
        "probe": _probe(run),
        "commands": [command for command in (again_command(run), train_command(run)) if command],
    }


def _probe(run: Run) -> str:
    """How a probe's penalty was chosen; empty where there is none."""
    path = run.folder / "probe.json"
    if not path.exists():
        return ""
    found = read_json(path)
    return (
        f"A probe learns in no epochs. Of {len(found['trials'])} strengths of the penalty the validation images chose "
        f"C = {found['strength']:g}."
    )


def _computing(runs: Sequence[Run], names: Mapping[str, str]) -> Printed:
    rows = []
    for run in runs:
        timing = run.timing() or {}
        rows.append([names[run.id], timing.get("arithmetic") or timing.get("device") or "undefined", run.id])
    return Printed(
        caption="How it was computed", columns=["Run", "Device and arithmetic", "Identifier"], rows=rows, words=3
    )


def _environments(runs: Sequence[Run], names: Mapping[str, str]) -> list[Printed]:
    """The versions of every program, once for runs that share them."""
    seen: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run in runs:
        seen.setdefault(tuple(run.plan.environment.items()), []).append(names[run.id])
    return [
        Printed(
            caption="Versions" + (f" of {', '.join(which)}" if len(seen) > 1 else ""),
            columns=["What", "Version"],
            rows=[[what, version or "undefined"] for what, version in facts],
            words=2,
            note="A commit that ends in -dirty: files of the program differed from it.",
        )
        for facts, which in seen.items()
    ]
