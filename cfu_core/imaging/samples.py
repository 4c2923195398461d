"""Samples of an image file as stored, and their conversion to RGB."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.sample_range import SampleRange, earlier_range, to_eight_bits


@dataclass(frozen=True)
class PlaneChoice:
    """Which picture of a file is used, and what is left out.

    Attributes
    ----------
    index : int
        Number of the picture, from 0, or `cfu_core.imaging.planes.FIRST_PAGE`.
    count : int
        Number of pictures of this size in the file.
    axes : tuple of str
        What the pictures differ in, as in `cfu_core.imaging.planes.Planes`.
    others : int
        Number of pictures of other sizes.
    missing : int
        Number of pictures that the file describes but does not contain.
    extra_channels : int
        Number of channels that are neither colours nor alpha.
    main : bool
        Whether the format itself defines which picture is the main one, which was proposed; otherwise the sharpest was.
    """

    index: int
    count: int
    axes: tuple[str, ...]
    others: int
    missing: int
    extra_channels: int
    main: bool = False

    @property
    def complete(self) -> bool:
        """Whether the whole content of the file is used."""
        return self.count == 1 and not (self.others or self.missing or self.extra_channels)


class Samples(NamedTuple):
    """The samples of an image, before the EXIF orientation is applied.

    Attributes
    ----------
    colours : ndarray, shape (H, W, C)
        One (grey), three (RGB) or four (CMYK) channels of any type.
    alpha : ndarray or None, shape (H, W)
        Opacity, if the file has it.
    premultiplied : bool
        Whether the colours have been multiplied by the opacity.
    inverted : bool
        Whether 0 is white.
    bits : int
        Number of bits of a sample, which may be less than its type has.
    declared : SampleRange or None
        Range of the colours that the file states.
    plane : PlaneChoice or None
        Which picture of the file this is, if the format can have several.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    premultiplied: bool = False
    inverted: bool = False
    bits: int = 8
    declared: SampleRange | None = None
    plane: PlaneChoice | None = None

    @property
    def deep(self) -> bool:
        """Whether a sample has more than 8 bits."""
        return self.colours.dtype not in (np.uint8, np.bool_)


def to_rgb(samples: Samples, chosen: SampleRange | None = None) -> np.ndarray:
    """Convert samples to RGB.

    Parameters
    ----------
    samples : Samples
        From `cfu_core.imaging.decoding.read_samples`.
    chosen : SampleRange, optional
        Range of samples of more than 8 bits. By default it is chosen for this image alone, as before ranges were chosen
        for datasets (`cfu_core.imaging.sample_range.earlier_range`).

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Grey is repeated in the three channels, transparency is blended with white, and CMYK is converted without a
        colour profile.

    Raises
    ------
    ValueError
        Without `chosen`: the samples are not in a range that could be chosen; the message is a clause.
    """
    if samples.deep:
        chosen = chosen or earlier_range(samples.colours)
        values = to_eight_bits(samples.colours, chosen)
    else:
        values = _eight_bits(samples.colours, samples.bits)
    if values.shape[2] == 4:
        rgb = _cmyk(values)
    else:
        rgb = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_GRAY2RGB) if values.shape[2] == 1 else values
    if samples.inverted:
        rgb = 255 - rgb
    if samples.alpha is None:
        return rgb
    return _on_white(rgb, _opacity(samples.alpha, samples.bits), premultiplied=samples.premultiplied)


def _eight_bits(samples: np.ndarray, bits: int) -> np.ndarray:
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * 255
    if bits >= 8:
        return samples
    levels = 2**bits - 1
    return np.rint(np.minimum(np.arange(256), levels) * (255 / levels)).astype(np.uint8)[samples]


def _opacity(alpha: np.ndarray, bits: int) -> np.ndarray:
    """Scale alpha to uint8: integers from the whole range of their type, floating-point numbers from 0 to 1."""
    if alpha.dtype in (np.uint8, np.bool_):
        return _eight_bits(alpha, bits)
    return to_eight_bits(alpha, SampleRange(0, np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1))


def _cmyk(values: np.ndarray) -> np.ndarray:
    light = 255 - values.astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def _on_white(rgb: np.ndarray, alpha: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    cover = alpha[..., None].astype(np.uint16)
    if premultiplied:
        return np.minimum(rgb + (255 - cover), 255).astype(np.uint8)
    return ((rgb * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)
