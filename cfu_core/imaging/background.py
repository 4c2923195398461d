"""Estimation of the smooth background of a picture."""

import cv2
import numpy as np

SIDE = 48  # pixels: the picture is fitted at this size, enough for six coefficients per channel
STARTS = 3  # largest number of colours from which a fit is started
ENOUGH = 0.4  # a surface that explains this share of the smooth pixels is accepted without another start
SEED_STRIDE = 3  # pixels between the colours that are candidates for the background
SAME_COLOUR = 6.0  # grey levels: standard deviation between pixels of the same colour
NEAREST_SHARE = 0.2  # of the pixels: those nearest to the surface determine the scale of the residuals
PASSES = (1, 3, 3, 6, 6, 6)  # polynomial terms in each iteration: constant, then linear, then quadratic
RIDGE = np.array(
    [0, 1e-4, 1e-4, 1e-3, 1e-3, 1e-3], np.float32
)  # ridge penalty: keeps the surface flat where no background is visible


def background_surface(image: np.ndarray) -> np.ndarray:
    """Fit a quadratic surface per channel to the background of a picture.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, 3)
        Any three channels, in grey levels (0 to 255).

    Returns
    -------
    ndarray of float32, shape (H, W, 3)
        The background in the same units; it may slightly exceed the range of `image`.

    Notes
    -----
    The fit starts at the most frequent colour of smooth pixels. From there a polynomial of increasing degree is fitted
    by iteratively reweighted least squares, with small weights for pixels that differ from the surface. If the surface
    explains too few smooth pixels, other colours are tried, and the surface that explains most is kept. Neither a
    large colony nor many red blood cells bias the surface, as long as more of the background is visible. The fit uses a
    copy of `SIDE` x `SIDE` pixels, so its time does not depend on the size of the picture.

    References
    ----------
    P. W. Holland, R. E. Welsch, "Robust regression using iteratively reweighted least-squares", Communications in
    Statistics - Theory and Methods 6 (1977), 813-827.
    """
    height, width = image.shape[:2]
    coefficients = _fit(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    # the polynomial is a small product: powers of y (H, 3), coefficients (3, 3) per channel, powers of x (3, W)
    square = np.zeros((3, 3, 3), np.float32)  # power of y, power of x, channel
    square[[0, 0, 1, 0, 1, 2], [0, 1, 0, 2, 1, 0]] = coefficients
    along_x = np.einsum("yxc,xw->ywc", square, _powers(width)).reshape(3, -1)
    return (_powers(height).T @ along_x).reshape(height, width, 3)


def _fit(sample: np.ndarray) -> np.ndarray:
    """Coefficients (6, 3) of 1, x, y, x^2, xy and y^2 for a (SIDE, SIDE, 3) picture."""
    t = _powers(SIDE)[1]
    y, x = np.meshgrid(t, t, indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    prior = _smoothness(sample) * (
        1 + np.maximum(terms[:, 1] ** 2, terms[:, 2] ** 2)
    )  # the background is more frequent near the border
    pixels = sample.reshape(-1, 3)
    unexplained = np.ones(len(pixels), bool)
    best, most = np.zeros((6, 3), np.float32), -1.0
    for _ in range(STARTS):
        coefficients = _fit_from(_commonest_colour(sample, prior * unexplained), pixels, terms, prior)
        met = _squared(pixels - terms @ coefficients) < (2 * SAME_COLOUR) ** 2
        share = float(prior[met].sum() / prior.sum())
        if share > most:
            best, most = coefficients, share
        unexplained &= ~met
        if most > ENOUGH or not unexplained.any():
            break
    return best


def _fit_from(colour: np.ndarray, pixels: np.ndarray, terms: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Coefficients (6, 3) of the surface that a fit from one colour (3,) converges to."""
    coefficients = colour[None]
    for count in PASSES:
        squared = _squared(pixels - terms[:, : len(coefficients)] @ coefficients)
        scale = 2 * (
            _weighted_quantile(squared, prior, NEAREST_SHARE) ** 0.5 + 1
        )  # + 1: not below the rounding of grey levels
        weights = prior / (1 + squared / scale**2) ** 2
        chosen = terms[:, :count]
        normal = (chosen * weights[:, None]).T @ chosen
        normal[np.diag_indices(count)] += weights.sum() * RIDGE[:count]
        coefficients = np.linalg.solve(normal, (chosen * weights[:, None]).T @ pixels)
    return coefficients


def _squared(differences: np.ndarray) -> np.ndarray:
    """Squared lengths of the rows."""
    return np.einsum("ij,ij->i", differences, differences)


def _smoothness(sample: np.ndarray) -> np.ndarray:
    """Smoothness of each pixel, 1 where the picture is constant, towards 0 at edges and texture: (SIDE * SIDE,)."""
    steps = cv2.Sobel(sample, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(sample, cv2.CV_32F, 0, 1) ** 2
    texture = cv2.blur(np.sqrt(steps.sum(axis=2)), (3, 3)).ravel()
    return 1 / (1 + (texture / (np.median(texture) + 1e-3)) ** 2)


def _commonest_colour(sample: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Find the mode of the colours (3,), by a kernel density estimate weighted with `prior`."""
    tried = sample[::SEED_STRIDE, ::SEED_STRIDE].reshape(-1, 3)
    weights = prior.reshape(SIDE, SIDE)[::SEED_STRIDE, ::SEED_STRIDE].ravel()
    centred = tried - tried.mean(axis=0)
    lengths = (centred**2).sum(axis=1)
    apart = lengths[:, None] + lengths[None, :] - 2 * (centred @ centred.T)
    return tried[(np.exp(apart * (-0.5 / SAME_COLOUR**2)) @ weights).argmax()]


def _weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    summed = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(summed, share * summed[-1])]])


def _powers(length: int) -> np.ndarray:
    """1, t and t^2 at the centre of each of `length` pixels, (3, length) float32; t runs from -1 to 1."""
    t = (np.arange(length, dtype=np.float32) + 0.5) * np.float32(2 / length) - 1
    return np.stack([t**0, t, t * t])
