"""The survey of a dataset: what is seen in each image, which images are copies, and a map of them all.

`survey` computes what is missing, in the background, and can be stopped or killed at any moment; `load_survey` and
`thumbnail` are for pages. It covers the images as imported and is keyed by their digests, so that no edit costs a new
one, and what another dataset's survey has found is used again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from filelock import FileLock

from cfu_core.dataset.catalog import dataset_folder
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.summary import SUMMARY
from cfu_core.dataset.survey.copies import copies_by_path, find_new_copies
from cfu_core.dataset.survey.measuring import (
    NUMBER_COLUMNS,
    THUMBNAIL_SIDE,
    MeasuredImage,
    StoredImage,
    encode_thumbnail,
    measure_images,
    stored_images,
    to_part,
)
from cfu_core.dataset.survey.similarity_map import Extractor, Progress, draw_map, map_source, read_map
from cfu_core.dataset.survey.survey_store import (
    Parts,
    discard_old_versions,
    numbers_at,
    other_stores,
    rows_of,
    store_of,
    stored_thumbnail,
    survey_folder,
    texts_at,
    write_state,
)
from cfu_core.errors import DatasetError, StopRequested
from cfu_core.imaging import reading
from cfu_core.storage import storage_errors


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """What is known of a dataset's images so far.

    Parameters
    ----------
    table : pandas.DataFrame
        A row an image of ``dataset.images``, in its order: the names in `cfu_core.imaging.measures.MEASURES`,
        ``colony_left``, ``colony_top``, ``colony_right``, ``colony_bottom`` (pixels of the displayed image, right and
        bottom exclusive) and ``colony_confidence`` (0 to 1), NaN where no colony is found; ``unreadable``, why an
        image cannot be decoded, ``""`` where it can; ``map_x`` and ``map_y``. Numbers are float32, NaN where
        there is nothing yet.
    copies : pandas.DataFrame
        Pairs of images of which one is a copy of the other: ``path_a`` < ``path_b``, ``kind`` and ``score`` (0 to 1)
        as in `cfu_core.imaging.copy_detection.CopyMatch`. Of many copies of one image not every pair is listed, but they
        hang together.
    map_source : str
        Which features the map is drawn from and how, for people; empty where there is no map yet.
    done, total : int
        Images as imported that were looked at, and all.
    """

    table: pd.DataFrame
    copies: pd.DataFrame
    map_source: str
    done: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether every image was looked at and the map is drawn."""
        return self.done == self.total and self.map_source != ""


def survey(
    dataset: Dataset,
    *,
    progress: Progress = lambda phase: lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
    network: Extractor | None = None,
    part_images: int = 1000,
    part_seconds: float = 5.0,
) -> None:
    """Compute and keep what is not known yet of a dataset's images as imported.

    Parameters
    ----------
    dataset : Dataset
        Saved.
    progress : callable
        Gives a callback for a phase, which is called with things done and in all, as `Observer.progress` does.
    stop : callable
        Whether to end now; asked between images.
    network : Extractor, optional
        Its features make the map; by default colour, texture and shape do.
    part_images, part_seconds : int, float
        How much a power cut may cost at most: what is found is written after so many images, or so much time.

    Raises
    ------
    StopRequested
        `stop` or `progress` asked for the end; what was found is kept.
    DatasetError
        The dataset is not saved, or was deleted meanwhile.
    StorageError
        The disk is full, or the home folder may not be written.
    """

    def counter(phase: str) -> Callable[[int, int], None]:
        count = progress(phase)

        def step(done: int, total: int) -> None:
            count(done, total)
            if stop():
                raise StopRequested
            _check_saved(dataset)

        return step

    _check_saved(dataset)
    lock = survey_folder(dataset.id) / "lock"
    with storage_errors(lock):
        lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        discard_old_versions(dataset.id)
        images = stored_images(dataset)
        _measure_missing(dataset, images, counter("Measuring images"), part_images, part_seconds)
        store = store_of(dataset.id)
        reasons = _reasons(store)
        readable = [image for image in images if reasons.get(image.digest) == ""]
        find_new_copies(store, readable, counter("Looking for copies"))
        draw_map(store, readable, progress=counter, network=network, others=list(other_stores(dataset.id)))
        _write_state(dataset, images, reasons)


def load_survey(dataset: Dataset) -> Survey:
    """What is known of a dataset's images so far; quick, and fit for caching by `survey_version` and edits.

    Returns
    -------
    Survey
        Without a survey, one with nothing in it.

    Raises
    ------
    StorageError
        The home folder may not be read.
    """
    store = store_of(dataset.id)
    wanted = pa.array(dataset.imported["digest"], pa.string())
    found = store.read(["digest", "unreadable", *NUMBER_COLUMNS])
    rows = np.full(len(wanted), -1) if found is None else rows_of(wanted, found["digest"])
    table = pd.DataFrame({name: numbers_at(found, name, rows) for name in NUMBER_COLUMNS})
    table["unreadable"] = texts_at(found, "unreadable", rows)
    drawn = read_map(store)
    on_map = np.full(len(wanted), -1) if drawn is None else rows_of(wanted, drawn["digest"])
    for name, axis in (("map_x", "x"), ("map_y", "y")):
        table[name] = numbers_at(drawn, axis, on_map)
    return Survey(
        table=table.iloc[dataset.rows].reset_index(drop=True),
        copies=copies_by_path(store, dataset.images),
        map_source=map_source(drawn),
        done=int((rows >= 0).sum()),
        total=len(wanted),
    )


def survey_version(identifier: str) -> int:
    """A number that changes whenever a dataset's survey holds something new; 0 where there is none. Cheap."""
    try:
        with storage_errors(survey_folder(identifier)):
            return (survey_folder(identifier) / "state.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def thumbnail(dataset: Dataset, index: int) -> bytes:
    """A small JPEG of the image of row `index` of ``dataset.images``, from the survey, or else made now.

    Returns
    -------
    bytes
        At most 256 pixels on the longer side; an image that is smaller keeps its size.

    Raises
    ------
    ImageError
        The image cannot be read.
    """
    stored = stored_thumbnail(store_of(dataset.id), dataset.images["digest"].iat[index])
    if stored:
        return stored
    data = dataset.read_bytes(index)
    if stored is not None:
        return data
    path, width, height = (dataset.images[name].iat[index] for name in ("path", "width", "height"))
    return encode_thumbnail(reading.decode_small(data, side=THUMBNAIL_SIDE, name=path), width, height)


def _check_saved(dataset: Dataset) -> None:
    if not (dataset_folder(dataset.id) / SUMMARY).is_file():
        raise DatasetError(f"The dataset {dataset.name} is gone.", "It was deleted while it was surveyed.")


def _reasons(store: Parts) -> dict[str, str]:
    """Why an image is unreadable, by digest; empty for those that can be read."""
    found = store.read(["digest", "unreadable"])
    return {} if found is None else dict(zip(*(found[name].to_pylist() for name in found.column_names), strict=True))


def _write_state(dataset: Dataset, images: list[StoredImage], reasons: dict[str, str]) -> None:
    _check_saved(dataset)
    write_state(dataset.id, done=sum(image.digest in reasons for image in images), total=len(images))


def _measure_missing(
    dataset: Dataset,
    images: list[StoredImage],
    count: Callable[[int, int], None],
    part_images: int,
    part_seconds: float,
) -> None:
    """Take over what other surveys know, then look at the rest, and once more at what could not be read."""
    store = store_of(dataset.id)
    reasons = _reasons(store)
    missing = {image.digest for image in images} - set(reasons)
    for other in other_stores(dataset.id):
        if missing:
            copied = store.copy_from(other, missing)
            reasons |= dict.fromkeys(copied, "")
            missing -= copied
    todo = [image for image in images if image.digest in missing or reasons.get(image.digest)]
    buffer: list[MeasuredImage] = []
    written = time.monotonic()

    def keep() -> None:
        nonlocal written
        if buffer:
            _check_saved(dataset)
            store.write(*to_part(buffer))
            reasons.update({found.digest: found.unreadable for found in buffer})
            _write_state(dataset, images, reasons)
            buffer.clear()
        written = time.monotonic()

    count(len(images) - len(todo), len(images))
    try:
        for done, found in enumerate(measure_images(todo), len(images) - len(todo) + 1):
            if reasons.get(found.digest) != found.unreadable:
                buffer.append(found)
            if len(buffer) >= part_images or time.monotonic() - written >= part_seconds:
                keep()
            count(done, len(images))
    except StopRequested:
        keep()
        raise
    keep()
