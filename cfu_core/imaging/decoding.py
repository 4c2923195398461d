"""Decoding of image files of any format to samples."""

import cv2
import imagecodecs
import numpy as np

from cfu_core.imaging.file_formats import bmp_has_alpha, png_depth, png_significant_bits, tiff_planes
from cfu_core.imaging.frames import Frames, open_frames
from cfu_core.imaging.headers import image_format
from cfu_core.imaging.jpeg2000_files import jpeg2000_header
from cfu_core.imaging.planes import FIRST_PAGE, Pictures, sharpest_plane
from cfu_core.imaging.sample_range import SampleRange
from cfu_core.imaging.samples import PlaneChoice, Samples
from cfu_core.imaging.tiff_samples import MAX_SAMPLES, read_tiff_samples


def read_samples(data: bytes, kind: str, plane: int | None = None) -> Samples:
    """Decode the samples of an image file.

    Parameters
    ----------
    data : bytes
        The whole file, whose structure has been checked.
    kind : str
        A key of `cfu_core.imaging.headers.FORMAT_EXTENSIONS`, such as ``JPEG``.
    plane : int, optional
        Which of several pictures of the file, from 0, or `cfu_core.imaging.planes.FIRST_PAGE`. By default the picture
        that the format defines as the main one (JPEG, PNG), otherwise the sharpest (TIFF, GIF, WebP).

    Raises
    ------
    ValueError
        The content is damaged, or its pixels are stored in an unsupported way; the message is a clause.
    cv2.error, MemoryError
        The decoder failed.
    """
    if kind == "BMP":
        return _read_bmp(data)
    if kind == "JPEG 2000":
        return _read_jpeg2000(data)
    if kind == "TIFF":
        planes = tiff_planes(data, first_page=plane == FIRST_PAGE)
        number = sharpest_plane(planes) if plane is None else plane
        samples, extra_channels = read_tiff_samples(planes, 0 if number == FIRST_PAGE else number)
        return samples._replace(plane=_choice(planes, number, extra_channels))
    frames = open_frames(data, kind)
    if plane is None or plane == FIRST_PAGE:
        plane = sharpest_plane(frames) if frames.main is None else frames.main
    return _read_frame(frames, plane)._replace(plane=_choice(frames, plane))


def open_pictures(data: bytes) -> Pictures | None:
    """Find the pictures of an image file; their pixels are not decoded.

    Parameters
    ----------
    data : bytes
        The whole file, whose structure has been checked.

    Returns
    -------
    Pictures or None
        None if the format has only one picture.

    Raises
    ------
    ValueError
        The tags of a TIFF are invalid; the message is a clause.
    """
    kind = image_format(data)
    if kind == "TIFF":
        return tiff_planes(data)
    return None if kind in (None, "BMP", "JPEG 2000") else open_frames(data, kind)


def _choice(pictures: Pictures, plane: int, extra_channels: int = 0) -> PlaneChoice:
    missing = len(pictures.missing)
    return PlaneChoice(
        plane,
        pictures.count - missing,
        pictures.axes,
        pictures.others,
        missing,
        extra_channels,
        pictures.main is not None,
    )


def _read_frame(frames: Frames, plane: int) -> Samples:
    """Decode a picture of a JPEG, PNG, GIF or WebP."""
    pixels = frames.read(plane)
    alpha = pixels[..., -1] if pixels.shape[2] in (2, 4) else None
    bits = png_significant_bits(frames.data) if frames.format == "PNG" and png_depth(frames.data) == 16 else None
    return Samples(
        pixels[..., : 1 if pixels.shape[2] < 3 else 3],
        alpha,
        declared=SampleRange(0, 2**bits - 1) if bits and bits < 16 else None,
    )


def _read_bmp(data: bytes) -> Samples:
    alpha = bmp_has_alpha(data)
    flags = cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError("its content is damaged")
    if not alpha or pixels.ndim == 2:
        return Samples(np.atleast_3d(pixels))
    return Samples(pixels[..., 2::-1], pixels[..., 3] if pixels.shape[2] == 4 else None)


def _read_jpeg2000(data: bytes) -> Samples:
    header = jpeg2000_header(data)
    if header.channels > MAX_SAMPLES:
        raise ValueError(f"it has {header.channels} channels, not 1 (grey), 3 (RGB) or 4")
    if header.colours == "unknown":
        raise ValueError("its colours are stored in an unsupported way")
    try:
        pixels = np.atleast_3d(imagecodecs.jpeg2k_decode(data))
    except Exception as error:
        # the extension defines errors of its own
        raise ValueError(f"its content is damaged, or stored in an unsupported way ({error})") from error
    count = pixels.shape[2]
    others = [channel for channel in range(count) if channel != header.alpha]
    colours = 4 if header.colours == "CMYK" and len(others) >= 4 else 3 if len(others) >= 3 else 1
    full = header.bits in (8, 16) or header.bits < 8
    return Samples(
        pixels[..., others[:colours]],
        pixels[..., header.alpha] if header.alpha is not None and header.alpha < count else None,
        premultiplied=header.premultiplied,
        bits=header.bits,
        declared=None if full or header.signed else SampleRange(0, 2**header.bits - 1),
        plane=PlaneChoice(0, 1, (), header.images - 1, 0, len(others) - colours),
    )
