"""Pixels as a JPEG."""

import cv2
import numpy as np

QUALITY = 88


def encode_jpeg(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """A baseline JPEG of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    quality : int
        From 0 to 100, as libjpeg counts.
    """
    # a copy in OpenCV's order: encoding a view with its channels turned takes twice as long
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
