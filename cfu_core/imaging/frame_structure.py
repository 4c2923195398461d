"""The structure of a frame: coarse light and dark, independent of the illumination, for copies that differ in light.

The lightness is divided by its local deviation, so that brightness, gamma, white balance and adaptive contrast
enhancement change it little. Its lowest cosine components describe the whole frame. Rotation by multiples of 90 degrees
and mirroring only exchange these components and change their signs.
"""

import cv2
import numpy as np

_COMPONENTS = 12  # lowest frequencies along each side
_SIDE = 32  # pixels; the frame is resized to a square
_CENTRE_SIGMA, _SPREAD_SIGMA = 3.0, 5.0  # pixels; neighbourhoods of the local mean and of the local deviation
_FAINT = 2.0  # grey levels; smaller deviations are hardly amplified
_MIN_NORM = 4.0  # images reach 12 to 30, blank frames with the noise of a camera or of compression 2
#: Number of values in a structure.
STRUCTURE_LENGTH = _COMPONENTS**2

_SIGNS = (-1.0) ** np.arange(_COMPONENTS, dtype=np.float32)
_UPPER, _ABOVE = np.triu_indices(_COMPONENTS), np.triu_indices(_COMPONENTS, 1)


def frame_structure(light: np.ndarray) -> np.ndarray:
    """Compute the structure of a frame.

    Parameters
    ----------
    light : ndarray of float32, shape (h, w)
        Lightness, 0 to 255; a reduced version of about 32 to 64 pixels a side.

    Returns
    -------
    ndarray of float32, shape (STRUCTURE_LENGTH,)
        Cosine components of the lightness without its local mean and deviation, by row and then column, with length 1;
        all 0 for a blank frame. The product of two structures is the correlation of the frames, -1 to 1. Copies that
        differ in light reach 0.8 or more, different cells 0.7 at most.

    References
    ----------
    K. Jarrett, K. Kavukcuoglu, M. Ranzato, Y. LeCun, "What is the best multi-stage architecture for object
    recognition?", IEEE International Conference on Computer Vision (2009), 2146-2153, doi:10.1109/ICCV.2009.5459469.
    Local contrast normalisation.
    """
    square = cv2.resize(np.ascontiguousarray(light), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    away = square - cv2.GaussianBlur(square, (0, 0), _CENTRE_SIGMA, borderType=cv2.BORDER_REFLECT)
    variance = cv2.GaussianBlur(away * away, (0, 0), _SPREAD_SIGMA, borderType=cv2.BORDER_REFLECT)
    found = cv2.dct(away / np.sqrt(variance + _FAINT**2))[:_COMPONENTS, :_COMPONENTS].copy()
    found[0, 0] = 0
    norm = float(np.linalg.norm(found))
    return (found / norm if norm >= _MIN_NORM else np.zeros_like(found)).ravel()


def oriented_structures(structure: np.ndarray) -> np.ndarray:
    """Return the structures that a frame has in each orientation.

    Parameters
    ----------
    structure : ndarray of float32, shape (..., STRUCTURE_LENGTH)
        From `frame_structure`.

    Returns
    -------
    ndarray of float32, shape (8, ..., STRUCTURE_LENGTH)
        Those of the frames that `cfu_core.imaging.registration.orient` returns, by its argument.
    """
    turned = [structure.reshape(*structure.shape[:-1], _COMPONENTS, _COMPONENTS)]
    for _ in range(3):
        turned.append(turned[-1].swapaxes(-1, -2) * _SIGNS[:, None])
    return np.stack(turned + [picture * _SIGNS for picture in turned]).reshape(8, *structure.shape)


def invariant_structures(structures: np.ndarray) -> np.ndarray:
    """Convert structures to vectors that do not depend on the orientation of the frame.

    Parameters
    ----------
    structures : ndarray of float32, shape (N, STRUCTURE_LENGTH)
        From `frame_structure`.

    Returns
    -------
    ndarray of float32, shape (N, STRUCTURE_LENGTH)
        Of length 1, or 0 for a blank frame. The distance of two vectors is at most that of the structures in their most
        similar orientations.
    """
    values = np.abs(structures).reshape(-1, _COMPONENTS, _COMPONENTS)
    swapped = values.swapaxes(1, 2)
    diagonal = np.where(_UPPER[0] == _UPPER[1], np.float32(0.5), np.float32(np.sqrt(0.5)))
    sums = (values + swapped)[:, *_UPPER] * diagonal
    differences = np.abs(values - swapped)[:, *_ABOVE] * np.float32(np.sqrt(0.5))
    return np.concatenate([sums, differences], axis=1)
