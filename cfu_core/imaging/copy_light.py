"""The light of two registered pictures: whether they differ in brightness, colour balance or contrast."""

from collections.abc import Iterable

import cv2
import numpy as np

from cfu_core.imaging.signature import OPPONENT

BRIGHTNESS, COLOURS, GREY, CONTRAST = "brighter or darker", "in other colours", "in grey", "in other contrast"
_TO_RGB = np.linalg.inv(OPPONENT).astype(np.float32)
_SAME = 2.5  # grey levels, root mean square; copies in the same light differ by less
_EXPLAINED = 1.5  # grey levels; what remains of a difference that a change of brightness or of colours explains
_WITHOUT_COLOUR, _COLOURED = 0.5, 1.5  # grey levels of opponent colours, root mean square
_TINTED = 1.0  # grey levels; what a tint of one grey picture leaves unexplained
_VARIED = 2.0  # grey levels; deviation of the colours within a picture that can be compared
_SAME_COLOURS = 0.5  # correlation of the colours of two pictures of one scene
_CLIPPED = 245.0  # grey levels; brighter places may be clipped in one picture
_MIN_INSIDE = 0.1  # share of the places that are darker
_STEEPER = 1.3  # ratio of the relative contrasts


def light_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the root mean square of the differences of two lists of colours (P, 3), in grey levels."""
    return float(np.sqrt(np.mean((one - other) ** 2))) if len(one) else np.inf


def colours_agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two registered pictures can show the same scene in another light.

    Parameters
    ----------
    one, other : ndarray of float32, shape (P, 3)
        Coarse colours of the same places, from `cfu_core.imaging.signature.opponent`.

    Returns
    -------
    bool
        False if the pictures are coloured where they should not be: places that differ in colour in one picture differ
        in another way in the other one. True if one of them has no colours that could be compared.
    """
    first, second = (colours[:, 1:] - colours[:, 1:].mean(axis=0) for colours in (one, other))
    energy, other_energy = float((first**2).mean()), float((second**2).mean())
    if min(energy, other_energy) < _VARIED**2:
        return True
    return float((first * second).mean()) >= _SAME_COLOURS * np.sqrt(energy * other_energy)


def light_change(one: np.ndarray, other: np.ndarray, *, uneven: float) -> str:
    """Name the change of light between two registered pictures of one scene.

    Parameters
    ----------
    one, other : ndarray of float32, shape (P, 3)
        Coarse colours of the same places, from `cfu_core.imaging.signature.opponent`.
    uneven : float
        Difference in grey levels, root mean square, from which a change that differs from place to place is named; it
        must be more than the difference from an inexact registration.

    Returns
    -------
    str
        `GREY` if one picture is grey and the other one has several colours; `BRIGHTNESS` if one curve of all channels
        explains most of the difference, `COLOURS` if one curve of each channel does; `CONTRAST` if the curve is steep,
        or if there is no such curve because the change differs from place to place. ``""`` if the light is the same.
    """
    difference = light_difference(one, other)
    grey, coloured = sorted((one, other), key=_saturation)
    converted = _saturation(grey) <= _WITHOUT_COLOUR and _saturation(coloured) >= _COLOURED
    if difference <= _SAME and not converted:
        return ""
    first, second = (cv2.transform(colours[None], _TO_RGB)[0] for colours in (grey, coloured))
    inside = ((first < _CLIPPED) & (second < _CLIPPED)).all(axis=1)
    if inside.mean() >= _MIN_INSIDE:
        first, second, grey, coloured = first[inside], second[inside], grey[inside], coloured[inside]
    per_channel = _unexplained(first.T, second.T)
    if converted and per_channel > _TINTED:
        return GREY
    if difference <= _SAME:
        return ""
    enough = max(_EXPLAINED, difference / 3)
    if _unexplained([first.ravel()], [second.ravel()]) <= enough:
        relative = [float(colours[:, 0].std() / max(colours[:, 0].mean(), 1)) for colours in (grey, coloured)]
        return BRIGHTNESS if max(relative) <= _STEEPER * min(relative) else CONTRAST
    if per_channel <= enough:
        return COLOURS
    return CONTRAST if difference >= uneven else ""


def _saturation(colours: np.ndarray) -> float:
    return float(np.sqrt(np.mean(colours[:, 1:] ** 2)))


def _unexplained(first: Iterable[np.ndarray], second: Iterable[np.ndarray]) -> float:
    """Return what quadratic curves, one for each pair of arrays (P,), leave of their difference, root mean square."""
    remaining = []
    for values, targets in zip(first, second, strict=True):
        scaled = values / 255
        powers = np.stack([np.ones_like(scaled), scaled, scaled * scaled], axis=1)
        curve = np.linalg.lstsq(powers, targets, rcond=None)[0]
        remaining.append(np.mean((powers @ curve - targets) ** 2))
    return float(np.sqrt(np.mean(remaining)))
