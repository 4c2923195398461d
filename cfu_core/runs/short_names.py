"""Short names that tell runs apart where several stand side by side."""

from collections import Counter
from collections.abc import Collection, Sequence

from cfu_core.runs.run import Run

_FACTS = ("weights", "mode", "epochs", "seed", "split", "fold", "dataset")  # in the order in which names tell them


def names_among(runs: Sequence[Run], *, ignoring: Collection[str] = ()) -> dict[str, str]:
    """A name for each run, by its identifier: the one a person gave it, or its network, images and what else differs.

    Parameters
    ----------
    runs : sequence of Run
        What they share is left out. Runs that nothing tells apart carry the end of their identifiers.
    ignoring : collection of str
        Of ``weights``, ``mode``, ``epochs``, ``seed``, ``split``, ``fold``, ``dataset``: what shall not tell them
        apart.
    """
    facts = {run.id: _facts(run) for run in runs}
    told = {key for key in _FACTS if key not in ignoring and len({each[key] for each in facts.values()}) > 1}
    names = {}
    for run in runs:
        parts = [run.plan.architecture_label, run.recipe.kind]
        parts += [facts[run.id][key] for key in _FACTS if key in told]
        names[run.id] = run.given_name or ", ".join(part for part in parts if part)
    often = Counter(names.values())
    return {key: name if often[name] == 1 else f"{name}, {key[-4:]}" for key, name in names.items()}


def _facts(run: Run) -> dict[str, str]:
    """What else tells runs apart, in words."""
    config = run.config
    return {
        "weights": run.plan.weights_label,
        "mode": "probe" if run.mode == "probe" else "fine-tuned",
        "epochs": "" if run.mode == "probe" else f"{config.epochs} epochs",
        "seed": f"seed {config.seed}",
        "split": f"split {config.split_seed}",
        "fold": f"fold {run.fold}" if run.fold else "",
        "dataset": run.plan.dataset.name,
    }
