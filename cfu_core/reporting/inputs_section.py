"""What went into runs, for a report: datasets with their edits, splits, recipes, and how the networks were trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.history import Edit, applied_and_undone
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.errors import CfuError
from cfu_core.evaluation.paper_tables import table_2
from cfu_core.reporting.table_format import NONE, Printed
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import PlannedSplit
from cfu_core.wording import plural

SHOWN_PATHS = 3


@dataclass(frozen=True, kw_only=True)
class Material:
    """A dataset as some runs saw it: facts by their names, its classes and splits, and its edits."""

    name: str
    drawn: bool
    facts: Mapping[str, str]
    tables: Sequence[Printed]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A recipe in words and as JSON, and the names of the runs that used it."""

    words: str
    json: str
    runs: Sequence[str]


def materials(runs: Sequence[Run]) -> list[Material]:
    """Each dataset of some runs, once for each of its versions, with the splits that they made of it."""
    seen: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        dataset = run.plan.dataset
        seen.setdefault((dataset.id, dataset.version), []).append(run)
    return [_material(same) for same in seen.values()]


def _material(runs: Sequence[Run]) -> Material:
    planned = runs[0].plan.dataset
    version = planned.version
    dataset: Dataset | None = None
    grouped = "not known: the dataset is no longer here, or is not what it was"
    try:
        dataset = planned_dataset(runs[0])
    except CfuError:
        edits = Printed(
            caption="Edits since the import", columns=[], rows=[], note=f"{plural(version, 'edit')}, {grouped}."
        )
    else:
        edits = _edits(dataset)
        grouped = (
            "yes: images of one dish or donor are held together"
            if dataset.has_groups
            else "no: the dataset names no dish or donor; only identical images are held together"
        )
    facts = {
        "Dataset": planned.name,
        "Identifier": planned.id,
        "Images": f"{planned.images:,}, in {len(planned.classes)} classes",
        "Origin": "drawn by a program, not photographed" if planned.drawn else "imported",
        "Version": f"{version}: " + ("as imported" if version == 0 else f"{plural(version, 'edit')} since the import"),
        "Digest": planned.digest,
        "Groups": grouped,
    }
    splits = {run.plan.split.seed: run.plan.split for run in runs}
    tables = [_split(split) for split in splits.values()]
    return Material(name=planned.name, drawn=planned.drawn, facts=facts, tables=[*tables, edits])


def _split(split: PlannedSplit) -> Printed:
    table = table_2(split.counts)
    columns = ["Class", *(partition.capitalize() for partition in PARTITIONS), "Total", "Published", "Difference"]
    rows = [[str(value) or NONE for value in row] for row in table[columns].itertuples(index=False)]
    return Printed(
        caption=f"Table 2. Images by class and partition; split seed {split.seed}",
        columns=columns,
        rows=rows,
        note=f"{split.nearness} Published and difference: training / validation / test.",
    )


def _edits(dataset: Dataset) -> Printed:
    counts = {edit.number for edit in applied_and_undone(dataset.edits)[0]}
    rows = [
        [
            str(edit.number),
            edit.when[:19].replace("T", " "),
            edit.who or NONE,
            _what(edit),
            edit.why or NONE,
            "yes" if edit.number in counts else "no" if edit.kind not in ("undo", "redo") else NONE,
        ]
        for edit in dataset.edits
    ]
    note = "" if rows else "None: the images and classes are as they were imported."
    columns = ["No.", "When (UTC)", "Who", "What", "Why", "Counts"] if rows else []
    return Printed(caption="Edits since the import", columns=columns, rows=rows, words=len(columns), note=note)


def _what(edit: Edit) -> str:
    if edit.kind in ("undo", "redo"):
        return f"{edit.kind} of edit {edit.changes['edit']}"
    paths = list(edit.changes)
    values = dict.fromkeys(str(value) for value in edit.changes.values() if value is not None)
    more = f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
    to = f" to {', '.join(list(values)[:SHOWN_PATHS])}" if values else ""
    return f"{edit.kind}{to}: {', '.join(paths[:SHOWN_PATHS])}{more}"


def preparations(runs: Sequence[Run], names: Mapping[str, str]) -> list[Preparation]:
    """Each recipe of some runs, once."""
    seen: dict[str, list[Run]] = {}
    for run in runs:
        seen.setdefault(run.recipe.digest, []).append(run)
    return [
        Preparation(
            words=same[0].recipe.summary,
            json=json.dumps(same[0].recipe.to_dict()),
            runs=[names[run.id] for run in same],
        )
        for same in seen.values()
    ]


def protocol(runs: Sequence[Run], names: Mapping[str, str]) -> Printed:
    """How each network was trained."""
    rows = []
    for run in runs:
        config = run.config
        learns = run.mode != "probe"
        trained = [config.epochs, config.batch_size, f"{config.learning_rate:g}", config.optimizer, config.schedule]
        rows.append(
            [
                names[run.id],
                run.plan.weights_label,
                "all layers" if learns else "the last layer",
                *(str(value) if learns else NONE for value in trained),
                (str(config.patience) if config.patience else "no") if learns else NONE,
                f"{config.seed} / {config.split_seed}",
            ]
        )
    columns = ["Run", "Began with", "What learnt", "Epochs", "Batch", "Rate", "Optimizer", "Schedule"]
    return Printed(
        caption="How the networks were trained",
        columns=[*columns, "Early stop", "Seed / split"],
        rows=rows,
        words=3,
        note=f"{NONE}: a probe has none; it fits the last layer alone, to features that do not change. "
        "The paper: 10 epochs, batch 15, rate 0.0001, all layers, from ImageNet's weights; no optimizer is stated.",
    )


def beginnings(runs: Sequence[Run]) -> list[str]:
    """What the networks had learnt before, said plainly, and how images were varied."""
    said = {}
    for run in runs:
        config = run.config
        label = run.plan.weights_label
        if config.weights == "none":
            said[label] = "the network had learnt nothing before. The paper's networks had learnt from ImageNet."
        elif config.weights == "imagenet":
            said[label] = "the network had learnt from the photographs of ImageNet before, as in the paper."
        else:
            said[label] = "the network began with a file that somebody supplied; what it had learnt is not known here."
    sentences = [f"{label[:1].upper()}{label[1:]}: {text}" for label, text in said.items()]
    if any(run.mode == "probe" for run in runs):
        sentences.append("Probe: no augmentation; the network looks at each image once and only its last layer learns.")
    for augmentation in dict.fromkeys(run.config.augmentation for run in runs if run.mode != "probe"):
        mirrored = "reflected at random, " if augmentation.reflect else ""
        sentences.append(
            f"Augmentation of training images: {mirrored}rotated by up to {augmentation.rotation:g} degrees "
            "either way, "
            f"shifted by up to {augmentation.translation:.0%} of the side."
        )
    return sentences
