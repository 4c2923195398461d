"""Check what is asked for, and write it down as a run, before anything heavy is loaded."""

from pathlib import Path

from cfu_core.dataset.catalog import Dataset
from cfu_core.dataset.splitting import check_split, check_trainable, split_of
from cfu_core.models.registry import architecture
from cfu_core.models.weight_files import IMAGENET, NONE, check_file
from cfu_core.runs.store import Run, create_run
from cfu_core.training.config import TrainingConfig


def plan_run(config: TrainingConfig, dataset: Dataset, *, batch: str = "") -> Run:
    """Check a configuration against its dataset and make the run's folder.

    Raises
    ------
    CfuError
        The dataset cannot be trained on, the batch is larger than the training partition, or the weights file
        is not what it should be. No run is made then.
    """
    check_trainable(dataset.counts)
    split = split_of(dataset, seed=config.split_seed)
    check_split(split)
    config.check_against(sum(parts["training"] for parts in split.counts.values()))
    if config.weights not in (IMAGENET, NONE):
        check_file(Path(config.weights))
    weights_label = {IMAGENET: "ImageNet weights", NONE: "random weights"}.get(config.weights, "weights from a file")
    return create_run(
        config=config.to_dict(),
        dataset=dataset,
        split=split,
        architecture_label=architecture(config.architecture).label,
        weights_label=weights_label,
        batch=batch,
    )
