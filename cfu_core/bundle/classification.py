"""Classify images with a bundle, and prove that it does so as the dashboard did."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfu_core.bundle.contents import GET_AGAIN, ONNX, SELFTEST, Bundle, check_files, member_path, open_bundle
from cfu_core.errors import BundleError
from cfu_core.imaging import recipe as recipes
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.reading import read

AT_ONCE = 16  # images
#: Images as the network takes them, uint8 of shape (N, S, S, 3), to probabilities of shape (N, C).
Network = Callable[[np.ndarray], np.ndarray]


class SelfTest(NamedTuple):
    """How far a bundle's probabilities lie from those that the dashboard gave the same images, at most."""

    images: int
    largest: float
    allowed: float


def onnx_network(bundle: Bundle) -> Network:
    """The bundle's network by ONNX Runtime, on the processor.

    Raises
    ------
    BundleError
        ONNX Runtime cannot load it.
    """
    import onnxruntime  # late: who only opens a bundle does not need it

    try:
        session = onnxruntime.InferenceSession(str(bundle.folder / ONNX), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no class
        raise BundleError(f"{ONNX} cannot be loaded: {error}.", "", GET_AGAIN) from error
    return lambda images: session.run(["probabilities"], {"images": images})[0]


def classify(
    bundle: Bundle, images: Sequence[np.ndarray], network: Network, boxes: Sequence[Box | None] | None = None
) -> np.ndarray:
    """Class probabilities of new images.

    Parameters
    ----------
    bundle : Bundle
    images : sequence of ndarray of uint8, shape (H, W, 3)
        RGB, as `cfu_core.imaging.reading.read` decodes them; the bundle's recipe is applied here.
    network : Network
        From `onnx_network`, or the same by other means.
    boxes : sequence of Box or None, optional
        The colony in each image, where it is known; else the recipe searches it, if it crops.

    Returns
    -------
    ndarray of float64, shape (N, C)
        In the order of ``bundle.classes``.
    """
    known = boxes or [None] * len(images)
    seen = [recipes.apply(bundle.recipe, image, box) for image, box in zip(images, known, strict=True)]
    found = [network(np.stack(seen[first : first + AT_ONCE])) for first in range(0, len(seen), AT_ONCE)]
    return np.concatenate(found).astype(np.float64)


def self_test(bundle: Bundle, network: Network) -> SelfTest:
    """Classify the images in the bundle, and compare with what the dashboard said of them.

    Raises
    ------
    BundleError
        A probability differs by more than is allowed.
    """
    told = json.loads((bundle.folder / SELFTEST).read_bytes())
    images = [read(member_path(bundle.folder, each["file"])) for each in told["images"]]
    boxes = [Box(*each["box"]) if each["box"] else None for each in told["images"]]
    expected = np.array([[each["probabilities"][name] for name in bundle.classes] for each in told["images"]])
    apart = np.abs(classify(bundle, images, network, boxes) - expected).max(axis=1)
    worst = int(apart.argmax())
    largest, allowed = float(apart[worst]), float(told["allowed"])
    if not largest <= allowed:  # NaN is not below
        raise BundleError(
            f"The bundle gives other probabilities than the dashboard: {told['images'][worst]['path']} differs by "
            f"{largest:.2g}.",
            f"At most {allowed:g} is allowed.",
            GET_AGAIN,
        )
    return SelfTest(images=len(images), largest=largest, allowed=allowed)


def verify(folder: Path) -> tuple[Bundle, SelfTest]:
    """Check every file of a bundle, and that it gives the dashboard's probabilities by ONNX Runtime.

    Raises
    ------
    BundleError
        What is wrong with it.
    """
    bundle = open_bundle(folder)
    check_files(bundle)
    return bundle, self_test(bundle, onnx_network(bundle))
