"""Distance of an image from the training images of a network, by which images unlike all of them are found.

A network answers with one of its classes for every image, often with a high probability. Whether the image resembles
anything that the network has learned from is seen in its features, the input of the last layer: the distance to the
nearest training image is compared with that of the validation images, which the network has not learned from either.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile

import numpy as np

from cfu_core.errors import StorageError
from cfu_core.wording import plural

EXCEEDING = 0.05  # fraction of the validation images that are farther away than the threshold
ROUNDING = 1e-4  # of distances: features differ between devices and sizes of a batch
MOST_IMAGES = 1000  # training images in a reference
MOST_VALUES = 2**21  # features of all of them: 4 MB
FEW_IMAGES = 60  # validation images; with fewer, the threshold is too uncertain to be used without a remark
LEVEL = 0.95  # of the interval of `false_alarms`


class TrainingDistance(NamedTuple):
    """Distance of an image from the training images.

    Attributes
    ----------
    percentile : float (0 to 100)
        Percentage of the validation images that are nearer to the training images than this image.
    unlike : bool
        Whether the image is farther away than the threshold: unlike all training images.
    """

    percentile: float
    unlike: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingReference:
    """Features of training images, and distances of the validation images from them.

    Attributes
    ----------
    features : ndarray of float16, shape (M, F)
        Of at least one training image, scaled to length 1.
    validation : ndarray of float64, shape (V,)
        Distance of each validation image to the nearest training image, ascending; at least one.
    """

    features: np.ndarray
    validation: np.ndarray

    @classmethod
    def fit(cls, training: np.ndarray, validation: np.ndarray) -> "TrainingReference":
        """Compute a reference from features.

        Parameters
        ----------
        training : ndarray of float, shape (M, F)
            Features of at least one training image, not augmented; from `sample_rows`.
        validation : ndarray of float, shape (V, F)
            Features of the validation images, at least one.

        Returns
        -------
        TrainingReference
            With the distances of the validation images.
        """
        features = _unit_length(training).astype(np.float16)
        empty = cls(features=features, validation=np.zeros(0))
        return cls(features=features, validation=np.sort(empty.distances(validation)))

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

    def compare(self, features: np.ndarray) -> list[TrainingDistance]:
        """Compare the distances of images with those of the validation images.

        Parameters
        ----------
        features : ndarray of float, shape (N, F)
            Inputs of the last layer, not scaled.

        Returns
        -------
        list of TrainingDistance
            In the order of `features`.
        """
        found = self.distances(features)
        nearer = np.searchsorted(self.validation, found - ROUNDING)
        percentiles = 100 * nearer / len(self.validation)
        return [
            TrainingDistance(float(percentile), bool(distance > self.threshold + ROUNDING))
            for percentile, distance in zip(percentiles, found, strict=True)
        ]

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
            Limits of the fraction of such images that are farther away than the threshold, which was estimated from
            few images: the central 95 % of its distribution.

        References
        ----------
        S. S. Wilks (1941). Determination of Sample Sizes for Setting Tolerance Limits. Annals of Mathematical
        Statistics 12, 91-96. The fraction beyond the r-th of n ordered values has the distribution
        Beta(n - r + 1, r), whatever that of the values is.
        """
        from scipy.stats import beta

        n, above = len(self.validation), self.n_exceeding + 1
        low, high = beta.interval(LEVEL, above, n + 1 - above)
        return float(low), float(high)

    def save(self, file: BinaryIO) -> None:
        """Write the reference into a file that is open for writing."""
        np.savez(file, features=self.features, validation=self.validation)

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
                return cls(features=found["features"], validation=found["validation"])
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


def label_of(distance: TrainingDistance | None) -> str:
    """Return whether an image is unlike all training images, for tables: ``yes``, ``no`` or ``not checked``."""
    if distance is None:
        return "not checked"
    return "yes" if distance.unlike else "no"


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


def sample_rows(labels: np.ndarray, n_features: int) -> np.ndarray:
    """Choose the training images of a reference.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        Class of each training image.
    n_features : int
        Number of features F of the network.

    Returns
    -------
    ndarray of int64, ascending
        All positions in `labels`, if these are at most 1000 images and 2,097,152 values. Otherwise a random sample of
        this size, always the same one, with all images of small classes and equally many of each of the others.
    """
    most = max(1, min(MOST_IMAGES, MOST_VALUES // n_features))
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
