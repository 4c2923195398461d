"""Exposure of a frame: light, lens and sensor turn absorbance into pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cfu_core.dataset.demo.canvas import FRAME_HEIGHT, FRAME_WIDTH, MARGIN, Generator, Layer
from cfu_core.dataset.demo.scene import Scene

_HEMOGLOBIN = np.array([0.32, 0.86, 1.0])  # absorbance in R, G, B of a brownish-red cell, relative to B


def expose(
    rng: Generator, scene: Scene, grey: Layer, pigment: Layer, box: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """Render the layers of a frame as a camera image.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers for the sensor noise and the unevenness of the light; its state advances.
    scene : Scene
        Light, contrast, flare, glow, blur and noise of the frame; its other fields are ignored.
    grey, pigment : ndarray of float32
        Layers from `cfu_core.dataset.demo.canvas.empty_layer` with the absorbance of all objects and the thickness of
        pigment.
    box : tuple of int
        Left, top, right, bottom of the colony in pixels of the frame, right and bottom exclusive. It must be inside
        the frame and not empty. Pigment outside it is ignored.

    Returns
    -------
    ndarray of uint8, shape (FRAME_HEIGHT, FRAME_WIDTH, 3)
        RGB, 0 to 255.
    """
    size = (FRAME_WIDTH, FRAME_HEIGHT)
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    colony = np.s_[box[1] : box[3], box[0] : box[2]]
    quarter = cv2.resize(grey[inner], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide = cv2.resize(cv2.GaussianBlur(quarter, (0, 0), 5), size, interpolation=cv2.INTER_LINEAR)
    glow = scene.contrast * scene.glow
    passed = cv2.exp(cv2.addWeighted(grey[inner], -scene.contrast - glow, wide, glow, 0))
    passed = cv2.GaussianBlur(passed, (0, 0), scene.blur)
    red = cv2.GaussianBlur(pigment[inner][colony], (0, 0), scene.blur)
    noise = _noise(rng, scene.noise)
    field = _light_field(rng, scene.uneven)
    channels = []
    for light, absorbed, part in zip(scene.light, _HEMOGLOBIN, field, strict=True):
        shade = cv2.resize(np.asarray(part * light, np.float32), size, interpolation=cv2.INTER_CUBIC)
        seen = cv2.multiply(passed, shade, scale=1 - scene.flare)
        seen[colony] *= cv2.exp(-scene.contrast * absorbed * red)
        seen = cv2.scaleAdd(shade, scene.flare, seen)
        channels.append(cv2.add(seen, noise, dtype=cv2.CV_8U))
    return np.asarray(cv2.merge(channels), np.uint8)


def _noise(rng: Generator, level: float) -> Layer:
    """Return sensor noise for the frame, smoothed slightly as by a camera's demosaicing."""
    white = np.asarray(rng.standard_normal((FRAME_HEIGHT, FRAME_WIDTH), dtype=np.float32))
    kernel = cv2.getGaussianKernel(3, 0.6).astype(np.float32)
    return np.asarray(cv2.sepFilter2D(white, -1, kernel * 1.7 * level, kernel), np.float32)


def _light_field(rng: Generator, uneven: float) -> Layer:
    """Return relative light (3, 15, 20) over the frame: a slope, an off-centre vignette and a slight tint."""
    y, x = np.mgrid[-0.75:0.75:15j, -1:1:20j]
    slope, centre = rng.normal(0, 0.45, 2), rng.normal(0, 0.35, 2)
    vignette = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    field = 1 - uneven * (0.7 * vignette + slope[0] * x + slope[1] * y)
    tints = rng.normal(0, 0.05, (3, 1, 1)) * uneven * vignette
    return (field + tints).astype(np.float32)
