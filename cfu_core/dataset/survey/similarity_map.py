"""The similarity map of a dataset: the features that it is made of, and its file."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import pyarrow as pa

from cfu_core.dataset.survey.embedding import embed
from cfu_core.dataset.survey.measuring import StoredImage, read_thumbnail
from cfu_core.dataset.survey.survey_store import Parts, list_column, read_table, write_table
from cfu_core.errors import ImageError, WeightsError
from cfu_core.imaging.recipe import resize

CLASSICAL = "classical"
_CLASSICAL_LABEL = "Colour, texture and shape"
_BATCH_SIZE = 32  # images in one batch of a network
_PART_IMAGES = 512  # images in a part on disk
Progress = Callable[[str], Callable[[int, int], None]]


class Extractor(Protocol):
    """A network that extracts features from images, as in `cfu_core.models.network_features`."""

    @property
    def key(self) -> str:
        """Identifier of the network and its weights; safe as the name of a folder, in which features are stored."""

    @property
    def label(self) -> str:
        """Name of the network and its weights for users."""

    @property
    def side(self) -> int:
        """Side length of its square input in pixels."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Extract features.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (B, side, side, 3)
            A batch of RGB images.

        Returns
        -------
        ndarray of float32, shape (B, F)
            One feature vector per image; F is the same in each call.

        Raises
        ------
        WeightsError
            The weights of the network cannot be used.
        """


def read_map(store: Parts) -> pa.Table | None:
    """Read the map from the folder of a survey.

    Returns
    -------
    pyarrow.Table or None
        One row per image: ``digest``, and the coordinates ``x`` and ``y`` as float32. None if there is no map yet, or
        its file is damaged.

    Raises
    ------
    StorageError
        The survey is not readable.
    """
    return read_table(store.folder / "map.parquet")


def map_source(table: pa.Table | None) -> str:
    """Return a text for users about the features and the method of a map from `read_map`; ``""`` if there is no map."""
    return "" if table is None else table.schema.metadata[b"source"].decode()


def draw_map(
    store: Parts,
    images: Sequence[StoredImage],
    *,
    progress: Progress,
    network: Extractor | None = None,
    others: Sequence[Parts] = (),
) -> None:
    """Compute the coordinates of the map and write them to ``map.parquet`` in the folder of the survey.

    Nothing is computed if the stored map shows the same images by the same features. See
    `cfu_core.dataset.survey.embedding.embed` for the method.

    Parameters
    ----------
    store : Parts
        Parts of the survey, with the features of the images.
    images : sequence of StoredImage
        Readable images, each digest once. Images without features are left out.
    progress : callable
        Receives the name of a phase and returns a callback ``(done, total)``, as `Observer.progress` does. An exception
        that the callback raises ends the work; features of completed parts of 512 images are stored.
    network : Extractor, optional
        Network whose features are used. Missing features are extracted and stored in the folder of the survey, in a
        subfolder named after `Extractor.key`. By default, and if the weights of the network cannot be used, colour,
        texture and shape are used; in the latter case, `map_source` gives the reason.
    others : sequence of Parts
        Surveys of other datasets, from which network features of the same images are copied.

    Raises
    ------
    StorageError
        The disk is full, the home folder is not writable, or the file with the weights of `network` is not readable.
    """
    digests = [image.key for image in images]
    key, label, feature_parts, remark = CLASSICAL, _CLASSICAL_LABEL, store, ""
    if network is not None:
        try:
            feature_parts = _network_features(store, images, network, progress, others)
            key, label = network.key, network.label
        except WeightsError as error:
            remark = f". A network was not used: {error}".removesuffix(".")
    has, features = feature_parts.gather("features", digests)
    shown = [digest for digest, known in zip(digests, has, strict=True) if known]
    stamp = hashlib.sha256("\n".join([key, remark, *sorted(shown)]).encode()).hexdigest()
    file = store.folder / "map.parquet"
    stored = read_table(file, [])
    if stored is not None and stored.schema.metadata[b"stamp"] == stamp.encode():
        return
    coordinates, method = embed(features, progress=progress("Drawing the map"))
    table = pa.table(
        {"digest": pa.array(shown, pa.string()), "x": coordinates[:, 0].copy(), "y": coordinates[:, 1].copy()}
    )
    source = f"{label}, {method}{remark}"
    write_table(file, table.replace_schema_metadata({"source": source, "stamp": stamp}))


def _network_features(
    store: Parts, images: Sequence[StoredImage], network: Extractor, progress: Progress, others: Sequence[Parts]
) -> Parts:
    """Extract and store the features that are missing; return the parts with the features of all images."""
    parts = Parts(store.folder / network.key)
    known = parts.read(["digest"])
    missing = {image.key for image in images} - set(() if known is None else known["digest"].to_pylist())
    for other in others:
        if missing:
            missing -= parts.copy_from(Parts(other.folder / network.key), missing)
    todo = [image for image in images if image.key in missing]
    count = progress(f"Extracting features with {network.label}")
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(todo), _PART_IMAGES):
            rows: dict[str, np.ndarray] = {}
            for first in range(start, min(start + _PART_IMAGES, len(todo)), _BATCH_SIZE):
                batch = todo[first : first + _BATCH_SIZE]
                pixels = pool.map(lambda image: _square(store, image, network.side), batch)
                seen = {image.key: p for image, p in zip(batch, pixels, strict=True) if p is not None}
                if seen:
                    rows |= dict(zip(seen, network(np.stack(list(seen.values()))), strict=True))
                count(len(images) - len(todo) + first + len(batch), len(images))
            if rows:
                parts.write(pa.table({"digest": list(rows), "features": list_column(list(rows.values()))}))
    return parts


def _square(store: Parts, image: StoredImage, side: int) -> np.ndarray | None:
    """Return an image as a square, made from its thumbnail, which is large enough; None if its file is missing."""
    try:
        return resize(read_thumbnail(store, image), side)
    except ImageError:
        return None
