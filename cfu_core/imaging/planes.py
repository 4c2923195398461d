"""Pictures of a TIFF file: the planes of a focus stack, channels, time points or pages, and which of them is shown."""

import io
import math
from dataclasses import dataclass

import cv2
import numpy as np
import tifffile

#: Names of the axes of tifffile; all other axes are counted as pages.
_AXES = {"Z": "focus", "C": "channel", "T": "time"}


@dataclass(frozen=True, eq=False)
class Planes:
    """The pictures of a TIFF that have the size of its largest picture.

    Attributes
    ----------
    page : tifffile.TiffPage
        Tags of the pictures.
    series : tifffile.TiffPageSeries or None
        Their pixels; None if the file could only be read as single pages, of which the first one is used.
    shape : tuple of int
        Number of pictures along each of `axes`; empty for one picture.
    axes : tuple of str
        ``focus``, ``channel``, ``time`` or ``page``.
    others : int
        Number of pictures of other sizes in the file, such as a thumbnail.
    """

    page: tifffile.TiffPage
    series: tifffile.TiffPageSeries | None
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    others: int

    @property
    def count(self) -> int:
        """Number of pictures."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """Number of bytes that the file must have for all pictures to be complete."""
        pages = [self.page] if self.series is None else [page for page in self.series.pages if page is not None]
        ends = [s + n for page in pages for s, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if self.series is not None and len(self.series.pages) < self.count and self.series.dataoffset is not None:
            ends.append(self.series.dataoffset + self.series.nbytes)  # the tags describe only the first picture
        return max(ends, default=0)

    def read(self, plane: int) -> np.ndarray:
        """Decode one picture.

        Parameters
        ----------
        plane : int
            0 to `count` - 1; along the last axis first.

        Returns
        -------
        ndarray, shape (H, W, S)
            Samples as stored.

        Raises
        ------
        ValueError
            There is no such picture, or its content is damaged; the message is a clause.
        """
        if not 0 <= plane < self.count:
            raise ValueError(f"it has {self.count} planes, and plane {plane + 1} was chosen")
        try:
            if self.series is None or self.count == 1:
                samples = self.page.asarray(maxworkers=1)
            elif len(self.series.pages) == self.count:
                page = self.series.pages[plane]
                if page is None:
                    raise ValueError("a page is missing")
                samples = page.asarray(maxworkers=1)
            else:  # all pictures are stored as one
                samples = self.series.asarray(maxworkers=1)
                samples = samples.reshape(self.count, *samples.shape[len(self.shape) :])[plane]
        except Exception as error:
            # each codec raises errors of its own
            raise ValueError(f"its content is damaged, or compressed in an unsupported way ({error})") from error
        if self.page.axes == "SYX":  # one channel after the other
            samples = np.moveaxis(samples, 0, -1)
        return samples.reshape(self.page.imagelength, self.page.imagewidth, -1)


def open_planes(data: bytes) -> Planes:
    """Find the pictures of a TIFF file; their pixels are not decoded.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a TIFF does.

    Raises
    ------
    Exception
        The tags are invalid; tifffile raises many different errors.
    """
    file = tifffile.TiffFile(io.BytesIO(data))
    first = file.pages.first
    try:
        found = [series for series in file.series if "Y" in series.axes and "X" in series.axes]
    except Exception:  # noqa: BLE001 - metadata of unknown programs
        found = []
    if not found:
        return Planes(first, None, (), (), len(file.pages) - 1)
    largest = max(found, key=lambda series: series.keyframe.imagewidth * series.keyframe.imagelength)
    axes = _axes(largest)
    others = sum(math.prod(size for size, _ in _axes(series)) for series in found if series is not largest)
    page = largest.keyframe
    if not isinstance(page, tifffile.TiffPage):
        raise TypeError("the tags of its pages are missing")
    return Planes(page, largest, tuple(size for size, _ in axes), tuple(name for _, name in axes), others)


def _axes(series: tifffile.TiffPageSeries) -> list[tuple[int, str]]:
    """Return the length and the name of each axis along which a series has several pictures."""
    sizes = zip(series.shape, series.axes, strict=True)
    return [(size, _AXES.get(axis, "page")) for size, axis in sizes if axis not in "YXS" and size > 1]


def sharpest_plane(planes: Planes) -> int:
    """Return the sharpest picture, by the variance of the Laplacian; among the pictures of the first channel only.

    Parameters
    ----------
    planes : Planes
        From `open_planes`.

    Raises
    ------
    ValueError
        A picture is damaged; the message is a clause.

    References
    ----------
    J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", Proceedings of the
    15th International Conference on Pattern Recognition 3 (2000), 314-317.
    """
    if planes.count == 1:
        return 0
    numbers = np.arange(planes.count).reshape(planes.shape)
    first_channel = tuple(0 if axis == "channel" else slice(None) for axis in planes.axes)
    candidates = np.ravel(numbers[first_channel]).tolist()
    if len(candidates) == 1:
        return candidates[0]
    return max(candidates, key=lambda plane: _sharpness(planes.read(plane)))


def _sharpness(samples: np.ndarray) -> float:
    grey = np.nan_to_num(samples.astype(np.float32), posinf=0, neginf=0).mean(axis=2)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
