"""Encoding of images as JPEG."""

import cv2
import numpy as np

QUALITY = 88


def encode_jpeg(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """Encode an image as baseline JPEG.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, with sides of 1 to 65,500 pixels, the limits of JPEG in OpenCV.
    quality : int
        libjpeg's quality, 0 to 100. Higher values give larger files with fewer artefacts.

    Returns
    -------
    bytes
        Content of a JPEG file, without EXIF data.
    """
    # a copy in OpenCV's channel order: encoding a view with reversed channels takes twice as long
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
