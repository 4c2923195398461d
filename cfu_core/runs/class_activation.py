"""Where a run's network looks: class activation maps of its test images."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.evaluation.activation_regions import in_frame, inside, peak, share_of_frame
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import enhance
from cfu_core.models.grad_cam import grad_cam
from cfu_core.models.registry import architecture
from cfu_core.observer import Observer
from cfu_core.runs.class_activation_store import Pointing, write_attention
from cfu_core.runs.model_files import load_model, network_to_train
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.store import Run
from cfu_core.runs.training_data import part
from cfu_core.training.batches import normalise, to_floats
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device
from cfu_core.training.prepared_images import prepare

AT_ONCE = 16  # images


def explain(run: Run, observer: Observer, boxes: Mapping[str, Box] | None = None) -> Pointing:
    """Write the maps of every class for a run's test images into its folder, and how often they point at the colony.

    Parameters
    ----------
    run : Run
        Finished.
    observer : Observer
    boxes : Mapping of str to Box, optional
        Where the colonies truly lie, by path; by default as a person or a manifest marked them.

    Returns
    -------
    Pointing
        Of the images whose colony's box is known.

    Raises
    ------
    StopRequested
        The observer asked for the end; nothing is written.
    CfuError
        The run has no model, or its dataset is gone.
    """
    network = load_model(run)
    dataset = planned_dataset(run)
    places = part(run, dataset).places["test"]
    progress = observer.progress("Decoding and preprocessing")
    prepared = prepare(dataset, run.recipe, progress=progress, wanted=places)
    pixels = prepared.pixels[prepared.rows[places]]
    untrained, _ = network_to_train(run, TrainingConfig.from_dict(run.config), observer)
    maps, points = _looked(run, network, pixels, observer, "Looking where it looks")
    _, before = _looked(run, untrained.eval(), pixels, observer, "Looking where it looked before it learned")
    pointing = _pointing(run, dataset, places, points, before, boxes)
    write_attention(run, dataset.images["path"].iloc[places].tolist(), maps, pointing)
    return pointing


def _looked(
    run: Run, network: nn.Module, pixels: np.ndarray, observer: Observer, phase: str
) -> tuple[np.ndarray, list[tuple[float, float] | None]]:
    """The maps of all classes, and where that of the predicted class is highest."""
    device = best_device()
    network = network.to(device)
    layer, maps, points = architecture(run.config["architecture"]).cam, [], []
    tell = observer.progress(phase)
    for start in range(0, len(pixels), AT_ONCE):
        batch = normalise(to_floats(torch.from_numpy(pixels[start : start + AT_ONCE]).to(device)))
        found = grad_cam(network, layer, batch)
        with torch.no_grad():
            called = network(batch).argmax(dim=1).tolist()
        maps.append(found)
        points += [peak(found[i, place]) for i, place in enumerate(called)]
        tell(min(start + AT_ONCE, len(pixels)), len(pixels))
    return np.concatenate(maps), points


def _pointing(
    run: Run,
    dataset: Dataset,
    places: np.ndarray,
    points: list[tuple[float, float] | None],
    before: list[tuple[float, float] | None],
    boxes: Mapping[str, Box] | None,
) -> Pointing:
    images, trained, untrained, chance = 0, 0, 0, 0.0
    for place, after, earlier in zip(places, points, before, strict=True):
        box = dataset.box(int(place)) if boxes is None else boxes.get(dataset.images["path"].iat[place])
        if box is None:
            continue
        frame = _frame(run, dataset, int(place))
        images += 1
        trained += after is not None and inside(in_frame(after, frame), box)
        untrained += earlier is not None and inside(in_frame(earlier, frame), box)
        chance += share_of_frame(box, frame)
    return Pointing(images=images, trained=trained, untrained=untrained, chance=chance)


def _frame(run: Run, dataset: Dataset, place: int) -> Box:
    """What part of the image the network saw."""
    if run.recipe.crop:
        return enhance(dataset.read_image(place), run.recipe, dataset.box(place)).frame
    width, height = (int(dataset.images[name].iat[place]) for name in ("width", "height"))
    return Box(0, 0, width, height)
