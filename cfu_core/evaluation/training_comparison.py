"""Comparison of an image with the training images of a network, by which images unlike all of them are found.

A network answers with one of its classes for every image, often with a high probability. Whether the image resembles
the training images is seen in two ways. In its features, the input of the last layer, the distance to the nearest
training image is compared with that of the validation images, which the network has not learned from either. A network
that has learned little gives similar features for very different images; therefore brightness, contrast, sharpness,
entropy and colour of its input are compared with their ranges in the training images, too. The light differs between
sessions at a microscope, so that copies that are a tenth darker or brighter are part of both comparisons.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile

import cv2
import numpy as np

from cfu_core.errors import StorageError
from cfu_core.imaging.measures import measure
from cfu_core.wording import plural

EXCEEDING = 0.05  # fraction of the validation images that are farther away than the threshold
ROUNDING = 1e-4  # of distances: features differ between devices and sizes of a batch
MOST_IMAGES = 1000  # training images in a reference
MOST_VALUES = 2**21  # features of all of them: 4 MB
MOST_MEASURED = 300  # training images whose measures are compared
LIGHTS = (1.0, 0.9, 1.1)  # factors of the light in the copies of an image, the first of which is the image itself
WIDENING = 0.1  # of the range of a measure on both sides, as a fraction of its width
WIDENING_FEW = 3.0  # the same, divided by the number of images: few images have a smaller range
#: Measures that are compared, and the least by which their ranges are widened on both sides, in the unit of each.
LEAST_WIDENING = MappingProxyType(
    {
        "brightness": 3.0,
        "contrast": 2.0,
        "sharpness": 0.5,
        "entropy": 0.3,
        "colourfulness": 2.0,
        "redness": 2.0,
        "yellowness": 2.0,
    }
)
FEW_IMAGES = 60  # validation images; with fewer, the threshold is too uncertain to be used without a remark
LEVEL = 0.95  # of the interval of `false_alarms`


class TrainingComparison(NamedTuple):
    """Comparison of an image with the training images.

    Attributes
    ----------
    percentile : float (0 to 100)
        Percentage of the validation images whose features are nearer to the training images than those of this image.
    reason : str
        Why the image is unlike all training images, as a phrase for users; empty if it is not.
    """

    percentile: float
    reason: str

    @property
    def unlike(self) -> bool:
        """Whether the image is unlike all training images."""
        return bool(self.reason)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingReference:
    """What images are compared with: features and measures of training images, and distances of validation images.

    Attributes
    ----------
    features : ndarray of float16, shape (M, F)
        Of at least one training image, scaled to length 1.
    ranges : ndarray of float64, shape (2, K)
        Smallest and largest value of each of `LEAST_WIDENING` in the training images and their copies.
    limits : ndarray of float64, shape (2, K)
        Smallest and largest value with which an image is like the training images.
    validation : ndarray of float64, shape (V,)
        Distance of each validation image to the nearest training image, ascending; at least one. Of an image and its
        copies, the largest distance.
    unlike_validation : int
        Number of validation images that are unlike all training images.
    """

    features: np.ndarray
    ranges: np.ndarray
    limits: np.ndarray
    validation: np.ndarray
    unlike_validation: int

    @classmethod
    def fit(
        cls,
        training: np.ndarray,
        training_measures: Sequence[np.ndarray],
        validation: Sequence[np.ndarray],
        validation_measures: np.ndarray,
    ) -> "TrainingReference":
        """Compute a reference from features and measures.

        Parameters
        ----------
        training : ndarray of float, shape (M, F)
            Features of at least one training image, not augmented; from `sample_rows`.
        training_measures : sequence of ndarray of float, shape (M', K)
            From `measure_images` for some of the same images, once for each of `LIGHTS`.
        validation : sequence of ndarray of float, shape (V, F)
            Features of the validation images, at least one, once for each of `LIGHTS`.
        validation_measures : ndarray of float, shape (V, K)
            From `measure_images`, for the validation images.

        Returns
        -------
        TrainingReference
            With the distances of the validation images.
        """
        features = _unit_length(training).astype(np.float16)
        smallest, largest = np.min(training_measures, axis=(0, 1)), np.max(training_measures, axis=(0, 1))
        fraction = WIDENING + WIDENING_FEW / len(training_measures[0])
        widening = np.maximum(fraction * (largest - smallest), list(LEAST_WIDENING.values()))
        draft = cls(
            features=features,
            ranges=np.stack([smallest, largest]),
            limits=np.stack([smallest - widening, largest + widening]),
            validation=np.zeros(1),
            unlike_validation=0,
        )
        distances = np.array([draft.distances(each) for each in validation])  # (lights, V)
        draft = replace(draft, validation=np.sort(distances.max(axis=0)))
        unlike = sum(each.unlike for each in draft._compare(distances[0], validation_measures))
        return replace(draft, unlike_validation=unlike)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Compute the distance of images to the nearest training image.

        Parameters
        ----------
        features : ndarray of float, shape (N, F)
            Inputs of the last layer, not scaled.

        Returns
        -------
        ndarray of float64, shape (N,)
            Euclidean distance of the features scaled to length 1, from 0 to 2. Infinite if a feature is not finite.

        References
        ----------
        Y. Sun, Y. Ming, X. Zhu and Y. Li (2022). Out-of-Distribution Detection with Deep Nearest Neighbors. ICML,
        PMLR 162, 20827-20840. With one neighbour.
        """
        finite = np.isfinite(features).all(axis=1)
        scaled = _unit_length(np.where(finite[:, None], features, 0))
        squares = self._squares + (scaled**2).sum(axis=1, keepdims=True) - 2 * scaled @ self._columns  # (N, M)
        return np.where(finite, np.sqrt(np.maximum(squares.min(axis=1), 0)), np.inf)

    def compare(self, features: np.ndarray, images: Iterable[np.ndarray]) -> list[TrainingComparison]:
        """Compare images with the training images.

        Parameters
        ----------
        features : ndarray of float, shape (N, F)
            Inputs of the last layer, not scaled.
        images : iterable of ndarray of uint8, shape (S, S, 3)
            The same N images as RGB, after the recipe.

        Returns
        -------
        list of TrainingComparison
            In the order of `features`.
        """
        return self._compare(self.distances(features), measure_images(images))

    def _compare(self, distances: np.ndarray, measures: np.ndarray) -> list[TrainingComparison]:
        percentiles = 100 * np.searchsorted(self.validation, distances - ROUNDING) / len(self.validation)
        found = []
        for percentile, distance, values in zip(percentiles, distances, measures, strict=True):
            reasons = [
                f"{name} {value:.1f} (training images {smallest:.1f} to {largest:.1f})"
                for name, value, (least, most), (smallest, largest) in zip(
                    LEAST_WIDENING, values, self.limits.T, self.ranges.T, strict=True
                )
                if not least <= value <= most
            ]
            if distance > self.threshold + ROUNDING:
                reasons.append(f"features farther than those of {100 * (1 - EXCEEDING):.0f} % of the validation images")
            found.append(TrainingComparison(float(percentile), ", ".join(reasons)))
        return found

    @property
    def n_exceeding(self) -> int:
        """Number of validation images that are farther away than the threshold: 5 %, rounded down."""
        return int(EXCEEDING * len(self.validation))

    @property
    def threshold(self) -> float:
        """Distance beyond which an image counts as unlike all training images."""
        return float(self.validation[-1 - self.n_exceeding])

    def false_alarms(self) -> tuple[float, float]:
        """Compute how many images like the validation images will be called unlike all training images.

        Returns
        -------
        tuple of (float, float)
            Limits of the fraction of such images: the central 95 % of its distribution. It is exact for the distances
            in the least favourable light, so that the fraction is lower in the usual light, and an approximation if
            more validation images are unlike because of their measures.

        References
        ----------
        S. S. Wilks (1941). Determination of Sample Sizes for Setting Tolerance Limits. Annals of Mathematical
        Statistics 12, 91-96. The fraction beyond the r-th of n ordered values has the distribution
        Beta(n - r + 1, r), whatever that of the values is.
        """
        from scipy.stats import beta

        n, above = len(self.validation), max(self.n_exceeding, self.unlike_validation) + 1
        low, high = beta.interval(LEVEL, above, max(1, n + 1 - above))
        return float(low), float(high)

    def save(self, file: BinaryIO) -> None:
        """Write the reference into a file that is open for writing."""
        np.savez(
            file,
            features=self.features,
            measures=np.array(list(LEAST_WIDENING)),
            ranges=self.ranges,
            limits=self.limits,
            validation=self.validation,
            unlike_validation=self.unlike_validation,
        )

    @classmethod
    def load(cls, path: Path) -> "TrainingReference":
        """Read a reference that `save` has written.

        Raises
        ------
        StorageError
            The file is missing, damaged or not readable for the user.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                if found["measures"].tolist() != list(LEAST_WIDENING):
                    raise ValueError(f"the measures are {', '.join(found['measures'])}")
                return cls(
                    features=found["features"],
                    ranges=found["ranges"],
                    limits=found["limits"],
                    validation=found["validation"],
                    unlike_validation=int(found["unlike_validation"]),
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise StorageError(
                f"{path} cannot be read: {error}.", "It must contain features of training images."
            ) from error

    @cached_property
    def _columns(self) -> np.ndarray:
        """The features in double precision, shape (F, M)."""
        return self.features.astype(np.float64).T

    @cached_property
    def _squares(self) -> np.ndarray:
        return (self._columns**2).sum(axis=0)


def measure_images(images: Iterable[np.ndarray], *, light: float = 1.0) -> np.ndarray:
    """Measure the images that are compared.

    Parameters
    ----------
    images : iterable of ndarray of uint8, shape (S, S, 3)
        RGB, after the recipe; at least one.
    light : float
        Factor by which the pixels are multiplied before, up to white.

    Returns
    -------
    ndarray of float64, shape (N, K)
        Columns in the order of `LEAST_WIDENING`: brightness, contrast, sharpness, entropy and colourfulness by
        `cfu_core.imaging.measures.measure`; redness and yellowness are the means of a* and b* (CIE LAB).
    """
    rows = []
    for image in images:
        changed = image if light == 1 else cv2.convertScaleAbs(image, alpha=light)
        found = measure(changed)
        _, red, yellow, _ = cv2.mean(cv2.cvtColor(changed, cv2.COLOR_RGB2LAB))
        colour = found.saturation, red - 128, yellow - 128
        rows.append((found.brightness, found.contrast, found.sharpness, found.entropy, *colour))
    return np.array(rows)


def label_of(comparison: TrainingComparison | None) -> str:
    """Return whether an image is unlike all training images, for tables: ``yes``, ``no`` or ``not checked``."""
    if comparison is None:
        return "not checked"
    return "yes" if comparison.unlike else "no"


def describe_unlike(unlike: int, checked: int, reference: TrainingReference | None, reason: str = "") -> str:
    """Say how many of several classified images are unlike all training images, and how far that can be relied on.

    Parameters
    ----------
    unlike, checked : int
        Number of images that are unlike all training images, and of all classified images.
    reference : TrainingReference or None
        With which they were compared; None if they were not.
    reason : str
        Why there is no reference: a sentence.

    Returns
    -------
    str
        Sentences for users. Empty if no image is unlike the training images and the threshold rests on enough
        validation images, or if no image was classified.
    """
    if not checked:
        return ""
    if reference is None:
        return f"It was not checked whether the images are unlike the training images. {reason}"
    sentences = []
    if unlike:
        verb, answers = ("is", "its answer is") if unlike == 1 else ("are", "their answers are")
        sentences.append(
            f"{unlike:,} of {plural(checked, 'image')} {verb} unlike all training images: {answers} not to be trusted."
        )
    if len(reference.validation) < FEW_IMAGES:
        low, high = reference.false_alarms()
        sentences.append(
            f"The threshold rests on only {plural(len(reference.validation), 'validation image')}: of images like "
            f"these, {low:.1%} to {high:.1%} will be called unlike the training images."
        )
    return " ".join(sentences)


def most_images(n_features: int) -> int:
    """Return the largest number of training images in a reference, for a network with this number of features."""
    return max(1, min(MOST_IMAGES, MOST_VALUES // n_features))


def sample_rows(labels: np.ndarray, most: int) -> np.ndarray:
    """Choose some training images.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        Class of each training image.
    most : int
        Largest number of images.

    Returns
    -------
    ndarray of int64, ascending
        Positions in `labels`: all, or a random sample of `most`, always the same one, with all images of small classes
        and equally many of each of the others.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(0).permutation(len(labels))
    rank = np.empty(len(labels), np.int64)  # of an image within its class, in random order
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = np.arange(len(members))
    return np.sort(order[np.argsort(rank[order], kind="stable")][:most])


def _unit_length(features: np.ndarray) -> np.ndarray:
    """Scale each row to length 1, in double precision; rows of zeros stay."""
    values = features.astype(np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, length, out=np.zeros_like(values), where=length > 0)
