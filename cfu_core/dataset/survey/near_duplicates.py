"""Search for copies among many images: re-encoded, resized, turned, mirrored, cropped or in another light.

Each image is compared only with the few images whose signatures are nearest in some part, so that the number of
comparisons is proportional to the number of images, however similar they are.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cfu_core.imaging.copy_detection import detect_copy
from cfu_core.imaging.copy_features import CopyFeatures, copy_features
from cfu_core.imaging.frame_structure import invariant_structures, oriented_structures
from cfu_core.imaging.signature import DESCRIPTION_LENGTH, DESCRIPTIONS_LENGTH, SIGNATURE_LENGTH

COLUMNS = ["a", "b", "kind", "score"]
_AXES = 8  # principal axes of the neighbour search; they explain 95 % of the variance of real images
_SAMPLE = 5000  # descriptions from which the axes are computed
_NEIGHBOURS = 8  # of each description
_APPROXIMATION = 0.5  # relative error of neighbour distances, which bounds the search among very many similar images
_MAX_DISTANCE = 18.0  # grey levels; descriptions of one blob in an image and in its 20 % crop are closer
_SURE_DISTANCE = 8.0  # grey levels; one common blob this close makes a candidate, otherwise two are needed
_MIN_INVARIANT = 0.85  # product of invariant structures; copies in another light reach 0.85 to 1
_SIMILAR = 16  # mean number of images with similar invariant structures, at most
_MIN_STRUCTURE = 0.7  # correlation of the structures of two frames; different cells reach less
_CANDIDATES = 8  # images with similar descriptions with which an image is compared, and also with similar structures
_CHUNK = 256  # images between two reports of progress
_CACHED_IMAGES = 300


def find_copies(
    signatures: np.ndarray,
    read: Callable[[int], np.ndarray],
    *,
    new: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Find pairs of images of which one is a copy of the other.

    For each image, at most 16 candidates are compared: the 8 images with the most similar descriptions, and the 8 with
    the most similar structures of the frame. The former come from an approximate nearest-neighbour search in 8
    principal components, so that a copy can be missed. A copy that is cropped and also in another light has neither.

    Parameters
    ----------
    signatures : ndarray of float32, shape (N, SIGNATURE_LENGTH)
        Signatures of the images, from `cfu_core.imaging.signature.signature`; a row with NaN (an unreadable image) is
        ignored.
    read : callable
        Receives a row number and returns the image, RGB uint8 (H, W, 3). Called for candidates only. The images may be
        shrunk, to no less than about 200 pixels per side; resized copies that have the same size after shrinking are
        then reported as ``re-encoded``. An exception that it raises ends the search.
    new : ndarray of bool, shape (N,), optional
        Only pairs with at least one new row are compared. By default all rows are new.
    progress : callable, optional
        Callback ``(done, total)`` with numbers of new images. An exception that it raises ends the search.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row per pair, sorted by ``a`` and ``b``: row numbers ``a`` < ``b``; ``kind`` and ``score`` (0 to
        1) as in `cfu_core.imaging.copy_detection.CopyMatch`. Empty if there are no copies. Of many copies of one image
        not every pair is listed, but the listed pairs connect all of them. Blank images are copies only if they are
        identical.

    Raises
    ------
    ValueError
        `signatures` does not have `SIGNATURE_LENGTH` columns, or `new` does not have one value per row of it.
    """
    signatures = np.asarray(signatures, np.float32)
    count = len(signatures)
    new = np.ones(count, bool) if new is None else np.asarray(new, bool)
    if signatures.shape != (count, SIGNATURE_LENGTH) or new.shape != (count,):
        raise ValueError(f"signatures have the shape {signatures.shape}, new {new.shape}")

    @lru_cache(maxsize=_CACHED_IMAGES)
    def features(row: int) -> CopyFeatures:
        return copy_features(read(row))

    seen: set[tuple[int, int]] = set()
    found = []
    total, done = int(new.sum()), 0
    for rows, pairs in _candidates(signatures, new):
        for a, b in sorted(pairs - seen):
            match = detect_copy(features(a), features(b))
            if match is not None:
                found.append((a, b, *match))
        seen |= pairs
        done += rows
        if progress is not None:
            progress(done, total)
    return pd.DataFrame(sorted(found), columns=COLUMNS).astype({"a": "int64", "b": "int64", "score": "float64"})


def _candidates(signatures: np.ndarray, new: np.ndarray) -> Iterator[tuple[int, set[tuple[int, int]]]]:
    """Yield in chunks how many new rows are done, and the pairs (a < b) to compare for them."""
    readable = np.isfinite(signatures).all(axis=1)
    yield int((new & ~readable).sum()), set()
    firsts: dict[bytes, int] = {}
    first_of = np.arange(len(signatures))
    for row in np.flatnonzero(readable):
        first_of[row] = firsts.setdefault(hashlib.blake2b(signatures[row], digest_size=16).digest(), int(row))
    # rows with the same signature are only compared with the first of them, which represents them
    again = np.flatnonzero(readable & (first_of != np.arange(len(signatures))) & (new | new[first_of]))
    for rows in np.split(again, range(_CHUNK, len(again), _CHUNK)):
        yield int(new[rows].sum()), set(zip(first_of[rows].tolist(), rows.tolist(), strict=True))
    rows = np.array(list(firsts.values()), int)
    for pairs in _similar_structures(signatures, rows, new):
        yield 0, pairs
    yield from _neighbours(signatures, rows, new)


def _similar_structures(signatures: np.ndarray, rows: np.ndarray, new: np.ndarray) -> Iterator[set[tuple[int, int]]]:
    """Yield in chunks the pairs (a < b) of rows with similar structures of the frame, with at least one new row."""
    structures = signatures[rows, DESCRIPTIONS_LENGTH:]
    rows, structures = rows[structures.any(axis=1)], structures[structures.any(axis=1)]
    invariant = invariant_structures(structures)
    queries = np.flatnonzero(new[rows])
    lowest = _lowest_product(invariant)
    for points in np.split(queries, range(_CHUNK, len(queries), _CHUNK)):
        point, near = np.nonzero(invariant[points] @ invariant.T >= lowest)
        point = points[point]
        point, near = point[point != near], near[point != near]
        correlation = np.einsum("okv,kv->ok", oriented_structures(structures[point]), structures[near]).max(axis=0)
        table = pd.DataFrame({"row": rows[point], "other": rows[near], "closeness": correlation})
        yield _closest(table[table["closeness"] >= _MIN_STRUCTURE])


def _lowest_product(invariant: np.ndarray) -> float:
    """Return the product from which two invariant structures are similar; the more images, the higher."""
    sample = invariant[:: max(1, len(invariant) // _CHUNK)]
    products = (sample @ invariant.T).ravel()
    allowed = len(sample) * (1 + _SIMILAR)
    return max(_MIN_INVARIANT, float(-np.partition(-products, allowed)[allowed])) if len(products) > allowed else -1.0


def _neighbours(
    signatures: np.ndarray, rows: np.ndarray, new: np.ndarray
) -> Iterator[tuple[int, set[tuple[int, int]]]]:
    """Yield as `_candidates` does, for rows with different signatures."""
    descriptions = signatures[rows, :DESCRIPTIONS_LENGTH].reshape(-1, DESCRIPTION_LENGTH)
    described = descriptions.any(axis=1)
    descriptions, owner = descriptions[described], np.repeat(rows, DESCRIPTIONS_LENGTH // DESCRIPTION_LENGTH)[described]
    queries = np.flatnonzero(new[owner])
    yield len(set(rows[new[rows]]) - set(owner[queries])), set()
    if not len(queries):
        return
    projected = descriptions @ _principal_axes(descriptions)
    tree = cKDTree(projected)
    starts = np.flatnonzero(np.diff(owner[queries], prepend=-1))
    for points in np.split(queries, starts[_CHUNK::_CHUNK]):
        _, near = tree.query(projected[points], _NEIGHBOURS + 1, eps=_APPROXIMATION, distance_upper_bound=_MAX_DISTANCE)
        point, near = np.repeat(points, _NEIGHBOURS + 1), near.ravel()
        point, near = point[near < len(owner)], near[near < len(owner)]
        distance = np.linalg.norm(descriptions[point] - descriptions[near], axis=1)
        table = pd.DataFrame({"row": owner[point], "other": owner[near], "point": point, "distance": distance})
        yield len(np.unique(owner[points])), _best_pairs(table)


def _principal_axes(descriptions: np.ndarray) -> np.ndarray:
    """Return the directions (DESCRIPTION_LENGTH, _AXES) of the largest variance of the descriptions."""
    sample = descriptions[:: max(1, len(descriptions) // _SAMPLE)]
    centred = sample - sample.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return axes[:, -_AXES:]


def _best_pairs(table: pd.DataFrame) -> set[tuple[int, int]]:
    """Return for each row the pairs with the most similar rows, from the distances between descriptions of two rows."""
    table = table[(table["row"] != table["other"]) & (table["distance"] < _MAX_DISTANCE)]
    nearest = table.groupby(["row", "other", "point"], as_index=False)["distance"].min()
    nearest["closeness"] = _MAX_DISTANCE - nearest["distance"]
    pairs = nearest.groupby(["row", "other"], as_index=False).agg(
        votes=("distance", "size"), distance=("distance", "min"), closeness=("closeness", "sum")
    )
    pairs = pairs[(pairs["votes"] >= 2) | (pairs["distance"] < _SURE_DISTANCE)]
    return _closest(pairs)


def _closest(pairs: pd.DataFrame) -> set[tuple[int, int]]:
    """Return for each row the pairs (a < b) with the highest closeness."""
    best = pairs.sort_values("closeness", ascending=False).groupby("row").head(_CANDIDATES)
    low, high = np.minimum(best["row"], best["other"]), np.maximum(best["row"], best["other"])
    return set(zip(low.tolist(), high.tolist(), strict=True))
