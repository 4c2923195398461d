"""Classification with a bundle, and the self-test that compares it with the dashboard."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfu_core.bundle.contents import GET_AGAIN, ONNX, SELFTEST, Bundle, check_files, member_path, open_bundle
from cfu_core.errors import BundleError
from cfu_core.imaging import recipe as recipes
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.imaging.reading import decode, read_file
from cfu_core.imaging.sample_range import SampleRange
from cfu_core.wording import plural

BATCH_SIZE = 16  # images


class Outputs(NamedTuple):
    """Outputs of a network for N images.

    Attributes
    ----------
    probabilities : ndarray of float, shape (N, C)
        Softmax outputs, 0 to 1.
    features : ndarray of float32, shape (N, F), or None
        Inputs of the last layer. None if the network does not give them, as in bundles of earlier versions.
    """

    probabilities: np.ndarray
    features: np.ndarray | None = None


#: From preprocessed images, RGB uint8 of shape (N, S, S, 3), to the outputs for them.
Network = Callable[[np.ndarray], Outputs]


class SelfTest(NamedTuple):
    """Differences between the probabilities of a bundle and those of the dashboard, for the same images.

    Attributes
    ----------
    images : int
        Number of test images.
    largest : float
        Largest absolute difference of a probability, over all test images and classes.
    allowed : float
        Largest difference with which the test is passed, as the bundle states it.
    """

    images: int
    largest: float
    allowed: float

    @property
    def summary(self) -> str:
        """The number of images and the largest difference, for users: a sentence without full stop."""
        return (
            f"{plural(self.images, 'image')}, probabilities differ from the dashboard's by at most {self.largest:.1e} "
            f"({self.allowed:g} is allowed)"
        )


def onnx_network(bundle: Bundle) -> Network:
    """Load the network of a bundle into ONNX Runtime, on the CPU.

    The file is not compared with its checksum; `check_files` does that.

    Parameters
    ----------
    bundle : Bundle
        From `cfu_core.bundle.contents.open_bundle`.

    Returns
    -------
    Network
        Function from preprocessed images, RGB uint8 of shape (N, S, S, 3), to `Outputs` with columns of probabilities
        in the order of ``bundle.classes``. It normalises the images itself.

    Raises
    ------
    BundleError
        ``model.onnx`` is missing, or ONNX Runtime cannot load it.
    """
    import onnxruntime  # late: not needed to open a bundle

    onnxruntime.disable_telemetry_events()
    try:
        session = onnxruntime.InferenceSession(str(bundle.folder / ONNX), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise BundleError(f"{ONNX} cannot be loaded: {error}.", "", GET_AGAIN) from error
    names = {output.name for output in session.get_outputs()}
    wanted = [name for name in Outputs._fields if name in names]
    return lambda images: Outputs(**dict(zip(wanted, session.run(wanted, {"images": images}), strict=True)))


def classify(
    bundle: Bundle, images: Sequence[np.ndarray], network: Network, boxes: Sequence[Box | None] | None = None
) -> np.ndarray:
    """Compute the class probabilities of images.

    Parameters
    ----------
    bundle : Bundle
        Provides the recipe and the classes.
    images : sequence of ndarray of uint8, shape (H, W, 3)
        At least one image, RGB as `cfu_core.imaging.reading.read` decodes it. The images may differ in size. The recipe
        of the bundle is applied to them.
    network : Network
        From `onnx_network`, or an equivalent function.
    boxes : sequence of Box or None, optional
        The colony in each image, in its pixels; None where it is not known. Then it is detected, if the recipe crops.
        By default it is known in no image. Without effect if the recipe does not crop.

    Returns
    -------
    ndarray of float64, shape (N, C)
        Probabilities, 0 to 1. Rows in the order of `images`, columns in the order of ``bundle.classes``.

    Raises
    ------
    RecipeError
        The recipe of the bundle is not valid.
    ValueError
        `images` is empty, `boxes` and `images` differ in length, or the recipe crops and a box with its margin does not
        overlap its image.
    """
    known = [None] * len(images) if boxes is None else boxes
    prepared = [recipes.apply(bundle.recipe, image, box) for image, box in zip(images, known, strict=True)]
    batches = [np.stack(prepared[first : first + BATCH_SIZE]) for first in range(0, len(prepared), BATCH_SIZE)]
    return np.concatenate([network(batch).probabilities for batch in batches]).astype(np.float64)


def self_test(bundle: Bundle, network: Network) -> SelfTest:
    """Classify the test images in a bundle, and compare the probabilities with those of the dashboard.

    Parameters
    ----------
    bundle : Bundle
        Contains the test images, and the probabilities that the dashboard computed for them.
    network : Network
        From `onnx_network`, or an equivalent function.

    Returns
    -------
    SelfTest
        The result of a passed test.

    Raises
    ------
    BundleError
        A probability is NaN, or differs by more than is allowed; ``selftest.json`` is missing, is not JSON or cannot be
        read; or the path of a test image leads out of the folder.
    ImageError
        A test image is missing or damaged. After `check_files` this cannot happen.
    """
    try:
        expected = json.loads((bundle.folder / SELFTEST).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{SELFTEST} cannot be read: {error}.", "", GET_AGAIN) from error
    images = [_test_image(bundle, each) for each in expected["images"]]
    boxes = [Box(*each["box"]) if each["box"] else None for each in expected["images"]]
    probabilities = np.array([[each["probabilities"][name] for name in bundle.classes] for each in expected["images"]])
    differences = np.abs(classify(bundle, images, network, boxes) - probabilities).max(axis=1)
    worst = int(differences.argmax())
    largest, allowed = float(differences[worst]), float(expected["allowed"])
    if not largest <= allowed:  # also refuses NaN
        raise BundleError(
            "The probabilities of the bundle differ from those of the dashboard, by up to "
            f"{largest:.2g} for {expected['images'][worst]['path']}.",
            f"A difference of at most {allowed:g} is allowed.",
            GET_AGAIN,
        )
    return SelfTest(images=len(images), largest=largest, allowed=allowed)


def _test_image(bundle: Bundle, entry: Mapping[str, Any]) -> np.ndarray:
    """Read a test image as the dashboard did; bundles of earlier versions have neither range nor plane."""
    path = member_path(bundle.folder, entry["file"])
    chosen = entry.get("samples")
    samples = SampleRange(*chosen) if chosen else None
    return decode(read_file(path), name=path.name, samples=samples, plane=entry.get("plane", FIRST_PAGE))


def verify(folder: Path) -> tuple[Bundle, SelfTest]:
    """Check the files of a bundle, and run its self-test with ONNX Runtime.

    Parameters
    ----------
    folder : Path
        Folder of the bundle.

    Returns
    -------
    bundle : Bundle
        The bundle, whose files and entries match their checksums.
    result : SelfTest
        Number of test images and largest difference of a probability.

    Raises
    ------
    BundleError
        The folder is not a bundle, it was exported for another version of this program, a file or an entry of its
        manifest is missing, cannot be read or has been changed, ONNX Runtime cannot load the network, or the self-test
        fails.
    """
    bundle = open_bundle(folder)
    check_files(bundle)
    return bundle, self_test(bundle, onnx_network(bundle))
