"""Measurement of images for a survey: each image is decoded once, on all processor cores."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from cfu_core import worker_process
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.image_store import stored_bytes
from cfu_core.dataset.survey.survey_store import Parts, list_column, stored_thumbnail
from cfu_core.dataset.table import RANGE_COLUMNS
from cfu_core.errors import ImageError
from cfu_core.imaging import reading
from cfu_core.imaging.appearance_features import features
from cfu_core.imaging.cropping import locate_colony
from cfu_core.imaging.decoder_warnings import collect_warnings
from cfu_core.imaging.decoding import read_samples
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.frame_statistics import FrameStatistics, extreme_samples, frame_statistics
from cfu_core.imaging.headers import image_format
from cfu_core.imaging.measures import MEASURES, MEASURING_SIDE, edge_width, measure, shrink
from cfu_core.imaging.origin import Origin, read_origin
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.imaging.sample_range import EIGHT_BITS, SampleRange, depth_in_words, sample_statistics
from cfu_core.imaging.signature import signature
from cfu_core.worker_pool import WorkerPool
from cfu_core.worker_process import worker_count

THUMBNAIL_SIDE = 256  # pixels of the longer side
THUMBNAIL_QUALITY = 85  # of JPEG
_MAX_OWN_THUMBNAIL_BYTES = 2**16  # a JPEG of at most this size and THUMBNAIL_SIDE serves as its own thumbnail
_BATCH_SIZE = 4  # images sent to a worker process together
_BATCHES_PER_WORKER = 2  # in progress or waiting
_MIN_IMAGES_FOR_PROCESSES = 200  # starting worker processes takes longer than fewer images do

COLONY_COLUMNS = ("colony_left", "colony_top", "colony_right", "colony_bottom", "colony_confidence")
SAMPLE_COLUMNS = ("sample_low", "sample_high")  # as stored in the file, without one sample in 10,000 at each end
NUMBER_COLUMNS = (*MEASURES, *COLONY_COLUMNS, *FrameStatistics._fields, *SAMPLE_COLUMNS)  # float32, NaN for no value
TEXT_COLUMNS = ("depth", *Origin._fields)  # "" where the file states nothing


class StoredImage(NamedTuple):
    """An image of the image store; the names are columns of a dataset's table.

    Attributes
    ----------
    digest : str
        SHA-256 (hex) of the file.
    extension : str
        Extension of the file, with its dot.
    size_bytes : int
        Size of the file.
    width, height : int
        Size in pixels, with the EXIF orientation applied.
    black, white : float
        Range of samples of more than 8 bits; NaN for other images.
    plane : int or None
        As from `Dataset.plane`.
    key : str
        Identifies the pixels, as in `cfu_core.dataset.table.with_keys`.
    """

    digest: str
    extension: str
    size_bytes: int
    width: int
    height: int
    black: float
    white: float
    plane: int | None
    key: str

    @property
    def samples(self) -> SampleRange | None:
        """Range of samples of more than 8 bits; None for other images."""
        return None if math.isnan(self.white) else SampleRange(self.black, self.white)

    def decode(self, data: bytes | None = None) -> np.ndarray:
        """Decode the image.

        Parameters
        ----------
        data : bytes, optional
            Content of the file from `read`; by default it is read.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            RGB, with the EXIF orientation applied.

        Raises
        ------
        ImageError
            The file is missing from the image store (kind ``missing``), has been changed, or cannot be decoded.
        StorageError
            The image store is not readable.
        """
        content = self.read() if data is None else data
        return reading.decode(content, name="The file", samples=self.samples, plane=self.plane)

    @property
    def is_own_thumbnail(self) -> bool:
        """Whether the stored file is a JPEG as small as a thumbnail, which a browser shows as it is decoded here."""
        small = max(self.width, self.height) <= THUMBNAIL_SIDE and self.size_bytes <= _MAX_OWN_THUMBNAIL_BYTES
        return small and self.extension == ".jpg" and self.plane in (None, FIRST_PAGE, 0)

    def read(self) -> bytes:
        """Return the content of the stored file.

        Raises
        ------
        ImageError
            The file is missing from the image store (kind ``missing``), or has been changed.
        StorageError
            The image store is not readable.
        """
        try:
            return stored_bytes(self.digest, self.extension)
        except FileNotFoundError as error:
            raise ImageError(
                "The file is missing from the image store.", "", "Import it again.", kind="missing"
            ) from error


@dataclass(frozen=True, kw_only=True)
class MeasuredImage:
    """Everything that a survey stores of one image.

    Attributes
    ----------
    key : str
        Key of the image, as in `StoredImage`.
    unreadable : str
        Why the image cannot be decoded, as a sentence; the remaining fields are then empty. ``""`` if it can.
    warning : str
        Damage that the decoder reported although it decoded the image, as clauses; ``""`` for none.
    numbers : dict of str to float
        Values by the names in `NUMBER_COLUMNS`: those of `cfu_core.imaging.measures.measure` and `edge_width`, the box
        of the colony in pixels of the image, its confidence (0 to 1), those of
        `cfu_core.imaging.frame_statistics.frame_statistics`, and the smallest and the largest sample. Those of the
        colony are missing if no colony is found.
    texts : dict of str to str
        Texts by the names in `TEXT_COLUMNS`: the depth of the samples in words, camera and time.
    thumbnail : bytes
        A JPEG; empty if the image file serves as its own thumbnail.
    signature, features : ndarray of float32 or None
        Vectors from `cfu_core.imaging.signature.signature` and `cfu_core.imaging.appearance_features.features`.
    """

    key: str
    unreadable: str = ""
    warning: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    thumbnail: bytes = b""
    signature: np.ndarray | None = None
    features: np.ndarray | None = None


def stored_images(dataset: Dataset) -> list[StoredImage]:
    """Return the images of a dataset, with excluded ones; of images with the same key, only the first by path."""
    table = dataset.edited[list(StoredImage._fields)].drop_duplicates("key")
    table = table.astype(dict.fromkeys(RANGE_COLUMNS, "float64") | {"plane": object})
    table["plane"] = table["plane"].where(table["plane"].notna(), None)
    return [StoredImage(*row) for row in table.itertuples(index=False, name=None)]


def measure_image(image: StoredImage) -> MeasuredImage:
    """Decode an image of the image store and measure it.

    Returns
    -------
    MeasuredImage
        All results; for an image that is missing or cannot be decoded, only `key` and `unreadable`.

    Raises
    ------
    StorageError
        The image store is not readable.
    """
    try:
        data = image.read()
        with collect_warnings() as warnings:
            pixels = image.decode(data)
    except ImageError as error:
        return MeasuredImage(key=image.key, unreadable=str(error))
    small = shrink(pixels, MEASURING_SIDE)
    numbers = measure(small).to_dict()
    colony = locate_colony(pixels)
    box = None
    if colony is not None:
        numbers |= dict(zip(COLONY_COLUMNS, (*colony.box, colony.confidence), strict=True))
        box = [edge * small.shape[1] / pixels.shape[1] for edge in colony.box]
    numbers["edge_width"] = edge_width(pixels, colony and colony.box)
    numbers |= frame_statistics(small, box)._asdict()
    depth, ends = _stored_samples(image, data, pixels)
    return MeasuredImage(
        key=image.key,
        warning="; ".join(warnings),
        numbers=numbers | dict(zip(SAMPLE_COLUMNS, ends, strict=True)),
        texts={"depth": depth, **read_origin(data, image_format(data) or "")._asdict()},
        thumbnail=b"" if image.is_own_thumbnail else encode_thumbnail(small, pixels.shape[1], pixels.shape[0]),
        signature=signature(small),
        features=features(small),
    )


def _stored_samples(image: StoredImage, data: bytes, pixels: np.ndarray) -> tuple[str, tuple[float, float]]:
    """Return the depth of the samples of a file in words, and the smallest and the largest sample."""
    if image.samples is None:
        return EIGHT_BITS, extreme_samples(pixels)
    samples = read_samples(data, image_format(data) or "", image.plane)
    found = sample_statistics(samples.colours, samples.declared)
    return depth_in_words(found), (found.dark, found.bright)


def measure_images(images: Sequence[StoredImage]) -> Iterator[MeasuredImage]:
    """Measure images on all processor cores.

    Only a few images are in memory at a time. Threads are used for fewer than 200 images, worker processes otherwise.
    Images that are missing or cannot be decoded do not end the measurement (see `measure_image`).

    Yields
    ------
    MeasuredImage
        One for each of `images`, in their order.

    Raises
    ------
    DatasetError
        A worker process was ended from outside, for example because the system ran out of memory.
    StorageError
        The image store is not readable.
    """
    with _batch_function(len(images)) as measure_batch, ThreadPoolExecutor(worker_count()) as threads:
        futures: deque[Future[list[MeasuredImage]]] = deque()
        try:
            for start in range(0, len(images), _BATCH_SIZE):
                futures.append(threads.submit(measure_batch, images[start : start + _BATCH_SIZE]))
                if len(futures) >= _BATCHES_PER_WORKER * worker_count():
                    yield from futures.popleft().result()
            while futures:
                yield from futures.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)


@contextmanager
def _batch_function(count: int) -> Iterator[Callable[[Sequence[StoredImage]], list[MeasuredImage]]]:
    """Give a function that measures a batch; for many images in worker processes.

    Threads are slower there, since half of the work holds the interpreter's lock.
    """
    if count < _MIN_IMAGES_FOR_PROCESSES:
        with _single_threaded_blas():
            yield _measure_batch
        return
    with WorkerPool(__name__, None, name="The survey") as pool:
        yield pool.ask


def serve() -> None:
    """Measure images in a `WorkerProcess`.

    The first message is ignored. A question is a list of `StoredImage`; its answer is a list of `MeasuredImage`.
    """
    with _single_threaded_blas():
        cv2.setNumThreads(1)
        worker_process.serve(lambda _: _measure_batch)


def _measure_batch(images: Sequence[StoredImage]) -> list[MeasuredImage]:
    return [measure_image(image) for image in images]


def _single_threaded_blas() -> AbstractContextManager:
    """Limit linear algebra to one thread: the images keep all cores busy, and its threads would wait for each other."""
    from threadpoolctl import threadpool_limits  # late: only a survey needs it

    return threadpool_limits(1, user_api="blas")


def encode_thumbnail(pixels: np.ndarray, width: int, height: int) -> bytes:
    """Encode an image as a JPEG with at most `THUMBNAIL_SIDE` pixels on the longer side.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB; may be a smaller version of the image.
    width, height : int
        Size of the full image in pixels, from which the size of the thumbnail is computed.

    Returns
    -------
    bytes
        A JPEG of quality `THUMBNAIL_QUALITY`, with the aspect ratio of the full image; never larger than it.
    """
    scale = min(1.0, THUMBNAIL_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return encode_jpeg(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), THUMBNAIL_QUALITY)


def read_thumbnail(store: Parts, image: StoredImage) -> np.ndarray:
    """Return the pixels of a thumbnail, or of the full image if the survey has no thumbnail of it.

    Parameters
    ----------
    store : Parts
        Parts of the survey.
    image : StoredImage
        Image of the surveyed dataset. Its file is read only if there is no thumbnail.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB, with the EXIF orientation applied. A thumbnail has at most `THUMBNAIL_SIDE` pixels on the longer side.

    Raises
    ------
    ImageError
        There is no thumbnail, and the image file is missing or cannot be decoded.
    StorageError
        The survey or the image store is not readable.
    """
    stored = stored_thumbnail(store, image.key)
    return reading.decode(stored, name="The file") if stored else image.decode()


def to_part(measured: Sequence[MeasuredImage]) -> tuple[pa.Table, bytes]:
    """Convert results to the arguments of `Parts.write`.

    Returns
    -------
    table : pyarrow.Table
        One row for each image, in the order of `measured`: ``digest`` (`MeasuredImage.key`, which is not the digest of
        the file if a range of samples or another picture was chosen); ``unreadable`` (``""`` if the image can be
        decoded); ``warning`` (``""`` for none); `NUMBER_COLUMNS` as float32, NaN where there is no value;
        `TEXT_COLUMNS`; ``thumbnail_offset`` and ``thumbnail_bytes`` (start and length of the thumbnail in `pack`, in
        bytes, int64; the length is 0 without a thumbnail); ``signature`` and ``features`` as lists of float32, null for
        an image that cannot be decoded.
    pack : bytes
        The concatenated thumbnails, in the same order.
    """
    lengths = np.array([len(one.thumbnail) for one in measured], np.int64)
    numbers = {
        name: np.array([one.numbers.get(name, np.nan) for one in measured], np.float32) for name in NUMBER_COLUMNS
    }
    columns = {
        "digest": pa.array([one.key for one in measured], pa.string()),
        "unreadable": pa.array([one.unreadable for one in measured], pa.string()),
        "warning": pa.array([one.warning for one in measured], pa.string()),
        **numbers,
        **{name: pa.array([one.texts.get(name, "") for one in measured], pa.string()) for name in TEXT_COLUMNS},
        "thumbnail_offset": np.cumsum(lengths) - lengths,
        "thumbnail_bytes": lengths,
        "signature": list_column([one.signature for one in measured]),
        "features": list_column([one.features for one in measured]),
    }
    return pa.table(columns), b"".join(one.thumbnail for one in measured)
