"""Inputs of runs in a report: datasets with edits and splits, recipes, and training settings."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cfu_core.dataset.audit.audit import audit
from cfu_core.dataset.audit.checks import SEVERITIES
from cfu_core.dataset.audit.divided_groups import leaks
from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.audit.limits import read_limits
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edit_description import describe_edit
from cfu_core.dataset.history import applied_and_undone
from cfu_core.dataset.left_out import describe_left_out
from cfu_core.dataset.splitting import PARTITIONS, Split
from cfu_core.dataset.survey.survey import load_survey
from cfu_core.errors import CfuError
from cfu_core.evaluation.paper_tables import table_2
from cfu_core.reporting.table_format import NONE, TextTable
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import PlannedSplit
from cfu_core.wording import plural


@dataclass(frozen=True, kw_only=True)
class DatasetSection:
    """Description of a dataset at the version that some runs used.

    Attributes
    ----------
    name : str
        Name of the dataset.
    facts : mapping of str to str
        Values by label, for example ``Images``, ``Version`` and ``Digest``.
    tables : sequence of TextTable
        One table for each split, then the checks of the audit and the edits.
    """

    name: str
    facts: Mapping[str, str]
    tables: Sequence[TextTable]


@dataclass(frozen=True, kw_only=True)
class RecipeSection:
    """Description of a recipe.

    Attributes
    ----------
    summary : str
        The recipe in words.
    json : str
        The recipe as JSON, with all its parameters.
    runs : sequence of str
        Names of the runs that used the recipe.
    """

    summary: str
    json: str
    runs: Sequence[str]


def dataset_sections(runs: Sequence[Run]) -> list[DatasetSection]:
    """Describe the datasets of runs, each version of a dataset once, in the order of the runs.

    The splits are those that the runs used, each once. Each fold of a cross-validation is a split of its own. If a
    dataset has been deleted, is damaged or has changed, its edits and groups are described as unknown.
    """
    seen: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        dataset = run.plan.dataset
        seen.setdefault((dataset.id, dataset.version), []).append(run)
    return [_dataset_section(same) for same in seen.values()]


def _dataset_section(runs: Sequence[Run]) -> DatasetSection:
    planned = runs[0].plan.dataset
    version = planned.version
    dataset: Dataset | None = None
    grouped = "unknown, because the dataset has been deleted or has changed"
    splits = {(run.plan.split.seed, run.plan.split.folds, run.plan.split.fold): run for run in runs}
    found: dict[tuple[int, int, int], list[Finding]] = {}
    checks: list[TextTable] = []
    try:
        dataset = planned_dataset(runs[0])
    except CfuError:
        edits = TextTable(
            caption="Edits since the import",
            columns=[],
            rows=[],
            note=f"{plural(version, 'edit')}; details are {grouped}.",
        )
    else:
        edits = _edits(dataset)
        found = {key: _leaks(dataset, run) for key, run in splits.items()}
        grouped = _grouped(dataset, {finding.kind for findings in found.values() for finding in findings})
        checks = [_audit(dataset, runs[0])]
    facts = {
        "Dataset": planned.name,
        "Identifier": planned.id,
        "Images": f"{planned.images:,}, in {plural(len(planned.classes), 'class', 'classes')}",
        "Origin": "drawn by a program, not photographed" if planned.drawn else "imported",
        "Version": f"{version} (" + (f"{plural(version, 'edit')} since the import)" if version else "as imported)"),
        "Digest": planned.digest,
        "Groups": grouped,
        "Left out": (describe_left_out(dataset) or "nothing") if dataset else grouped,
    }
    tables = [_split(run.plan.split, leaks=found.get(key, [])) for key, run in splits.items()]
    return DatasetSection(name=planned.name, facts=facts, tables=[*tables, *checks, edits])


def _grouped(dataset: Dataset, leaks_found: Collection[str]) -> str:
    """Describe the groups; `leaks_found` holds the kinds of the leaks."""
    copies = "identical images are in several partitions; see Table 2" if "leak" in leaks_found else ""
    if "divided-group" in leaks_found:
        return "yes, but images of one dish or donor are in several partitions; see Table 2"
    if dataset.has_groups:
        return "yes: images of one dish or donor are in the same partition" + (f", but {copies}" if copies else "")
    return (
        "no dish or donor is known: images of one dish may be on both sides of the split, and the accuracy may be too "
        f"high for a new dish; {copies or 'only identical images are in the same partition'}"
    )


def _leaks(dataset: Dataset, run: Run) -> list[Finding]:
    """Return the groups and identical images that are in several partitions in the split of a run."""
    images = dataset.images.assign(partition=dataset.images["path"].map(run.split()))
    return list(leaks(images, dataset.partitions))


def _split(split: PlannedSplit, *, leaks: Sequence[Finding] = ()) -> TextTable:
    table = table_2(split.counts)
    columns = ["Class", *(partition.capitalize() for partition in PARTITIONS), "Total", "Published", "Difference"]
    rows = [[str(value) or NONE for value in row] for row in table[columns].itertuples(index=False)]
    fold = f", fold {split.fold + 1} of {split.folds}" if split.folds else ""
    return TextTable(
        caption=f"Table 2. Images by class and partition; split seed {split.seed}{fold}",
        columns=columns,
        rows=rows,
        note=" ".join(
            [
                *(f"{finding.title}: {finding.detail}" for finding in leaks),
                *filter(None, [split.nearness]),
                "Published and difference: training / validation / test.",
            ]
        ),
    )


def _audit(dataset: Dataset, run: Run) -> TextTable:
    """Make a table of all checks of the audit, with the split of a run."""
    planned = run.plan.split
    split = Split(
        seed=planned.seed,
        assignment=run.split(),
        counts=planned.counts,
        targets=planned.counts,
        grouped=dataset.has_groups,
    )
    caption = "Audit of the dataset"
    try:
        found = audit(dataset, load_survey(dataset), split, read_limits(dataset.id))
    except CfuError as error:
        return TextTable(caption=caption, columns=[], rows=[], note=str(error))
    rows = [
        [check.title, check.result, SEVERITIES.get(check.severity, NONE), check.limit.change if check.limit else NONE]
        for check in found.checks
    ]
    note = " ".join(f"{finding.title}: {finding.detail}" for finding in found.findings if finding.severity != "info")
    return TextTable(
        caption=caption,
        columns=["Check", "Result", "Severity", "Limit"],
        rows=rows,
        text_columns=4,
        note=f"{found.summary} Measures and limits are those at the time of this report. {note}".strip(),
    )


def _edits(dataset: Dataset) -> TextTable:
    applied = {edit.number for edit in applied_and_undone(dataset.edits)[0]}
    rows = [
        [
            str(edit.number),
            edit.when[:19].replace("T", " "),
            edit.who or NONE,
            describe_edit(edit),
            edit.why or NONE,
            "yes" if edit.number in applied else "no" if edit.kind not in ("undo", "redo") else NONE,
        ]
        for edit in dataset.edits
    ]
    note = "" if rows else "None: images and classes are as imported."
    columns = ["No.", "When (UTC)", "Who", "What", "Why", "In effect"] if rows else []
    return TextTable(caption="Edits since the import", columns=columns, rows=rows, text_columns=len(columns), note=note)


def recipe_sections(runs: Sequence[Run], names: Mapping[str, str]) -> list[RecipeSection]:
    """Describe the recipes of runs, each once, in the order of the runs; `names` holds the names by identifier."""
    seen: dict[str, list[Run]] = {}
    for run in runs:
        seen.setdefault(run.recipe.digest, []).append(run)
    return [
        RecipeSection(
            summary=same[0].recipe.summary,
            json=json.dumps(same[0].recipe.to_dict()),
            runs=[names[run.id] for run in same],
        )
        for same in seen.values()
    ]


def training_table(runs: Sequence[Run], names: Mapping[str, str]) -> TextTable:
    """Make a table of the training settings of runs, one row per run; `names` holds the names by identifier.

    Settings that a probe does not use are a dash.
    """
    rows = []
    for run in runs:
        config = run.config
        fine_tuned = run.mode != "probe"
        settings = [config.epochs, config.batch_size, f"{config.learning_rate:g}", config.optimizer, config.schedule]
        rows.append(
            [
                names[run.id],
                run.plan.weights_label,
                "all layers" if fine_tuned else "last layer only",
                *(str(value) if fine_tuned else NONE for value in settings),
                (str(config.patience) if config.patience else "no") if fine_tuned else NONE,
                f"{config.seed} / {config.split_seed}",
            ]
        )
    columns = ["Run", "Began with", "Trained", "Epochs", "Batch", "Learning rate", "Optimizer", "Schedule"]
    return TextTable(
        caption="Training settings",
        columns=[*columns, "Early stop", "Seed / split"],
        rows=rows,
        text_columns=3,
        note=f"{NONE}: not used by a probe, which fits only the last layer to features of the frozen network. The "
        "paper trained all layers for 10 epochs with batch size 15 and learning rate 0.0001, beginning with ImageNet "
        "weights; it does not state the optimizer.",
    )


def training_notes(runs: Sequence[Run]) -> list[str]:
    """Explain initial weights, probes and augmentation, as far as they occur in runs.

    Returns
    -------
    list of str
        One text for each different description of initial weights, one if there is a probe, and one for each different
        augmentation of fine-tuned runs.
    """
    explanations = {}
    for run in runs:
        config = run.config
        label = run.plan.weights_label
        if config.weights == "none":
            explanations[label] = (
                "the networks were not pretrained. The networks of the paper were pretrained on ImageNet."
            )
        elif config.weights == "imagenet":
            explanations[label] = "the networks were pretrained on the photographs of ImageNet, as in the paper."
        else:
            explanations[label] = "the file was supplied by a user; how these weights were trained is unknown."
    sentences = [f"{label[:1].upper()}{label[1:]}: {text}" for label, text in explanations.items()]
    if any(run.mode == "probe" for run in runs):
        sentences.append(
            "Probe: the network is frozen; its features are extracted once, without augmentation, and only the last "
            "layer is fitted."
        )
    for augmentation in dict.fromkeys(run.config.augmentation for run in runs if run.mode != "probe"):
        reflected = "reflected at random, " if augmentation.reflect else ""
        sentences.append(
            f"Augmentation of training images: {reflected}rotated by up to {augmentation.rotation:g} degrees "
            f"in either direction, shifted by up to {augmentation.translation:.0%} of the side."
        )
    return sentences
