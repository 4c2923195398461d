"""Search for copies among many images: re-encoded, resized, turned, mirrored, cropped or in another light.

Each image is compared only with the few images whose signatures are nearest in some part, so that the number of
comparisons is proportional to the number of images, however similar they are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.spatial import cKDTree

from cfu_core.imaging.copy_detection import CopyMatch, detect_copy
from cfu_core.imaging.copy_features import CopyFeatures, copy_features
from cfu_core.imaging.frame_structure import invariant_structures, oriented_structures
from cfu_core.imaging.signature import DESCRIPTION_LENGTH, DESCRIPTIONS_LENGTH, SIGNATURE_LENGTH
from cfu_core.worker_process import worker_count

COLUMNS = ["a", "b", "kind", "score"]
_AXES = 8  # principal axes of the neighbour search; they explain 95 % of the variance of real images
_SAMPLE = 5000  # descriptions from which the axes are computed
_NEIGHBOURS = 8  # of each description
_APPROXIMATION = 0.5  # relative error of neighbour distances, which bounds the search among very many similar images
_MAX_DISTANCE = 18.0  # grey levels; descriptions of one blob in an image and in its 20 % crop are closer
_SURE_DISTANCE = 8.0  # grey levels; one common blob this close makes a candidate, otherwise two are needed
_MIN_INVARIANT = 0.85  # product of invariant structures; copies in another light reach 0.85 to 1
_SIMILAR = 64  # mean number of images with similar invariant structures, at most
_SAME_STRUCTURE = 0.98  # copies in one light, or with another brightness; enhanced contrast changes more
_MIN_STRUCTURE = 0.7  # correlation of the structures of two frames; different cells reach less
_CANDIDATES = 8  # images with similar descriptions with which an image is compared, and also with similar structures
_LISTED = 2  # pairs of each image that are compared although other pairs connect the two images
_CHUNK = 256  # images whose candidates are searched together
_TOGETHER = 32  # pairs that are compared together; then those that have become unnecessary are left out
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

    total = int(new.sum())
    report = progress or (lambda done, total: None)
    closeness: dict[tuple[int, int], float] = {}
    for pairs in _candidates(signatures, new):
        closeness = pairs | closeness
        report(0, total)
    found: list[tuple[int, int, str, float]] = []
    ordered = _ordered(closeness, count)
    groups = _Groups(count)
    with _compared_by_threads(read) as compare:
        for start in range(0, len(ordered), _TOGETHER):
            chosen = [pair for pair in ordered[start : start + _TOGETHER] if groups.needs(*pair)]
            for (a, b), match in zip(chosen, compare(chosen), strict=True):
                if match is not None:
                    groups.join(a, b)
                    found.append((a, b, *match))
            report(total * start // len(ordered), total)
    report(total, total)
    return pd.DataFrame(sorted(found), columns=COLUMNS).astype({"a": "int64", "b": "int64", "score": "float64"})


class _Groups:
    """Groups of copies, from the pairs found so far."""

    def __init__(self, count: int) -> None:
        self._leader = list(range(count))
        self._pairs = [0] * count

    def needs(self, a: int, b: int) -> bool:
        """Whether a pair is to be compared: it may connect two groups, or list one of two pairs of an image."""
        return min(self._pairs[a], self._pairs[b]) < _LISTED or self._find(a) != self._find(b)

    def join(self, a: int, b: int) -> None:
        self._leader[self._find(a)] = self._find(b)
        self._pairs[a] += 1
        self._pairs[b] += 1

    def _find(self, row: int) -> int:
        while self._leader[row] != row:
            self._leader[row] = self._leader[self._leader[row]]
            row = self._leader[row]
        return row


def _ordered(closeness: dict[tuple[int, int], float], count: int) -> list[tuple[int, int]]:
    """Order pairs so that each image is needed within a short time, and that the closest pairs of each come first."""
    if not closeness:
        return []
    pairs = np.array(list(closeness), int)
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()
    place = np.empty(count, int)
    place[reverse_cuthill_mckee((links + links.T).tocsr(), symmetric_mode=True)] = np.arange(count)
    table = pd.DataFrame({"a": pairs[:, 0], "b": pairs[:, 1], "closeness": list(closeness.values())})
    table["last"] = np.maximum(place[pairs[:, 0]], place[pairs[:, 1]])
    table = table.sort_values(["last", "closeness"], ascending=[True, False], kind="stable")
    table["later"] = table.groupby("last").cumcount() >= _LISTED
    table = table.sort_values(["later", "last"], kind="stable")
    return list(zip(table["a"].tolist(), table["b"].tolist(), strict=True))


@contextmanager
def _compared_by_threads(
    read: Callable[[int], np.ndarray],
) -> Iterator[Callable[[Sequence[tuple[int, int]]], list[CopyMatch | None]]]:
    """Give a function that compares pairs of rows on all processor cores, and keeps the features of recent rows."""
    cache: dict[int, CopyFeatures] = {}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # for pictures as small as these, its threads cost more than they save

    def compare(pairs: Sequence[tuple[int, int]]) -> list[CopyMatch | None]:
        rows = sorted({row for pair in pairs for row in pair})
        missing = [row for row in rows if row not in cache]
        cache.update(zip(missing, pool.map(lambda row: copy_features(read(row)), missing), strict=True))
        for row in rows:  # the oldest first
            cache[row] = cache.pop(row)
        for row in list(cache)[: -max(_CACHED_IMAGES, len(rows))]:
            del cache[row]
        return list(pool.map(lambda pair: detect_copy(cache[pair[0]], cache[pair[1]]), pairs))

    try:
        with ThreadPoolExecutor(worker_count()) as pool:
            yield compare
    finally:
        cv2.setNumThreads(threads)


def _candidates(signatures: np.ndarray, new: np.ndarray) -> Iterator[dict[tuple[int, int], float]]:
    """Yield in chunks the pairs (a < b) to compare, with their closeness; those of the highest are yielded first."""
    readable = np.isfinite(signatures).all(axis=1)
    firsts: dict[bytes, int] = {}
    first_of = np.arange(len(signatures))
    for row in np.flatnonzero(readable):
        first_of[row] = firsts.setdefault(hashlib.blake2b(signatures[row], digest_size=16).digest(), int(row))
    # rows with the same signature are only compared with the first of them, which represents them
    again = np.flatnonzero(readable & (first_of != np.arange(len(signatures))) & (new | new[first_of]))
    yield dict.fromkeys(zip(first_of[again].tolist(), again.tolist(), strict=True), np.inf)
    rows = np.array(list(firsts.values()), int)
    yield from _similar_structures(signatures, rows, new)
    for pairs in _neighbours(signatures, rows, new):
        yield dict.fromkeys(pairs, 0.0)


def _similar_structures(
    signatures: np.ndarray, rows: np.ndarray, new: np.ndarray
) -> Iterator[dict[tuple[int, int], float]]:
    """Yield in chunks the pairs (a < b) of rows with similar structures of the frame, and their correlations."""
    structures = signatures[rows, DESCRIPTIONS_LENGTH:]
    rows, structures = rows[structures.any(axis=1)], structures[structures.any(axis=1)]
    invariant = invariant_structures(structures)
    queries = np.flatnonzero(new[rows])
    lowest = _lowest_product(invariant)

    def similar(points: np.ndarray) -> dict[tuple[int, int], float]:
        point, near = np.nonzero(invariant[points] @ invariant.T >= lowest)
        point = points[point]
        point, near = point[point != near], near[point != near]
        correlation = np.einsum("okv,kv->ok", oriented_structures(structures[point]), structures[near]).max(axis=0)
        table = pd.DataFrame({"row": rows[point], "other": rows[near], "closeness": correlation})
        best = _most_similar(table[table["closeness"] >= _MIN_STRUCTURE])
        return dict(
            zip(zip(best["a"].tolist(), best["b"].tolist(), strict=True), best["closeness"].tolist(), strict=True)
        )

    pool = ThreadPoolExecutor(worker_count())
    try:
        yield from pool.map(similar, np.split(queries, range(_CHUNK, len(queries), _CHUNK)))
    finally:
        pool.shutdown(cancel_futures=True)


def _most_similar(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return for each row pairs with the most similar rows, and with the first rows that are similar.

    The first rows connect all copies of an image, also if there are so many in each light that the most similar ones of
    each are in the same light. Half of the pairs are for copies in another light.
    """
    pairs = pairs.assign(same_light=pairs["closeness"] >= _SAME_STRUCTURE).sort_values("other")
    first = pairs.groupby(["row", "same_light"]).head(1)
    nearest = pairs.sort_values("closeness", ascending=False).groupby(["row", "same_light"]).head(_CANDIDATES // 2 - 1)
    return _closest(pd.concat([first.assign(closeness=1.0), nearest]).drop_duplicates(["row", "other"]))


def _lowest_product(invariant: np.ndarray) -> float:
    """Return the product from which two invariant structures are similar; the more images, the higher."""
    sample = invariant[:: max(1, len(invariant) // _CHUNK)]
    products = (sample @ invariant.T).ravel()
    allowed = len(sample) * (1 + _SIMILAR)
    return max(_MIN_INVARIANT, float(-np.partition(-products, allowed)[allowed])) if len(products) > allowed else -1.0


def _neighbours(signatures: np.ndarray, rows: np.ndarray, new: np.ndarray) -> Iterator[set[tuple[int, int]]]:
    """Yield in chunks the pairs (a < b) of rows with similar descriptions, with at least one new row."""
    descriptions = signatures[rows, :DESCRIPTIONS_LENGTH].reshape(-1, DESCRIPTION_LENGTH)
    described = descriptions.any(axis=1)
    descriptions, owner = descriptions[described], np.repeat(rows, DESCRIPTIONS_LENGTH // DESCRIPTION_LENGTH)[described]
    queries = np.flatnonzero(new[owner])
    if not len(queries):
        return
    projected = descriptions @ _principal_axes(descriptions)
    tree = cKDTree(projected)
    starts = np.flatnonzero(np.diff(owner[queries], prepend=-1))
    for points in np.split(queries, starts[_CHUNK::_CHUNK]):
        _, near = tree.query(
            projected[points],
            _NEIGHBOURS + 1,
            eps=_APPROXIMATION,
            distance_upper_bound=_MAX_DISTANCE,
            workers=worker_count(),
        )
        point, near = np.repeat(points, _NEIGHBOURS + 1), near.ravel()
        point, near = point[near < len(owner)], near[near < len(owner)]
        distance = np.linalg.norm(descriptions[point] - descriptions[near], axis=1)
        best = _best_pairs(
            pd.DataFrame({"row": owner[point], "other": owner[near], "point": point, "distance": distance})
        )
        yield set(zip(best["a"].tolist(), best["b"].tolist(), strict=True))


def _principal_axes(descriptions: np.ndarray) -> np.ndarray:
    """Return the directions (DESCRIPTION_LENGTH, _AXES) of the largest variance of the descriptions."""
    sample = descriptions[:: max(1, len(descriptions) // _SAMPLE)]
    centred = sample - sample.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return axes[:, -_AXES:]


def _best_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each row the pairs with the most similar rows, from the distances between descriptions of two rows."""
    table = table[(table["row"] != table["other"]) & (table["distance"] < _MAX_DISTANCE)]
    nearest = table.groupby(["row", "other", "point"], as_index=False)["distance"].min()
    nearest["closeness"] = _MAX_DISTANCE - nearest["distance"]
    pairs = nearest.groupby(["row", "other"], as_index=False).agg(
        votes=("distance", "size"), distance=("distance", "min"), closeness=("closeness", "sum")
    )
    pairs = pairs[(pairs["votes"] >= 2) | (pairs["distance"] < _SURE_DISTANCE)]
    return _closest(pairs)


def _closest(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return for each row the pairs with the highest closeness, with the columns a < b."""
    best = pairs.sort_values("closeness", ascending=False).groupby("row").head(_CANDIDATES)
    return best.assign(a=np.minimum(best["row"], best["other"]), b=np.maximum(best["row"], best["other"]))
