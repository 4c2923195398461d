"""Number and estimated duration of runs, for the labels of the buttons that start them."""

from collections.abc import Sequence

from cfu_core.dataset.splitting import Split
from cfu_core.runs.duration_estimate import expected_seconds
from cfu_core.runs.run_store import list_runs
from cfu_core.training.config import TrainingConfig
from cfu_core.wording import plural
from pages.components.job_progress import rough_duration


def count_and_duration(configs: Sequence[TrainingConfig], split: Split) -> str:
    """Return the number of runs, if there are several, and their estimated duration in parentheses.

    The duration is omitted unless each network was trained on this computer before in the same mode.
    """
    images = sum(parts["training"] for parts in split.counts.values())
    known = list_runs()
    seconds = [expected_seconds(config, images, known) for config in configs]
    parts = [plural(len(configs), "run")] if len(configs) > 1 else []
    if all(value is not None for value in seconds):
        parts.append(f"about {rough_duration(sum(value for value in seconds if value is not None))}")
    return f" ({', '.join(parts)})" if parts else ""
