"""Execute a probe: the network is frozen, and only its last layer is fitted to cached features."""

import time

import numpy as np
import torch
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.evaluation.training_comparison import LIGHTS
from cfu_core.models.networks import set_head
from cfu_core.observer import Observer
from cfu_core.runs.model_files import initial_run_network, save_model, softmax
from cfu_core.runs.phase_timer import PhaseTimer
from cfu_core.runs.run import Run
from cfu_core.runs.training_data import training_data, write_predictions
from cfu_core.runs.training_reference import ComparedFeatures, fit_reference, prepare_compared, sampled_positions
from cfu_core.storage import write_json
from cfu_core.training.compute_options import ComputeOptions
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device, describe_device
from cfu_core.training.frozen_features import feature_options, frozen_features, weights_identifier
from cfu_core.training.probe import fit_head


def probe(run: Run, dataset: Dataset, config: TrainingConfig, observer: Observer) -> None:
    """Fit the last layer of a frozen network and write the results into the run's folder.

    Files: the model (``model.safetensors``, ``model.json``), ``probe.json`` (losses and accuracies by regularisation
    strength), predictions for the validation and test images, ``evaluation.json``, ``timing.json`` and the reference by
    which images unlike all training images are found (``reference.npz``, ``reference.json``). The regularisation
    strength is chosen on the validation images. The test images are predicted once, at the end.

    Parameters
    ----------
    run : Run
        Run whose folder receives the files, and whose recipe and split are used.
    dataset : Dataset
        Dataset with the edits at the time the run was planned (`cfu_core.runs.planning.planned_dataset`).
    config : TrainingConfig
        Configuration of the run, with mode ``probe``.
    observer : Observer
        Receives the progress; its requests to stop are checked after each prepared image, and before each batch and
        each fit.

    Raises
    ------
    StopRequested
        The observer requested a stop or a pause. Features computed so far stay in the cache, so that a resumed probe
        need not compute them again; there are no predictions yet.
    CfuError
        An image cannot be read or the recipe cannot be applied to it, the weights cannot be downloaded or loaded, the
        disk is full, the home folder is not writable, or the environment variable ``CFU_CACHE_GB`` is not valid.

    References
    ----------
    S. Kornblith, J. Shlens and Q. V. Le, "Do Better ImageNet Models Transfer Better?", Proc. IEEE/CVF CVPR,
    pp. 2661-2671, 2019.
    """
    began = time.perf_counter()
    network, initial_weights = initial_run_network(run, config, observer)
    timer = PhaseTimer(run, {})
    timer.details["loading_weights_seconds"] = time.perf_counter() - began
    timer.details["device"] = describe_device(best_device())
    data = training_data(run, dataset)
    used = None if dataset.unlabelled == 0 else np.flatnonzero(data.labels >= 0)

    def rows(positions: np.ndarray) -> np.ndarray:
        """Return the rows of the features of images by their positions in the dataset."""
        return positions if used is None else np.searchsorted(used, positions)

    def load_network() -> tuple[nn.Module, ComputeOptions]:
        with timer.measure("tune"):
            options = feature_options(network, config.architecture, len(dataset.images) - dataset.unlabelled)
        timer.details["arithmetic"] = options.label
        return network, options

    began = time.perf_counter()
    features = frozen_features(
        dataset,
        run.recipe,
        config.architecture,
        weights_identifier(initial_weights, config.seed),
        load_network,
        prepare_progress=observer.progress("Decoding and preprocessing"),
        progress=observer.progress("Computing features"),
        subset=used,
    )
    timer.add_preparation(features.prepared, time.perf_counter() - began - features.seconds - timer.seconds["tune"])
    timer.details["features_seconds"] = features.seconds
    timer.seconds["train"] += features.seconds

    observer.report("Fitting the last layer")
    with timer.measure("train"):
        training, validation = data.positions["training"], data.positions["validation"]
        head = fit_head(
            features.values[rows(training)],
            data.labels[training],
            features.values[rows(validation)],
            data.labels[validation],
            len(run.classes),
            check_stop=observer.check,
        )
    with timer.measure("save"):
        write_json(
            run.folder / "probe.json", {"strength": head.c, "trials": [trial.to_dict() for trial in head.trials]}
        )
        set_head(network, config.architecture, torch.from_numpy(head.weight), torch.from_numpy(head.bias))
        save_model(run, network.state_dict(), {"strength": head.c, "weights_at_start": initial_weights.to_dict()})

    observer.report("Testing")
    for partition, phase in (("validation", "validate"), ("test", "test")):
        with timer.measure(phase):
            logits = head.logits(features.values[rows(data.positions[partition])])
            write_predictions(run, data, partition, softmax(torch.from_numpy(logits)))
    timer.write()
    began, sampled = time.perf_counter(), sampled_positions(run, network, data)
    changed = [
        frozen_features(
            dataset,
            run.recipe,
            config.architecture,
            weights_identifier(initial_weights, config.seed),
            load_network,
            progress=observer.progress("Computing features"),
            subset=validation,
            light=light,
        ).values
        for light in LIGHTS[1:]
    ]
    compared = ComparedFeatures(
        training=features.values[rows(sampled)],
        validation=[features.values[rows(validation)], *changed],
        test=features.values[rows(data.positions["test"])],
    )
    prepared = features.prepared or prepare_compared(run, dataset, sampled, data, observer)
    arithmetic = timer.details.get("arithmetic", "cached features")
    fit_reference(run, prepared, data, compared, arithmetic=arithmetic, started=began)
