"""Encoding of images as JPEG."""

import cv2
import numpy as np

from cfu_core.errors import ImageError

QUALITY = 88
MAX_SIDE = 65_500  # pixels, the limit of libjpeg


def encode_jpeg(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """Encode an image as baseline JPEG.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, with sides of 1 to `MAX_SIDE` pixels.
    quality : int
        libjpeg's quality, 0 to 100. Higher values give larger files with fewer artefacts.

    Returns
    -------
    bytes
        Content of a JPEG file, without EXIF data.

    Raises
    ------
    ImageError
        A side is longer than `MAX_SIDE`.
    """
    height, width = image.shape[:2]
    if max(height, width) > MAX_SIDE:
        raise ImageError(
            f"An image of {width} x {height} pixels is too large to be shown.",
            f"A side may have {MAX_SIDE:,} pixels.",
            "Cut it into smaller images.",
            kind="too-large",
        )
    # a copy in OpenCV's channel order: encoding a view with reversed channels takes twice as long
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
