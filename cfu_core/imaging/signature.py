"""Image signatures: short vectors whose parts are almost equal for copies, also rotated, scaled, cropped or relit ones.

The strongest blobs of an image (a cell, a colony, a speck) keep their position in the scene when the frame changes.
Each blob is described by the colours on rings around it. Each ring is described by its mean and by the magnitudes of
the first Fourier components along it, which are invariant to rotation and mirroring. A further description, of rings
around the centre of the frame, serves images without blobs. The structure of the frame, finally, does not depend on
the light.
"""

import cv2
import numpy as np

from cfu_core.imaging.frame_structure import STRUCTURE_LENGTH, frame_structure

BLOBS = 6
_SIDE = 64  # pixels: images are resized to an area of 64 x 64
_MIN_SIDE, _MAX_SIDE = 8, 256  # pixels; limits for very long images
_FINEST, _STEP, _SCALES = 1.5, 2**0.4, 10  # pixels, ratio, number: blobs with diameters of 3 to 35 pixels
_MIN_STRENGTH = 0.05  # grey levels; weaker blobs are rounding errors
_RINGS = np.array([0.3, 0.8, 1.25, 1.7, 2.15, 2.6], np.float32)  # radii, in units of the blob's scale
_RAYS = 16
_FRAME_SCALE = 11.5  # pixels: the outermost ring around the centre is just inside the frame
_SMOOTHING = 0.7  # pixels; removes grain
_MEANS, _LIGHT_COMPONENTS, _COLOUR_COMPONENTS = 3, 3, 2  # values per ring
#: Number of values that describe one blob; all are 0 for missing blobs.
DESCRIPTION_LENGTH = len(_RINGS) * (_MEANS + _LIGHT_COMPONENTS + _COLOUR_COMPONENTS)
#: Number of values in all descriptions: that of the frame, then those of the blobs in order of strength.
DESCRIPTIONS_LENGTH = (1 + BLOBS) * DESCRIPTION_LENGTH
#: Number of values in a signature: the descriptions, then the structure of the frame.
SIGNATURE_LENGTH = DESCRIPTIONS_LENGTH + STRUCTURE_LENGTH

# lightness, then red against blue, then green against magenta; in grey levels
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [-0.25, 0.5, -0.25]], np.float32)
_ANGLES = np.arange(_RAYS, dtype=np.float32) * np.float32(2 * np.pi / _RAYS)
_RING_X, _RING_Y = np.outer(_RINGS, np.cos(_ANGLES)), np.outer(_RINGS, np.sin(_ANGLES))


def signature(image: np.ndarray) -> np.ndarray:
    """Compute the signature of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, of any size; a reduced version of at least 64 pixels a side is enough.

    Returns
    -------
    ndarray of float32, shape (SIGNATURE_LENGTH,)
        In grey levels: the description of the frame, then those of up to `BLOBS` blobs in order of strength, each of
        `DESCRIPTION_LENGTH` values. Descriptions of missing blobs are 0. The last `STRUCTURE_LENGTH` values are from
        `cfu_core.imaging.frame_structure.frame_structure`.

    Notes
    -----
    To compare two images, compare each description of the first with each description of the second. The signatures of
    copies in the same light have at least one description in common, up to small differences, but not always at the
    same position. Copies with the same frame have similar structures, in whatever light.

    References
    ----------
    T. Lindeberg, "Feature detection with automatic scale selection", International Journal of Computer Vision 30
    (1998), 79-116. The blobs are extrema of differences of Gaussians over position and scale.
    """
    small = opponent(image, _SIDE)
    blobs = _blobs(np.ascontiguousarray(small[..., 0]))
    height, width = small.shape[:2]
    middle = np.array([[(width - 1) / 2, (height - 1) / 2, _FRAME_SCALE]])
    found = np.zeros((1 + BLOBS, DESCRIPTION_LENGTH), np.float32)
    found[: 1 + len(blobs)] = _descriptions(cv2.GaussianBlur(small, (0, 0), _SMOOTHING), np.vstack([middle, blobs]))
    return np.concatenate([found.ravel(), frame_structure(small[..., 0])])


def opponent(image: np.ndarray, side: float) -> np.ndarray:
    """Convert an image to lightness and two opponent colours, and resize it to an area of `side` x `side` pixels.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    side : float
        Side in pixels of a square of the area that the result has.

    Returns
    -------
    ndarray of float32, shape (h, w, 3)
        (R + G + B) / 3, 0 to 255; (R - B) / 2 and (2 G - R - B) / 4, -127.5 to 127.5. The aspect ratio is preserved,
        except that each side has 8 to 256 pixels.
    """
    height, width = image.shape[:2]
    scale = side / np.sqrt(height * width)
    size = [int(np.clip(round(length * scale), _MIN_SIDE, _MAX_SIDE)) for length in (width, height)]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.transform(cv2.resize(image, size, interpolation=method).astype(np.float32), OPPONENT)


def _blobs(grey: np.ndarray) -> np.ndarray:
    """Find the strongest blobs, extrema of differences of Gaussians, as rows (x, y, scale) in pixels."""
    levels, blurred, done = [], grey, 0.5
    for sigma in _FINEST * _STEP ** np.arange(_SCALES):
        blurred = cv2.GaussianBlur(blurred, (0, 0), float(np.sqrt(sigma**2 - done**2)), borderType=cv2.BORDER_REPLICATE)
        levels.append(blurred)
        done = sigma
    change = np.diff(np.stack(levels), axis=0)  # (scales - 1, h, w)
    strength = np.abs(change)
    around = np.stack([cv2.dilate(level, np.ones((3, 3), np.uint8)) for level in strength])
    middle, neighbours = strength[1:-1], np.maximum(around[:-2], around[2:])
    peak = (middle >= around[1:-1]) & (middle > neighbours) & (middle > _MIN_STRENGTH)
    peak[:, [0, -1]] = peak[:, :, [0, -1]] = False
    k, y, x = np.nonzero(peak)
    k += 1
    best = np.argsort(-strength[k, y, x], kind="stable")[:BLOBS]
    k, y, x = k[best], y[best], x[best]
    here = change[k, y, x]
    return np.column_stack(
        [
            x + _extremum(change[k, y, x - 1], here, change[k, y, x + 1]),
            y + _extremum(change[k, y - 1, x], here, change[k, y + 1, x]),
            _FINEST * _STEP ** (k + 0.5 + _extremum(change[k - 1, y, x], here, change[k + 1, y, x])),
        ]
    )


def _extremum(before: np.ndarray, here: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Position of the extremum of the parabola through three neighbours, -0.5 to 0.5."""
    curvature = before - 2 * here + after
    return np.clip(np.divide(before - after, 2 * curvature, out=np.zeros_like(here), where=curvature != 0), -0.5, 0.5)


def _descriptions(small: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Descriptions (P, DESCRIPTION_LENGTH) of the surroundings of points (x, y, scale)."""
    x, y, scale = (points[:, [column], None] for column in range(3))
    across = (x + _RING_X * scale).astype(np.float32).reshape(-1, _RAYS)
    down = (y + _RING_Y * scale).astype(np.float32).reshape(-1, _RAYS)
    rings = cv2.remap(small, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rings = rings.reshape(len(points), len(_RINGS), _RAYS, 3)
    components = np.abs(np.fft.rfft(rings, axis=2)) / _RAYS
    kept = [rings.mean(axis=2), components[:, :, 1:4, 0], components[:, :, 1, 1:]]
    return np.concatenate([part.reshape(len(points), -1) for part in kept], axis=1)
