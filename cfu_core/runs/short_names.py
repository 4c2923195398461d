"""Short names of runs that are displayed together."""

from collections import Counter
from collections.abc import Collection, Sequence

from cfu_core.runs.run import Run
from cfu_core.wording import plural

TRAINING = ("weights", "mode")  # part of every name, unless all runs share them and the caller displays them once
_OTHERS = ("epochs", "seed", "split", "fold", "dataset")  # part of the names in which they differ


def names_among(
    runs: Sequence[Run], *, ignoring: Collection[str] = (), leave_out_shared: bool = False
) -> dict[str, str]:
    """Return a distinct name for each run.

    If a user has given the run a name, this name is used. Otherwise the name consists of network, kind of images,
    initial weights and mode, and of those settings (epochs, seed, split seed, fold, dataset) in which the runs differ,
    for example ``AlexNet, original, ImageNet weights, fine-tuned, seed 1``. Runs whose names would be equal, also names
    given by a user, get the last four characters of their identifier at the end.

    Parameters
    ----------
    runs : sequence of Run
        Runs that are displayed together, each once.
    ignoring : collection of {"epochs", "seed", "split", "fold", "dataset"}
        Settings that are left out of the names also if the runs differ in them; ``split`` is the split seed.
    leave_out_shared : bool
        Leave out the weights if all runs share them, and the mode if all runs share it. The caller then displays
        `shared_training` once, for example in a title or a caption.

    Returns
    -------
    dict of str to str
        Name by identifier, in the order of `runs`.
    """
    settings = {run.id: _settings(run) for run in runs}
    different = {key for key in (*TRAINING, *_OTHERS) if len({values[key] for values in settings.values()}) > 1}
    always = () if leave_out_shared else TRAINING
    shown = [key for key in (*TRAINING, *_OTHERS) if key in always or (key in different and key not in ignoring)]
    names = {}
    for run in runs:
        parts = [run.plan.architecture_label, run.recipe.kind, *(settings[run.id][key] for key in shown)]
        names[run.id] = run.given_name or ", ".join(part for part in parts if part)
    counts = Counter(names.values())
    return {key: name if counts[name] == 1 else f"{name}, {key[-4:]}" for key, name in names.items()}


def shared_training(runs: Sequence[Run]) -> str:
    """Return the initial weights and the mode that all runs share, as in ``ImageNet weights, fine-tuned``.

    If the runs differ in one of the two, it is left out. The result is empty if they differ in both, or if there is no
    run.
    """
    values = [{_settings(run)[key] for run in runs} for key in TRAINING]
    return ", ".join(value for found in values if len(found) == 1 for value in found)


def _settings(run: Run) -> dict[str, str]:
    """Return the settings by which a name may distinguish a run, as text."""
    config = run.config
    return {
        "weights": run.plan.weights_label,
        "mode": run.mode_label,
        "epochs": "" if run.mode == "probe" else plural(config.epochs, "epoch"),
        "seed": f"seed {config.seed}",
        "split": f"split {config.split_seed}",
        "fold": f"fold {run.fold}" if run.fold else "",
        "dataset": run.plan.dataset.name,
    }
