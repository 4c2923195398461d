"""One image, decoded once: everything a survey wants to know of it; and many of them, on all processor cores."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.image_store import stored_bytes
from cfu_core.dataset.survey.near_duplicates import signature
from cfu_core.dataset.survey.survey_store import Parts, lists, stored_thumbnail
from cfu_core.errors import ImageError
from cfu_core.imaging import reading
from cfu_core.imaging.appearance_features import features
from cfu_core.imaging.cropping import locate_colony
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.measures import MEASURES, MEASURING_SIDE, measure, shrink
from cfu_core.worker_process import Hand, hands
from cfu_core.worker_process import serve as serve_hand

THUMBNAIL_SIDE = 256  # pixels of the longer side
THUMBNAIL_QUALITY = 85  # of JPEG
_OWN_THUMBNAIL_BYTES = 2**16  # a JPEG no larger than a thumbnail, in pixels and in this, is its own
_BATCH = 4  # images handed over together
_AHEAD = 2  # batches in flight per hand
_WORTH_PROCESSES = 200  # images; to start processes takes as long as these do

COLONY = ("colony_left", "colony_top", "colony_right", "colony_bottom", "colony_confidence")
NUMBERS = (*MEASURES, *COLONY)  # columns of float32, NaN where there is nothing


class StoredImage(NamedTuple):
    """What must be known of an image to find and read its file; columns of a dataset's table."""

    digest: str
    extension: str
    size_bytes: int
    width: int
    height: int

    @property
    def own_thumbnail(self) -> bool:
        """Whether the stored file is as small as a thumbnail, of a format that every browser shows."""
        small = max(self.width, self.height) <= THUMBNAIL_SIDE and self.size_bytes <= _OWN_THUMBNAIL_BYTES
        return small and self.extension == ".jpg"

    def read(self) -> bytes:
        """The stored file.

        Raises
        ------
        ImageError
            It is gone.
        """
        try:
            return stored_bytes(self.digest, self.extension)
        except FileNotFoundError as error:
            raise ImageError("It is gone from the image store.", "", "Import it again.", kind="missing") from error


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a survey keeps of an image.

    Parameters
    ----------
    digest : str
        SHA-256 (hex) of its file.
    unreadable : str
        Why it cannot be decoded, for people; then there is nothing else.
    numbers : dict of float
        By the names in `NUMBERS`; those of the colony are missing where none is found.
    thumbnail : bytes
        A JPEG; empty where the file itself is small enough.
    signature, features : ndarray of float32 or None
        From `near_duplicates.signature` and `imaging.features`.
    """

    digest: str
    unreadable: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    thumbnail: bytes = b""
    signature: np.ndarray | None = None
    features: np.ndarray | None = None


def stored_images(dataset: Dataset) -> list[StoredImage]:
    """The images of a dataset as imported, none twice."""
    table = dataset.imported[list(StoredImage._fields)].drop_duplicates("digest")
    return [StoredImage(*row) for row in table.itertuples(index=False, name=None)]


def examine(image: StoredImage) -> Examined:
    """Decode an image of the store and take everything from it; an image that cannot be decoded says why."""
    try:
        pixels = reading.decode(image.read(), name="The file")
    except ImageError as error:
        return Examined(digest=image.digest, unreadable=str(error))
    small = shrink(pixels, MEASURING_SIDE)
    numbers = measure(small).to_dict()
    colony = locate_colony(pixels)
    if colony is not None:
        numbers |= dict(zip(COLONY, (*colony.box, colony.confidence), strict=True))
    return Examined(
        digest=image.digest,
        numbers=numbers,
        thumbnail=b"" if image.own_thumbnail else encode_thumbnail(small, pixels.shape[1], pixels.shape[0]),
        signature=signature(small),
        features=features(small),
    )


def examine_all(images: Sequence[StoredImage]) -> Iterator[Examined]:
    """`examine` for many images on all processor cores, in their order; only a few are in memory at a time.

    Raises
    ------
    DatasetError
        A process that was working was ended from outside.
    """
    with _examiners(len(images)) as examiner, ThreadPoolExecutor(hands()) as pool:
        waiting: deque[Future[list[Examined]]] = deque()
        try:
            for start in range(0, len(images), _BATCH):
                waiting.append(pool.submit(examiner, images[start : start + _BATCH]))
                if len(waiting) >= _AHEAD * hands():
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _examiners(count: int) -> Iterator[Callable[[Sequence[StoredImage]], list[Examined]]]:
    """`examine` for a batch; many images go to processes, since half of the work holds the interpreter's lock."""
    if count < _WORTH_PROCESSES:
        with _one_core_each():
            yield _examine_batch
        return
    with ExitStack() as stack:
        free: SimpleQueue[Hand] = SimpleQueue()
        for _ in range(hands()):
            hand = Hand(__name__, None, name="The survey")
            stack.callback(hand.end)
            free.put(hand)

        def ask(images: Sequence[StoredImage]) -> list[Examined]:
            hand = free.get()
            try:
                return hand.ask(images)
            finally:
                free.put(hand)

        yield ask


def serve() -> None:
    """Examine batches of images as a `Hand`; the first message says nothing."""
    with _one_core_each():
        cv2.setNumThreads(1)
        serve_hand(lambda _: _examine_batch)


def _examine_batch(images: Sequence[StoredImage]) -> list[Examined]:
    return [examine(image) for image in images]


def _one_core_each() -> AbstractContextManager:
    """Linear algebra that spreads over all cores by itself would only wait for its own threads."""
    from threadpoolctl import threadpool_limits  # late: only a survey needs it

    return threadpool_limits(1, user_api="blas")


def encode_thumbnail(pixels: np.ndarray, width: int, height: int) -> bytes:
    """An image of `width` x `height` as a JPEG of at most `THUMBNAIL_SIDE` pixels on the longer side.

    `pixels`, RGB uint8, may be shrunk already; the thumbnail has the same size whatever they were shrunk to.
    """
    scale = min(1.0, THUMBNAIL_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return encode_jpeg(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), THUMBNAIL_QUALITY)


def small_picture(store: Parts, image: StoredImage) -> np.ndarray:
    """An image as its thumbnail shows it, RGB uint8 (H, W, 3); from the survey where it is there.

    Raises
    ------
    ImageError
        There is no thumbnail, and the file is gone or damaged.
    """
    return reading.decode(stored_thumbnail(store, image.digest) or image.read(), name="The file")


def as_part(found: Sequence[Examined]) -> tuple[pa.Table, bytes]:
    """What was found in some images as a table, a row each, and their pack of thumbnails."""
    lengths = np.array([len(one.thumbnail) for one in found], np.int64)
    numbers = {name: np.array([one.numbers.get(name, np.nan) for one in found], np.float32) for name in NUMBERS}
    columns = {
        "digest": pa.array([one.digest for one in found], pa.string()),
        "unreadable": pa.array([one.unreadable for one in found], pa.string()),
        **numbers,
        "thumbnail_offset": np.cumsum(lengths) - lengths,
        "thumbnail_bytes": lengths,
        "signature": lists([one.signature for one in found]),
        "features": lists([one.features for one in found]),
    }
    return pa.table(columns), b"".join(one.thumbnail for one in found)
