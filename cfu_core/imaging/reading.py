"""Reading of image files: from the bytes of any supported format, bit depth and colour model to RGB pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.errors import ImageError
from cfu_core.imaging.decoder_warnings import collect_logs, collect_warnings
from cfu_core.imaging.decoding import read_samples
from cfu_core.imaging.file_formats import png_depth, png_intact
from cfu_core.imaging.headers import (
    EXTENSIONS,
    FORMAT_EXTENSIONS,
    MAX_PIXELS,
    ImageHeader,
    check_structure,
    image_format,
    read_header,
)
from cfu_core.imaging.jpeg_decoding import decode_jpeg
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.imaging.sample_range import (
    SampleRange,
    SampleStatistics,
    choose_range,
    find_range,
    kind_in_words,
    sample_statistics,
)
from cfu_core.imaging.samples import PlaneChoice, Samples, to_rgb

__all__ = [
    "EXTENSIONS",
    "FORMAT_EXTENSIONS",
    "MAX_PIXELS",
    "CheckedImage",
    "ImageHeader",
    "check",
    "decode",
    "decode_small",
    "read",
    "read_file",
    "read_header",
    "read_with_ranges",
]

_EXCHANGE_FORMATS = ("PNG", "TIFF")  # lossless
_FACTORS = (8, 4, 2)  # by which libjpeg shrinks

# errors of decoders are reported as an ImageError, and warnings are collected, not printed on the terminal
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
for library in ("tifffile", "imagecodecs"):
    collect_logs(library)


class CheckedImage(NamedTuple):
    """What the check of a complete image has found.

    Attributes
    ----------
    header : ImageHeader
        Format, size and orientation.
    samples : SampleStatistics or None
        Statistics of samples of more than 8 bits.
    plane : PlaneChoice or None
        Which picture of a TIFF was checked.
    """

    header: ImageHeader
    samples: SampleStatistics | None
    plane: PlaneChoice | None = None


def check(data: bytes, *, name: str = "image") -> CheckedImage:
    """Check that a file is a complete image; if possible, in a fraction of the time that decoding it takes.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Name of the file in error messages.

    Raises
    ------
    ImageError
        The file cannot be decoded; with the same kinds as from `decode`.

    Notes
    -----
    `decode` reads every file that passes this check, unless the pixels of a complete JPEG or PNG of 8 bits of a usual
    kind are damaged. Decoders rarely detect such damage in a JPEG: they produce wrong pixels. Files of unusual kinds,
    PNG files of 16 bits, files with several pictures, and all files of other formats are decoded here: for the
    statistics of their samples, and because only decoding shows whether it succeeds.
    """
    header = check_structure(data, name=name)
    if header.usual and not (header.format == "PNG" and png_depth(data) == 16):
        if header.format == "PNG" and not png_intact(data):
            raise _undecodable(name, header.format, ValueError("its content is damaged"))
        return CheckedImage(header, None)
    samples = _samples(data, header, name)
    statistics = sample_statistics(samples.colours, samples.declared) if samples.deep else None
    if statistics is not None and statistics.not_finite == samples.colours.size:
        raise ImageError(f"{name} contains no number: all of its samples are NaN or infinite.", kind="empty")
    return CheckedImage(header, statistics, samples.plane)


def decode(
    data: bytes, *, name: str = "image", samples: SampleRange | None = None, plane: int | None = None
) -> np.ndarray:
    """Decode an image file to RGB pixels.

    Parameters
    ----------
    data : bytes
        The whole file. Its format is recognised by its content.
    name : str
        Name of the file in error messages.
    samples : SampleRange, optional
        Range of samples of more than 8 bits; without effect on other images. By default it is chosen for this image
        alone, by `cfu_core.imaging.sample_range.earlier_range`, so that images of one camera may differ in brightness.
    plane : int, optional
        Which picture of a file with several, from 0, or `cfu_core.imaging.planes.FIRST_PAGE`. By default the main one,
        if the format defines one (JPEG, PNG); otherwise the sharpest picture of the largest size (TIFF, GIF, WebP).

    Returns
    -------
    ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied. Grey is repeated in the three channels, transparency is blended with
        white, and CMYK is converted without a colour profile. An alpha channel of 16 bits is scaled from the whole
        range.

    Raises
    ------
    ImageError
        Kind ``empty``: the file has no bytes. ``not-an-image``: it is in none of the formats that are read.
        ``truncated``: its end is missing. ``too-large``: it has more than `MAX_PIXELS` pixels, according to its header.
        ``unreadable``: it is damaged, or stores its pixels in an unsupported way.
    """
    header = check_structure(data, name=name, first_page=plane == FIRST_PAGE)
    return _pixels(_samples(data, header, name, plane), header, name, samples)


def _samples(data: bytes, header: ImageHeader, name: str, plane: int | None = None) -> Samples:
    """Return the samples of a file whose structure has been checked."""
    try:
        samples = read_samples(data, header.format, plane)
        height, width = samples.colours.shape[:2]
        if header.orientation >= 5:
            height, width = width, height
        if (height, width) != (header.height, header.width):
            raise ValueError("its size differs from the one in its header")
    except (ValueError, MemoryError, cv2.error) as error:
        raise _undecodable(name, header.format, error) from error
    return samples


def _pixels(samples: Samples, header: ImageHeader, name: str, chosen: SampleRange | None) -> np.ndarray:
    """Return upright RGB pixels."""
    try:
        return np.ascontiguousarray(_upright(to_rgb(samples, chosen), header.orientation))
    except (ValueError, MemoryError, cv2.error) as error:
        raise _undecodable(name, header.format, error) from error


def decode_small(
    data: bytes, *, side: int, name: str = "image", samples: SampleRange | None = None, plane: int | None = None
) -> np.ndarray:
    """Decode an image at a reduced size, such as for a thumbnail.

    A JPEG that is at least twice as large as needed is shrunk while it is decoded, which takes a fraction of the time.

    Parameters
    ----------
    data : bytes
        The whole file.
    side : int
        Smallest number of pixels of the longer side of the result, unless the image itself is smaller. A JPEG is shrunk
        by the largest of the factors 2, 4 and 8 that leaves at least this number. Images of other formats are not
        shrunk.
    name : str
        Name of the file in error messages.
    samples, plane
        As for `decode`.

    Returns
    -------
    ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied. H and W of a JPEG are those of the image divided by 1, 2, 4 or 8 and
        rounded up.

    Raises
    ------
    ImageError
        The file cannot be decoded; with the same kinds as from `decode`.
    """
    if image_format(data) != "JPEG" or plane not in (None, FIRST_PAGE, 0):
        return decode(data, name=name, samples=samples, plane=plane)
    header = check_structure(data, name=name)
    factor = next((factor for factor in _FACTORS if max(header.width, header.height) >= factor * side), 1)
    if factor == 1:
        return decode(data, name=name, samples=samples, plane=plane)
    try:
        return np.ascontiguousarray(_upright(decode_jpeg(data, factor=factor), header.orientation))
    except (ValueError, MemoryError) as error:
        raise _undecodable(name, header.format, error) from error


def read(path: Path) -> np.ndarray:
    """Read and decode an image file by itself, not as a part of a dataset.

    Parameters
    ----------
    path : Path
        An image file of a format that is read, which is recognised by its content.

    Returns
    -------
    ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied; as from `decode` with its defaults.

    Raises
    ------
    ImageError
        With the kinds of `read_file` and `decode`.
    """
    return decode(read_file(path), name=path.name)


def read_with_ranges(path: Path, ranges: Mapping[str, SampleRange] | None) -> tuple[np.ndarray, str]:
    """Read an image file as the images of a dataset were read, so that they can be compared.

    Parameters
    ----------
    path : Path
        An image file of a format that is read, which is recognised by its content.
    ranges : mapping of str to SampleRange, or None
        Range of each kind of samples of more than 8 bits in the dataset (`cfu_core.imaging.sample_range.sample_kinds`).
        None for a dataset that was imported before ranges and pictures were chosen: they are then chosen as before.

    Returns
    -------
    pixels : ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied; see `decode`.
    remark : str
        Sentences for users. The samples may be of a type that the dataset does not have: their range is then chosen for
        this image alone. The file may have several pictures, of which one is used, or the decoder may have found
        damage. Otherwise ``""``.

    Raises
    ------
    ImageError
        With the kinds of `read_file` and `decode`.
    """
    data, name = read_file(path), path.name
    if ranges is None:
        return decode(data, name=name, plane=FIRST_PAGE), ""
    header = check_structure(data, name=name)
    with collect_warnings() as warnings:
        samples = _samples(data, header, name)
    chosen, remarks = None, []
    if samples.deep:
        found = sample_statistics(samples.colours, samples.declared)
        chosen = find_range(ranges, found)
        if chosen is None:
            chosen = choose_range([found]).range
            remarks.append(
                f"{name} has samples of {kind_in_words(found.dtype)}, which the dataset does not have. In this image, "
                f"{chosen.black:g} is shown as black and {chosen.white:g} as white."
            )
    if samples.plane is not None and samples.plane.count > 1:
        remarks.append(f"{name} has {samples.plane.count} pictures; picture {samples.plane.index + 1} is used.")
    if warnings:
        remarks.append(f"The decoder of {name} found damage and went on: {'; '.join(warnings)}.")
    return _pixels(samples, header, name, chosen), " ".join(remarks)


def read_file(path: Path) -> bytes:
    """Read the content of an image file.

    Raises
    ------
    ImageError
        Kind ``missing``: the file does not exist. ``no-permission``: this user may not read it. ``unreadable``: reading
        fails, for example because `path` is a folder.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist.", kind="missing") from error
    except OSError as error:
        kind = "no-permission" if isinstance(error, PermissionError) else "unreadable"
        raise ImageError(f"{path} cannot be read: {error.strerror}.", kind=kind) from error


def _undecodable(name: str, kind: str, error: Exception) -> ImageError:
    """Return the error about a file that cannot be decoded, with what to do about a file of this format."""
    reason = error if isinstance(error, ValueError) else "the decoder failed"
    others = " or ".join(other for other in _EXCHANGE_FORMATS if other != kind)
    remedy = f"Copy it again from its source, or open it in the program that made it and save it as {others}."
    return ImageError(f"{name} cannot be decoded: {reason}.", "", remedy, kind="unreadable")


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and mirror pixels as an EXIF orientation (1 to 8) specifies."""
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels
