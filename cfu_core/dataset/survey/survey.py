"""The survey of a dataset: measures of each image, copies among the images, and a map of similar images.

`survey` computes what is missing in a background job, which can be stopped or killed at any time; `load_survey` and
`thumbnail` read the results. A survey covers all images, with excluded ones, and its results are stored by the keys of
their pixels: only edits of a range of samples or of a picture need a new survey, and results of other datasets with the
same images are used again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from filelock import FileLock

from cfu_core.dataset.catalog import is_saved
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.survey.copies import copies_by_path, find_new_copies
from cfu_core.dataset.survey.measuring import (
    NUMBER_COLUMNS,
    TEXT_COLUMNS,
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
    """Results of a survey so far.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each image of ``dataset.images``, in its order, with the columns in
        `cfu_core.imaging.measures.MEASURES`; ``colony_left``, ``colony_top``, ``colony_right``, ``colony_bottom``
        (pixels of the image with its EXIF orientation applied, right and bottom exclusive) and ``colony_confidence``
        (0 to 1), NaN if no colony is found; the fields of `cfu_core.imaging.frame_statistics.FrameStatistics`;
        ``sample_low`` and ``sample_high``, samples as stored in the file, without one in 10,000 at each end; ``depth``,
        ``camera`` and ``taken``, texts that are ``""`` where the file states nothing; ``unreadable``, the reason why an
        image cannot be decoded, ``""`` if it can or is not measured yet; ``warning``, the damage that the decoder
        reported although it decoded the image, ``""`` for none; ``map_x`` and ``map_y``, coordinates without a unit.
        Numbers are float32, NaN where there is no result yet.
    copies : pandas.DataFrame
        Pairs of images of which one is a copy of the other: ``path_a`` < ``path_b``, ``kind`` and ``score`` (0 to 1)
        as in `cfu_core.imaging.copy_detection.CopyMatch`. Of many copies of one image not every pair is
        listed, but the listed pairs connect all of them.
    map_source : str
        Features and method of the map, for users; ``""`` if there is no map yet.
    done : int
        Number of images that are measured or found to be unreadable, including excluded ones.
    total : int
        Number of images as imported.
    """

    table: pd.DataFrame
    copies: pd.DataFrame
    map_source: str
    done: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether `done` equals `total` and there is a map, which is drawn after the copies are found."""
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
    """Compute the missing results of a survey and store them in ``<home>/datasets/<id>/survey/``.

    Images are measured first, then copies are found, then the map is drawn. Results of other datasets with the same
    images are copied. Images that could not be decoded before are tried again. Of two surveys of one dataset at the
    same time, the second waits for the first.

    Parameters
    ----------
    dataset : Dataset
        A saved dataset.
    progress : callable
        Receives the name of a phase and returns a callback ``(done, total)``, as `Observer.progress` does. An exception
        that the callback raises ends the survey. Unless it is `StopRequested`, the measurements since the last write
        are lost.
    stop : callable
        Returns whether to stop; called without arguments after every call of the callback.
    network : Extractor, optional
        Network whose features are used for the map. By default, and if the weights of the network cannot be used,
        colour, texture and shape are used.
    part_images : int
        Measurements are written to the disk after so many images or `part_seconds`, whichever comes first. A survey
        that is killed loses only the measurements since then.
    part_seconds : float
        Seconds between two writes.

    Raises
    ------
    StopRequested
        `stop` returned True, or the callback of `progress` raised it. Measurements, completed batches of copies and
        completed parts of network features are stored.
    DatasetError
        The dataset is not saved, or was deleted in the meantime; or a worker process was ended from outside.
    StorageError
        The disk is full, the home folder is not writable, or the image store or the file with the weights of `network`
        is not readable.
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
        readable = [image for image in images if reasons.get(image.key) == ""]
        try:
            find_new_copies(store, readable, counter("Finding copies"))
            draw_map(store, readable, progress=counter, network=network, others=list(other_stores(dataset.id)))
        finally:  # also after a stop: pairs of copies may have been stored
            _write_state(dataset, images, reasons)


def load_survey(dataset: Dataset) -> Survey:
    """Load the results of a survey so far.

    They can be cached until `survey_version` changes or the dataset is edited. Pairs of copies that are stored in
    the meantime then appear when the survey is complete or stopped.

    Returns
    -------
    Survey
        Results may be incomplete (see `Survey.complete`); before the first survey, all numbers are NaN and there are
        no copies. Damaged files of the survey are ignored.

    Raises
    ------
    StorageError
        The home folder is not readable.
    """
    store = store_of(dataset.id)
    wanted = pa.array(dataset.edited["key"], pa.string())
    found = store.read(["digest", "unreadable", "warning", *NUMBER_COLUMNS, *TEXT_COLUMNS])
    rows = np.full(len(wanted), -1) if found is None else rows_of(wanted, found["digest"])
    table = pd.DataFrame({name: numbers_at(found, name, rows) for name in NUMBER_COLUMNS})
    for name in ("unreadable", "warning", *TEXT_COLUMNS):
        table[name] = texts_at(found, name, rows)
    map_table = read_map(store)
    map_rows = np.full(len(wanted), -1) if map_table is None else rows_of(wanted, map_table["digest"])
    for name, axis in (("map_x", "x"), ("map_y", "y")):
        table[name] = numbers_at(map_table, axis, map_rows)
    return Survey(
        table=table.iloc[dataset.rows].reset_index(drop=True),
        copies=copies_by_path(store, dataset.images),
        map_source=map_source(map_table),
        done=int((rows >= 0).sum()),
        total=len(wanted),
    )


def survey_version(identifier: str) -> int:
    """Return a number that changes when the survey of a dataset stores measurements, and when it ends.

    It does not change at the time when pairs of copies or the map are stored. If the process is killed afterwards, it
    changes at the next survey.

    Parameters
    ----------
    identifier : str
        Id of the dataset.

    Returns
    -------
    int
        Time of the last change of ``state.json``, in nanoseconds since 1970; 0 if there is no survey.

    Raises
    ------
    StorageError
        The home folder is not readable.
    """
    try:
        with storage_errors(survey_folder(identifier)):
            return (survey_folder(identifier) / "state.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def thumbnail(dataset: Dataset, index: int) -> bytes:
    """Return a thumbnail of an image, from the survey if it has one, otherwise from the image.

    Parameters
    ----------
    dataset : Dataset
        A saved dataset; it need not be surveyed.
    index : int
        Row of ``dataset.images``.

    Returns
    -------
    bytes
        A JPEG with at most 256 pixels on the longer side; a smaller image keeps its size. For a small JPEG that the
        survey has measured, it is the image file itself.

    Raises
    ------
    ImageError
        The image is missing from the image store or cannot be decoded, and the survey has no thumbnail of it.
    StorageError
        The home folder is not readable.
    """
    stored = stored_thumbnail(store_of(dataset.id), dataset.images["key"].iat[index])
    if stored:
        return stored
    data = dataset.read_bytes(index)
    if stored is not None:
        return data
    path, width, height = (dataset.images[name].iat[index] for name in ("path", "width", "height"))
    pixels = reading.decode_small(
        data, side=THUMBNAIL_SIDE, name=path, samples=dataset.sample_range(index), plane=dataset.plane(index)
    )
    return encode_thumbnail(pixels, width, height)


def _check_saved(dataset: Dataset) -> None:
    if not is_saved(dataset.id):
        raise DatasetError(f"The dataset {dataset.name} no longer exists.", "It was deleted during its survey.")


def _reasons(store: Parts) -> dict[str, str]:
    """Return by key why an image is unreadable; ``""`` for those that can be read."""
    found = store.read(["digest", "unreadable"])
    return {} if found is None else dict(zip(*(found[name].to_pylist() for name in found.column_names), strict=True))


def _write_state(dataset: Dataset, images: list[StoredImage], reasons: dict[str, str]) -> None:
    _check_saved(dataset)
    write_state(dataset.id, done=sum(image.key in reasons for image in images), total=len(images))


def _measure_missing(
    dataset: Dataset,
    images: list[StoredImage],
    count: Callable[[int, int], None],
    part_images: int,
    part_seconds: float,
) -> None:
    """Copy results of other surveys, then measure the other images, including those that could not be read before."""
    store = store_of(dataset.id)
    reasons = _reasons(store)
    missing = {image.key for image in images} - set(reasons)
    for other in other_stores(dataset.id):
        if missing:
            copied = store.copy_from(other, missing)
            reasons |= dict.fromkeys(copied, "")
            missing -= copied
    todo = [image for image in images if image.key in missing or reasons.get(image.key)]
    buffer: list[MeasuredImage] = []
    written = time.monotonic()

    def write_buffer() -> None:
        nonlocal written
        if buffer:
            _check_saved(dataset)
            store.write(*to_part(buffer))
            reasons.update({measured.key: measured.unreadable for measured in buffer})
            _write_state(dataset, images, reasons)
            buffer.clear()
        written = time.monotonic()

    count(len(images) - len(todo), len(images))
    try:
        for done, measured in enumerate(measure_images(todo), len(images) - len(todo) + 1):
            if reasons.get(measured.key) != measured.unreadable:
                buffer.append(measured)
            if len(buffer) >= part_images or time.monotonic() - written >= part_seconds:
                write_buffer()
            count(done, len(images))
    except StopRequested:
        write_buffer()
        raise
    write_buffer()
