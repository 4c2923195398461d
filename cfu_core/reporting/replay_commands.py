"""Shell commands that repeat a run."""

import shlex

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.left_out import missing_classes
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig

PROGRAM = "python -m cfu_core"
#: Settings with an option of the same name, which is given only if the value is not the default.
_OPTIONS = ("mode", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "patience", "precision")


def again_command(run: Run) -> str:
    """Return the shell command that repeats a run with the same settings, edits and compute options.

    It works only with the home folder that contains the run and its dataset.
    """
    return f"{PROGRAM} again {shlex.quote(run.id)}"


def train_command(run: Run, *, without_missing_classes: bool | None = None) -> str | None:
    """Return the shell command that trains a network with the settings of a run.

    The command does not need the run's folder. It names the dataset by its identifier, so on another computer the
    identifier must be replaced by the images (a folder, a zip archive or a CSV manifest).

    Parameters
    ----------
    run : Run
        Run whose settings the command has.
    without_missing_classes : bool, optional
        Result of `has_missing_classes` for its dataset; by default the dataset is loaded.

    Returns
    -------
    str or None
        None if the options of the subcommand ``train`` do not cover the run: its recipe differs from the paper's in
        more than clip limit and tiles of CLAHE, the seeds of split and training differ, the augmentation is not the
        default, the run is one fold of a cross-validation, or its dataset was edited.
    """
    config = run.config
    defaults = TrainingConfig(dataset=config.dataset, architecture=config.architecture, recipe=config.recipe)
    recipe = config.recipe
    expressible = Recipe.original(recipe.size)
    clahe: list[str] = []
    if recipe.kind == "preprocessed":
        expressible = Recipe.preprocessed(recipe.size, clip_limit=recipe.clip_limit, tiles=recipe.tiles)
        clahe = ["--clip-limit", repr(recipe.clip_limit), "--tiles", str(recipe.tiles)]
    not_covered = recipe.digest != expressible.digest or config.augmentation != defaults.augmentation
    if not_covered or config.folds or config.seed != config.split_seed or run.plan.dataset.version:
        return None
    words = ["train", config.dataset, "--model", config.architecture, "--images", recipe.kind, *clahe]
    words += ["--weights", config.weights]
    for name in _OPTIONS:
        value = getattr(config, name)
        if value != getattr(defaults, name):
            words += [f"--{name.replace('_', '-')}", repr(value) if isinstance(value, float) else str(value)]
    words += ["--seed", str(config.seed)]
    if without_missing_classes is None:
        without_missing_classes = has_missing_classes(config.dataset)
    if without_missing_classes:
        words.append("--without-missing-classes")
    return f"{PROGRAM} " + " ".join(map(shlex.quote, words))


def has_missing_classes(identifier: str) -> bool:
    """Return whether the import of a dataset lost a class; False if the dataset cannot be loaded.

    Parameters
    ----------
    identifier : str
        Identifier of the dataset.
    """
    try:
        return bool(missing_classes(load_dataset(identifier)))
    except CfuError:
        return False
