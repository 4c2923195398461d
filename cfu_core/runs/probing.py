"""Carry out a run in which the head alone learns, from features that are computed once and kept."""

import time
from dataclasses import asdict

import torch
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.models.networks import set_head
from cfu_core.observer import Observer
from cfu_core.runs.model_files import network_to_train, probabilities_of, save_model
from cfu_core.runs.phase_timer import Clock
from cfu_core.runs.store import Run
from cfu_core.runs.training_data import part, write_predictions
from cfu_core.storage import write_json
from cfu_core.training.compute_options import Arithmetic
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device, describe
from cfu_core.training.frozen_features import frozen_features, how_to_compute, weights_name
from cfu_core.training.probe import fit_head


def probe(run: Run, dataset: Dataset, config: TrainingConfig, observer: Observer) -> None:
    """Fit a head, test once, and write everything into the run's folder.

    Raises
    ------
    StopRequested
        The observer asked for the end; features that were computed are kept, the test images stay unseen.
    CfuError
        The user can mend it.
    """
    loading = time.perf_counter()
    network, began_with = network_to_train(run, config, observer)
    clock = Clock(run, {})
    clock.facts |= {"loading_weights_seconds": time.perf_counter() - loading, "device": describe(best_device())}
    material = part(run, dataset)

    def build() -> tuple[nn.Module, Arithmetic]:
        with clock.measuring("tune"):
            arithmetic = how_to_compute(network, config.architecture, len(dataset.images))
        clock.facts["arithmetic"] = arithmetic.label
        return network, arithmetic

    began = time.perf_counter()
    features = frozen_features(
        dataset,
        run.recipe,
        config.architecture,
        weights_name(began_with, config.seed),
        build,
        preparing=observer.progress("Decoding and preprocessing"),
        progress=observer.progress("Computing features"),
    )
    clock.prepared(features.prepared, time.perf_counter() - began - features.seconds - clock.seconds["tune"])
    clock.facts["features_seconds"] = features.seconds
    clock.seconds["train"] += features.seconds

    observer.report("Fitting the last layer")
    with clock.measuring("train"):
        training, validation = material.places["training"], material.places["validation"]
        head = fit_head(
            features.values[training],
            material.labels[training],
            features.values[validation],
            material.labels[validation],
            len(run.classes),
            between=observer.check,
        )
    with clock.measuring("save"):
        write_json(run.folder / "probe.json", {"strength": head.strength, "trials": [asdict(t) for t in head.trials]})
        set_head(network, config.architecture, torch.from_numpy(head.weight), torch.from_numpy(head.bias))
        save_model(run, network.state_dict(), {"strength": head.strength, "weights_at_start": began_with.to_dict()})

    observer.report("Testing")
    for partition, spent_on in (("validation", "validate"), ("test", "test")):
        with clock.measuring(spent_on):
            logits = head.logits(features.values[material.places[partition]])
            write_predictions(run, material, partition, probabilities_of(torch.from_numpy(logits)))
    clock.write()
