"""Pictures made of several pictures of a TIFF: focal planes fused in focus, and composites of channels."""

from collections.abc import Iterable

import cv2
import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC

from cfu_core.imaging.planes import COMPOSITE, FUSED, Pictures, Planes
from cfu_core.imaging.sample_range import SampleRange, sample_statistics, to_eight_bits

#: Axes whose pictures may show the same field in another focus; pages state no meaning.
_DEPTH_AXES = ("focal plane", "page")
_NOISE_BLUR = 1.0  # pixels, standard deviation; noise is finer than the structures that are compared
_WINDOW = 4.0  # pixels, standard deviation of the window in which sharpness is summed
_GREY = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK)
_TWO_HUES = ((0, 255, 0), (255, 0, 255))  # also told apart by people who confuse red and green
_HUES = (
    *((255, 0, 0), (0, 255, 0), (0, 0, 255)),
    *((255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0)),
)
_HUE_NAMES = {
    (255, 0, 0): "red",
    (0, 255, 0): "green",
    (0, 0, 255): "blue",
    (255, 255, 255): "grey",
    (0, 255, 255): "cyan",
    (255, 0, 255): "magenta",
    (255, 255, 0): "yellow",
}


def combinations(pictures: Pictures | None) -> list[int]:
    """Return which combined pictures can be made of the pictures of a file.

    Parameters
    ----------
    pictures : Pictures or None
        From `cfu_core.imaging.decoding.open_pictures`.

    Returns
    -------
    list of int
        `cfu_core.imaging.planes.FUSED` if there are several focal planes or pages, and
        `cfu_core.imaging.planes.COMPOSITE` if there are 2 to 7 channels of grey samples. Empty for pictures with a
        palette, for colours that tifffile does not convert, and for other formats than TIFF.
    """
    if not isinstance(pictures, Planes):
        return []
    page = pictures.page
    unconverted = page.photometric == PHOTOMETRIC.YCBCR and page.compression != COMPRESSION.JPEG
    if page.photometric == PHOTOMETRIC.PALETTE or unconverted:
        return []
    channels = dict(zip(pictures.axes, pictures.shape, strict=True)).get("channel", 1)
    grey = page.photometric in _GREY and page.samplesperpixel == 1
    found = [FUSED] if set(pictures.axes) & set(_DEPTH_AXES) else []
    return [*found, COMPOSITE] if 1 < channels <= len(_HUES) and grey else found


def fused_planes(planes: Planes, *, channel: int = 0) -> np.ndarray:
    """Fuse the focal planes of one channel, at the first position and time point.

    Parameters
    ----------
    planes : Planes
        From `cfu_core.imaging.planes.open_planes`.
    channel : int
        Number of the channel, from 0.

    Returns
    -------
    ndarray, shape (H, W, S)
        Samples as stored, each of one of the planes.

    Raises
    ------
    ValueError
        A plane is damaged, or the file contains none; the message is a clause.
    """
    numbers = np.arange(planes.count).reshape(planes.shape)
    place = tuple(slice(None) if axis in _DEPTH_AXES else channel if axis == "channel" else 0 for axis in planes.axes)
    wanted = [number for number in np.ravel(numbers[place]).tolist() if number not in planes.missing]
    if not wanted:
        raise ValueError("it contains no picture")
    return fuse(planes.read_each(wanted))


def fuse(stack: Iterable[np.ndarray]) -> np.ndarray:
    """Fuse the focal planes of a stack: each pixel is taken from the plane that is sharpest around it.

    The sharpness is the sum-modified Laplacian of the mean of the channels, with a Gaussian window. Pixels are selected
    and not blended, so that no value arises that the camera did not measure. The planes must cover the same field.

    Parameters
    ----------
    stack : iterable of ndarray, shape (H, W, S)
        At least one plane; only one is in memory at a time.

    Returns
    -------
    ndarray, shape (H, W, S)
        Of the type of the planes.

    References
    ----------
    S. K. Nayar and Y. Nakagawa, "Shape from focus", IEEE Transactions on Pattern Analysis and Machine Intelligence 16
    (1994), 824-831.
    """
    fused: np.ndarray | None = None
    for plane in stack:
        sharpness = _sharpness(plane)
        if fused is None:
            fused, best = plane.copy(), sharpness
            continue
        sharper = sharpness > best
        fused[sharper] = plane[sharper]
        np.maximum(best, sharpness, out=best)
    if fused is None:
        raise ValueError("the stack is empty")
    return fused


def _sharpness(plane: np.ndarray) -> np.ndarray:
    grey = np.nan_to_num(plane.astype(np.float32), posinf=0, neginf=0).mean(axis=2)
    grey = cv2.GaussianBlur(grey, (0, 0), _NOISE_BLUR)
    second = np.array([[-1, 2, -1]], np.float32)
    modified = np.abs(cv2.filter2D(grey, -1, second, borderType=cv2.BORDER_REFLECT))
    modified += np.abs(cv2.filter2D(grey, -1, second.T.copy(), borderType=cv2.BORDER_REFLECT))
    return cv2.GaussianBlur(modified, (0, 0), _WINDOW)


def composite(planes: Planes) -> np.ndarray:
    """Show all channels of a file in one picture, each in a hue of its own.

    Each channel is stretched from its smallest to its largest value in this file, without one sample in 10,000 at each
    end, so the brightness of the composites of several files cannot be compared. The channels are added. Several focal
    planes of a channel are fused; of several positions or time points the first is used.

    Parameters
    ----------
    planes : Planes
        From `cfu_core.imaging.planes.open_planes`; `combinations` must contain
        `cfu_core.imaging.planes.COMPOSITE`.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ValueError
        A plane is damaged; the message is a clause.
    """
    count = dict(zip(planes.axes, planes.shape, strict=True))["channel"]
    mixed = np.zeros((planes.page.imagelength, planes.page.imagewidth, 3), np.uint16)
    for channel, hue in enumerate(_hues(count)):
        samples = fused_planes(planes, channel=channel)[..., 0]
        found = sample_statistics(samples)
        if found.bright > found.dark:
            values = to_eight_bits(samples, SampleRange(found.dark, found.bright))
            if planes.page.photometric == PHOTOMETRIC.MINISWHITE:
                values = 255 - values
            mixed += values[..., None] * (np.array(hue, np.uint16) // 255)
    return np.minimum(mixed, 255).astype(np.uint8)


def _hues(channels: int) -> tuple[tuple[int, int, int], ...]:
    return _TWO_HUES if channels == 2 else _HUES[:channels]


def hue_names(channels: int) -> list[str]:
    """Return the hue of each channel in a composite of so many channels, such as ``green``."""
    return [_HUE_NAMES[hue] for hue in _hues(channels)]
