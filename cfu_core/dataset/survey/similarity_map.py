"""The map of a dataset: which features it is drawn from, and where it is kept."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import pyarrow as pa

from cfu_core.dataset.survey.embedding import place
from cfu_core.dataset.survey.measuring import StoredImage, read_thumbnail
from cfu_core.dataset.survey.survey_store import Parts, lists, read_table, write_table
from cfu_core.errors import ImageError, WeightsError
from cfu_core.imaging.recipe import resize

CLASSICAL = "classical"
_CLASSICAL_LABEL = "Colour, texture and shape (scikit-image)"
_BATCH = 32  # images a network sees at once
_PART = 512  # images in a part on disk
Progress = Callable[[str], Callable[[int, int], None]]


class Extractor(Protocol):
    """A network that turns images into features; from `cfu_core.models.network_features`."""

    @property
    def key(self) -> str:
        """Names it and its weights; safe as the name of a folder."""

    @property
    def label(self) -> str:
        """Names it and its weights, for people."""

    @property
    def side(self) -> int:
        """Of its square input, in pixels."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features (B, F) float32 of images (B, side, side, 3) uint8 RGB.

        Raises
        ------
        WeightsError
            Its weights cannot be used.
        """


def read_map(store: Parts) -> pa.Table | None:
    """The map as it was last drawn: ``digest``, and ``x`` and ``y`` as float32; None where there is none."""
    return read_table(store.folder / "map.parquet")


def map_source(drawn: pa.Table | None) -> str:
    """Which features a map shows and how they became one, for people; empty for none."""
    return "" if drawn is None else drawn.schema.metadata[b"source"].decode()


def draw_map(
    store: Parts,
    images: Sequence[StoredImage],
    *,
    progress: Progress,
    network: Extractor | None = None,
    others: Sequence[Parts] = (),
) -> None:
    """Draw the map anew where it does not show these images by these features yet.

    Parameters
    ----------
    store : Parts
        What the survey knows of the images, and where the map is kept.
    images : sequence of StoredImage
        Readable ones, no digest twice.
    progress : callable
        Gives a callback for a phase, as `Observer.progress` does.
    network : Extractor, optional
        Where its weights cannot be used, the map says so and is drawn from colour, texture and shape.
    others : sequence of Parts
        Surveys that may know a network's features already.
    """
    digests = [image.digest for image in images]
    key, label, parts, remark = CLASSICAL, _CLASSICAL_LABEL, store, ""
    if network is not None:
        try:
            parts = _network_features(store, images, network, progress, others)
            key, label = network.key, network.label
        except WeightsError as error:
            remark = f". A network was not used: {error}".removesuffix(".")
    has, features = parts.gather("features", digests)
    shown = [digest for digest, known in zip(digests, has, strict=True) if known]
    stamp = hashlib.sha256("\n".join([key, remark, *sorted(shown)]).encode()).hexdigest()
    file = store.folder / "map.parquet"
    drawn = read_table(file, [])
    if drawn is not None and drawn.schema.metadata[b"stamp"] == stamp.encode():
        return
    places, method = place(features, progress=progress("Drawing the map"))
    table = pa.table({"digest": pa.array(shown, pa.string()), "x": places[:, 0].copy(), "y": places[:, 1].copy()})
    source = f"{label}, {method}{remark}"
    write_table(file, table.replace_schema_metadata({"source": source, "stamp": stamp}))


def _network_features(
    store: Parts, images: Sequence[StoredImage], network: Extractor, progress: Progress, others: Sequence[Parts]
) -> Parts:
    """See to it that the network's features of all images are on disk; where they are."""
    parts = Parts(store.folder / network.key)
    known = parts.read(["digest"])
    missing = {image.digest for image in images} - set(() if known is None else known["digest"].to_pylist())
    for other in others:
        if missing:
            missing -= parts.copy_from(Parts(other.folder / network.key), missing)
    todo = [image for image in images if image.digest in missing]
    count = progress(f"Looking at the images with {network.label}")
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(todo), _PART):
            rows: dict[str, np.ndarray] = {}
            for first in range(start, min(start + _PART, len(todo)), _BATCH):
                batch = todo[first : first + _BATCH]
                pixels = pool.map(lambda image: _small(store, image, network.side), batch)
                seen = {image.digest: p for image, p in zip(batch, pixels, strict=True) if p is not None}
                if seen:
                    rows |= dict(zip(seen, network(np.stack(list(seen.values()))), strict=True))
                count(len(images) - len(todo) + first + len(batch), len(images))
            if rows:
                parts.write(pa.table({"digest": list(rows), "features": lists(list(rows.values()))}))
    return parts


def _small(store: Parts, image: StoredImage, side: int) -> np.ndarray | None:
    """An image as a square, from its thumbnail: a network's input is no larger; None where its file is gone."""
    try:
        return resize(read_thumbnail(store, image), side)
    except ImageError:
        return None
