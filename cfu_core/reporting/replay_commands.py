"""The commands that repeat a run."""

import shlex

from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig

PROGRAM = "python -m cfu_core"
#: Settings with a flag of the same name, of which only those are said that differ from the default.
_FLAGS = ("mode", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "patience", "precision")


def again_command(run: Run) -> str:
    """Trains the run once more where its folder lies: the same settings and edits, computed the same way."""
    return f"{PROGRAM} again {shlex.quote(run.id)}"


def train_command(run: Run) -> str | None:
    """Trains it anew from its dataset, on any computer; None where the flags of ``train`` cannot say its settings.

    Parameters
    ----------
    run : Run
        With the paper's recipes up to CLAHE's settings, one seed for split and training, no folds, no edited dataset.
    """
    config = run.config
    plain = TrainingConfig(dataset=config.dataset, architecture=config.architecture, recipe=config.recipe)
    recipe = config.recipe
    said = Recipe.original(recipe.size)
    clahe: list[str] = []
    if recipe.kind == "preprocessed":
        said = Recipe.preprocessed(recipe.size, clip_limit=recipe.clip_limit, tiles=recipe.tiles)
        clahe = ["--clip-limit", repr(recipe.clip_limit), "--tiles", str(recipe.tiles)]
    unsaid = recipe.digest != said.digest or config.augmentation != plain.augmentation
    if unsaid or config.folds or config.seed != config.split_seed or run.plan.dataset.version:
        return None
    words = ["train", config.dataset, "--model", config.architecture, "--images", recipe.kind, *clahe]
    words += ["--weights", config.weights]
    for name in _FLAGS:
        value = getattr(config, name)
        if value != getattr(plain, name):
            words += [f"--{name.replace('_', '-')}", repr(value) if isinstance(value, float) else str(value)]
    words += ["--seed", str(config.seed)]
    return f"{PROGRAM} " + " ".join(map(shlex.quote, words))
