"""Class activation maps of a run's test images."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.evaluation.activation_regions import is_inside, peak_position, share_of_frame, to_image_pixels
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import enhance
from cfu_core.models.grad_cam import grad_cam
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.models.registry import architecture
from cfu_core.observer import Observer
from cfu_core.runs.class_activation_store import PeakCounts, write_activation_maps
from cfu_core.runs.model_files import initial_run_network, load_model
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.training_data import training_data
from cfu_core.training.devices import best_device
from cfu_core.training.prepared_images import prepare

BATCH = 16  # images


def explain(run: Run, observer: Observer, boxes: Mapping[str, Box] | None = None) -> PeakCounts:
    """Compute Grad-CAM maps of a run's test images and count how often their maximum is inside the colony.

    The maps of all classes are written to ``gradcam.npz`` in the folder of the run, and the counts to
    ``gradcam.json``; existing files are replaced. For the counts, the map of the predicted class is used; the maximum
    of a map that is 0 everywhere counts as outside. As a control, the count is repeated with the network before
    training.

    Parameters
    ----------
    run : Run
        Run with a model, usually a finished one.
    observer : Observer
        Receives the progress; its requests to stop are checked after each prepared image and each batch.
    boxes : mapping of str to Box, optional
        True boxes of the colonies in pixels of the image, by path; by default those that a user or a manifest has
        marked. They are used only to count, not to crop. Images without a box are not counted.

    Returns
    -------
    PeakCounts
        Counts over the images with a known box.

    Raises
    ------
    StopRequested
        The observer requested to stop; neither file is written.
    CfuError
        The run has no intact model; its dataset has been deleted, is damaged or has changed; its initial weights cannot
        be downloaded or loaded; an image cannot be read or the recipe cannot be applied to it; the disk is full; the
        home folder is not writable; or the environment variable ``CFU_CACHE_GB`` is not valid.

    References
    ----------
    .. [1] R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-Based Localization",
       Proc. IEEE ICCV, pp. 618-626, 2017.
    .. [2] J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", Int. J. Computer Vision 126,
       pp. 1084-1102, 2018. (The pointing game: whether the maximum is inside the object.)
    .. [3] J. Adebayo et al., "Sanity Checks for Saliency Maps", Advances in Neural Information Processing Systems 31,
       2018. (Comparison with an untrained network.)
    """
    network = load_model(run)
    dataset = planned_dataset(run)
    positions = training_data(run, dataset).positions["test"]
    progress = observer.progress("Decoding and preprocessing")
    prepared = prepare(dataset, run.recipe, progress=progress, subset=positions)
    pixels = prepared.pixels[prepared.rows[positions]]
    untrained, _ = initial_run_network(run, run.config, observer)
    maps, peaks = _maps(run, network, pixels, observer, "Computing class activation maps")
    _, untrained_peaks = _maps(
        run, untrained.eval(), pixels, observer, "Computing class activation maps of the untrained network"
    )
    counts = _count_peaks(run, dataset, positions, peaks, untrained_peaks, boxes)
    write_activation_maps(run, dataset.images["path"].iloc[positions].tolist(), maps, counts)
    return counts


def _maps(
    run: Run, network: nn.Module, pixels: np.ndarray, observer: Observer, phase: str
) -> tuple[np.ndarray, list[tuple[float, float] | None]]:
    """Return the maps of all classes (N, C, h, w), and the position of the maximum of each predicted class's map."""
    device = best_device()
    network = network.to(device)
    layer, maps, peaks = architecture(run.config.architecture).cam_layer, [], []
    progress = observer.progress(phase)
    for start in range(0, len(pixels), BATCH):
        batch = normalise(to_floats(torch.from_numpy(pixels[start : start + BATCH]).to(device)))
        found = grad_cam(network, layer, batch)
        with torch.no_grad():
            predicted = network(batch).argmax(dim=1).tolist()
        maps.append(found)
        peaks += [peak_position(found[i, label]) for i, label in enumerate(predicted)]
        progress(min(start + BATCH, len(pixels)), len(pixels))
    return np.concatenate(maps), peaks


def _count_peaks(
    run: Run,
    dataset: Dataset,
    positions: np.ndarray,
    peaks: list[tuple[float, float] | None],
    untrained_peaks: list[tuple[float, float] | None],
    boxes: Mapping[str, Box] | None,
) -> PeakCounts:
    images, trained, untrained, chance = 0, 0, 0, 0.0
    for position, found, control in zip(positions, peaks, untrained_peaks, strict=True):
        box = dataset.box(int(position)) if boxes is None else boxes.get(dataset.images["path"].iat[position])
        if box is None:
            continue
        frame = _frame(run, dataset, int(position))
        images += 1
        trained += found is not None and is_inside(to_image_pixels(found, frame), box)
        untrained += control is not None and is_inside(to_image_pixels(control, frame), box)
        chance += share_of_frame(box, frame)
    return PeakCounts(images=images, trained=trained, untrained=untrained, chance=chance)


def _frame(run: Run, dataset: Dataset, position: int) -> Box:
    """Return the part of the image that is the network's input."""
    if run.recipe.crop:
        return enhance(dataset.read_image(position), run.recipe, dataset.box(position)).frame
    width, height = (int(dataset.images[name].iat[position]) for name in ("width", "height"))
    return Box(0, 0, width, height)
